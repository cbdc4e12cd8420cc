// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The GPU kernels: for each a plain description and a function that emits it.
#ifndef CHIMERA_CODEGEN_NVPTX_KERNELS_H
#define CHIMERA_CODEGEN_NVPTX_KERNELS_H

#include "mlir/IR/BuiltinOps.h"
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace chimera::nvptx {

/// How many blocks a launch has: ceil((tokens N + constant) / divisor) for N rows. The same affine form as in the
/// launch table of a model binary.
struct GpuGrid {
  int64_t tokens = 0, constant = 0, divisor = 1;
  int64_t blocks(int64_t rows) const { return (tokens * rows + constant + divisor - 1) / divisor; }
};

/// A kernel in a module, and how to launch it.
struct GpuKernel {
  std::string symbol;
  GpuGrid grid;
  int64_t threads = 0;
};

/// y[M, N] = x[M, K] w[N, K]^T with operands in bf16 and sums in f32, on the tensor cores (mma.sync, sm_80 and later).
///
/// A block of 128 threads (2 x 2 warps) computes a tile of tileM x tileN; K passes through shared memory in steps of
/// tileK, the next step's cp.async under way while this one is multiplied. Each element of y sums its products over
/// ascending k in steps of 16 (one mma each), whatever M is and wherever its row lies: a row has the same bits alone
/// and in any batch, as far as one mma treats its rows alike and apart.
struct GemmSpec {
  /// N and K of the product. K is a multiple of 8 (rows of x and w then start on 16 bytes, as cp.async wants); N is
  /// free.
  int64_t outputs = 0, inputs = 0;
  /// 32, 64 or 128 each. tileM + tileN rows of tileK elements, twice, are the block's shared memory.
  int64_t tileM = 64, tileN = 64;
  /// 16, 32 or 64: rows of 32, 64 or 128 bytes in shared memory, whose 16-byte pieces are permuted (XOR by row), so
  /// that the eight rows that ldmatrix reads at once lie in eight different groups of banks.
  int64_t tileK = 32;

  /// Left out by the tests that show that the simulator sees it. Never by a compiler.
  enum class Fault { None, NoBarrier, LateWait, NoSwizzle };
  Fault fault = Fault::None;
};

/// Emits the kernel with parameters x (bf16 [M, K]), w (bf16 [N, K]), y (f32 [M, N]), then M as i64. Blocks: row tiles
/// times column tiles, columns running fastest; blocks past the last row tile return at once. Null and a message when
/// the spec is outside what its fields allow.
std::optional<GpuKernel> emitGemm(mlir::ModuleOp module, const GemmSpec &spec, std::string &error);

/// What a mode's capacity is: admitted while count < min(ceil(rate (t + 1)), most).
struct ModeLimit {
  std::optional<double> rate;
  std::optional<int64_t> most;
  bool limited() const { return rate || most; }
};

enum class NormKind { None, Rms, Layer };

/// Everything from a layer's input to its permutation of rows, as one launch: norm, router norm, linear router, gate,
/// admission under causal capacity, and the sort of the rows by mode.
///
/// Modes are canonical indices (ssm 0, swa 1, full 2, identity 3). All values are f32.
struct RouteSpec {
  int64_t width = 0; ///< D
  NormKind norm = NormKind::Rms, routerNorm = NormKind::None;
  double epsilon = 1e-5;
  /// The layer's modes, ascending; two to four.
  std::vector<int64_t> modes;
  double temperature = 1;
  /// The gate is the admitted mode's probability; else 1.
  bool gateIsProbability = true;
  bool biasInGate = false;
  /// By position in `modes`.
  std::array<ModeLimit, 4> limits;

  /// See GemmSpec.
  enum class Fault { None, NoScanBarrier, NoFlagBarrier, NoAdmissionBarrier };
  Fault fault = Fault::None;
};

/// Emits the kernel. Pointers, in this order (N rows, S sequences, K modes, `slot` a row of the cache's counts):
///
///   index i32[N], start i32[S+1], position i64[N], sequence i32[N], slot i32[S]   the step's rows
///   x f32[N,D], norm weight f32[D], (layer: norm bias f32[D]), h f32[N,D]
///   (router norm weight f32[D], (layer: its bias f32[D]))
///   router weight f32[K,D], logits f32[N,K], bias f32[K], forced i8[N,layers], counts i64[slots,K]
///   mode i8[N], gate f32[N], logp f32[N,K], (gate is probability: workspace f32[N,K])
///   index i32[N], inverse i32[N], then K times start i32[S+1]: the rows sorted by mode
///   ticket u32[1]: zero before the first launch; the kernel leaves it zero
///
/// then as i64: N, S, layer, layers. `counts` is read and written; `forced` overrides admission where it names one of
/// the modes.
///
/// Blocks of 256 threads; each normalises eight rows, one a warp. The block that takes the last ticket does the rest,
/// for admission needs every row before it. The ticket decides who works, never what comes out: all sums have one order
/// that depends on D alone, and nothing is added up by atomics.
std::optional<GpuKernel> emitRoute(mlir::ModuleOp module, const RouteSpec &spec, std::string &error);

} // namespace chimera::nvptx

#endif
