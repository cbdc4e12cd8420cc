// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Model.h"

#include "runtime/abi/GpuLaunch.h"
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

/// Keeps the PTX, which drivers read to its zero byte.
Failure Model::takeImage(const ModelFile &file) {
  Result<ByteSpan> section = findSection(file.elf(), abi::ptxSection);
  if (!section)
    return Error(file.name + ": " + section.error().message);
  if (section->size == 0 || section->data[section->size - 1] != 0)
    return Error(file.name + ": section " + std::string(abi::ptxSection) + " does not end with a zero byte");
  deviceCode.assign(section->data, section->data + section->size);
  return std::nullopt;
}

Failure Model::takeLibrary(const ModelFile &file) {
  Result<std::unique_ptr<Library>> mapped = Library::map(file.elf(), file.name);
  if (!mapped)
    return mapped.error();
  library = std::move(*mapped);
  if (Failure failure = resolve(variant().prefill, prefill))
    return failure;
  if (variant().decode)
    if (Failure failure = resolve(*variant().decode, decode))
      return failure;
  for (int i = 0; i < trainingProgramCount; ++i)
    if (const Phase *program = variant().program(TrainingProgram(i)))
      if (Failure failure = resolve(*program, training[size_t(i)]))
        return failure;
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
  bool hasImage = model->content.target == "cuda";
  if (Failure failure = hasImage ? model->takeImage(file) : model->takeLibrary(file))
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
