// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors as values for the file formats and tools.
#ifndef CHIMERA_RUNTIME_IO_RESULT_H
#define CHIMERA_RUNTIME_IO_RESULT_H

#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace chimera::io {

/// What went wrong and where, as one line without a final period.
struct Error {
  std::string message;
};

/// A value of type `T`, or an error.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : val(std::move(value)) {}
  Result(Error error) : err(std::move(error)) {}

  explicit operator bool() const { return val.has_value(); }
  T &operator*() { return *val; }
  const T &operator*() const { return *val; }
  T *operator->() { return &*val; }
  const T *operator->() const { return &*val; }

  /// The error; only when there is no value.
  const Error &error() const {
    assert(!val && "a value has no error");
    return err;
  }

private:
  std::optional<T> val;
  Error err;
};

/// Success, or an error.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(Error error) : err(std::move(error)) {}

  explicit operator bool() const { return !err; }
  const Error &error() const {
    assert(err && "success has no error");
    return *err;
  }

private:
  std::optional<Error> err;
};

/// `text` with control characters and bytes that are not UTF-8 as \xNN, so that it stays one line and plain.
std::string escaped(const std::string &text);

/// `text` in single quotes escaped, cut after 200 bytes: what a message shows of a name that came from a file.
std::string quote(const std::string &text);

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_RESULT_H
