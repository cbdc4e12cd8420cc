// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model binary that is ready to run.
#ifndef CHIMERA_RUNTIME_CORE_MODEL_H
#define CHIMERA_RUNTIME_CORE_MODEL_H

#include "runtime/core/Error.h"
#include "runtime/core/Manifest.h"
#include "runtime/core/ModelFile.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace chimera::runtime {

class Library;

/// A checked and mapped model binary. Never changes; shared by weights and sessions.
class Model {
public:
  /// Reads, checks and maps the binary at `path`. Everything that can be checked is, before any of it is mapped:
  /// trailer, digest, ELF bounds, manifest, version, target, CPU features.
  static Result<std::shared_ptr<const Model>> load(const std::string &path);
  /// The same for the bytes of a whole file; `name` stands for its path in messages.
  static Result<std::shared_ptr<const Model>> load(std::string name, std::vector<uint8_t> bytes);
  ~Model();

  const std::string &name() const { return fileName; }
  const Digest &digest() const { return fileDigest; }
  const std::string &manifestText() const { return text; }
  const Manifest &manifest() const { return content; }
  /// What of the manifest this machine runs: the first variant for which it has the features.
  const Variant &variant() const { return content.variants[chosen]; }
  /// Code for a device to load, PTX that ends with a zero byte; empty when the kernels are code of this machine.
  const std::string &image() const { return deviceCode; }
  /// The kernels of a phase, one a launch; none when there is an image.
  const std::vector<chimera_kernel> &prefillKernels() const { return prefill; }
  const std::vector<chimera_kernel> &decodeKernels() const { return decode; }
  const std::vector<chimera_kernel> &trainingKernels(TrainingProgram program) const {
    return training[size_t(program)];
  }

private:
  Model() = default;
  static Result<std::shared_ptr<const Model>> fromFile(const ModelFile &file);
  Failure takeImage(const ModelFile &file);
  Failure takeLibrary(const ModelFile &file);
  Failure resolve(const Phase &phase, std::vector<chimera_kernel> &kernels) const;

  std::string fileName;
  Digest fileDigest;
  std::string text;
  Manifest content;
  size_t chosen = 0;
  std::string deviceCode;
  std::unique_ptr<Library> library;
  std::vector<chimera_kernel> prefill;
  std::vector<chimera_kernel> decode;
  std::array<std::vector<chimera_kernel>, trainingProgramCount> training;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_MODEL_H
