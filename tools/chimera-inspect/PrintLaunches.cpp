// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-inspect/Print.h"

#include <cstdio>

namespace chimera::inspect {

using runtime::Buffer;
using runtime::Manifest;

/// In the order of runtime::StepBuffer.
static constexpr const char *stepNames[runtime::stepBufferCount] = {
    "tokens",    "row_index", "row_position", "row_sequence", "seq_start", "seq_slot", "out_index",
    "out_start", "forced",    "targets",      "noise",        "hyper",     "prices",   "leaves"};

/// "ceil((2 N + S + 63) / 64)" without what is 0 or 1.
static std::string gridText(const runtime::Grid &grid) {
  std::string sum;
  auto add = [&](int64_t factor, const char *symbol) {
    if (!factor)
      return;
    sum += sum.empty() ? "" : " + ";
    if (!*symbol || factor != 1)
      sum += std::to_string(factor) + (*symbol ? " " : "");
    sum += symbol;
  };
  add(grid.tokens, "N");
  add(grid.seqs, "S");
  add(grid.outputs, "R");
  add(grid.constant, "");
  if (sum.empty())
    sum = "0";
  return grid.divisor == 1 ? sum : "ceil((" + sum + ") / " + std::to_string(grid.divisor) + ")";
}

/// "packed layers.0.ffn.gate_proj.weight+1": the first of its parameters, and how many there are besides.
static std::string packedText(const Manifest &manifest, const runtime::PackedWeights &packed) {
  std::string text = "packed " + io::escaped(manifest.parameters[size_t(packed.parameters[0])].name);
  return packed.parameters.size() == 1 ? text : text + "+" + std::to_string(packed.parameters.size() - 1);
}

static std::string bufferText(const Manifest &manifest, const runtime::Variant &variant, const Buffer &buffer) {
  auto ofParameter = [&](const char *what) {
    return what + (" " + io::escaped(manifest.parameters[size_t(buffer.index)].name));
  };
  switch (buffer.kind) {
  case Buffer::Kind::Arena:
    return "arena+" + std::to_string(buffer.index) + ":" + std::to_string(buffer.bytes);
  case Buffer::Kind::Param:
    return ofParameter("param");
  case Buffer::Kind::Grad:
    return ofParameter("grad");
  case Buffer::Kind::Total:
    return ofParameter("total");
  case Buffer::Kind::Moment1:
    return ofParameter("moment1");
  case Buffer::Kind::Moment2:
    return ofParameter("moment2");
  case Buffer::Kind::Pool:
    return "pool " + io::escaped(manifest.pools[size_t(buffer.index)].name);
  case Buffer::Kind::Pages:
    return "pages";
  case Buffer::Kind::Table:
    return "table " + std::to_string(buffer.index);
  case Buffer::Kind::Step:
    return stepNames[buffer.index];
  case Buffer::Kind::Packed:
    return packedText(manifest, variant.packed[size_t(buffer.index)]);
  }
  return "";
}

static void printPhase(const Manifest &manifest, const runtime::Variant &variant, const char *name,
                       const runtime::Phase &phase) {
  std::string of = manifest.variants.size() > 1 ? " of " + io::escaped(variant.name) : "";
  std::printf("%s%s: %zu launches\n", name, of.c_str(), phase.launches.size());
  for (size_t i = 0; i < phase.launches.size(); ++i) {
    const runtime::Launch &launch = phase.launches[i];
    std::string layer = launch.layer < 0 ? "-" : std::to_string(launch.layer);
    std::string grid = gridText(launch.grid);
    if (launch.threads)
      grid += " of " + std::to_string(launch.threads) + " threads";
    std::printf("  %4zu  layer %-3s  %-28s %s [%s](", i, layer.c_str(), io::escaped(launch.op).c_str(),
                io::escaped(launch.kernel).c_str(), grid.c_str());
    for (size_t b = 0; b < launch.buffers.size(); ++b)
      std::printf("%s%s", b ? ", " : "", bufferText(manifest, variant, launch.buffers[b]).c_str());
    std::printf(")");
    if (launch.count >= 0)
      std::printf(" count %lld", static_cast<long long>(launch.count));
    for (size_t c = 0; c < launch.constants.size(); ++c)
      std::printf("%s%lld", c ? ", " : " constants ", static_cast<long long>(launch.constants[c]));
    std::printf("\n");
  }
}

void printLaunches(const Manifest &manifest) {
  for (const runtime::Variant &variant : manifest.variants) {
    if (variant.infers())
      printPhase(manifest, variant, "prefill", variant.prefill);
    if (variant.decode)
      printPhase(manifest, variant, "decode", *variant.decode);
    for (int i = 0; i < runtime::trainingProgramCount; ++i)
      if (const runtime::Phase *program = variant.program(runtime::TrainingProgram(i)))
        printPhase(manifest, variant, nameOf(runtime::TrainingProgram(i)), *program);
  }
}

} // namespace chimera::inspect
