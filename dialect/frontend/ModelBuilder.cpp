// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/ModelBuilder.h"

using namespace mlir;

namespace chimera {

ModelBuilder::ModelBuilder(MLIRContext &context, const Config &config, DType dtype)
    : config(config), builder(&context, &layers), location(UnknownLoc::get(&context)) {
  Type f32 = builder.getF32Type(), f64 = builder.getF64Type();
  accumulatorType = dtype == DType::F64 ? f64 : f32;
  operandType = dtype == DType::BF16 ? Type(builder.getBF16Type()) : accumulatorType;
  for (ParameterSpec &spec : parameters(config)) {
    std::string name = spec.name;
    specs[name] = std::move(spec);
  }
}

void ModelBuilder::enterLayer(int64_t index) {
  layer = index;
  layers.enter(index);
  location = index < 0 ? Location(UnknownLoc::get(builder.getContext()))
                       : Location(NameLoc::get(builder.getStringAttr("layers." + Twine(index))));
}

Type ModelBuilder::rowsOfAccumulators(int64_t columns) const {
  return RankedTensorType::get({ShapedType::kDynamic, columns}, accumulatorType);
}

Type ModelBuilder::rowsType() {
  return ir::RowsType::get(builder.getContext());
}

std::string ModelBuilder::fullName(StringRef name) const {
  return (layer < 0 ? name : "layers." + Twine(layer) + "." + name).str();
}

Value ModelBuilder::parameter(StringRef name) {
  std::string full = fullName(name);
  auto found = specs.find(full);
  assert(found != specs.end() && "the list of parameters lacks one that the model uses");
  const ParameterSpec &spec = found->second;
  auto type = RankedTensorType::get(spec.shape, spec.kind == ParameterKind::Operand ? operandType : accumulatorType);
  StringAttr source = spec.source == spec.name ? StringAttr() : builder.getStringAttr(spec.source);
  DenseI64ArrayAttr permutation =
      spec.rowPermutation.empty() ? DenseI64ArrayAttr() : builder.getDenseI64ArrayAttr(spec.rowPermutation);
  UnitAttr optional = spec.optional ? builder.getUnitAttr() : UnitAttr();
  IntegerAttr sourceRow = spec.sourceRow ? i64(*spec.sourceRow) : IntegerAttr();
  DenseI64ArrayAttr sourceShape =
      spec.sourceShape == spec.shape ? DenseI64ArrayAttr() : builder.getDenseI64ArrayAttr(spec.sourceShape);
  return builder.create<ir::ParamOp>(location, type, builder.getStringAttr(full), source, sourceShape, sourceRow,
                                     permutation, optional);
}

Value ModelBuilder::norm(NormKind kind, Value x, StringRef name, int64_t groups) {
  if (kind == NormKind::None)
    return x;
  Value weight = parameter((name + ".weight").str());
  Value bias = kind == NormKind::Layer ? parameter((name + ".bias").str()) : Value();
  auto kindAttr =
      ir::NormKindAttr::get(builder.getContext(), kind == NormKind::Layer ? ir::NormKind::Layer : ir::NormKind::RMS);
  UnitAttr offset = config.normUnitOffset && !name.starts_with("router.") ? builder.getUnitAttr() : UnitAttr();
  return builder.create<ir::NormOp>(location, x.getType(), kindAttr, x, weight, bias, f64(config.normEps), i64(groups),
                                    offset);
}

static Value round(OpBuilder &builder, Location loc, Value x, Type element) {
  auto type = mlir::cast<RankedTensorType>(x.getType());
  if (type.getElementType() == element)
    return x;
  return builder.create<ir::CastOp>(loc, RankedTensorType::get(type.getShape(), element), x);
}

Value ModelBuilder::toOperand(Value x) {
  return round(builder, location, x, operandType);
}

Value ModelBuilder::linear(Value x, Value weight) {
  auto weightType = mlir::cast<RankedTensorType>(weight.getType());
  Value input = round(builder, location, x, weightType.getElementType());
  return builder.create<ir::LinearOp>(location, rowsOfAccumulators(weightType.getDimSize(0)), input, weight);
}

Value ModelBuilder::linear(Value x, StringRef name) {
  std::string bias = (name + ".bias").str();
  Value product = linear(x, parameter((name + ".weight").str()));
  if (!specs.count(fullName(bias)))
    return product;
  return builder.create<ir::AddBiasOp>(location, product.getType(), product, parameter(bias));
}

Value ModelBuilder::scale(Value x, double factor) {
  return factor == 1.0 ? x : Value(builder.create<ir::ScaleOp>(location, x.getType(), x, f64(factor)));
}

Value ModelBuilder::scaleColumns(Value x, ArrayRef<double> factors, ArrayRef<int64_t> widths) {
  if (llvm::all_of(factors, [](double factor) { return factor == 1.0; }))
    return x;
  return builder.create<ir::ScaleColumnsOp>(location, x.getType(), x, factors, widths);
}

Value ModelBuilder::softCap(Value x, std::optional<double> cap) {
  return cap ? Value(builder.create<ir::SoftCapOp>(location, x.getType(), x, f64(*cap))) : x;
}

Value ModelBuilder::added(Value output, StringRef name) {
  return scale(config.postNorms ? norm(config.norm, output, name) : output, config.residualMultiplier);
}

Value ModelBuilder::columns(Value x, int64_t offset, int64_t count) {
  auto type =
      RankedTensorType::get({ShapedType::kDynamic, count}, mlir::cast<RankedTensorType>(x.getType()).getElementType());
  return builder.create<ir::ColumnsOp>(location, type, x, i64(offset));
}

Value ModelBuilder::gather(Value x, Value from, Value to) {
  return builder.create<ir::GatherOp>(location, x.getType(), x, from, to);
}

} // namespace chimera
