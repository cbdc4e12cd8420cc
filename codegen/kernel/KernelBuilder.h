// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A thin layer over OpBuilder in which a kernel reads like the formula it computes: values with operators, typed
// buffers, loops that take lambdas. Each call makes the ops it names and nothing else: no folding, no reassociation.
#ifndef CHIMERA_CODEGEN_KERNEL_KERNELBUILDER_H
#define CHIMERA_CODEGEN_KERNEL_KERNELBUILDER_H

#include "codegen/kernel/Kernel.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace chimera::kernel {

class KernelBuilder;

/// What a buffer holds. Integers of every width are i64 once loaded, BF16 is f32.
enum class Elem { I8, I16, I32, I64, F64, F32, BF16 };
Elem elemOf(Scalar type);
/// The integer with the bits of `type`: for copies that must not look at the value.
Elem rawElemOf(Scalar type);

/// An SSA value (i1, i64, f32, f64 or a pointer) with the builder that makes ops of it.
struct Val {
  KernelBuilder *builder = nullptr;
  mlir::Value value;
};

// Integers or floats of one type. Comparisons of floats are ordered (false with a NaN).
Val operator+(Val a, Val b);
Val operator-(Val a, Val b);
Val operator*(Val a, Val b);
Val operator/(Val a, Val b); // integers: toward zero
Val operator%(Val a, Val b); // integers only
Val operator<(Val a, Val b);
Val operator<=(Val a, Val b);
Val operator>(Val a, Val b);
Val operator==(Val a, Val b);
Val operator-(Val a); // floats only
Val operator&(Val a, Val b);
// An i64 and a constant.
Val operator+(Val a, int64_t b);
Val operator-(Val a, int64_t b);
Val operator*(Val a, int64_t b);
Val operator/(Val a, int64_t b);
Val operator%(Val a, int64_t b);
Val operator<(Val a, int64_t b);
Val operator==(Val a, int64_t b);

Val select(Val condition, Val a, Val b);
Val min(Val a, Val b); // integers
Val max(Val a, Val b); // integers
Val fma(Val a, Val b, Val c);
/// a > b ? a : b.
Val greatest(Val a, Val b);
Val sqrt(Val a);
Val ceil(Val a);
Val roundEven(Val a);
/// Floats of any two widths: f64 to f32 rounds to nearest even.
Val toFloat(Val a, mlir::Type type);
/// i64 to a float of `type`.
Val intToFloat(Val a, mlir::Type type);
/// A float that is known to fit, to i64, toward zero.
Val floatToInt(Val a);
/// The same bits as another type of the same width.
Val bitcast(Val a, mlir::Type type);

// Vectors: every operation above but i64 constants works lane by lane. A type given for a vector is that of a lane.

Val splat(Val scalar, int64_t lanes);
/// 1 for a scalar.
int64_t lanesOf(Val a);
Val extract(Val vector, int64_t lane);
/// The lanes with these numbers, those of `b` counting on from those of `a`.
Val shuffleLanes(Val a, Val b, llvm::ArrayRef<int64_t> lanes);
/// The sum of all lanes, their number a power of two: the lower half plus the upper half, again and again.
Val reduceSum(Val vector);
/// By `greatest`, in the same order.
Val reduceGreatest(Val vector);
/// i1 lanes: lane < count, an i64.
Val lanesBelow(Val count, int64_t lanes);

// Integers of any width, and vectors of them.
Val operator|(Val a, Val b);
Val shiftLeft(Val a, int64_t bits);
Val shiftRight(Val a, int64_t bits); // fills with zeros
/// The integer constant of the type of `like`.
Val constantLike(Val like, int64_t value);
Val zeroExtend(Val a, mlir::Type type);
Val signExtend(Val a, mlir::Type type);
Val truncate(Val a, mlir::Type type);

/// The f32 with these 16 bits on top.
Val widenBF16(Val bits16);
/// The upper 16 bits of a float after rounding to nearest even, once; a NaN becomes the quiet NaN of its upper bits.
Val narrowBF16(Val x);

/// A typed pointer. Indices and offsets count elements.
class Buffer {
public:
  Buffer() = default;
  Buffer(KernelBuilder &builder, mlir::Value pointer, Elem elem) : builder(&builder), pointer(pointer), elem(elem) {}

  Val load(Val index) const;
  Val load(int64_t index) const;
  void store(Val index, Val value) const;
  /// `lanes` neighbours, widened as by load except that integers keep their width.
  Val loadVector(Val index, int64_t lanes) const;
  /// The same without touching the lanes that are off in `mask`, which are 0.
  Val loadVector(Val index, int64_t lanes, Val mask) const;
  /// Stores every lane, or those that are on in `mask`; floats are rounded to the element type.
  void storeVector(Val index, Val vector) const;
  void storeVector(Val index, Val vector, Val mask) const;
  /// Asks for the cache line of an element that will be read; locality 3 is all caches, 1 the outer ones. Never faults.
  void prefetch(Val index, int locality = 3) const;
  /// The buffer that starts `offset` elements later.
  Buffer at(Val offset) const;
  /// The buffer that starts `bytes` later, with another element type.
  Buffer atByte(Val bytes, Elem elem) const;
  Val base() const { return {builder, pointer}; }

private:
  mlir::Value address(mlir::Value index) const;
  Val widened(Val stored) const;
  Val narrowed(Val value) const;

  KernelBuilder *builder = nullptr;
  mlir::Value pointer;
  Elem elem = Elem::I8;
};

/// A rows value: a ragged subset of the step's rows.
struct Rows {
  Buffer index, start, position, sequence, slot;
};

class KernelBuilder {
public:
  /// Starts a function at the end of the module and builds in its body.
  KernelBuilder(mlir::ModuleOp module, llvm::StringRef name, mlir::FunctionType type);

  /// Ends the function with these results.
  void finish(llvm::ArrayRef<Val> results = {});
  /// Makes the function visible inside its module only.
  void setInternal();

  // Types and constants.
  mlir::Type i64Type() { return ops.getI64Type(); }
  mlir::Type f64Type() { return ops.getF64Type(); }
  mlir::Type f32Type() { return ops.getF32Type(); }
  /// What arithmetic on `type` is done in: f64 for F64, else f32.
  mlir::Type floatType(Scalar type) { return type == Scalar::F64 ? f64Type() : f32Type(); }
  Val integer(int64_t value);
  mlir::Type vectorType(mlir::Type lane, int64_t lanes);
  /// The constant rounded to nearest even; in every lane if `type` is a vector.
  Val real(double value, mlir::Type type);
  Val real(double value, Scalar type) { return real(value, floatType(type)); }

  // The kernel's arguments.
  Val parameter(unsigned index) { return {this, function.getArgument(index)}; }
  /// The next buffer of the launch.
  Buffer buffer(Elem elem);
  Buffer buffer(Scalar type) { return buffer(elemOf(type)); }
  Buffer bufferAt(Val index, Elem elem);
  /// A constant array of f64 in the module.
  Buffer constants(llvm::StringRef name, llvm::ArrayRef<double> values);
  /// Uninitialised memory of the function's frame, 64-byte aligned.
  Buffer scratch(Elem elem, int64_t count);
  /// The next five.
  Rows rows();
  int64_t buffersTaken() const { return nextBuffer; }
  /// args[index]: see docs/model-binary.md.
  Val argument(int64_t index);
  Val begin() { return parameter(2); }
  Val end() { return parameter(3); }
  Val sequences() { return argument(1); }
  Val rowCount(const Buffer &start) { return start.load(sequences()) - start.load(0); }

  // Control flow.
  void forEach(Val low, Val high, llvm::function_ref<void(Val)> body, int64_t step = 1);
  void forEach(int64_t low, int64_t high, llvm::function_ref<void(Val)> body) {
    forEach(integer(low), integer(high), body);
  }
  /// A loop that carries one value.
  Val fold(Val low, Val high, Val initial, llvm::function_ref<Val(Val index, Val carried)> body);
  Val fold(int64_t low, int64_t high, Val initial, llvm::function_ref<Val(Val index, Val carried)> body) {
    return fold(integer(low), integer(high), initial, body);
  }
  /// A loop that carries several.
  llvm::SmallVector<Val>
  foldMany(Val low, Val high, llvm::ArrayRef<Val> initial,
           llvm::function_ref<llvm::SmallVector<Val>(Val index, llvm::ArrayRef<Val> carried)> body, int64_t step = 1);
  void when(Val condition, llvm::function_ref<void()> then);
  void either(Val condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise);
  Val choose(Val condition, llvm::function_ref<Val()> then, llvm::function_ref<Val()> otherwise);
  llvm::SmallVector<Val> call(mlir::func::FuncOp callee, llvm::ArrayRef<Val> operands);
  /// Calls an LLVM intrinsic ("llvm.x86..."); `result` null: it gives nothing.
  Val intrinsic(llvm::StringRef name, mlir::Type result, llvm::ArrayRef<Val> operands);

  mlir::ModuleOp module;
  mlir::OpBuilder ops;
  mlir::Location loc;

private:
  mlir::func::FuncOp function;
  int64_t nextBuffer = 0;
};

/// Emits a kernel under this symbol unless the module has it; returns the symbol.
std::string emitKernel(mlir::ModuleOp module, const std::string &symbol,
                       llvm::function_ref<void(KernelBuilder &)> body);

/// The internal function `name` with these types, built by `body` the first time that the module is asked for it.
/// `body` gets the builder and gives back the results.
mlir::func::FuncOp emitInternal(mlir::ModuleOp module, const std::string &name, llvm::ArrayRef<mlir::Type> operands,
                                llvm::ArrayRef<mlir::Type> results,
                                llvm::function_ref<llvm::SmallVector<Val>(KernelBuilder &)> body);

/// A walk over the compact rows of [begin, end) that are there, for kernels whose grid is `tokens`.
void forEachRow(KernelBuilder &k, const Buffer &start, llvm::function_ref<void(Val row)> body);

/// Calls `body` with the first element of each of `groups` parts of `size` elements that follow each other from
/// `first`.
void forEachGroup(KernelBuilder &k, Val first, int64_t groups, int64_t size, llvm::function_ref<void(Val first)> body);

/// What a norm multiplies by: `weight`, or 1 + weight where it has a unit offset.
Val unitOffset(Val weight, bool hasOffset);

// Pieces of symbols.
std::string nameOf(Scalar type);
/// A number with '-' spelled m, '.' spelled p and '+' left out.
std::string nameOf(double value);
std::string nameOf(llvm::ArrayRef<int> values);
/// "silu", "gelu_tanh", "relu2", or nothing for None.
std::string nameOf(Activation activation);
/// "groupsN", or nothing for one group.
std::string groupsName(int64_t groups);
/// "chimera_" and the pieces that are not empty, joined by '_'.
std::string symbolOf(std::initializer_list<std::string> pieces);

} // namespace chimera::kernel

#endif // CHIMERA_CODEGEN_KERNEL_KERNELBUILDER_H
