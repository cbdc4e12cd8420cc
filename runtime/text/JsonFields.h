// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading the objects of tokenizer files strictly: each field is asked for once, and one that nobody asked for is an
// error, since it may change what the tokenizer does.
#ifndef CHIMERA_RUNTIME_TEXT_JSONFIELDS_H
#define CHIMERA_RUNTIME_TEXT_JSONFIELDS_H

#include "runtime/io/Result.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace chimera::text {

/// The fields of one object. The first thing that is wrong is kept; what is read after it has no meaning.
class Fields {
public:
  /// `where`: the object's place in the file, as in pre_tokenizer.pretokenizers[2].
  Fields(const nlohmann::json &object, std::string where);

  const std::string &where() const { return place; }
  bool has(const char *name) const;

  std::string string(const char *name);
  /// A string, or nothing for null or no field.
  std::optional<std::string> optionalString(const char *name);
  bool boolean(const char *name, std::optional<bool> otherwise = std::nullopt);
  /// An integer from 0 to `most`.
  int64_t integer(const char *name, int64_t most);
  /// A string of one character.
  uint32_t character(const char *name);
  const nlohmann::json &array(const char *name);
  const nlohmann::json &object(const char *name);
  /// One of `names`; returns its index.
  size_t choice(const char *name, const std::vector<const char *> &names, std::optional<size_t> otherwise = {});
  /// Reads `name` whatever it is: it changes no token.
  void ignore(const char *name) { asked.insert(name); }

  /// Keeps an error at this object, or at a field of it.
  void fail(const std::string &what, const char *field = nullptr);
  /// Keeps an error that says where it is.
  void fail(const io::Error &located) {
    if (!error)
      error = located;
  }
  /// The first error; that a field is unknown if there was no other.
  io::Status finish();

private:
  const nlohmann::json *find(const char *name, bool required);

  const nlohmann::json &source;
  std::string place;
  std::set<std::string> asked;
  std::optional<io::Error> error;
};

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_JSONFIELDS_H
