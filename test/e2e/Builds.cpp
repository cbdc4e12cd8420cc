// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/e2e/Builds.h"

#include "runtime/core/CpuFeatures.h"
#include "test/e2e/Cases.h"

#include <ostream>
#include <utility>
#include <variant>

namespace chimera::test {

Build refBuild(Precision precision) {
  return {precision, "ref", "", "same", false};
}

Build cpuBuild(const std::string &isas, Precision precision, const std::string &weights) {
  return {precision, "cpu", isas, weights, false};
}

Build simBuild(Precision precision) {
  return {precision, "sim", "", "same", false};
}

Build trainingBuild(Build build) {
  build.training = true;
  return build;
}

std::string buildName(const Build &build) {
  std::string name = build.target;
  if (!build.isas.empty())
    name += "_";
  for (char c : build.isas)
    if (c != '-')
      name += c == ',' ? '_' : c;
  return name + "_" + precisionName(build.precision) + (build.weights == "same" ? "" : "_" + build.weights) +
         (build.training ? "_train" : "");
}

void PrintTo(const Build &build, std::ostream *out) {
  *out << buildName(build);
}

std::vector<std::string> compilerOptions(const Build &build) {
  std::vector<std::string> options = {"--target=" + build.target,
                                      std::string("--dtype=") + precisionName(build.precision)};
  if (!build.isas.empty())
    options.push_back("--mcpu=" + build.isas);
  if (build.weights != "same")
    options.push_back("--weights=" + build.weights);
  if (build.training)
    options.push_back("--phases=train");
  return options;
}

const std::vector<std::string> &hostIsas() {
  // The flags that tell one from the next; a CPU that has these has the others that its name stands for.
  static const std::vector<std::pair<std::string, std::vector<std::string>>> known = {
      {"avx2", {"avx2", "fma", "f16c", "bmi2"}},
      {"avx512", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}},
      {"avx512-bf16", {"avx512_bf16"}},
      {"amx-bf16", {"amx_tile", "amx_bf16"}},
  };
  static const std::vector<std::string> isas = [] {
    std::vector<std::string> found;
    for (const auto &[name, flags] : known) {
      if (!runtime::missingCpuFeatures(flags).empty())
        break;
      found.push_back(name);
    }
    return found;
  }();
  return isas;
}

bool multipliesByFma(const std::string &isa) {
  return isa == "avx2" || isa == "avx512";
}

void PrintTo(const ModelBuild &modelBuild, std::ostream *out) {
  *out << modelBuildName(modelBuild);
}

std::string modelBuildName(const ModelBuild &modelBuild) {
  return modelCases()[modelBuild.model].name + "_" + buildName(modelBuild.build);
}

std::vector<ModelBuild> refModelBuilds() {
  std::vector<ModelBuild> builds;
  for (size_t model = 0; model < modelCases().size(); ++model)
    for (Precision precision : {Precision::F64, Precision::F32, Precision::BF16})
      builds.push_back({model, refBuild(precision)});
  return builds;
}

/// The ISAs that the `turn`-th of a row of builds is for.
static std::vector<std::string> isasInTurn(size_t turn) {
  if (longMode() || hostIsas().empty())
    return hostIsas();
  return {hostIsas()[turn % hostIsas().size()]};
}

std::vector<ModelBuild> cpuModelBuilds() {
  std::vector<ModelBuild> builds;
  for (size_t model = 0; model < modelCases().size(); ++model) {
    for (const std::string &isa : isasInTurn(model))
      builds.push_back({model, cpuBuild(isa, Precision::F32)});
    for (const std::string &isa : isasInTurn(model + 1)) // not the ISA of f32
      builds.push_back({model, cpuBuild(isa, Precision::BF16)});
  }
  return builds;
}

std::vector<ModelBuild> simModelBuilds() {
  const Precision turns[] = {Precision::F64, Precision::F32, Precision::BF16};
  std::vector<ModelBuild> builds;
  for (size_t model = 0; model < modelCases().size(); ++model)
    for (size_t turn = 0; turn < 3; ++turn)
      if (longMode() || (model % 8 == 0 && model / 8 % 3 == turn))
        builds.push_back({model, simBuild(turns[turn])});
  return builds;
}

static bool isTied(const ModelCase &modelCase) {
  return std::get<Config>(parseConfig(modelCase.configText, modelCase.name)).tieWordEmbeddings;
}

std::vector<ModelBuild> quantisedModelBuilds() {
  std::vector<ModelBuild> builds;
  Precision turn = Precision::F32;
  std::vector<ModelBuild> plain = cpuModelBuilds();
  for (size_t i = 0; i < plain.size(); ++i) {
    bool isFirst = i == 0 || plain[i].model != plain[i - 1].model;
    const ModelCase &modelCase = modelCases()[plain[i].model];
    if (isTied(modelCase))
      continue;
    if (isFirst)
      turn = turn == Precision::F32 ? Precision::BF16 : Precision::F32;
    if (longMode() || plain[i].build.precision == turn)
      for (const char *weights : {"int8", "int4"})
        builds.push_back({plain[i].model, cpuBuild(plain[i].build.isas, plain[i].build.precision, weights)});
  }
  return builds;
}

} // namespace chimera::test
