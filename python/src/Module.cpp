// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "python/src/Module.h"

#include "python/src/Errors.h"

namespace py = pybind11;
using namespace chimera::python;

/// The word that chimera.Error has for a chimera_status.
static const char *kindOf(int32_t status) {
  switch (status) {
  case CHIMERA_ERROR_LIMIT:
    return "limit";
  case CHIMERA_ERROR_SYSTEM:
    return "system";
  case CHIMERA_ERROR_DEVICE:
    return "device";
  default:
    return "invalid";
  }
}

static void translate(std::exception_ptr thrown) {
  try {
    if (thrown)
      std::rethrow_exception(thrown);
  } catch (const Failure &failure) {
    py::object type = py::module_::import("chimera._errors").attr("Error");
    PyErr_SetObject(type.ptr(), type(failure.what(), kindOf(failure.status)).ptr());
  }
}

PYBIND11_MODULE(_native, module) {
  module.doc() = "The runtime of CHIMERA; the package chimera is its interface.";
  module.attr("__version__") = CHIMERA_VERSION;
  py::register_local_exception_translator(translate);
  bindModel(module);
  bindSession(module);
  bindSampler(module);
  bindText(module);
}
