// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The options of a generator in a --data argument: `mqar:pairs=8,fillers=random`.
#ifndef CHIMERA_RUNTIME_TRAIN_DATA_DATASPEC_H
#define CHIMERA_RUNTIME_TRAIN_DATA_DATASPEC_H

#include "runtime/io/Result.h"

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>

namespace chimera::train {

/// A name and its options. Reading an option checks it; the first error is kept.
class DataSpec {
public:
  /// Splits "name:key=value,key=value". Errors: no '=', an empty or repeated key.
  static io::Result<DataSpec> parse(const std::string &text);

  const std::string &name() const { return what; }
  /// A whole number in low .. high; `byDefault` when absent.
  int64_t integer(const std::string &key, int64_t byDefault, int64_t low, int64_t high);
  /// The index of the value among `names`; `byDefault` when absent.
  int choice(const std::string &key, int byDefault, std::initializer_list<const char *> names);
  /// Keeps an error about a key that was read, unless there was one before.
  void fail(const std::string &text);
  /// The first error; also an option that nobody read.
  io::Status finish() const;

private:
  struct Option {
    std::string text;
    bool read = false;
  };

  std::string what;
  std::map<std::string, Option> options;
  std::string error;
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_DATA_DATASPEC_H
