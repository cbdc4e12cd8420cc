// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of the `cpu` target: vectorised, blocked, and reduced in an order that depends on the model and the ISA
// alone, so that a row has the same bits whatever rows are computed beside it, on any number of threads.
//
// Each `getOrEmit` puts one kernel for `isa` into a module of kernels and returns its symbol and grid, as the ref
// kernels do (codegen/ref/Kernels.h, whose conventions hold here too: rows values, compact rows, the signature). A
// module holds kernels of one ISA. Everything is for f32 and bf16 models: T is f32; U, the type of matrix operands, F32
// or BF16. Ops without a kernel here, and f64 models, run the ref kernels.
//
// How values differ from `ref`: products of f32 and widened bf16 operands are the same chains of fma over ascending k,
// equal in every bit; so are convolutions and scans, but for exp, softplus and silu, which are f32 polynomials here
// (Math.h) and correctly rounded f64 there. Norms sum in 16 lanes. Attention is the streaming softmax below.
//
// exp(-inf) is 0 everywhere; a NaN goes where the mathematics sends it and nowhere else.
#ifndef CHIMERA_CODEGEN_CPU_KERNELS_H
#define CHIMERA_CODEGEN_CPU_KERNELS_H

#include "codegen/cpu/Isa.h"
#include "codegen/kernel/Kernel.h"
#include "dialect/IR/PageLayout.h"
#include "runtime/abi/WeightFormat.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace chimera::cpu {

using namespace kernel;

/// Columns of a wider matrix: row i starts at element i * stride + offset. A stride of 0 stands for the width itself.
struct View {
  int64_t stride = 0, offset = 0;
};

// Matrix product (Linear.cpp).

using abi::scaleGroup;
using abi::WeightFormat;

/// Packed weights: panels of `panel` outputs; in a panel, k in groups of `group`, and for each group `panel` columns of
/// `group` neighbours: element (n, k) of a panel is at (k / group * panel + n) * group + k % group. Outputs and k are
/// padded with zeros to whole panels and groups. I8: each 32 inputs are `panel` exponents (signed bytes, -126 .. 104),
/// then their 32 * panel numbers q in the layout above. I4: likewise with groups of 8, each of them 32 bits
/// (nibbleShift).
struct PackedLayout {
  WeightFormat format;
  int64_t panel, group;
  bool interleaved; ///< Two matrices of equal shape: panel 2p is panel p of the first, 2p+1 of the second.
};

enum class Epilogue { None, Activate, Glu, Residual };

/// y = epilogue(x W^T), each sum over k in one order whatever the number of rows.
/// - None: y. Activate: f(y). Glu: f(y_gate) * y_up, with interleaved weights, f rounded to f32 before the product.
///   Each is rounded to `out` at the end. f is `activation`, by Math.h.
/// - Residual: out += y, or out += gate * y if gated (the product rounded first), in place, all f32; `gate` is indexed
///   by row id; with `gateMatrix` it is column args[4] of a matrix of args[5] columns. With `scatter` the row of out is
///   the row id, else the compact row.
/// With `gather`, row i of x is the row whose id is the i-th of rows; else the compact row i.
/// Buffers: rows (5), x [., inputs] of `in`, packed weights, (gate f32[N] or [N, args[5]] if gated), out [., outputs]
/// of `out`.
/// `outputs` counts those of one matrix if interleaved.
struct LinearSpec {
  int64_t inputs = 0, outputs = 0;
  Scalar in = Scalar::F32, out = Scalar::F32;
  WeightFormat weight = WeightFormat::F32;
  View x;
  bool gather = false;
  Epilogue epilogue = Epilogue::None;
  Activation activation = Activation::None; ///< of Activate and Glu
  bool scatter = false, gated = false, gateMatrix = false;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const LinearSpec &spec);
/// The layout that the kernel expects its weights in.
PackedLayout packedLayout(const Isa &isa, const LinearSpec &spec);

// Row by row (Rowwise.cpp).

enum class NormKind { RMS, Layer };

/// As the ref norm, of groups and with a unit offset too; sums in 16 lanes (lane i takes the elements i mod 16 in
/// order), then a tree. Results are written in f32, in bf16 (rounded from the f32 result), or both. Buffers: start, x
/// f32 [., width], w f32 [width / groups], (b f32 [width] if Layer), (out f32 [., width] if `exact`), (out bf16 [.,
/// width] if `rounded`).
struct NormSpec {
  int64_t width;
  NormKind kind;
  double eps;
  bool exact, rounded;
  int64_t groups = 1;
  bool unitOffset = false;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const NormSpec &spec);

/// As the ref gated norm, the squares of a group summed as above, rounded to `out`. Buffers: start, y f32 [., width], z
/// f32 (a view), w f32 [width], out [., width].
struct GatedNormSpec {
  int64_t width, groups;
  double eps;
  View z;
  Scalar out;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const GatedNormSpec &spec);

/// out = cap tanh(x / cap), by Math.h. Buffers: start, x f32 [., width], out alike.
struct SoftCapSpec {
  int64_t width;
  double cap;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const SoftCapSpec &spec);

/// Cosines and sines for rotary embedding: out[i][j] = f32(cos(position_i f_j)), out[i][half + j] = f32(sin ...),
/// evaluated in f64 as the ref kernel does. Buffers: rows (of the whole batch), out f32 [N, 2 half].
struct RopeTableSpec {
  std::vector<double> frequencies; ///< half of them
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const RopeTableSpec &spec);

/// Turns queries and keys by the table's angles (rotate-half on the first `dims` dimensions of each head; each product
/// and the sum rounded, as ref) and rounds them, and the values, to `out`. Buffers: rows, table f32 [N, dims] (indexed
/// by row id), q, k, v (f32 views; often three of one matrix), then q [., heads*headSize], k [., kvHeads*headSize], v
/// alike, of `out`.
struct RopeSpec {
  int64_t heads, kvHeads, headSize, dims;
  View q, k, v;
  Scalar out;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const RopeSpec &spec);

// Causal convolution (Conv.cpp).

/// The ref convolution (the same chain of fma) and then its tail brought up to date, in one launch: a block owns some
/// channels of a sequence. With `addInput`, out = x + conv(x). Buffers: rows, x f32 (a view), w f32 [channels, taps],
/// bias f32 [channels], (tail pool f32 [slots][taps-1][channels] in place, only if taps > 1), out f32 [., channels].
struct ConvSpec {
  int64_t channels, taps;
  bool silu, addInput;
  View x;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const ConvSpec &spec);

// Recurrences (Scan.cpp).

/// The ref recurrence with the state laid out [slots][heads][stateSize][headSize], so that lanes are the head's
/// dimensions and n is summed in the same ascending chain. A block is a head of a sequence; rows are taken many at a
/// time with a part of the state in registers. Buffers: rows, xbc f32 [., heads*headSize + 2*groups*stateSize]
/// (compact), dt f32 (a view), A_log, D, dt_bias f32 [heads], (write f32[.] if weighted), state pool f32 in place, y
/// f32 [., heads*headSize].
struct SsmScanSpec {
  int64_t heads, headSize, stateSize, groups;
  double dtMin, dtMax;
  bool weighted;
  View dt;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const SsmScanSpec &spec);

/// As the ref lti scan. Buffers: rows, u f32 [., stateSize], decay f32 [stateSize], (write f32[.]), state pool f32
/// [slots][stateSize] in place, out f32 [., stateSize].
struct LtiScanSpec {
  int64_t stateSize;
  bool weighted;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const LtiScanSpec &spec);

// Attention and its caches (Attention.cpp, Append.cpp).

enum class CacheKind { Ring, List };

/// Keys and values lie in blocks of 64 entries, entry e in block floor(e / 64) at place e mod 64. A block's keys are
/// F32: [kvHeads][headSize][64]; BF16: [kvHeads][headSize / 2][64][2] (pairs of dimensions); its values
/// [kvHeads][64][headSize]; its write weights f32 [64]. A List has a block a page: keys, values, then room for weights,
/// as many bytes as a page of the ref target. A Ring has ringBlocks(window) blocks a slot, block b in the (b mod
/// ringBlocks)-th: pools of keys, of values, (of weights if weighted).
struct CacheSpec {
  CacheKind kind;
  int64_t kvHeads, headSize;
  int64_t window = 0; // Ring only
  bool weighted = false;
  Scalar operand; // U
};

/// Entries of a block: a list has a block a page.
inline constexpr int64_t blockEntries = ir::listPageEntries;
/// Blocks that hold the last `window` entries wherever they start: ceil((window - 1) / 64) + 1.
int64_t ringBlocks(int64_t window);

/// Appends this step's rows and advances the count. Buffers: rows, k [., kvHeads*headSize] of U, v alike, (write f32[.]
/// if weighted), the cache in place (as the ref Append: Ring keys, values, (weights,) count; List pages, table,
/// length).
struct AppendSpec {
  CacheSpec cache;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const AppendSpec &spec);

/// Softmax attention of each own row over the entries that the ref kernel reads, as a streaming softmax over blocks of
/// the entry index (Milakov and Gimelshein 2018; Dao et al. 2022). For a query and a block b of 64 entries:
///   s_e = c(scale (q . k_e by fma, d ascending)) (+ weight_e), -inf where e is not attended
///   m' = max(m, max_e s_e), p_e = exp(s_e - m'), l = l exp(m - m') + sum_e p_e, o = o exp(m - m') + sum_e p_e v_e by
///   fma, e ascending
/// and the result is o / l, rounded to `out`; c(s) is s, or with a cap cap tanh(s / cap), by Math.h. A List takes its
/// blocks in spans of `spanEntries` entries; span s belongs to part s mod `parts`; a part goes through its spans in
/// order, and the parts' (m, l, o) are merged in order, the empty ones left out. So a single row can be split over
/// `parts` tasks with the bits of one. A Ring is one part.
///
/// committed = true: this step's rows are in the cache already (append came first; fine for a List, and for a Ring when
/// every sequence has one row); the own row's entry is count - (rows of its sequence) + its place. Buffers: own rows,
/// key rows, q [own, heads*headSize] of U, the cache, out [own, heads*headSize]. committed = false (Ring): two sources,
/// as the ref kernel. Buffers: own rows, key rows, q, k, v [keys, kvHeads*headSize] of U, (write f32[keys] if
/// weighted), the cache, out. separate: as for the ref kernel.
struct AttendSpec {
  CacheSpec cache;
  int64_t heads;
  double scale;
  bool separate;
  bool committed;
  Scalar out;
  std::optional<double> softCap = std::nullopt;
};
inline constexpr int64_t spanEntries = 512, parts = 16;
/// One launch; a block is some own rows of one key/value head.
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const AttendSpec &spec);

/// The same in two launches with equal bits, for steps of few rows over long lists (committed, List only): a block of
/// the first is a part of a row at some key/value heads. Its buffers: own rows, key rows, q, the cache, partial f32
/// [own, heads, parts, partialWidth]. Those of the second: own rows, key rows, the list's length i64[slots], partial,
/// out.
struct SplitAttend {
  Kernel parts, merge;
};
SplitAttend getOrEmitSplit(mlir::ModuleOp kernels, const Isa &isa, const AttendSpec &spec);
/// Elements of a partial result: o [headSize], m, l, padded to a multiple of 16.
int64_t partialWidth(int64_t headSize);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_KERNELS_H
