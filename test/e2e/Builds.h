// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the end-to-end tests compile models to.
#ifndef CHIMERA_TEST_E2E_BUILDS_H
#define CHIMERA_TEST_E2E_BUILDS_H

#include "test/support/RandomModel.h"

#include <iosfwd>
#include <string>
#include <vector>

namespace chimera::test {

/// A target with its options, and the dtype.
struct Build {
  Precision precision = Precision::F64;
  std::string target = "ref";
  /// The cpu target's --mcpu: one ISA, or several with commas between them.
  std::string isas;
  /// The cpu target's --weights: same, int8 or int4.
  std::string weights = "same";
  /// Training programs in the place of inference.
  bool training = false;
};

/// A build of the ref target.
Build refBuild(Precision precision);
/// A build of the cpu target.
Build cpuBuild(const std::string &isas, Precision precision, const std::string &weights = "same");

/// A build of the sim target: GPU kernels as code for this CPU.
Build simBuild(Precision precision);

/// A build of training programs.
Build trainingBuild(Build build);

/// "ref_f64", "cpu_avx512bf16_f32_int8", "ref_f64_train", ...: usable in the name of a test or a file.
std::string buildName(const Build &build);
void PrintTo(const Build &build, std::ostream *out);

/// The options that make chimera-compile produce it.
std::vector<std::string> compilerOptions(const Build &build);

/// The ISAs of the cpu target that this machine has (by /proc/cpuinfo), the best last. Empty where it lacks AVX2.
const std::vector<std::string> &hostIsas();

/// Whether products of bf16 are chains of fma over ascending k on an ISA, as those of `ref` are.
bool multipliesByFma(const std::string &isa);

/// A model, by its index in modelCases(), and what to compile it to.
struct ModelBuild {
  size_t model;
  Build build;
};
void PrintTo(const ModelBuild &modelBuild, std::ostream *out);
/// "Pairwise7_cpu_avx2_bf16".
std::string modelBuildName(const ModelBuild &modelBuild);

/// Every model as the ref target's f64, f32 and bf16.
std::vector<ModelBuild> refModelBuilds();

/// Every model as f32 and as bf16 of the cpu target, for ISAs of this machine in turn; for each of them in long mode.
std::vector<ModelBuild> cpuModelBuilds();

/// Every eighth model as f64, f32 or bf16 of the sim target in turn; in long mode every model as each.
std::vector<ModelBuild> simModelBuilds();

/// Every model whose embeddings are not tied with int8 and with int4 weights, as f32 or bf16 in turn, for the ISAs that
/// cpuModelBuilds() has for it; in long mode as both.
std::vector<ModelBuild> quantisedModelBuilds();

} // namespace chimera::test

#endif
