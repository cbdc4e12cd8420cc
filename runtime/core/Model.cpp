// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Model.h"

#include "runtime/core/CpuFeatures.h"
#include "runtime/core/Library.h"

namespace chimera::runtime {

Model::~Model() = default;

/// Whether this runtime and this machine can run the binary.
static Failure checkRunnable(const Manifest &manifest, const std::string &name) {
  if (manifest.target != "ref" && manifest.target != "cpu")
    return Error(name + ": compiled for target " + io::quote(manifest.target) +
                 "; this runtime has devices for ref and cpu");
  std::vector<std::string> missing = missingCpuFeatures(manifest.features);
  if (missing.empty())
    return std::nullopt;
  std::string list;
  for (const std::string &feature : missing)
    list += (list.empty() ? "" : ", ") + feature;
  return Error(name + ": needs CPU features that this machine lacks: " + list);
}

Failure Model::resolve(const Phase &phase, std::vector<chimera_kernel> &kernels) const {
  for (const Launch &launch : phase.launches) {
    chimera_kernel kernel = library->kernel(launch.kernel);
    if (!kernel)
      return Error(fileName + ": there is no kernel " + io::quote(launch.kernel));
    kernels.push_back(kernel);
  }
  return std::nullopt;
}

Result<std::shared_ptr<const Model>> Model::fromFile(const ModelFile &file) {
  std::shared_ptr<Model> model(new Model);
  model->fileName = file.name;
  model->fileDigest = file.digest;
  model->text = std::string(file.manifest());
  Result<Manifest> manifest = parseManifest(model->text, file.name);
  if (!manifest)
    return manifest.error();
  model->content = std::move(*manifest);
  if (Failure failure = checkRunnable(model->content, file.name))
    return *failure;
  if (Failure failure = checkFreestanding(file.elf()))
    return Error(file.name + ": " + failure->message);
  Result<std::unique_ptr<Library>> library = Library::map(file.elf(), file.name);
  if (!library)
    return library.error();
  model->library = std::move(*library);
  if (Failure failure = model->resolve(model->content.prefill, model->prefill))
    return *failure;
  if (model->content.decode)
    if (Failure failure = model->resolve(*model->content.decode, model->decode))
      return *failure;
  return std::shared_ptr<const Model>(std::move(model));
}

Result<std::shared_ptr<const Model>> Model::load(const std::string &path) {
  Result<ModelFile> file = readModelFile(path);
  if (!file)
    return file.error();
  return fromFile(*file);
}

Result<std::shared_ptr<const Model>> Model::load(std::string name, std::vector<uint8_t> bytes) {
  Result<ModelFile> file = checkModelFile(std::move(name), std::move(bytes));
  if (!file)
    return file.error();
  return fromFile(*file);
}

} // namespace chimera::runtime
