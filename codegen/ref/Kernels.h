// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of the `ref` target: plain loops in a fixed order, one statement of the mathematics each, in every
// dtype. They are the oracle that faster targets are compared with.
//
// Each `getOrEmit` puts one kernel into a module of kernels, as a func.func in upstream dialects (func, scf, arith,
// math, llvm), and returns its symbol and its grid. A kernel's symbol spells its spec, so an equal spec gives the
// kernel that is there already. The signature is that of docs/model-binary.md:
//
//     func.func @name(%buffers: !llvm.ptr, %args: !llvm.ptr, %begin: i64, %end: i64)
//
// Conventions:
// - Tensors are row-major. `[., C]` has one compact row for each row of the launch's rows value: the j-th entry of the
//   index (absolute, start[0] <= j < start[S]) is compact row j - start[0].
// - `start` is i32[S+1]; `rows` stands for five buffers in this order: index i32, start i32[S+1], position i64,
//   sequence i32, slot i32[S].
// - T is the type of accumulators, norms, states, routing (F64 or F32), U that of matrix operands (F64 with T = F64;
//   F32 or BF16 with T = F32). BF16 values are widened to f32 before any arithmetic, and rounded to nearest even
//   where they are stored.
// - A kernel whose grid is `tokens` walks the compact rows of [begin, end) and stops at the count of its rows value, so
//   the grid may cover more rows than there are: it serves slices and the wanted outputs as it is.
// - exp, log, softplus, sigmoid, sine and cosine are evaluated in f64 (codegen/ref/Math.cpp) and rounded once to T.
//
// The context must have the dialects of `registerKernelDialects` loaded (a pass names them as dependent dialects).
#ifndef CHIMERA_CODEGEN_REF_KERNELS_H
#define CHIMERA_CODEGEN_REF_KERNELS_H

#include "codegen/kernel/Kernel.h"
#include "dialect/IR/PageLayout.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace chimera::ref {

using namespace kernel;

// Row by row (Rowwise.cpp).

/// out[i] = table[tokens[i]]. Buffers: start, tokens i32[N], table [vocab, width] of `table`, out [., width] of `out`.
struct EmbedSpec {
  int64_t width;
  Scalar table, out;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const EmbedSpec &spec);

enum class NormKind { RMS, Layer };

/// RMS: x / sqrt(mean(x^2) + eps) * w. Layer: (x - mean) / sqrt(var + eps) * w + b, var the population variance around
/// the mean. Sums ascend, by fma where a product is added. With groups each of that many equal parts of a row is
/// normalised alone (RMS), by the same w. With a unit offset (RMS) 1 + w takes the place of w. Buffers: start,
/// x [., width], w [width / groups], (b [width] if Layer), out [., width]; all T.
struct NormSpec {
  int64_t width;
  NormKind kind;
  double eps;
  Scalar type;
  int64_t groups = 1;
  bool unitOffset = false;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const NormSpec &spec);

/// out = round_to(x), to nearest even; NaN stays NaN. Buffers: start, x [., width], out [., width].
struct CastSpec {
  int64_t width;
  Scalar from, to;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const CastSpec &spec);

/// out = a + b. Buffers: start, a, b, out; all [., width] of T.
struct AddSpec {
  int64_t width;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const AddSpec &spec);

/// out = x + b. Buffers: start, x [., width], b [width], out [., width]; all T.
struct AddBiasSpec {
  int64_t width;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const AddBiasSpec &spec);

/// out = x * factor, the factor rounded to T. Buffers: start, x, out; all [., width] of T.
struct ScaleSpec {
  int64_t width;
  double factor;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const ScaleSpec &spec);

/// out = x * factor, the columns in ranges next to each other, each with a factor of its own, rounded to T. Buffers:
/// start, x, out; all [., sum of the widths] of T.
struct ScaleColumnsSpec {
  std::vector<double> factors;
  std::vector<int64_t> widths;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const ScaleColumnsSpec &spec);

/// out = cap tanh(x / cap), by Math.h, rounded once. Buffers: start, x, out; all [., width] of T.
struct SoftCapSpec {
  int64_t width;
  double cap;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const SoftCapSpec &spec);

/// out = f(x), by Math.h, rounded once. Buffers: start, x, out; all [., width] of T.
struct ActivateSpec {
  int64_t width;
  Activation activation;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const ActivateSpec &spec);

/// out = f(gate) * up, f rounded to T before the product. Buffers: start, gate, up, out; all [., width] of T.
struct GluSpec {
  int64_t width;
  Activation activation;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const GluSpec &spec);

/// out[i][c] = x[i][offset + c], c < size. Buffers: start, x [., width], out [., size].
struct ColumnsSpec {
  int64_t width, offset, size;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const ColumnsSpec &spec);

/// u = y * silu(z) (silu rounded to T); out = u / sqrt(mean of u^2 over its group + eps) * w, the groups being
/// width/groups neighbouring channels. Buffers: start, y, z, w [width], out; rows [., width] of T.
struct GatedNormSpec {
  int64_t width, groups;
  double eps;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const GatedNormSpec &spec);

/// Rotary embedding in the rotate-half form on the first `dims` dimensions of each head; the others are copied. With
/// a = position * frequencies[d] in f64, c = T(cos a), s = T(sin a), h = dims/2:
///   out[d] = x[d] c - x[d+h] s,   out[d+h] = x[d+h] c + x[d] s      (each product and the sum rounded).
/// Buffers: rows, x [., heads*headSize], out alike; T. `frequencies` has dims/2 entries (radians a position); the angle
/// is exact to ~1e-15 while |a| < 2^31. `inverse` turns by -a: the gradient of the rotation.
struct RopeSpec {
  int64_t heads, headSize, dims;
  std::vector<double> frequencies;
  Scalar type;
  bool inverse = false;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const RopeSpec &spec);

// Matrix product (Linear.cpp).

/// y[i][n] = sum_k x[i][k] w[n][k]: one fma for each k, ascending, in T, from +0. Buffers: start, x [., inputs] of
/// `in`, w [outputs, inputs] of `weight`, y [., outputs] of `out` (T). Grid: tokens * ceil(outputs/64); block b is row
/// b / ceil(outputs/64), columns 64 (b mod ceil(outputs/64)) and up.
struct LinearSpec {
  int64_t inputs, outputs;
  Scalar in, weight, out;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const LinearSpec &spec);

// Causal convolution (Conv.cpp).

/// y_t[c] = bias[c] + sum_k w[c][k] x_{t-(taps-1-k)}[c], by fma with k ascending from the bias, then silu if asked. t
/// counts the rows of one sequence in this rows value; rows before the first come from the tail, whose row taps-2 is
/// the newest. Buffers: rows, x [., channels], w [channels, taps], bias [channels], (tail pool
/// [slots][taps-1][channels], only if taps > 1), y [., channels]; T. Grid: tokens.
struct CausalConvSpec {
  int64_t channels, taps;
  bool silu;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const CausalConvSpec &spec);

/// tail = the last `depth` rows of (tail ++ this sequence's rows), in place. Buffers: rows, x [., channels], tail pool
/// [slots][depth][channels]; T. Grid: seqs.
struct ShiftTailSpec {
  int64_t channels, depth;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const ShiftTailSpec &spec);

// Routing (Routing.cpp).

// Modes are canonical indices: ssm 0, swa 1, full 2, identity 3. Lists of modes ascend and have no repeats.

enum class GateKind { One, Prob };

/// What limits the admissions to one mode: a rate (tokens a token: the product of capacity factor and target) and a
/// greatest number. Neither: no limit.
struct Capacity {
  std::optional<double> rate;
  std::optional<int64_t> maxTokens;
};

/// Hard routing. s = l + bias; wanted = argmax s (the first on ties); q = (biasInGate ? s : l) / temperature, in T;
/// logp = q - logsumexp(q), evaluated in f64, rounded once. The token at position t enters mode m while
/// counts[m] < min(ceil(rate_m (t+1)), maxTokens_m) in IEEE double; else it tries the next of full, swa, ssm, identity
/// that the layer has; the last that the layer has in that chain never refuses. forced >= 0 decides instead. The mode
/// admitted counts, in place. gate = 1, or exp(logp of the admitted mode) from the unrounded f64 value.
/// Buffers: rows (of the whole batch), logits [N, K], bias [K], forced i8 [N][L], counts pool i64 [slots][K] in place,
/// mode i8 [N], gate T[N], logp T[N, K]. Constants: args[4] = the layer, args[5] = L. Grid: seqs.
struct RouteSpec {
  std::vector<int> modes;
  double temperature = 1;
  GateKind gate = GateKind::Prob;
  bool biasInGate = false;
  std::vector<Capacity> capacity; // empty, or one for each of `modes`
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const RouteSpec &spec);

/// One stable permutation of the batch's rows, sorted by mode in the order of `modes`. Buffers: rows (of the whole
/// batch), mode i8[N], index i32[N] (row ids), inverse i32[N] (a row's compact row in its mode's slice), then for each
/// mode start i32[S+1] (absolute offsets into index). Every mode[r] is one of `modes`. Grid: one block.
struct DispatchSpec {
  std::vector<int> modes;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const DispatchSpec &spec);

/// out[i] = x[index of row i]. Buffers: rows, x [N, width], out [., width]; bits are copied.
struct GatherSpec {
  int64_t width;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const GatherSpec &spec);

/// out[i] = logp[index of row i][column]. Buffers: rows, logp T[N, modes], out T[.].
struct WriteWeightSpec {
  int64_t modes, column;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const WriteWeightSpec &spec);

/// out[r] = x[r] + gate[r] * o_m[inverse[r]] (the product rounded, then the sum) with m = mode[r]; x[r] bit for bit if
/// m is not listed. Not gated: out[r] = x[r] + o_m[inverse[r]]. Buffers: start (of the batch), mode i8[N], inverse
/// i32[N], x [N, width], (gate T[N] if gated), out [N, width], then o_m [., width] for each of `modes`; T.
struct CombineSpec {
  int64_t width;
  std::vector<int> modes;
  bool gated;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const CombineSpec &spec);

// Experts (Experts.cpp). Sums over experts ascend; scores and weights are evaluated in f64, weights rounded once.

enum class ExpertScore { Softmax, Sigmoid };

/// With s = softmax(l) or sigmoid(l): chosen are the `count` experts with the greatest s + bias if `biased`, else the
/// greatest l, one after the other, of equals the first; of NaNs the first that are left. weight = scale s of a chosen
/// expert, divided by the sum of the chosen ones' s if `normalized` (of sigmoids: plus 1e-20; the softmax is then over
/// the chosen ones alone), else 0. Buffers: start, logits T[N, experts], (bias T[experts] if biased), chosen i8[N,
/// experts], weights T[N, experts]. Grid: tokens.
struct RouteExpertsSpec {
  int64_t experts, count;
  ExpertScore score;
  bool normalized, biased;
  double scale;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const RouteExpertsSpec &spec);

/// For each expert the rows that chose it, in their order. Buffers: rows (of the batch), chosen i8[N, experts] with
/// `count` ones a row at most, index i32[N, count] (row ids), then for each expert start i32[S+1] (offsets into
/// index). Grid: one block.
struct DispatchExpertsSpec {
  int64_t experts;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const DispatchExpertsSpec &spec);

/// y[r] += weights[r][args[4]] * o[i] for the i-th row r, in place, the product rounded first. Buffers: rows, o
/// [., width], weights [N, experts], y [N, width]; T. Constants: args[4] = the expert. Grid: tokens.
struct AddExpertSpec {
  int64_t width, experts;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const AddExpertSpec &spec);

/// out = +0. Buffers: start, out [., width] of T.
struct ZerosSpec {
  int64_t width;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const ZerosSpec &spec);

/// out[i][l] = input_l[i]. Buffers: start, out i8 [N][layers], then `layers` inputs i8[N].
struct StackModesSpec {
  int64_t layers;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const StackModesSpec &spec);

/// out[i] = args[4]. Buffers: start, out i8[N].
struct ConstantModeSpec {};
Kernel getOrEmit(mlir::ModuleOp kernels, const ConstantModeSpec &spec);

// Attention and its caches (Attention.cpp).

enum class CacheKind { Ring, List };

/// The geometry of a key/value cache. Buffers of a Ring: keys [slots][window][kvHeads*headSize], values alike,
/// (weights T [slots][window] if weighted), count i64[slots]. Of a List: pages, table i32 [slots][args[3]], length
/// i64[slots].
struct CacheSpec {
  CacheKind kind;
  int64_t kvHeads, headSize;
  int64_t window = 0; // Ring only
  bool weighted = false;
  Scalar operand; // U: cached keys and values, and q, k, v
  Scalar type;    // T: scores, weights, outputs
};

/// Entries of one page of a List.
inline constexpr int64_t pageEntries = ir::listPageEntries;

/// Bytes of one page: keys [64][kvHeads*headSize] of U, values alike, then weights [64] of T (room that lists without
/// weights leave unused, so that all lists of a model share one pool of pages); rounded up to a multiple of 64.
int64_t pageBytes(int64_t kvHeads, int64_t headSize, Scalar operand, Scalar type);

/// Softmax attention of each own row, over the entries of its sequence up to its own: the last `window` of a Ring, all
/// of a List. With base = the entries cached before this step, the own row is entry e = base + (its place among its
/// sequence's key rows); an entry below base is read from the cache, else from k and v.
///   score_a = c(scale * (q . k_a by fma, d ascending, in T)) (+ weight_a if weighted)
///   out = (sum_a exp(score_a - max) v_a) / (sum_a exp(score_a - max)),   a ascending, by fma, in T.
/// c(s) is s, or with a cap cap tanh(s / cap), by Math.h.
/// separate = false: own and key rows are the same value. separate = true: the key rows are the whole batch, the own
/// rows a part of it. Query head i reads key/value head floor(i kvHeads / heads).
/// Buffers: own rows, key rows, q [own, heads*headSize] of U, k [keys, kvHeads*headSize] of U, v alike, (write T[keys]
/// if weighted), the cache, out [own, heads*headSize] of T. Grid: tokens * heads.
struct AttendSpec {
  CacheSpec cache;
  int64_t heads;
  double scale;
  bool separate;
  std::optional<double> softCap = std::nullopt;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const AttendSpec &spec);

/// Appends this step's rows to the cache, in order, and advances its count. Buffers: rows, k [., kvHeads*headSize] of
/// U, v alike, (write T[.] if weighted), the cache in place. Grid: seqs.
struct AppendSpec {
  CacheSpec cache;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const AppendSpec &spec);

// Recurrences (Scan.cpp).

/// The Mamba-2 recurrence, row by row of a sequence. For head h, its group g = floor(h groups / heads):
///   d = clamp(softplus(dt + dt_bias), dtMin, dtMax) (times exp(write) if weighted),   a = exp(-exp(A_log) d)
///   S[p][n] = fma(d x[p], B[n], a S[p][n]),   y[p] = fma(D, x[p], sum_n S[p][n] C[n] by fma, n ascending from +0).
/// Buffers: rows, xbc [., heads*headSize + 2*groups*stateSize] (x | B | C, after convolution and silu), dt [., heads],
/// A_log [heads], D [heads], dt_bias [heads], (write T[.] if weighted), state pool [slots][heads][headSize][stateSize]
/// in place, y [., heads*headSize]; T. Grid: seqs * heads.
struct SsmScanSpec {
  int64_t heads, headSize, stateSize, groups;
  double dtMin, dtMax;
  bool weighted;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const SsmScanSpec &spec);

/// S = fma(sigmoid(decay), S, u) with u times exp(write) (rounded) if weighted; out = S. Buffers: rows, u [.,
/// stateSize], decay [stateSize], (write T[.] if weighted), state pool [slots][stateSize] in place, out [., stateSize];
/// T. Grid: seqs.
struct LtiScanSpec {
  int64_t stateSize;
  bool weighted;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const LtiScanSpec &spec);

} // namespace chimera::ref

#endif // CHIMERA_CODEGEN_REF_KERNELS_H
