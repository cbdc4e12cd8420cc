// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cpu target against the ref target on the same tokens and routing, so closely that a rounding too many or too few
// would show.
//
// In f32 both round at the same points and differ by the order of some sums and by exp: a bound on the worst logit.
// Where a model magnifies such a difference (a norm of an output that is near zero at some position), the ref target in
// f64 says how near to the truth f32 comes: there cpu may be as far from it as ref is.
//
// In bf16 such a difference is 1e-7 as well until it makes an operand fall to the other side of a rounding to bf16.
// That is rare, but what follows it in its sequence is then apart by as much as a wrong rounding. So the bf16 bound is
// on the share of the positions that are apart: over sequences that share nothing few are, while a wrong rounding moves
// all.
#include "test/e2e/Cases.h"
#include "test/e2e/Compare.h"
#include "test/e2e/Engine.h"
#include "test/e2e/Mutation.h"
#include "test/support/Oracle.h"
#include "test/support/Random.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <utility>

using namespace chimera;
using namespace chimera::test;

namespace {

/// f32: the worst difference that is allowed, as a fraction of the largest logit.
constexpr double kWorst = 1e-5;
/// f32: where that is not kept, the distance from f64 that is allowed, in that of the ref target or in kWorst.
constexpr double kWorstOfRef = 2;
/// bf16: a position is apart beyond this fraction of the largest logit; the share of them that is allowed.
constexpr double kApart = 1e-5, kShareApart = 0.15;
/// bf16: where a rounding fell to the other side.
constexpr double kWorstApart = 6e-3;

struct Sequence {
  std::vector<int32_t> tokens;
  /// [T][L], none of them -1.
  std::vector<int8_t> forced;
  LogitRows logits;
};

/// A mode that may be forced for each token and layer.
std::vector<int8_t> drawModes(const Engine &engine, size_t count, Random &random) {
  std::vector<int8_t> modes;
  for (size_t t = 0; t < count; ++t)
    for (int64_t layer = 0; layer < engine.info().layers; ++layer) {
      std::vector<int8_t> choices;
      for (int8_t mode = 0; mode < CHIMERA_MODE_COUNT; ++mode)
        if (engine.forceable(layer) >> mode & 1)
          choices.push_back(mode);
      modes.push_back(random.pick(choices));
    }
  return modes;
}

/// How many of the tokens come before the first that another order of sums may send to other experts.
size_t countClear(const RandomModel &model, const std::vector<int> &tokens, const RoutingTable &routing) {
  if (model.config.experts.count == model.config.experts.active)
    return tokens.size();
  double margin = model.precision == Precision::BF16 ? 0.05 : 1e-4;
  return clearTokens(runOracle(model.config, model.parameters, tokens, &routing), margin);
}

/// Sequences of at most the given lengths with the ref binary's logits: every other one routed as its routers decide,
/// the others by chance. The routing that came about is what others are to be forced to. A sequence ends before a close
/// choice of experts.
std::vector<Sequence> makeSequences(const Engine &ref, const RandomModel &model, const std::vector<int> &lengths,
                                    Random random) {
  std::vector<Sequence> sequences;
  bool isDrawn = false;
  for (int length : lengths) {
    std::vector<int> tokens = randomTokens(length, model.config.vocabSize, random.next());
    Sequence sequence{{tokens.begin(), tokens.end()}, {}, {}};
    if (std::exchange(isDrawn, !isDrawn))
      sequence.forced = drawModes(ref, tokens.size(), random);
    Session session(ref, 2, 1, true);
    StepResult result = session.step({{session.add(), sequence.tokens, sequence.forced, CHIMERA_LOGITS_ALL}}).front();
    size_t count = countClear(model, tokens, result.routing);
    if (count == 0)
      continue;
    sequence.tokens.resize(count);
    result.routing.resize(count);
    result.logits.resize(count);
    sequence.forced = flatten(result.routing);
    sequence.logits = std::move(result.logits);
    sequences.push_back(std::move(sequence));
  }
  EXPECT_FALSE(sequences.empty());
  return sequences;
}

/// How far a binary is from what the sequences hold.
struct Distance {
  double worst = 0;
  /// The share of a sequence's positions that are apart, on average over the sequences.
  double shareApart = 0;
};

Distance distanceOf(const Engine &engine, const std::vector<Sequence> &sequences) {
  Distance distance;
  for (const Sequence &sequence : sequences) {
    Session session(engine, 2, 1, true);
    StepResult result = session.step({{session.add(), sequence.tokens, sequence.forced, CHIMERA_LOGITS_ALL}}).front();
    EXPECT_EQ(flatten(result.routing), sequence.forced);
    std::vector<double> rows = rowDifferences(result.logits, sequence.logits);
    distance.worst = std::max(distance.worst, *std::max_element(rows.begin(), rows.end()));
    distance.shareApart += shareBeyond(rows, kApart) / static_cast<double>(sequences.size());
  }
  return distance;
}

LogitRows logitsOf(const Engine &engine, const Sequence &sequence) {
  Session session(engine, 2, 1, true);
  return session.step({{session.add(), sequence.tokens, sequence.forced, CHIMERA_LOGITS_ALL}}).front().logits;
}

/// The greatest ratio of a position's distance from `exact` to that of the sequences' logits, which are ref's, or to
/// kWorst where ref is nearer than that.
double worstOfRef(const Engine &engine, const Engine &exact, const std::vector<Sequence> &sequences) {
  double worst = 0;
  for (const Sequence &sequence : sequences) {
    LogitRows truth = logitsOf(exact, sequence);
    std::vector<double> own = rowDifferences(logitsOf(engine, sequence), truth);
    std::vector<double> ofRef = rowDifferences(sequence.logits, truth);
    for (size_t row = 0; row < own.size(); ++row)
      worst = std::max(worst, own[row] / std::max(kWorst, ofRef[row]));
  }
  return worst;
}

bool isWithinBounds(const Distance &distance, Precision precision) {
  if (precision == Precision::F32)
    return distance.worst <= kWorst;
  return distance.worst <= kWorstApart && distance.shareApart <= kShareApart;
}

std::string describe(const Distance &distance) {
  std::ostringstream text;
  text << "worst " << distance.worst << " of the largest logit, share apart " << distance.shareApart;
  return text.str();
}

/// The model's longest sequence and short ones, for which a difference in one has no bearing on the next.
std::vector<int> drawLengths(int longest, Random &random) {
  std::vector<int> lengths = {longest};
  for (int i = 0; i < 15; ++i)
    lengths.push_back(static_cast<int>(random.between(1, 24)));
  return lengths;
}

class CpuAgainstRefTest : public testing::TestWithParam<ModelBuild> {};

TEST_P(CpuAgainstRefTest, LogitsAgreeAtEveryPosition) {
  const ModelCase &modelCase = modelCases()[GetParam().model];
  Precision precision = GetParam().build.precision;
  RandomModel model = makeModel(modelCase.configText, precision, modelCase.seed);
  SCOPED_TRACE("seed " + std::to_string(modelCase.seed) + ", config:\n" + model.configText);
  TemporaryDirectory directory;
  writeModel(model, directory.path());
  Engine ref(compileModel(modelCase, refBuild(precision)), directory.path());
  Engine cpu(compileModel(modelCase, GetParam().build), directory.path());

  Random random(modelCase.seed);
  std::vector<int> lengths = drawLengths(modelCase.length, random);
  std::vector<Sequence> sequences = makeSequences(ref, model, lengths, random.fork());
  Distance distance = distanceOf(cpu, sequences);
  RecordProperty("distance", describe(distance));
  if (isWithinBounds(distance, precision))
    return;
  ASSERT_EQ(precision, Precision::F32) << describe(distance);
  Engine exact(compileModel(modelCase, refBuild(Precision::F64)), directory.path());
  EXPECT_LE(worstOfRef(cpu, exact, sequences), kWorstOfRef) << describe(distance);
}

INSTANTIATE_TEST_SUITE_P(Cpu, CpuAgainstRefTest, testing::ValuesIn(cpuModelBuilds()),
                         [](const auto &info) { return modelBuildName(info.param); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CpuAgainstRefTest);

//===-- The bounds see a wrong rounding -------------------------------------------------------------------------===//

/// The op that is changed: a part of its line, or the end of the name of its weights.
struct WrongRounding {
  const char *name;
  const char *text;
};

void PrintTo(const WrongRounding &wrong, std::ostream *out) {
  *out << wrong.name;
}

/// A rounding more: of the result of every op whose line has the text.
constexpr WrongRounding added[] = {
    {"Norm", "chimera.norm "},
    {"ResidualStream", "chimera.add "},
    {"TokenConvolution", "#chimera.activation<none>"},
    {"StateSpaceConvolution", "#chimera.activation<silu>"},
    {"StateSpaceProjection", "tensor<76x16x"},
    {"QueryBeforeRotation", "tensor<16x16x"},
    {"RouterScores", "tensor<4x16xf32> -> "},
    {"GateAndUp", "tensor<24x16x"},
    {"Logits", "tensor<20x16x"},
};

/// A rounding less: of what is multiplied by the weights.
constexpr WrongRounding missing[] = {
    {"StateSpaceInput", "ssm.in_proj.weight"}, {"StateSpaceResult", "ssm.out_proj.weight"},
    {"AttentionResult", "attn.o_proj.weight"}, {"FeedForwardInput", "ffn.up_proj.weight"},
    {"Swiglu", "ffn.down_proj.weight"},        {"LastNorm", "lm_head.weight"},
};

/// All four modes; the sizes are what the texts above name.
ModelCase mutatedCase() {
  return {"Mutated", R"({
    "model_type": "chimera", "vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 8, "intermediate_size": 24, "token_conv_kernel": 3, "window": 6,
    "ssm": {"state_size": 4, "head_dim": 8}, "router": {"write_gate": true}})", 21, 60, 64, 4};
}

/// The distance of what IR computes, mutated by `mutate`, from what it computes unchanged, both on the ref target.
template <typename Mutate> Distance distanceBy(Precision precision, Mutate mutate) {
  const ModelCase modelCase = mutatedCase();
  RandomModel model = makeModel(modelCase.configText, precision, modelCase.seed);
  TemporaryDirectory directory;
  writeModel(model, directory.path());
  std::string binary = directory.file("mutated.chm");
  compileIR(mutate(modelIR(modelCase, precision)), modelCase, refBuild(precision), binary);
  Engine ref(compileModel(modelCase, refBuild(precision)), directory.path()), mutated(binary, directory.path());
  Random random(modelCase.seed);
  std::vector<int> lengths = drawLengths(modelCase.length, random);
  Distance distance = distanceOf(mutated, makeSequences(ref, model, lengths, random.fork()));
  testing::Test::RecordProperty("distance", describe(distance));
  return distance;
}

class AddedRoundingTest : public testing::TestWithParam<WrongRounding> {};
class MissingRoundingTest : public testing::TestWithParam<WrongRounding> {};

TEST_P(AddedRoundingTest, IsSeenInF32) {
  Distance distance = distanceBy(Precision::F32, [](auto ir) { return withRounding(ir, GetParam().text); });
  EXPECT_GE(distance.worst, 20 * kWorst);
}

TEST_P(AddedRoundingTest, IsSeenInBf16) {
  Distance distance = distanceBy(Precision::BF16, [](auto ir) { return withRounding(ir, GetParam().text); });
  EXPECT_GE(distance.shareApart, 2 * kShareApart);
}

TEST_P(MissingRoundingTest, IsSeenInBf16) {
  Distance distance = distanceBy(Precision::BF16, [](auto ir) { return withoutRounding(ir, GetParam().text); });
  EXPECT_GE(distance.shareApart, 2 * kShareApart);
}

std::string wrongName(const testing::TestParamInfo<WrongRounding> &info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Each, AddedRoundingTest, testing::ValuesIn(added), wrongName);
INSTANTIATE_TEST_SUITE_P(Each, MissingRoundingTest, testing::ValuesIn(missing), wrongName);

/// IR that only went through text and back computes the same bits.
TEST(Mutation, NoneIsNoDistance) {
  Distance distance = distanceBy(Precision::BF16, [](const std::string &ir) { return ir; });
  EXPECT_EQ(distance.worst, 0);
}

} // namespace
