// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Model.h"

#include "runtime/core/Library.h"
#include "runtime/core/VariantChoice.h"
#include "runtime/device/MakeDevice.h"

namespace chimera::runtime {

Model::~Model() = default;

/// Which variant this runtime and this machine run.
static Result<size_t> chosenVariant(const Manifest &manifest, const std::string &name) {
  if (Failure failure = checkTarget(manifest.target))
    return Error(name + ": " + failure->message);
  Result<size_t> variant = chooseVariant(manifest.variants);
  if (!variant)
    return Error(name + ": " + variant.error().message);
  return variant;
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
  Result<size_t> variant = chosenVariant(model->content, file.name);
  if (!variant)
    return variant.error();
  model->chosen = *variant;
  if (Failure failure = checkFreestanding(file.elf()))
    return Error(file.name + ": " + failure->message);
  Result<std::unique_ptr<Library>> library = Library::map(file.elf(), file.name);
  if (!library)
    return library.error();
  model->library = std::move(*library);
  if (Failure failure = model->resolve(model->variant().prefill, model->prefill))
    return *failure;
  if (model->variant().decode)
    if (Failure failure = model->resolve(*model->variant().decode, model->decode))
      return *failure;
  for (int i = 0; i < trainingProgramCount; ++i)
    if (const Phase *program = model->variant().program(TrainingProgram(i)))
      if (Failure failure = model->resolve(*program, model->training[size_t(i)]))
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
