// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/BuildModel.h"
#include "dialect/IR/Attributes.h"
#include "dialect/IR/Ops.h"
#include "test/frontend/ConfigTestSupport.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <map>
#include <random>

using namespace chimera;
using namespace chimera::test;

namespace {

std::string print(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text;
}

class BuildModel : public testing::Test {
protected:
  /// Builds, verifies, and checks that the text of the module reads back as the same module.
  mlir::ModuleOp build(const Config &config, DType dtype) {
    module = buildModel(context, config, dtype);
    text = print(*module);
    EXPECT_TRUE(mlir::succeeded(mlir::verify(*module))) << text;
    mlir::OwningOpRef<mlir::ModuleOp> again = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(again) << text;
    if (again) {
      EXPECT_EQ(print(*again), text);
    }
    return *module;
  }
  mlir::func::FuncOp model() { return module->lookupSymbol<mlir::func::FuncOp>("model"); }

  template <typename OpT> std::vector<OpT> opsOf() {
    std::vector<OpT> found;
    module->walk([&](OpT op) { found.push_back(op); });
    return found;
  }

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string text;
};

std::string typeText(mlir::Type type) {
  std::string result;
  llvm::raw_string_ostream stream(result);
  type.print(stream);
  return result;
}

TEST_F(BuildModel, TheSignatureNamesStepAndCaches) {
  build(valid(small(R"(, "token_conv_kernel": 3, "window": 5, "num_key_value_heads": 2, "modes":
      [["ssm", "swa", "full", "identity"], ["full"]])")),
        DType::BF16);
  mlir::func::FuncOp function = model();
  std::vector<std::string> inputs;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    std::string line = typeText(function.getArgument(i).getType());
    if (auto step = function.getArgAttrOfType<mlir::StringAttr>(i, "chimera.step"))
      line += " " + step.str();
    if (auto cache = function.getArgAttrOfType<mlir::DictionaryAttr>(i, "chimera.cache"))
      line += " " + std::to_string(cache.getAs<mlir::IntegerAttr>("layer").getInt()) + " " +
              cache.getAs<mlir::StringAttr>("mode").str() + " " + cache.getAs<mlir::StringAttr>("name").str();
    inputs.push_back(line);
  }
  const std::string pair = "heads = 2, dim = 6, element = bf16, weights = none>";
  EXPECT_EQ(inputs, (std::vector<std::string>{
                        "tensor<?xi32> tokens",
                        "!chimera.rows rows",
                        "!chimera.rows outputs",
                        "tensor<?x2xi8> forced",
                        "!chimera.tail<rows = 2, channels = 8, element = f32> 0 token_conv layers.0.token_conv.tail",
                        "!chimera.counts<modes = 4> 0 route layers.0.route.counts",
                        "!chimera.tail<rows = 3, channels = 24, element = f32> 0 ssm layers.0.ssm.tail",
                        "!chimera.state<heads = 4, dim = 4, size = 4, element = f32> 0 ssm layers.0.ssm.state",
                        "!chimera.ring<window = 5, " + pair + " 0 swa layers.0.swa.ring",
                        "!chimera.list<" + pair + " 0 full layers.0.full.list",
                        "!chimera.tail<rows = 2, channels = 8, element = f32> 1 token_conv layers.1.token_conv.tail",
                        "!chimera.list<" + pair + " 1 full layers.1.full.list",
                    }));
  EXPECT_EQ(typeText(function.getResultTypes()[0]), "tensor<?x17xf32>");
  EXPECT_EQ(typeText(function.getResultTypes()[1]), "tensor<?x2xi8>");
}

TEST_F(BuildModel, TheModuleDescribesTheModel) {
  build(valid(small(R"(, "bos_token_id": 3, "eos_token_id": [4, 16], "modes": [["ssm", "full"], ["identity"]],
                       "router": {"target": {"ssm": 0.25, "swa": 0.5, "full": 0.25}})")),
        DType::F64);
  EXPECT_NE(
      text.find("chimera.model = {bos_token_id = 3 : i64, dtype = \"f64\", eos_token_ids = array<i64: 4, 16>, "
                "head_dim = 6 : i64, hidden_size = 8 : i64, layers = [[\"ssm\", \"full\"], [\"identity\"]], "
                "num_attention_heads = 4 : i64, num_key_value_heads = 4 : i64, targets = [array<f64: 5.000000e-01, "
                "5.000000e-01>, array<f64: 1.000000e+00>], vocab_size = 17 : i64, window = 512 : i64}"),
      std::string::npos)
      << text;
}

TEST_F(BuildModel, EveryListedParameterIsUsedWithItsShapeAndType) {
  for (const std::string extra :
       {R"(, "norm": "layer", "token_conv_kernel": 1, "router": {"kind": "mlp", "input_norm": "layer"})",
        R"(, "tie_word_embeddings": true, "router": {"input_norm": "rms"})"}) {
    Config config = valid(small(extra));
    build(config, DType::BF16);
    std::map<std::string, std::string> used, listed;
    for (ir::ParamOp param : opsOf<ir::ParamOp>())
      used[param.getName().str()] = typeText(param.getType()) + (param.getOptional() ? " optional" : "");
    for (const ParameterSpec &spec : parameters(config)) {
      std::string type = "tensor<";
      for (int64_t extent : spec.shape)
        type += std::to_string(extent) + "x";
      type += spec.kind == ParameterKind::Operand ? "bf16>" : "f32>";
      listed[spec.name] = type + (spec.optional ? " optional" : "");
    }
    EXPECT_EQ(used, listed);
  }
}

TEST_F(BuildModel, CapacityIsOneDoubleProductAMode) {
  build(
      valid(withRouter(R"({"capacity_factor": 1.1, "target": {"ssm": 0.7, "full": 0.1}, "max_tokens": {"full": 9}})")),
      DType::F32);
  ir::RouteOp route = opsOf<ir::RouteOp>().front();
  EXPECT_EQ(route.getCapacity()->vec(), (std::vector<double>{1.1 * 0.7, 0.0, 1.1 * 0.1, 0.0}));
  EXPECT_EQ(route.getMaxTokens()->vec(), (std::vector<int64_t>{-1, -1, 9, -1}));
  build(valid(withRouter(R"({"max_tokens": {"swa": 0}})")), DType::F32);
  route = opsOf<ir::RouteOp>().front();
  std::vector<double> rates = route.getCapacity()->vec();
  for (double rate : rates)
    EXPECT_TRUE(std::isinf(rate));
  build(valid(small()), DType::F32);
  EXPECT_FALSE(opsOf<ir::RouteOp>().front().getCapacity());
}

TEST_F(BuildModel, OnlyRoutedLayersHaveWriteWeights) {
  build(valid(small(R"(, "modes": [["full", "swa"], ["full"]], "router": {"write_gate": true})")), DType::BF16);
  std::vector<ir::MixOp> mixes = opsOf<ir::MixOp>();
  ASSERT_EQ(mixes.size(), 2U);
  EXPECT_TRUE(mixes[0].getLogP());
  EXPECT_EQ(mixes[0].getLogPModes(), mixes[0].getModes());
  EXPECT_FALSE(mixes[1].getLogP());
  EXPECT_FALSE(mixes[1].getMode());
  EXPECT_NE(text.find("!chimera.ring<window = 512, heads = 4, dim = 6, element = bf16, weights = f32>"),
            std::string::npos);
}

TEST_F(BuildModel, OpsCarryTheirLayer) {
  build(valid(small()), DType::F32);
  int64_t layer = 0;
  for (ir::MixOp mix : opsOf<ir::MixOp>()) {
    mix->walk([&](mlir::Operation *op) { EXPECT_EQ(ir::layerOf(op), layer); });
    ++layer;
  }
  for (ir::EmbedOp embed : opsOf<ir::EmbedOp>())
    EXPECT_EQ(ir::layerOf(embed), -1);
  // Layers of one mode share it, so it belongs to none.
  for (ir::ConstantModeOp mode : opsOf<ir::ConstantModeOp>())
    EXPECT_EQ(ir::layerOf(mode), -1);
}

/// Every choice of every option, drawn at random: all build, verify and read back.
TEST_F(BuildModel, RandomConfigsVerify) {
  std::mt19937 random(11);
  auto pick = [&](std::vector<std::string> choices) { return choices[random() % choices.size()]; };
  for (int round = 0; round < 150; ++round) {
    std::string modes = "[";
    for (int layer = 0; layer < 2; ++layer)
      modes += std::string(layer ? ", " : "") +
               pick({R"(["ssm"])", R"(["swa"])", R"(["full"])", R"(["identity"])", R"(["ssm", "swa"])",
                     R"(["ssm", "swa", "full", "identity"])", R"(["full", "identity"])", R"(["ssm", "identity"])"});
    std::string config =
        R"({"model_type": "chimera", "vocab_size": 17, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4,
            "head_dim": 8, "num_key_value_heads": )" +
        pick({"1", "2", "4"}) + R"(, "partial_rotary_factor": )" + pick({"0.25", "0.5", "1"}) +
        R"(, "intermediate_size": )" + pick({"0", "12"}) + R"(, "norm": )" + pick({R"("rms")", R"("layer")"}) +
        R"(, "token_conv_kernel": )" + pick({"0", "1", "4"}) + R"(, "tie_word_embeddings": )" +
        pick({"true", "false"}) + R"(, "cache_write": )" + pick({R"("routed")", R"("all")"}) +
        R"(, "identity_output": )" + pick({R"("zero")", R"("normed_input")"}) + R"(, "ssm": )" +
        pick({R"({"kind": "lti", "state_size": 5})",
              R"({"state_size": 5, "head_dim": 4, "n_groups": 2, "conv_kernel": 1})",
              R"({"state_size": 5, "head_dim": 8, "conv_kernel": 4, "time_step_limit": [0.001, 0.1]})"}) +
        R"(, "router": {"kind": )" + pick({R"("linear")", R"("mlp")"}) + R"(, "input_norm": )" +
        pick({R"("none")", R"("rms")", R"("layer")"}) + R"(, "gate": )" + pick({R"("one")", R"("prob")"}) +
        R"(, "write_gate": )" + pick({"true", "false"}) + R"(, "bias_in_gate": )" + pick({"true", "false"}) +
        R"(, "capacity_factor": )" + pick({"null", "1.25"}) + R"(}, "modes": )" + modes + "]}";
    build(valid(config), static_cast<DType>(random() % 3));
    ASSERT_FALSE(HasFailure()) << config;
  }
}

TEST(DTypes, NamesAreUnderstood) {
  EXPECT_EQ(dtypeFromName("bf16"), DType::BF16);
  EXPECT_EQ(dtypeFromName("f64"), DType::F64);
  EXPECT_EQ(dtypeFromName("f32"), DType::F32);
  EXPECT_EQ(dtypeFromName("f16"), std::nullopt);
  EXPECT_EQ(dtypeName(DType::BF16), "bf16");
}

} // namespace
