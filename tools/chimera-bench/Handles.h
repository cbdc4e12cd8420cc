// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The runtime's C interface with owned handles and errors as values.
#ifndef CHIMERA_TOOLS_CHIMERABENCH_HANDLES_H
#define CHIMERA_TOOLS_CHIMERABENCH_HANDLES_H

#include "runtime/abi/chimera.h"
#include "runtime/io/Result.h"

#include <memory>

namespace chimera::bench {

struct FreeHandle {
  void operator()(chimera_model *handle) const { chimera_model_free(handle); }
  void operator()(chimera_weights *handle) const { chimera_weights_free(handle); }
  void operator()(chimera_session *handle) const { chimera_session_free(handle); }
};

using ModelHandle = std::unique_ptr<chimera_model, FreeHandle>;
using WeightsHandle = std::unique_ptr<chimera_weights, FreeHandle>;
using SessionHandle = std::unique_ptr<chimera_session, FreeHandle>;

/// Takes an error object from a call and gives it as a value.
class ErrorSlot {
public:
  ErrorSlot() = default;
  ErrorSlot(const ErrorSlot &) = delete;
  ErrorSlot &operator=(const ErrorSlot &) = delete;
  ~ErrorSlot() { chimera_error_free(error); }
  operator chimera_error **() { return &error; }
  io::Error take() const { return io::Error{chimera_error_message(error)}; }

private:
  chimera_error *error = nullptr;
};

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_HANDLES_H
