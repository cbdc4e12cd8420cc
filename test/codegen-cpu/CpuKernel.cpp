// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-cpu/CpuKernel.h"

#include "codegen/binary/Variant.h"
#include "runtime/core/CpuFeatures.h"
#include "llvm/ADT/STLExtras.h"

namespace chimera::cpu::test {

static binary::IsaVariant variantOf(const Isa &isa) {
  return llvm::cantFail(binary::isaVariant(isa.name));
}

const std::vector<Isa> &hostIsas() {
  static const std::vector<Isa> isas = [] {
    std::vector<Isa> found;
    llvm::copy_if(allIsas(), std::back_inserter(found),
                  [](const Isa &isa) { return runtime::missingCpuFeatures(variantOf(isa).features).empty(); });
    return found;
  }();
  return isas;
}

std::unique_ptr<ref::test::KernelJit> makeJit(const Isa &isa) {
  binary::IsaVariant variant = variantOf(isa);
  return std::make_unique<ref::test::KernelJit>(variant.cpu, variant.attributes);
}

std::vector<uint16_t> toBF16(const std::vector<float> &values) {
  std::vector<uint16_t> bits;
  for (float value : values)
    bits.push_back(ref::test::toBF16(value));
  return bits;
}

} // namespace chimera::cpu::test
