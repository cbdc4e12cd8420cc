// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Sampler.h"

#include "python/src/Errors.h"
#include "python/src/Module.h"

#include <pybind11/numpy.h>

namespace py = pybind11;

namespace chimera::python {

static Sampler makeSampler(double temperature, int64_t topK, double topP, uint64_t seed) {
  SamplerOptions options{temperature, topK, topP, seed};
  if (io::Status status = checkSamplerOptions(options); !status)
    throw py::value_error(status.error().message);
  return Sampler(options);
}

/// The token for a row of logits, f32 or f64 [vocab].
static int32_t sample(Sampler &sampler, const py::array &row, uint64_t sequence, uint64_t position) {
  using Single = py::array_t<float, py::array::c_style>;
  using Double = py::array_t<double, py::array::c_style>;
  if (row.ndim() != 1 || row.size() == 0)
    throw py::value_error("a row of logits has one dimension");
  if (py::isinstance<Single>(row))
    return take(sampler.sample(static_cast<const float *>(row.data()), row.size(), sequence, position));
  if (py::isinstance<Double>(row))
    return take(sampler.sample(static_cast<const double *>(row.data()), row.size(), sequence, position));
  throw py::type_error("logits are float32 or float64, without gaps");
}

void bindSampler(py::module_ &module) {
  py::class_<Sampler>(module, "Sampler")
      .def(py::init(&makeSampler), py::arg("temperature"), py::arg("top_k"), py::arg("top_p"), py::arg("seed"))
      .def("sample", &sample, py::arg("logits"), py::arg("sequence"), py::arg("position"));
}

} // namespace chimera::python
