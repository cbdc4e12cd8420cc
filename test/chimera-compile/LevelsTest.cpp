// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What chimera-compile writes at each level, that it writes the same every time, and that broken IR never breaks it.
#include "test/chimera-compile/Compile.h"
#include <random>

using namespace chimera::test;

namespace {

struct Level {
  const char *emit;
  /// Texts that must be there.
  std::vector<const char *> present;
  /// Texts of another level.
  std::vector<const char *> absent;
};

void PrintTo(const Level &level, std::ostream *out) {
  *out << level.emit;
}

class CompileLevel : public CompileTest, public testing::WithParamInterface<Level> {};

TEST_P(CompileLevel, HoldsWhatItsNameSays) {
  std::string text = output({write("config.json", smallConfig), std::string("--emit=") + GetParam().emit});
  for (const char *part : GetParam().present)
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in\n" << text.substr(0, 4000);
  for (const char *part : GetParam().absent)
    EXPECT_EQ(text.find(part), std::string::npos) << part;
}

const Level levels[] = {
    {"chimera", {"func.func @model", "chimera.mix", "chimera.route"}, {"chimera.dispatch", "@prefill"}},
    {"dispatched", {"func.func @prefill", "func.func @decode", "chimera.dispatch"}, {"chimera.mix", "@model("}},
    {"fused", {"chimera.call @chimera_", "module @kernels"}, {"= chimera.dispatch", "chimera.program"}},
    {"kernels", {"chimera.program @prefill", "chimera.launch @chimera_", "module @kernels"}, {"chimera.call"}},
    {"llvm", {"define protected void @chimera_", "target triple"}, {"@memset", "@memcpy", "chimera.launch"}},
    {"asm", {".globl\tchimera_", "retq"}, {"memset", "memcpy", ".cfi_"}},
    {"memory", {"cache of a sequence", "ssm", "swa", "full", "phase prefill", "phase decode", "arena"}, {}},
    {"resources", {"target ref", "x86-64-v3", "prefill", "decode", "chimera_"}, {}},
};

INSTANTIATE_TEST_SUITE_P(All, CompileLevel, testing::ValuesIn(levels),
                         [](const testing::TestParamInfo<Level> &info) { return std::string(info.param.emit); });

class CompileBinary : public CompileTest {
protected:
  std::string binary(const std::string &input, const std::vector<std::string> &more = {}) {
    std::vector<std::string> arguments = {input, "-o", folder.file("model.chm")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    EXPECT_EQ(output(arguments), "");
    return readFile(folder.file("model.chm"));
  }
};

TEST_F(CompileBinary, EqualInputGivesEqualBytes) {
  std::string config = write("config.json", smallConfig);
  EXPECT_TRUE(binary(config) == binary(config));
}

TEST_F(CompileBinary, AModelDirectoryIsItsConfig) {
  std::string config = write("config.json", smallConfig);
  EXPECT_TRUE(binary(config) == binary(folder.path()));
}

TEST_F(CompileBinary, TheModelsOwnIRGivesTheSameBinary) {
  for (const char *dtype : {"f64", "f32", "bf16"}) {
    std::string option = std::string("--dtype=") + dtype;
    std::string config = write("config.json", smallConfig);
    std::string ir = write("model.mlir", output({config, "--emit=chimera", option}));
    EXPECT_TRUE(binary(config, {option}) == binary(ir)) << dtype;
  }
}

TEST_F(CompileBinary, LimitsAreInTheManifest) {
  std::string bytes = binary(write("config.json", smallConfig), {"--max-tokens=40", "--max-seqs=5"});
  EXPECT_NE(bytes.find(R"("limits":{"max_tokens":40,"max_seqs":5})"), std::string::npos);
}

TEST_F(CompileBinary, IsFreestanding) {
  binary(write("config.json", smallConfig));
  ProcessResult nm = runProcess({"/usr/lib/llvm-19/bin/llvm-nm", "-u", folder.file("model.chm")});
  EXPECT_EQ(nm.status, 0) << nm.describe();
  EXPECT_EQ(nm.out + nm.err, "");
}

/// One random change: a byte flipped, cut out or added, or a word put where another was.
std::string mutate(const std::string &text, std::mt19937_64 &random) {
  std::string changed = text;
  size_t at = random() % text.size();
  switch (random() % 4) {
  case 0:
    changed[at] = static_cast<char>(random());
    break;
  case 1:
    changed.erase(at, 1 + random() % 20);
    break;
  case 2:
    changed.insert(at, 1, static_cast<char>(32 + random() % 95));
    break;
  case 3:
    changed.replace(at, 4, text.substr(random() % text.size(), 4));
    break;
  }
  return changed;
}

TEST_F(CompileTest, BrokenIRIsOneLineOfErrorOrCompiles) {
  std::string ir = output({write("config.json", smallConfig), "--emit=chimera"});
  output({write("model.mlir", ir), "--emit=kernels"});
  std::mt19937_64 random(1);
  int refused = 0;
  constexpr int runs = 150;
  for (int run = 0; run < runs; ++run) {
    std::string path = write("model.mlir", mutate(ir, random));
    ProcessResult result = compile({path, "--emit=kernels", "-o", folder.file("out")});
    ASSERT_TRUE(result.status == 0 || result.status == 1) << "run " << run << ": " << result.describe();
    ASSERT_EQ(countLines(result.err), result.status) << "run " << run << ": " << result.err;
    ASSERT_EQ(result.err.find("fault of the compiler"), std::string::npos) << "run " << run << ": " << result.err;
    refused += result.status;
  }
  EXPECT_GT(refused, runs / 4);
  EXPECT_LT(refused, runs);
}

} // namespace
