// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "python/src/Model.h"

#include "python/src/Errors.h"
#include "python/src/Module.h"

#include <pybind11/stl.h>

#include <vector>

namespace py = pybind11;

namespace chimera::python {

Model::Model(const std::string &path) {
  ErrorSlot error;
  chimera_model *loaded = nullptr;
  error.check(chimera_model_load(path.c_str(), &loaded, error));
  model.reset(loaded, chimera_model_free);
  readInfo();
}

Model::Model(const std::string &bytes, const std::string &name) {
  ErrorSlot error;
  chimera_model *loaded = nullptr;
  error.check(chimera_model_load_bytes(bytes.data(), bytes.size(), name.c_str(), &loaded, error));
  model.reset(loaded, chimera_model_free);
  readInfo();
}

void Model::readInfo() {
  ErrorSlot error;
  about.struct_size = sizeof about;
  error.check(chimera_model_get_info(model.get(), &about, error));
}

Weights::Weights(const Model &model, const std::string &path) {
  ErrorSlot error;
  chimera_weights *loaded = nullptr;
  error.check(chimera_weights_load(model.handle().get(), path.c_str(), &loaded, error));
  weights.reset(loaded, chimera_weights_free);
}

static py::dict infoOf(const Model &model) {
  const chimera_model_info &info = model.info();
  py::dict fields;
  fields["dtype"] = info.dtype;
  fields["logits_dtype"] = info.logits_dtype;
  fields["vocab_size"] = info.vocab_size;
  fields["layers"] = info.layers;
  fields["max_tokens"] = info.max_tokens;
  fields["max_seqs"] = info.max_seqs;
  fields["bos_token_id"] = info.bos_token_id;
  fields["max_positions"] = chimera_model_max_positions(model.handle().get());
  fields["variant"] = chimera_model_variant(model.handle().get());
  return fields;
}

static py::dict samplingOf(const Model &model) {
  chimera_sampling sampling = {};
  sampling.struct_size = sizeof sampling;
  ErrorSlot error;
  error.check(chimera_model_sampling(model.handle().get(), &sampling, error));
  py::dict fields;
  fields["temperature"] = sampling.temperature;
  fields["top_k"] = sampling.top_k;
  fields["top_p"] = sampling.top_p;
  return fields;
}

static std::vector<int64_t> eosTokensOf(const Model &model) {
  std::vector<int64_t> tokens;
  int64_t token;
  while ((token = chimera_model_eos_token(model.handle().get(), tokens.size())) >= 0)
    tokens.push_back(token);
  return tokens;
}

static py::bytes manifestOf(const Model &model) {
  size_t length = 0;
  const char *text = chimera_model_manifest(model.handle().get(), &length);
  return {text, length};
}

static std::vector<std::string> unusedIn(const Weights &weights) {
  std::vector<std::string> names;
  while (const char *name = chimera_weights_unused_name(weights.handle(), names.size()))
    names.emplace_back(io::escaped(name));
  return names;
}

static py::bytes digestOf(const Weights &weights) {
  uint8_t digest[CHIMERA_DIGEST_BYTES];
  ErrorSlot error;
  {
    py::gil_scoped_release released;
    error.check(chimera_weights_digest(weights.handle(), digest, error));
  }
  return {reinterpret_cast<const char *>(digest), sizeof digest};
}

void bindModel(py::module_ &module) {
  using Released = py::call_guard<py::gil_scoped_release>;
  py::class_<Model>(module, "Model")
      .def(py::init<const std::string &>(), py::arg("path"), Released())
      .def(py::init<const std::string &, const std::string &>(), py::arg("bytes"), py::arg("name"), Released())
      .def("info", infoOf)
      .def("sampling", samplingOf)
      .def("eos_tokens", eosTokensOf)
      .def("manifest", manifestOf)
      .def("layer_modes",
           [](const Model &model, int64_t layer) { return chimera_model_layer_modes(model.handle().get(), layer); })
      .def("layer_forceable", [](const Model &model, int64_t layer) {
        return chimera_model_layer_forceable(model.handle().get(), layer);
      });
  py::class_<Weights>(module, "Weights")
      .def(py::init<const Model &, const std::string &>(), py::arg("model"), py::arg("path"), Released())
      .def("unused", unusedIn)
      .def("digest", digestOf);
}

} // namespace chimera::python
