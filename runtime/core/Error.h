// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors as values, with the status code that the C interface reports.
#ifndef CHIMERA_RUNTIME_CORE_ERROR_H
#define CHIMERA_RUNTIME_CORE_ERROR_H

#include "runtime/abi/chimera.h"
#include "runtime/io/Result.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace chimera::runtime {

/// What went wrong and where: one line, and the kind of failure.
struct Error {
  std::string message;
  chimera_status status = CHIMERA_ERROR_INVALID;

  Error(std::string message, chimera_status status = CHIMERA_ERROR_INVALID)
      : message(std::move(message)), status(status) {}
  Error(const io::Error &error) : message(error.message) {}
};

/// Nothing, or why not: `if (Failure failure = f()) return *failure;`
using Failure = std::optional<Error>;

/// A value, or an error.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : content(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : content(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return content.index() == 0; }
  T &operator*() { return *std::get_if<0>(&content); }
  const T &operator*() const { return *std::get_if<0>(&content); }
  T *operator->() { return std::get_if<0>(&content); }
  const T *operator->() const { return std::get_if<0>(&content); }
  /// The error; only when there is no value.
  const Error &error() const { return *std::get_if<1>(&content); }

private:
  std::variant<T, Error> content;
};

/// "what: the system's text for errno `code`" with CHIMERA_ERROR_SYSTEM.
Error systemError(const std::string &what, int code);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_ERROR_H
