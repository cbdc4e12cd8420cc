// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors of the runtime on their way to Python, where they are chimera.Error.
#ifndef CHIMERA_PYTHON_SRC_ERRORS_H
#define CHIMERA_PYTHON_SRC_ERRORS_H

#include "runtime/abi/chimera.h"
#include "runtime/io/Result.h"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace chimera::python {

/// What went wrong, as an exception: pybind11 turns it into chimera.Error with the message and the kind of `status`.
class Failure : public std::runtime_error {
public:
  explicit Failure(const std::string &message, int32_t status = CHIMERA_ERROR_INVALID)
      : std::runtime_error(message), status(status) {}

  const int32_t status; ///< chimera_status.
};

/// The error object of a call of the C interface: `ErrorSlot error; error.check(chimera_...(..., error));`
class ErrorSlot {
public:
  ErrorSlot() = default;
  ~ErrorSlot() { chimera_error_free(error); }
  ErrorSlot(const ErrorSlot &) = delete;
  ErrorSlot &operator=(const ErrorSlot &) = delete;

  operator chimera_error **() { return &error; }
  /// Throws a Failure unless `status` is CHIMERA_OK.
  void check(int32_t status) const {
    if (status != CHIMERA_OK)
      throw Failure(chimera_error_message(error), status);
  }

private:
  chimera_error *error = nullptr;
};

/// The value of a result; throws its error.
template <typename T> T take(io::Result<T> result) {
  if (!result)
    throw Failure(io::escaped(result.error().message));
  return std::move(*result);
}

inline void check(const io::Status &status) {
  if (!status)
    throw Failure(io::escaped(status.error().message));
}

} // namespace chimera::python

#endif // CHIMERA_PYTHON_SRC_ERRORS_H
