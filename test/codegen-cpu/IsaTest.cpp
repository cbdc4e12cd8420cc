// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Isa.h"
#include "codegen/binary/Variant.h"
#include "test/codegen-cpu/CpuKernel.h"

#include <gtest/gtest.h>

namespace chimera::cpu::test {

TEST(IsaTest, EveryIsaIsAVariantThatItsNameFinds) {
  for (const Isa &isa : allIsas()) {
    auto variant = binary::isaVariant(isa.name);
    ASSERT_TRUE(static_cast<bool>(variant)) << isa.name;
    EXPECT_EQ(variant->name, isa.name);
    EXPECT_EQ(isaNamed(isa.name)->lanes, isa.lanes);
  }
  EXPECT_FALSE(isaNamed("avx1024").has_value());
}

TEST(IsaTest, ThisMachineRunsOne) {
  EXPECT_FALSE(hostIsas().empty()) << "the tests of kernels need AVX2 with FMA";
}

} // namespace chimera::cpu::test
