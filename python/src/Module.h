// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of the extension module chimera._native. The package around it (python/chimera) checks what its users give;
// here arguments have the types that _native.pyi says.
#ifndef CHIMERA_PYTHON_SRC_MODULE_H
#define CHIMERA_PYTHON_SRC_MODULE_H

#include <pybind11/pybind11.h>

namespace chimera::python {

void bindModel(pybind11::module_ &module);
void bindSession(pybind11::module_ &module);
void bindSampler(pybind11::module_ &module);
void bindText(pybind11::module_ &module);

} // namespace chimera::python

#endif // CHIMERA_PYTHON_SRC_MODULE_H
