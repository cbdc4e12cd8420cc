// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of a training binary small enough to be stated again in a few lines (TrainingToy.cpp). The loss of a
// target y at token x is (sum of row x of the table - y)^2 / 2. TOY_NUMBER is the type of parameters, float or double.
#include "runtime/abi/chimera.h"

typedef TOY_NUMBER number;
typedef int32_t i32;
typedef int64_t i64;

// The manifest's text is patched in by the tests; spaces are no part of JSON's meaning.
__attribute__((section(".chimera.manifest"), used, aligned(1))) const char toyManifest[65536] = {' '};

enum { Columns = 3, Layers = 2, Modes = 4, Statistics = 14 };

// Adds neighbouring leaves pairwise until one is left.
static number pairwise(number *sums, i64 count) {
  for (; count > 1; count /= 2)
    for (i64 i = 0; i < count / 2; ++i)
      sums[i] = sums[2 * i] + sums[2 * i + 1];
  return sums[0];
}

static double pairwiseWide(double *sums, i64 count) {
  for (; count > 1; count /= 2)
    for (i64 i = 0; i < count / 2; ++i)
      sums[i] = sums[2 * i] + sums[2 * i + 1];
  return sums[0];
}

// buffers: tokens, noise, hyper, bias [2], wanted i8 [N].  grid: tokens.  Of layer 0, whose modes are ssm and full.
void toy_route(void *const *buffers, const i64 *args, i64 begin, i64 end) {
  const i32 *tokens = buffers[0];
  const double *noise = buffers[1], *hyper = buffers[2];
  const number *bias = buffers[3];
  int8_t *wanted = buffers[4];
  for (i64 row = begin; row < end; ++row) {
    const double *own = noise + row * Layers * Modes;
    double ssm = (double)bias[0] + hyper[0] * own[CHIMERA_MODE_SSM];
    double full = (double)bias[1] + hyper[0] * own[CHIMERA_MODE_FULL] + (tokens[row] % 2 ? 0.25 : -0.125);
    wanted[row] = full > ssm ? CHIMERA_MODE_FULL : CHIMERA_MODE_SSM;
  }
}

// buffers: out_index, tokens, targets, table [V][3], scores f64 [R][2], delta [N].  grid: outputs.
void toy_score(void *const *buffers, const i64 *args, i64 begin, i64 end) {
  const i32 *index = buffers[0], *tokens = buffers[1], *targets = buffers[2];
  const number *table = buffers[3];
  double *scores = buffers[4];
  number *delta = buffers[5];
  for (i64 i = begin; i < end; ++i) {
    i64 row = index[i];
    const number *own = table + tokens[row] * Columns;
    number missing = own[0] + own[1] + own[2] - (number)targets[row];
    number half = missing * missing * (number)0.5;
    scores[2 * i] = half;
    scores[2 * i + 1] = half < (number)0.5;
    delta[row] = missing;
  }
}

// buffers: leaves, out_start, scores, loss f64 [2].  One block.
void toy_loss(void *const *buffers, const i64 *args, i64 begin, i64 end) {
  const i32 *leaves = buffers[0], *start = buffers[1];
  const double *scores = buffers[2];
  double *loss = buffers[3];
  for (int which = 0; which < 2; ++which) {
    double sums[16];
    for (i64 leaf = 0; leaf < leaves[0]; ++leaf) {
      sums[leaf] = 0;
      for (i64 i = start[leaves[1 + leaf]]; i < start[leaves[2 + leaf]]; ++i)
        sums[leaf] += scores[2 * i + which];
    }
    loss[which] = pairwiseWide(sums, leaves[0]);
  }
}

// buffers: leaves, seq_start, wanted, statistics f64 [14].  constants: soft.  One block. p is 0.75 for what is wanted.
void toy_statistics(void *const *buffers, const i64 *args, i64 begin, i64 end) {
  const i32 *leaves = buffers[0], *start = buffers[1];
  const int8_t *wanted = buffers[2];
  double *out = buffers[3];
  for (int which = 0; which < Statistics; ++which) {
    double sums[16];
    for (i64 leaf = 0; leaf < leaves[0]; ++leaf) {
      sums[leaf] = 0;
      for (i64 row = start[leaves[1 + leaf]]; row < start[leaves[2 + leaf]]; ++row) {
        int isMode = which < 12 && which % 4 == wanted[row];
        sums[leaf] += which < 8 ? isMode : which < 12 ? 0.75 * isMode : which == 12 ? 0.5 : 0;
      }
    }
    out[which] = pairwiseWide(sums, leaves[0]);
  }
}

// buffers: leaves, out_start, out_index, tokens, delta, hyper, grad [V][3].  constants: soft.  grid: V. Soft runs count
// twice, so that tests tell them apart.
void toy_table_grad(void *const *buffers, const i64 *args, i64 begin, i64 end) {
  const i32 *leaves = buffers[0], *start = buffers[1], *index = buffers[2], *tokens = buffers[3];
  const number *delta = buffers[4];
  number scale = (number)(((const double *)buffers[5])[1] * (args[CHIMERA_ARG_CONSTANTS] ? 2 : 1));
  number *grad = buffers[6];
  for (i64 v = begin; v < end; ++v) {
    number sums[16];
    for (i64 leaf = 0; leaf < leaves[0]; ++leaf) {
      sums[leaf] = 0;
      for (i64 i = start[leaves[1 + leaf]]; i < start[leaves[2 + leaf]]; ++i)
        if (tokens[index[i]] == v)
          sums[leaf] += delta[index[i]] * scale;
    }
    number sum = pairwise(sums, leaves[0]);
    for (int c = 0; c < Columns; ++c)
      grad[v * Columns + c] = sum;
  }
}

// buffers: leaves, seq_start, wanted, prices, grad [4].  One block: grad[m] = the price of m in layer 0, for each row
// that wants it.
void toy_head_grad(void *const *buffers, const i64 *args, i64 begin, i64 end) {
  const i32 *leaves = buffers[0], *start = buffers[1];
  const int8_t *wanted = buffers[2];
  const double *prices = buffers[3];
  number *grad = buffers[4];
  for (int mode = 0; mode < Modes; ++mode) {
    number sums[16];
    for (i64 leaf = 0; leaf < leaves[0]; ++leaf) {
      sums[leaf] = 0;
      for (i64 row = start[leaves[1 + leaf]]; row < start[leaves[2 + leaf]]; ++row)
        sums[leaf] += wanted[row] == mode ? (number)prices[mode] : (number)0;
    }
    grad[mode] = pairwise(sums, leaves[0]);
  }
}

// buffers: wanted, modes i8 [N][layers].  grid: tokens. Layer 1 has the mode full alone.
void toy_modes(void *const *buffers, const i64 *args, i64 begin, i64 end) {
  const int8_t *wanted = buffers[0];
  int8_t *modes = buffers[1];
  for (i64 row = begin; row < end; ++row) {
    modes[row * Layers] = wanted[row];
    modes[row * Layers + 1] = CHIMERA_MODE_FULL;
  }
}

// buffers: grad, total.  constants: elements.  One block.
void toy_accumulate(void *const *buffers, const i64 *args, i64 begin, i64 end) {
  number *grad = buffers[0], *total = buffers[1];
  for (i64 i = 0; i < args[CHIMERA_ARG_CONSTANTS]; ++i)
    grad[i] = total[i] = total[i] + grad[i];
}

// buffers: grad of the table, grad of the head, norm f64 [1].  constants: their elements.  One block.
void toy_norm(void *const *buffers, const i64 *args, i64 begin, i64 end) {
  double sum = 0;
  for (int which = 0; which < 2; ++which) {
    const number *grad = buffers[which];
    for (i64 i = 0; i < args[CHIMERA_ARG_CONSTANTS + which]; ++i)
      sum += (double)grad[i] * (double)grad[i];
  }
  *(double *)buffers[2] = sum;
}

// buffers: hyper, grad, param, moment1, moment2.  constants: elements.  One block.
void toy_update(void *const *buffers, const i64 *args, i64 begin, i64 end) {
  const double *hyper = buffers[0];
  const number *grad = buffers[1];
  number *param = buffers[2], *first = buffers[3], *second = buffers[4];
  for (i64 i = 0; i < args[CHIMERA_ARG_CONSTANTS]; ++i) {
    first[i] = (number)hyper[4] * first[i] + grad[i];
    second[i] = (number)hyper[5] * second[i] + grad[i] * grad[i];
    param[i] -= (number)hyper[2] * first[i];
  }
}
