// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/chimera-run/ToyTool.h"
#include "tools/chimera-inspect/MemoryEstimate.h"

using namespace chimera;
using namespace chimera::test;
using namespace chimera::inspect;
namespace toy = chimera::runtime::toy;

using InspectTest = ToolTest;

static runtime::Manifest toyManifest() {
  auto manifest = runtime::parseManifest(toy::manifest().dump(), "toy");
  EXPECT_TRUE(manifest) << manifest.error().message;
  return *manifest;
}

TEST_F(InspectTest, SaysWhatTheModelIs) {
  ProcessResult result = ToolTest::inspect({file("m.chm")});
  expectSuccess(result);
  for (const char *text :
       {"producer     toy, format 9", "target       ref\n", "variant      x86-64 with sse2\n",
        "weights      88 bytes row by row\n", "dtype        f32, numerics invariant",
        "vocab_size 11, hidden_size 1, 2 layers", "layers 0-1   ssm, full (target in percent: 75, 25)",
        "bos token    1", "eos tokens   2, 9", "parameters   2 tensors, 22 elements, 88 bytes", "route 32",
        "pages        256 bytes hold 64", "prefill      3 launches", "decode       3 launches"})
    EXPECT_NE(result.out.find(text), std::string::npos) << text << "\n" << result.out;
}

TEST_F(InspectTest, SaysHowLongSequencesAreAndHowToSample) {
  nlohmann::json manifest = toy::manifest();
  auto inspected = [&](double temperature) {
    manifest["model"]["max_position_embeddings"] = 8192;
    manifest["model"]["sampling"] = {{"temperature", temperature}, {"top_k", 40}, {"top_p", 0.75}};
    std::vector<uint8_t> bytes = toy::binary(manifest.dump());
    writeFile(file("told.chm"), std::string(bytes.begin(), bytes.end()));
    return ToolTest::inspect({file("told.chm")}).out;
  };
  std::string text = inspected(0.6);
  EXPECT_NE(text.find("positions    made for at most 8192 tokens a sequence\n"), std::string::npos) << text;
  EXPECT_NE(text.find("sampling     temperature 0.6, top-k 40, top-p 0.75\n"), std::string::npos) << text;
  text = inspected(0);
  EXPECT_NE(text.find("temperature 0, top-k 40, top-p 0.75 (always the largest logit)\n"), std::string::npos) << text;
  text = ToolTest::inspect({file("m.chm")}).out;
  EXPECT_EQ(text.find("positions "), std::string::npos) << text;
  EXPECT_EQ(text.find("sampling "), std::string::npos) << text;
}

TEST_F(InspectTest, SaysWhereAParameterComesFrom) {
  nlohmann::json manifest = toy::manifest();
  manifest["parameters"][0].update(
      {{"source", "all"}, {"source_shape", nlohmann::json::array({30})}, {"source_row", 7}});
  std::vector<uint8_t> bytes = toy::binary(manifest.dump());
  writeFile(file("part.chm"), std::string(bytes.begin(), bytes.end()));
  EXPECT_EQ(ToolTest::inspect({file("part.chm"), "--parameters"}).out,
            "f32   [11]             scale from rows 7 .. 17 of the checkpoint's all\n"
            "f32   [11]             bias (optional)\n");
}

TEST_F(InspectTest, PrintsParametersLaunchesAndTheManifest) {
  ProcessResult parameters = ToolTest::inspect({file("m.chm"), "--parameters"});
  expectSuccess(parameters);
  EXPECT_EQ(parameters.out, "f32   [11]             scale\nf32   [11]             bias (optional)\n");

  ProcessResult launches = ToolTest::inspect({file("m.chm"), "--launches"});
  expectSuccess(launches);
  EXPECT_EQ(countLines(launches.out), 8) << launches.out;
  EXPECT_NE(launches.out.find("2  layer -    toy.logits                   toy_logits [11 R](out_index, arena+0:28, "
                              "arena+64:28, param scale, param bias, arena+192:308) constants 11\n"),
            std::string::npos)
      << launches.out;

  ProcessResult json = ToolTest::inspect({file("m.chm"), "--json"});
  expectSuccess(json);
  EXPECT_EQ(nlohmann::json::parse(json.out), toy::manifest());
}

TEST_F(InspectTest, PrintsMemoryBesideADenseTransformer) {
  ProcessResult result = ToolTest::inspect(
      {file("m.chm"), "--memory", "--batch", "2", "--context", "1000", "--fractions", "ssm=.5,full=.5"});
  expectSuccess(result);
  EXPECT_NE(result.out.find("cache bytes of 2 sequence(s) of 1000 tokens\nshares of the tokens: ssm 0.5, swa 0, full "
                            "0.5, identity 0; renormalised over each layer's modes\n"),
            std::string::npos)
      << result.out;
  EXPECT_EQ(countLines(result.out), 8) << result.out;
  // Without shares those of the model: 250 of 1000 tokens are full, in 4 pages of 256 bytes and 4 of table each.
  ProcessResult assumed = ToolTest::inspect({file("m.chm"), "--memory", "--context", "1000"});
  EXPECT_NE(assumed.out.find("shares of the tokens: assumed to be each layer's target (--fractions gives others)\n"),
            std::string::npos)
      << assumed.out;
  EXPECT_NE(assumed.out.find(" " + std::to_string(8 + 4 * (256 + 4)) + " "), std::string::npos) << assumed.out;
}

TEST_F(InspectTest, SaysWhatIsWrongInOneLine) {
  expectError(ToolTest::inspect({}), 2, "chimera-inspect: model is required");
  expectError(ToolTest::inspect({"m", "--batch", "1"}), 2, "--batch requires --memory");
  expectError(ToolTest::inspect({"m", "--memory", "--batch", "0"}), 2, "--batch");
  expectError(ToolTest::inspect({"m", "--memory", "--fractions", "ssm"}), 2, "--fractions: 'ssm' is not MODE=SHARE");
  expectError(ToolTest::inspect({file("none")}), 1, file("none"));
  writeFile(file("short"), "CHIMERA1");
  expectError(ToolTest::inspect({file("short")}), 1, file("short"));
  std::string bytes = readFile(file("m.chm"));
  bytes[100] = char(bytes[100] ^ 1);
  writeFile(file("bad"), bytes);
  expectError(ToolTest::inspect({file("bad")}), 1, file("bad"));
}

TEST(MemoryEstimate, CountsSlotsAndPages) {
  MemoryEstimate estimate = estimateMemory(toyManifest(), 3, 1000, Fractions{0.5, 0, 0.5, 0});
  ASSERT_EQ(estimate.layers.size(), size_t(toy::layers));
  for (const auto &layer : estimate.layers) {
    EXPECT_EQ(layer[size_t(runtime::CacheMode::Route)], 3 * 16);
    EXPECT_EQ(layer[size_t(runtime::CacheMode::Ssm)], 3 * 4);
    EXPECT_EQ(layer[size_t(runtime::CacheMode::Swa)], 3 * (toy::window * 4 + 8));
    // The length, and 500 entries in 8 pages of 256 bytes with 4 bytes of table each.
    EXPECT_EQ(layer[size_t(runtime::CacheMode::Full)], 3 * (8 + 8 * (256 + 4)));
  }
  // No heads: keys and values of hidden_size 1 in f32; 1000 entries in 16 pages.
  EXPECT_TRUE(estimate.denseAssumed);
  EXPECT_EQ(estimate.denseLayer, 3 * 16 * (64 * 2 * 4 + 4));
}

TEST(MemoryEstimate, WithoutSharesALayerHasItsTarget) {
  runtime::Manifest manifest = toyManifest();
  manifest.model.layers[1].target = {0.875, 0, 0.125, 0};
  MemoryEstimate estimate = estimateMemory(manifest, 1, 1024, std::nullopt);
  EXPECT_EQ(estimate.layers[0][size_t(runtime::CacheMode::Full)], 8 + 4 * (256 + 4));
  EXPECT_EQ(estimate.layers[1][size_t(runtime::CacheMode::Full)], 8 + 2 * (256 + 4));
}

TEST(MemoryEstimate, TheDenseModelHasTheModelsHeads) {
  runtime::Manifest manifest = toyManifest();
  manifest.model.keyValueHeads = 2;
  manifest.model.headDim = 8;
  manifest.dtype = io::DType::BF16;
  MemoryEstimate estimate = estimateMemory(manifest, 1, 64, std::nullopt);
  EXPECT_FALSE(estimate.denseAssumed);
  EXPECT_EQ(estimate.denseLayer, 64 * 2 * 2 * 8 * 2 + 4);
}

TEST(MemoryEstimate, SharesAreRenormalisedOverALayersModes) {
  Fractions shares = layerFractions({0.6, 0.2, 0.1, 0.1}, 1 << 0 | 1 << 2);
  EXPECT_DOUBLE_EQ(shares[0], 0.6 / 0.7);
  EXPECT_EQ(shares[1], 0);
  EXPECT_DOUBLE_EQ(shares[2], 0.1 / 0.7);
  shares = layerFractions({0.6, 0.2, 0, 0}, 1 << 2 | 1 << 3);
  EXPECT_EQ(shares, (Fractions{0, 0, 0.5, 0.5}));
}

TEST(MemoryEstimate, FractionsAreParsed) {
  auto good = parseFractions("full=.25,ssm=1");
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, (Fractions{1, 0, 0.25, 0}));
  for (const char *text :
       {"", "ssm", "ssm=", "ssm=x", "ssm=1.1", "ssm=-1", "ssm=nan", "ssm=1,", "ssm=1,ssm=1", "a=1", "ssm=.5x", "=1"})
    EXPECT_FALSE(parseFractions(text)) << text;
}
