// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the two halves of the model builder share: types, parameters, and the ops that round.
#ifndef CHIMERA_DIALECT_FRONTEND_MODELBUILDER_H
#define CHIMERA_DIALECT_FRONTEND_MODELBUILDER_H

#include "dialect/IR/LayerListener.h"
#include "dialect/IR/Ops.h"
#include "dialect/frontend/BuildModel.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

namespace chimera {

/// Builds ops at the builder's insertion point. Row matrices are tensor<?xC>; T is the accumulator type, U the operand
/// type.
class ModelBuilder {
public:
  ModelBuilder(mlir::MLIRContext &context, const Config &config, DType dtype);

  /// Later ops and parameters belong to layer `index`; -1: to none.
  void enterLayer(int64_t index);

  mlir::OpBuilder &ops() { return builder; }
  mlir::Location loc() const { return location; }
  const Config &getConfig() const { return config; }
  int64_t getLayer() const { return layer; }
  mlir::Type accumulator() const { return accumulatorType; }
  mlir::Type operand() const { return operandType; }
  /// tensor<?xCxT>.
  mlir::Type rowsOfAccumulators(int64_t columns) const;
  mlir::Type rowsType();

  /// The parameter of that name, inside the current layer if there is one ("attn.q_proj.weight").
  mlir::Value parameter(llvm::StringRef name);
  /// norm(x) with the parameters NAME.weight and, of a layer norm, NAME.bias. `groups`: as chimera.norm has them.
  mlir::Value norm(NormKind kind, mlir::Value x, llvm::StringRef name, int64_t groups = 1);
  /// x [R, K] in T times `weight` [N, K]: x is rounded to the weight's type; the result is [R, N] in T.
  mlir::Value linear(mlir::Value x, mlir::Value weight);
  /// The same with the parameter NAME.weight, and NAME.bias added if the model has one.
  mlir::Value linear(mlir::Value x, llvm::StringRef name);
  /// x times a constant; x itself for 1.
  mlir::Value scale(mlir::Value x, double factor);
  /// x, whose columns lie in ranges of `widths`, each times a constant; x itself where all are 1.
  mlir::Value scaleColumns(mlir::Value x, llvm::ArrayRef<double> factors, llvm::ArrayRef<int64_t> widths);
  /// x capped softly; x itself without a cap.
  mlir::Value softCap(mlir::Value x, std::optional<double> cap);
  /// What is added to the residual stream for `output` of a mixer or a feed-forward network: normalised by `norm`
  /// (NAME.weight, ...) in a model with post_norms, and times the residual multiplier.
  mlir::Value added(mlir::Value output, llvm::StringRef norm);
  /// x rounded to U.
  mlir::Value toOperand(mlir::Value x);
  /// `count` columns of x from `offset`.
  mlir::Value columns(mlir::Value x, int64_t offset, int64_t count);
  /// The entries of x, one a row of `from`, for the rows of `to`.
  mlir::Value gather(mlir::Value x, mlir::Value from, mlir::Value to);

  mlir::FloatAttr f64(double value) { return builder.getF64FloatAttr(value); }
  /// Null for nothing.
  mlir::FloatAttr f64(std::optional<double> value) { return value ? f64(*value) : mlir::FloatAttr(); }
  mlir::IntegerAttr i64(int64_t value) { return builder.getI64IntegerAttr(value); }

private:
  std::string fullName(llvm::StringRef name) const;

  const Config &config;
  ir::LayerListener layers;
  mlir::OpBuilder builder;
  mlir::Type accumulatorType, operandType;
  mlir::Location location;
  int64_t layer = -1;
  llvm::StringMap<ParameterSpec> specs;
};

/// A cache of a mixer: its name in the layer and mode, such as "state", and its type.
struct MixerCache {
  llvm::StringRef name;
  mlir::Type type;
};

/// The caches that a mode's mixer has in the current layer, in order: ssm: tail (of a convolution with more than one
/// tap), state; swa and full: tails of the convolutions of queries, keys and values, where there are such, then ring or
/// list; identity: none. `weighted`: entries carry write weights.
llvm::SmallVector<MixerCache> mixerCaches(ModelBuilder &model, Mode mode, bool weighted);

/// Fills the region of one mode: creates its block, with the signature that chimera.mix asks for, and the mixer's ops.
void buildMixer(ModelBuilder &model, mlir::Region &region, Mode mode, bool weighted);

} // namespace chimera

#endif // CHIMERA_DIALECT_FRONTEND_MODELBUILDER_H
