// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A thin layer over OpBuilder in which a GPU kernel reads like what one of its threads does: values with operators,
// typed pointers into global and shared memory, structured control flow, and the instructions that MLIR has no op for.
#ifndef CHIMERA_CODEGEN_NVPTX_GPUBUILDER_H
#define CHIMERA_CODEGEN_NVPTX_GPUBUILDER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace chimera::nvptx {

class GpuBuilder;

/// An SSA value with the builder that makes ops of it. Operators take two values of one type; integers are signed
/// unless a name says otherwise. Comparisons give i1; those of floats are false with a NaN.
struct Val {
  GpuBuilder *builder = nullptr;
  mlir::Value value;
  mlir::Type type() const { return value.getType(); }
};

Val operator+(Val a, Val b);
Val operator-(Val a, Val b);
Val operator*(Val a, Val b);
Val operator/(Val a, Val b); // integers: without sign
Val operator%(Val a, Val b); // integers, without sign
Val operator&(Val a, Val b);
Val operator|(Val a, Val b);
Val operator^(Val a, Val b);
Val operator<(Val a, Val b);
Val operator>=(Val a, Val b);
Val operator>(Val a, Val b);
Val operator==(Val a, Val b);
Val operator!=(Val a, Val b);
// With a constant of a's type.
Val operator+(Val a, int64_t b);
Val operator-(Val a, int64_t b);
Val operator*(Val a, int64_t b);
Val operator/(Val a, int64_t b);
Val operator%(Val a, int64_t b);
Val operator&(Val a, int64_t b);
Val operator<(Val a, int64_t b);
Val operator>=(Val a, int64_t b);
Val operator>(Val a, int64_t b);
Val operator==(Val a, int64_t b);
Val operator!=(Val a, int64_t b);
Val shiftLeft(Val a, int64_t bits);
Val shiftRight(Val a, int64_t bits); // zeros come in

Val select(Val condition, Val a, Val b);
Val min(Val a, Val b); // floats: b where either is a NaN
Val max(Val a, Val b);
Val fma(Val a, Val b, Val c);
Val sqrt(Val a);
Val ceil(Val a);
Val bitcast(Val a, mlir::Type type);
/// Between integers (sign-extended), between floats, and from integers to floats and back (toward zero).
Val convert(Val a, mlir::Type type);
/// i1 or an unsigned integer to a wider one.
Val zeroExtend(Val a, mlir::Type type);

/// A pointer into memory space 1 (global) or 3 (shared) with the type of what lies there. Offsets count elements.
class Pointer {
public:
  Pointer() = default;
  Pointer(Val base, mlir::Type element) : base(base), element(element) {}
  Pointer at(Val offset) const;
  Pointer at(int64_t offset) const;
  Val load() const;
  Val load(Val offset) const { return at(offset).load(); }
  void store(Val value) const;
  void store(Val offset, Val value) const { at(offset).store(value); }
  /// `count` elements at once, from an address that is a multiple of their size together.
  llvm::SmallVector<Val> loadVector(int64_t count) const;
  void storeVector(llvm::ArrayRef<Val> values) const;
  Val value() const { return base; }

private:
  Val base;
  mlir::Type element;
};

/// Builds one kernel: an llvm.func with the kernel attribute that takes global pointers and i64 values. The body's
/// ops are of the arith, math, scf and llvm dialects; codegen/nvptx/Lowering.h takes it further.
class GpuBuilder {
public:
  /// Begins kernel `name` for blocks of `threads` threads; it gets its parameters one by one. `finish` ends it.
  GpuBuilder(mlir::ModuleOp module, llvm::StringRef name, int64_t threads);
  void finish();

  mlir::OpBuilder &ops() { return builder; }
  mlir::Location location() { return builder.getUnknownLoc(); }

  mlir::Type i1() { return builder.getI1Type(); }
  mlir::Type i8() { return builder.getI8Type(); }
  mlir::Type i32() { return builder.getI32Type(); }
  mlir::Type i64() { return builder.getI64Type(); }
  mlir::Type f32() { return builder.getF32Type(); }
  mlir::Type f64() { return builder.getF64Type(); }
  mlir::Type bf16() { return builder.getBF16Type(); }

  Val wrap(mlir::Value value) { return {this, value}; }
  Val constant(int64_t value, mlir::Type type);
  Val constant(int64_t value) { return constant(value, i32()); }
  Val real(double value, mlir::Type type);
  /// Adds a parameter: a pointer into global memory, or an i64.
  Pointer nextPointer(mlir::Type element);
  Val nextScalar();

  // The thread's place: all i32.
  Val thread();
  Val lane() { return thread() & 31; }
  Val warp() { return shiftRight(thread(), 5); }
  Val block();
  Val blocks();

  /// `bytes` of the block's shared memory, aligned to 128 bytes.
  Pointer shared(llvm::StringRef name, int64_t bytes, mlir::Type element);

  /// for (i = from; i < to; i += step), `step` a positive constant.
  void loop(Val from, Val to, int64_t step, llvm::function_ref<void(Val)> body);
  /// The same with values carried from one round to the next.
  llvm::SmallVector<Val> loop(Val from, Val to, int64_t step, llvm::ArrayRef<Val> carried,
                              llvm::function_ref<llvm::SmallVector<Val>(Val, llvm::ArrayRef<Val>)> body);
  void ifThen(Val condition, llvm::function_ref<void()> body);
  llvm::SmallVector<Val> ifElse(Val condition, llvm::ArrayRef<mlir::Type> types,
                                llvm::function_ref<llvm::SmallVector<Val>()> yes,
                                llvm::function_ref<llvm::SmallVector<Val>()> no);
  /// while (condition(i)) { body(i); i = i - 1; }
  void countDown(Val from, llvm::function_ref<Val(Val)> condition, llvm::function_ref<void(Val)> body);

  // What the threads of a block or warp do together: every thread, or every lane, must come here.
  void barrier();
  /// Orders the memory accesses of a warp's lanes.
  void warpBarrier();
  /// The value of lane XOR `lanes`; of the lane `lanes` below (the own one for the lowest); of lane `from`.
  Val shuffleXor(Val value, int64_t lanes);
  Val shuffleUp(Val value, int64_t lanes);
  Val shuffleFrom(Val value, Val from);
  /// Bit i is the predicate of lane i.
  Val ballot(Val predicate);
  Val popcount(Val bits);
  /// The sum over the warp in one fixed tree (lanes 16 apart, then 8, 4, 2, 1), the same bits in every lane.
  Val warpSum(Val value);

  /// An LLVM intrinsic by name.
  llvm::SmallVector<Val> intrinsic(llvm::StringRef name, llvm::ArrayRef<mlir::Type> results, llvm::ArrayRef<Val> args);
  /// PTX text as inline assembly with side effects; operands as in LLVM ($0 ...). Lowering marks it convergent.
  llvm::SmallVector<Val> ptx(llvm::StringRef text, llvm::StringRef constraints, llvm::ArrayRef<mlir::Type> results,
                             llvm::ArrayRef<Val> args);

private:
  Val addParameter(mlir::Type type);
  Val shuffle(llvm::StringRef kind, Val value, Val lanes, int64_t clamp);
  mlir::OpBuilder builder;
  mlir::ModuleOp module;
  mlir::Operation *function = nullptr;
};

} // namespace chimera::nvptx

#endif
