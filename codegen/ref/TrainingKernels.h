// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of training on the `ref` target: ops over whole sequences, their vector-Jacobian products, the loss and
// the optimizer. The conventions of codegen/ref/Kernels.h hold. "d" before a name is the gradient of the loss by it.
//
// Sums over rows. A gradient of a parameter sums over the rows of a step, which may be spread over ranks. So that the
// bits do not depend on how, a step's sequences are cut into *leaves*, and every such sum takes the rows of a leaf in
// order, from +0, and then adds neighbouring leaves pairwise: ((0+1)+(2+3))+... A rank that holds an aligned half of
// the leaves has the bits of half the tree. `leaves` is i32[18]: the number of leaves (a power of two, at most 16), the
// first sequence of each, and S; a leaf may be empty: it is +0. Leaf i of a rows value is its rows
// start[leaves[1+i]] .. start[leaves[2+i]].
//
// `hyper` is f64[16]: the numbers that change from step to step (Hyper).
#ifndef CHIMERA_CODEGEN_REF_TRAININGKERNELS_H
#define CHIMERA_CODEGEN_REF_TRAININGKERNELS_H

#include "codegen/ref/Kernels.h"
#include "dialect/IR/TrainingLayout.h"

namespace chimera::ref {

/// Places in `hyper`.
enum class Hyper {
  Temperature,  ///< of the routers' softmax
  LossScale,    ///< 1 / (targets of the global batch that count)
  LearningRate, ///< of this step
  RouterLearningRate,
  Beta1,
  Beta2,
  Epsilon,
  WeightDecay,
  Correction1, ///< 1 - beta1^t
  Correction2, ///< 1 - beta2^t
  ClipNorm,    ///< the greatest norm of the gradient; infinity: no clipping
};

// Routing (TrainingRouting.cpp; from SoftCombineSpec on TrainingCombine.cpp).

/// Routing of whole sequences. tau = T(hyper.temperature). s = l + bias; wanted = argmax_k (s_k + T(tau * noise_k)),
/// the first on ties; q = (biasInGate ? s : l) / tau. With `admits`, logp is as in RouteSpec and mode the admitted
/// one, by capacity as in RouteSpec with counts that start at 0 in each sequence and positions from 0. Without, which
/// is soft routing, logp is that of softmax(q_k + T(noise_k)), and mode = wanted. gate = 1, or exp(logp of mode) from
/// the unrounded f64 value. Buffers: rows (of the whole batch), logits [N, K], bias [K], noise f64 [N][L][4] (by
/// canonical mode), hyper, mode i8 [N], wanted i8 [N], gate T[N], logp T[N, K]. Constants: args[4] = the layer, args[5]
/// = L. Grid: seqs.
struct SeqRouteSpec {
  std::vector<int> modes;
  GateKind gate = GateKind::Prob;
  bool biasInGate = false;
  bool admits = true;
  std::vector<Capacity> capacity; // empty, or one for each of `modes`
  Scalar type = Scalar::F32;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const SeqRouteSpec &spec);

/// The gradient by the logits. With p = exp(logp), recomputed from the logits in f64:
///   e_k = dlogp_k + [k = mode] p_k dgate + p_k price_k - pull_k - entropy p_k (logp_k + 1) + p_k / (1 - p_k) push_k
///   dlogits_j = (e_j - p_j sum_k e_k) / tau                                  all in f64, k ascending, rounded once.
/// dgate enters alike for both kinds of gate: for `one` it is the straight-through estimate (Bengio et al. 2013).
/// prices f64 [L][13]: price, push and pull of each canonical mode, then the entropy's. 1 - p_k is the sum of the
/// others' p; a row whose others have all underflown is pushed with their shares taken as 0. Buffers: start, logits,
/// bias, hyper, prices, mode i8[N], (dgate T[N] if `gate`), (dlogp T[N, K] if `logp`), (noise f64 [N][L][4] if `noise`:
/// the routing was soft), dlogits T[N, K]. Constants: args[4] = the layer, args[5] = L with `noise`. Grid: tokens.
struct SeqRouteGradSpec {
  std::vector<int> modes;
  bool biasInGate = false;
  bool gate = true, logp = false, noise = false;
  Scalar type = Scalar::F32;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const SeqRouteGradSpec &spec);

/// What a routing says of each row, f64 [N, 14]: wanted (one-hot, canonical modes), admitted (alike), p (alike; 0 for
/// modes that the layer lacks), the entropy -sum p ln p, and whether the row was refused. Buffers: start, mode i8[N],
/// wanted i8[N], logp T[N, K], out. Grid: tokens.
struct RouteStatisticsSpec {
  std::vector<int> modes;
  Scalar type = Scalar::F32;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const RouteStatisticsSpec &spec);

/// z = residual + sum_k p_k outputs_k, k ascending, each product rounded before its sum, p_k = exp(logp_k) in f64
/// rounded to T. `present[k]` says whether the layer's k-th mode has an output (an identity that skips has none).
/// Buffers: start, residual [N, width], logp [N, K], outputs... [N, width], z [N, width]; T. Grid: tokens.
struct SoftCombineSpec {
  int64_t width;
  std::vector<bool> present;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const SoftCombineSpec &spec);

/// doutputs_k = p_k dz; dlogp_k = p_k (dz . outputs_k), by fma, ascending (0 without an output). Buffers: start, logp,
/// dz, outputs..., dlogp [N, K], doutputs.... Grid: tokens.
struct SoftCombineGradSpec {
  int64_t width;
  std::vector<bool> present;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const SoftCombineGradSpec &spec);

/// The gradient of CombineSpec. For a row r in the k-th of `modes` (those with an output): doutputs_k[inverse[r]] =
/// gate[r] dz[r]; dgate[r] = dz[r] . outputs_k[inverse[r]], by fma, ascending; 0 for rows of other modes. Buffers:
/// start, mode i8[N], inverse i32[N], gate T[N], dz [N, width], outputs..., dgate T[N], doutputs.... Grid: tokens.
struct CombineGradSpec {
  int64_t width;
  std::vector<int> modes;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const CombineGradSpec &spec);

/// out[r] = the sum from +0, in order, of those pieces that have row r: the gradient of gathers. Buffers: start (of the
/// batch), for each piece its rows (5) and x [., width], then out [N, width]; T. Grid: seqs.
struct ScatterSpec {
  int64_t width, pieces;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const ScatterSpec &spec);

/// The gradient of WriteWeightSpec, of several columns: out[r][columns[i]] += piece_i of row r, from +0. Buffers:
/// start, for each piece its rows (5) and x T[.], then out [N, width]. Grid: seqs.
struct ScatterColumnsSpec {
  int64_t width;
  std::vector<int64_t> columns; // of each piece
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const ScatterColumnsSpec &spec);

// Experts (Experts.cpp).

/// The gradient of RouteExpertsSpec by the logits, the choice being what it is. In f64, e ascending, rounded once, with
/// g_e = scale dweights_e of a chosen expert, else 0:
///   softmax: p_e (g_e - sum g p), p over all experts, or with `normalized` over the chosen ones, 0 for any other;
///   sigmoid: g_e s_e (1 - s_e), with `normalized` (g_e - sum g s / S) / S s_e (1 - s_e) of a chosen one, S = sum s +
///   1e-20 over them.
/// Buffers: start, logits T[N, experts], chosen i8[N, experts], dweights, dlogits. Grid: tokens.
struct RouteExpertsGradSpec {
  int64_t experts;
  ExpertScore score;
  bool normalized;
  double scale;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const RouteExpertsGradSpec &spec);

/// The gradient of AddExpertSpec: for the i-th row r, do[i] = weights[r][args[4]] dy[r], dw[i] = dy[r] . o[i], by fma,
/// ascending. Buffers: rows, dy [N, width], o [., width], weights [N, experts], do [., width], dw T[.]. Constants:
/// args[4] = the expert. Grid: tokens.
struct AddExpertGradSpec {
  int64_t width, experts;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const AddExpertGradSpec &spec);

// Row by row (TrainingRowwise.cpp).

/// With n = x / root (RMS) or (x - mean) / root (Layer), root = sqrt(.. + eps) as in NormSpec, g = w dy:
///   dx = (g - n mean(g n)) / root (RMS),   dx = (g - mean(g) - n mean(g n)) / root (Layer),   rows = n dy.
/// `rows` summed over rows is dw; dy summed is db. With groups (RMS), as NormSpec has them, `rows` is the sum over the
/// groups in their order, from +0. Buffers: start, x, w [width / groups], dy, dx, rows [., width / groups]; all T.
struct NormGradSpec {
  int64_t width;
  NormKind kind;
  double eps;
  Scalar type;
  int64_t groups = 1;
  bool unitOffset = false; ///< g = (1 + w) dy
};
Kernel getOrEmit(mlir::ModuleOp kernels, const NormGradSpec &spec);

/// The gradient of GatedNormSpec: rows = dout n with n = u / root, summed over rows, is dw. Buffers: start, y, z, w
/// [width], dout, dy, dz, rows [., width]; T.
struct GatedNormGradSpec {
  int64_t width, groups;
  double eps;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const GatedNormGradSpec &spec);

/// dx = dy (1 - (y / cap)^2), from the result y of a soft cap. Buffers: start, y, dy, dx.
struct SoftCapGradSpec {
  int64_t width;
  double cap;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const SoftCapGradSpec &spec);

/// dx = dy f'(x), evaluated in f64, rounded once. Buffers: start, x, dy, dx.
struct ActivateGradSpec {
  int64_t width;
  Activation activation;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const ActivateGradSpec &spec);

/// dgate = dy up f'(gate), dup = dy f(gate), each evaluated in f64 and rounded once. Buffers: start, gate, up, dy,
/// dgate, dup.
struct GluGradSpec {
  int64_t width;
  Activation activation;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const GluGradSpec &spec);

/// Pieces side by side, zeros elsewhere: out[i][offsets[j] + c] = x_j[i][c], c < sizes[j]. Pieces do not overlap.
/// Buffers: start, x_0 [., sizes[0]], ..., out [., width]; T.
struct JoinColumnsSpec {
  int64_t width;
  std::vector<int64_t> offsets, sizes;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const JoinColumnsSpec &spec);

/// out[c] = sum over rows of x[i][c], by leaves, added in `out`'s type. Buffers: leaves, start, x [., width] of `in`,
/// out [width] of `out`. Grid: one block a column.
struct ColumnSumSpec {
  int64_t width;
  Scalar in, out;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const ColumnSumSpec &spec);

// Products and the embedding (TrainingLinear.cpp).

/// dx[i][k] = sum_n dy[i][n] w[n][k], by fma, n ascending from +0, in T. Buffers: start, dy [., outputs] of U, w
/// [outputs, inputs] of U, dx [., inputs] of T. Grid: tokens * ceil(inputs/64).
struct LinearInputGradSpec {
  int64_t inputs, outputs;
  Scalar operand, type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const LinearInputGradSpec &spec);

/// dw[n][k] = sum over rows of dy[i][n] x[i][k], by leaves, by fma, in T. Buffers: leaves, start, dy [., outputs] of U,
/// x [., inputs] of U, dw [outputs, inputs] of T. Grid: outputs * ceil(inputs/64).
struct LinearWeightGradSpec {
  int64_t inputs, outputs;
  Scalar operand, type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const LinearWeightGradSpec &spec);

/// dtable[v] = sum over the rows i with tokens[i] = v of dx[i], by leaves. Buffers: leaves, start (of the batch),
/// tokens i32[N], dx [N, width], dtable [vocab, width]; T. Grid: vocab.
struct EmbedGradSpec {
  int64_t vocab, width;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const EmbedGradSpec &spec);

// The loss (TrainingLoss.cpp).

/// Cross entropy of linear logits without a matrix of logits: l_v = x . w_v as in LinearSpec, or with a cap that of
/// Math.h of it; lse = max + ln sum exp(l_v - max), in f64, rounded once where it is stored; scores[i] = (the unrounded
/// lse - l_target, 1 if the target is the argmax (the lowest v) else 0). targets i32[N] are by row id. Buffers: rows,
/// targets, x [., inputs] of U, w [vocab, inputs] of U, lse T[.], scores f64 [., 2]. Grid: tokens.
struct CrossEntropySpec {
  int64_t inputs, vocab;
  Scalar operand, type;
  std::optional<double> softCap = std::nullopt;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const CrossEntropySpec &spec);

/// g_v = U((exp(l_v - lse) - [v = target]) scale), scale = hyper.lossScale, in f64 rounded once, before that times 1 -
/// (l_v / cap)^2 with a cap; dx[i] = sum_v g_v w_v, by fma, v ascending from +0. Buffers: rows, targets, hyper, x, w,
/// lse, dx T[., inputs]. Grid: tokens.
struct CrossEntropyInputGradSpec {
  int64_t inputs, vocab;
  Scalar operand, type;
  std::optional<double> softCap = std::nullopt;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const CrossEntropyInputGradSpec &spec);

/// dw[v] = sum over rows of g_v x[i], by leaves, by fma. Buffers: leaves, rows, targets, hyper, x, w, lse, dw T[vocab,
/// inputs]. Grid: vocab.
struct CrossEntropyWeightGradSpec {
  int64_t inputs, vocab;
  Scalar operand, type;
  std::optional<double> softCap = std::nullopt;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const CrossEntropyWeightGradSpec &spec);

// Attention (TrainingAttention.cpp).

/// Attention inside whole sequences. Queries are own rows, entries are key rows; both are subsets of the batch, in
/// order. For the own row with id r, let n be the number of key rows of its sequence with an id below r. It attends to
/// the key rows with index e in its sequence, n - window < e <= n (e <= n only if the n-th key row is row r itself; no
/// lower bound if window < 0); if `tentative`, to those with n - window < e < n and to an entry of its own, ownKey and
/// ownValue, after them.
///   score_e = c(scale (q . k_e by fma, d ascending)) (+ write_e if weighted);  lse = max + ln sum exp(score_e - max)
///   out = (sum_e exp(score_e - max) v_e) / (sum_e exp(score_e - max)),  e ascending.
/// c(s) is s, or with a cap cap tanh(s / cap), by Math.h. Query head i reads key/value head floor(i kvHeads / heads).
/// An own row that attends to nothing has out = 0, lse = 0. `weighted` and `tentative` never come together. Buffers:
/// own rows, key rows, q [own, heads*headSize] of U, k [keys, kvHeads*headSize] of U, v alike, (write T[keys] if
/// weighted), (ownKey, ownValue of U [own, kvHeads*headSize] if tentative), out [own, heads*headSize] of T, lse T[own,
/// heads]. Grid: tokens.
struct SeqAttendSpec {
  int64_t heads, kvHeads, headSize;
  int64_t window; ///< -1: none
  double scale;
  bool weighted, tentative;
  Scalar operand, type;
  std::optional<double> softCap = std::nullopt;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const SeqAttendSpec &spec);

/// Its gradient, in two launches (Dao et al. 2022). With P = exp(score - lse), delta = sum_d dout_d out_d of a head,
/// dsum = P (dout . v - delta), dscore = dsum c', c' = 1 - (c / cap)^2 of an entry's capped score, or 1:
/// - queries: dq = scale sum_e dscore_e k_e; delta; if tentative dOwnKey, dOwnValue (over the query heads of each
///   kv head). Buffers: own rows, key rows, q, k, v, (write), (ownKey, ownValue), out, lse, dout T[own,
///   heads*headSize], dq T[own, heads*headSize], delta T[own, heads], (dOwnKey, dOwnValue T[own, kvHeads*headSize]).
///   Grid: tokens (own rows).
/// - keys: dk_e = scale sum dscore q, dv_e = sum P dout, dwrite_e = sum dsum, over query heads ascending and for each
///   the own rows ascending. Buffers: key rows, own rows, q, k, v, (write), lse, delta, dout, dk T[keys,
///   kvHeads*headSize], dv alike, (dwrite T[keys] if weighted). Grid: tokens (key rows).
struct SeqAttendGrad {
  Kernel queries, keys;
};
SeqAttendGrad getOrEmitGrad(mlir::ModuleOp kernels, const SeqAttendSpec &spec);

// Convolution and scans (TrainingConv.cpp, TrainingScan.cpp).

/// CausalConvSpec with nothing before the first row of a sequence. If `tentative`, the earlier taps of row r are not on
/// the rows before it but on the newest rows of `kept` (a subset of `rows`, with its own compact x) with an id below r.
/// Buffers: rows, x [., channels], w [channels, taps], bias [channels], (kept rows, keptX [kept, channels] if
/// tentative), y [., channels]; T. Grid: tokens.
struct SeqConvSpec {
  int64_t channels, taps;
  bool silu, tentative;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const SeqConvSpec &spec);

/// Its gradient, in three launches.
/// - activation (with silu; else its symbol is empty): dpre = dy silu'(pre), pre recomputed. Buffers: rows, x, w, bias,
///   (kept rows, keptX), dy, dpre. Grid: tokens.
/// - input: dx_t = sum over taps of w dpre of the rows that read x_t, ascending; tentative: dx_t = w[taps-1] dpre_t,
///   and dKeptX alike by the rows that read it. Buffers: rows, w, (kept rows), dpre, dx, (dKeptX). Grid: seqs.
/// - weight: dw [channels, taps], dbias [channels], by leaves. Buffers: leaves, rows, x, (kept rows, keptX), dpre, dw,
///   dbias. Grid: channels.
struct SeqConvGrad {
  Kernel activation, input, weight;
};
SeqConvGrad getOrEmitGrad(mlir::ModuleOp kernels, const SeqConvSpec &spec);

/// SsmScanSpec from a zero state, which is not kept at the end. If `masked`, a row whose mode is not args[4] has its
/// output but leaves the state as it was. The state *before* row 32 c (c >= 1) of a sequence whose first compact row is
/// i is kept at element ((i + 32 c) / 32 - 1) * heads*headSize*stateSize of `states`, [heads][headSize][stateSize].
/// Buffers: rows, xbc, dt, A_log, D, dt_bias, (write T[.] if weighted), (mode i8[N] by row id if masked), states T, y.
/// Constants (masked): args[4] = the mode. Grid: seqs * heads.
struct SeqSsmScanSpec {
  int64_t heads, headSize, stateSize, groups;
  double dtMin, dtMax;
  bool weighted, masked;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const SeqSsmScanSpec &spec);

/// Its gradient. base = clamp(softplus(dt + dt_bias)), d = base exp(write); the clamp passes the gradient where dtMin
/// <= softplus <= dtMax. Results: dxbc; ddt [., heads] (summed over rows: d dt_bias); dRate [., heads] (summed:
/// dA_log); dSkip [., heads] (summed: dD); dwrite T[.] = sum over heads of d(loss)/d(d) d. Buffers: rows, xbc, dt,
/// A_log, D, dt_bias, (write), (mode), states, dy, dxbc, ddt, dRate, dSkip, (dwrite). Constants (masked): args[4] = the
/// mode. Grid: seqs.
Kernel getOrEmitGrad(mlir::ModuleOp kernels, const SeqSsmScanSpec &spec);

/// LtiScanSpec from a zero state. Masked as above: out is the state that the row sees, kept or not. Buffers: rows, u
/// [., stateSize], decay [stateSize], (write T[.]), (mode i8[N] by row id if masked), out [., stateSize]; T. Constants
/// (masked): args[4] = the mode. Grid: seqs.
struct SeqLtiScanSpec {
  int64_t stateSize;
  bool weighted, masked;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const SeqLtiScanSpec &spec);

/// Its gradient: du; dDecay [., stateSize] (summed over rows: ddecay); dwrite T[.]. Buffers: rows, u, decay, (write),
/// (mode), out, dout, du, dDecay, (dwrite). Constants (masked): args[4] = the mode. Grid: seqs.
Kernel getOrEmitGrad(mlir::ModuleOp kernels, const SeqLtiScanSpec &spec);

// The optimizer (TrainingOptimizer.cpp).

// Kernels over whole parameters serve every size: args[4] = elements; a spec's `elements` is for the grid alone,
// ceil(elements / optimizerBlock).

/// Elements of a block.
inline constexpr int64_t optimizerBlock = 4096;

/// out = round_to(x) of a whole parameter. Buffers: x, out.
struct RoundSpec {
  int64_t elements;
  Scalar from, to;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const RoundSpec &spec);

/// partial[b] = the sum of squares of block b, in f64, by fma, ascending. Buffers: g [elements], partial f64 [blocks].
struct SumSquaresSpec {
  int64_t elements;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const SumSquaresSpec &spec);

/// total += partial[0] + partial[1] + ..., one by one; from +0, whatever total was, if `first`. Buffers: partial f64
/// [args[4]], total f64[1] in place. One block.
struct AddPartialsSpec {
  bool first = false;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const AddPartialsSpec &spec);

/// AdamW (Loshchilov and Hutter 2019) with clipping by the global norm. n = sqrt(total), f = n > clip ? clip / n : 1:
///   g' = f g;  m = b1 m + (1 - b1) g';  v = b2 v + (1 - b2) g'^2;  w = w (1 - lr decay) (if `decays`)
///   w = w - lr (m / c1) / (sqrt(v / c2) + eps)          in f64 from T operands, m, v and w rounded once each.
/// The update of w uses the unrounded m and v. lr is the router's if `router`. Buffers: hyper, total f64[1], g
/// [elements], w, m, v in place; T.
struct AdamWSpec {
  int64_t elements;
  bool decays, router;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const AdamWSpec &spec);

/// g = total = total + g, in place: gradients of several runs. Buffers: g, total; T [elements].
struct AccumulateSpec {
  int64_t elements;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const AccumulateSpec &spec);

/// out = a + b, of two gradients of one parameter. Buffers: a, b, out; T [elements].
struct SumSpec {
  int64_t elements;
  Scalar type;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const SumSpec &spec);

} // namespace chimera::ref

#endif // CHIMERA_CODEGEN_REF_TRAININGKERNELS_H
