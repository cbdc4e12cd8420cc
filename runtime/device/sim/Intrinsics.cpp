// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/sim/Intrinsics.h"

#include "runtime/device/sim/Block.h"

#include <cstring>

using chimera::sim::Block;
using chimera::sim::WarpOp;
using chimera::sim::WarpRequest;

namespace {

uint32_t asBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

uint32_t exchange(WarpOp op, uint32_t mask, uint32_t value, uint32_t lanes = 0, uint32_t clamp = 0) {
  uint32_t result = 0;
  WarpRequest request;
  request.op = op;
  request.mask = mask;
  request.in[0] = value;
  request.in[1] = lanes;
  request.in[2] = clamp;
  request.out = &result;
  Block::current()->collective(request);
  return result;
}

float exchangeFloat(WarpOp op, uint32_t mask, float value, uint32_t lanes, uint32_t clamp) {
  uint32_t bits = exchange(op, mask, asBits(value), lanes, clamp);
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

void loadMatrix(WarpOp op, uint32_t *out, const void *row) {
  constexpr int64_t rowBytes = 16;
  Block &block = *Block::current();
  if (reinterpret_cast<uintptr_t>(row) % rowBytes != 0)
    block.fail("has an ldmatrix row at an address that is no multiple of 16");
  block.accessShared(row, rowBytes, false);
  WarpRequest request;
  request.op = op;
  request.address = row;
  request.out = out;
  block.collective(request);
}

} // namespace

extern "C" {

uint32_t chimera_sim_tid() {
  return uint32_t(Block::current()->thread());
}
uint32_t chimera_sim_ntid() {
  return uint32_t(Block::current()->threads());
}
uint32_t chimera_sim_ctaid() {
  return uint32_t(Block::current()->index());
}
uint32_t chimera_sim_nctaid() {
  return uint32_t(Block::current()->blocks());
}
uint32_t chimera_sim_laneid() {
  return uint32_t(Block::current()->thread() % chimera::sim::kWarpLanes);
}

void *chimera_sim_shared_base() {
  return Block::current()->sharedBase();
}

void chimera_sim_access_shared(const void *address, int64_t bytes, uint32_t isWrite) {
  Block::current()->accessShared(address, bytes, isWrite != 0);
}

void chimera_sim_access_global(const void *address, int64_t bytes, uint32_t isWrite) {
  Block::current()->accessGlobal(address, bytes, isWrite != 0);
}

void chimera_sim_barrier() {
  Block::current()->barrier();
}

void chimera_sim_warp_sync(uint32_t mask) {
  WarpRequest request;
  request.mask = mask;
  Block::current()->collective(request);
}

void chimera_sim_fence() {}

uint32_t chimera_sim_shuffle_xor(uint32_t mask, uint32_t value, uint32_t lanes, uint32_t clamp) {
  return exchange(WarpOp::ShuffleXor, mask, value, lanes, clamp);
}

uint32_t chimera_sim_shuffle_up(uint32_t mask, uint32_t value, uint32_t lanes, uint32_t clamp) {
  return exchange(WarpOp::ShuffleUp, mask, value, lanes, clamp);
}

uint32_t chimera_sim_shuffle_index(uint32_t mask, uint32_t value, uint32_t lane, uint32_t clamp) {
  return exchange(WarpOp::ShuffleIndex, mask, value, lane, clamp);
}

float chimera_sim_shuffle_xor_f32(uint32_t mask, float value, uint32_t lanes, uint32_t clamp) {
  return exchangeFloat(WarpOp::ShuffleXor, mask, value, lanes, clamp);
}

float chimera_sim_shuffle_up_f32(uint32_t mask, float value, uint32_t lanes, uint32_t clamp) {
  return exchangeFloat(WarpOp::ShuffleUp, mask, value, lanes, clamp);
}

float chimera_sim_shuffle_index_f32(uint32_t mask, float value, uint32_t lane, uint32_t clamp) {
  return exchangeFloat(WarpOp::ShuffleIndex, mask, value, lane, clamp);
}

uint32_t chimera_sim_ballot(uint32_t mask, uint32_t predicate) {
  return exchange(WarpOp::Ballot, mask, predicate);
}

void chimera_sim_ldmatrix_x4(uint32_t *out, const void *row) {
  loadMatrix(WarpOp::LoadMatrix, out, row);
}

void chimera_sim_ldmatrix_x4_trans(uint32_t *out, const void *row) {
  loadMatrix(WarpOp::LoadMatrixTransposed, out, row);
}

void chimera_sim_mma_bf16(float *out, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0, uint32_t b1,
                          float c0, float c1, float c2, float c3) {
  uint32_t result[4];
  WarpRequest request;
  request.op = WarpOp::MmaBf16;
  request.in = {a0, a1, a2, a3, b0, b1, asBits(c0), asBits(c1), asBits(c2), asBits(c3)};
  request.out = result;
  Block::current()->collective(request);
  std::memcpy(out, result, sizeof result);
}

void chimera_sim_cp_async_16(void *destination, const void *source) {
  Block::current()->startCopy(destination, source, 16, 16);
}

void chimera_sim_cp_async_16_fill(void *destination, const void *source, uint32_t filled) {
  Block::current()->startCopy(destination, source, 16, int64_t(filled));
}

void chimera_sim_cp_async_commit() {
  Block::current()->commitCopies();
}

void chimera_sim_cp_async_wait_group(uint32_t groupsLeft) {
  Block::current()->waitCopies(int64_t(groupsLeft));
}

void chimera_sim_cp_async_wait_all() {
  Block::current()->commitCopies();
  Block::current()->waitCopies(0);
}

uint32_t chimera_sim_atomic_inc(uint32_t *address, uint32_t limit) {
  Block::current()->accessAtomically(address, sizeof *address);
  uint32_t old = *address;
  *address = old >= limit ? 0 : old + 1;
  return old;
}
}

namespace chimera::sim {

const std::vector<Intrinsic> &intrinsics() {
#define CHIMERA_SIM_ENTRY(name) {#name, reinterpret_cast<void *>(&name)}
  static const std::vector<Intrinsic> table = {
      CHIMERA_SIM_ENTRY(chimera_sim_tid),
      CHIMERA_SIM_ENTRY(chimera_sim_ntid),
      CHIMERA_SIM_ENTRY(chimera_sim_ctaid),
      CHIMERA_SIM_ENTRY(chimera_sim_nctaid),
      CHIMERA_SIM_ENTRY(chimera_sim_laneid),
      CHIMERA_SIM_ENTRY(chimera_sim_shared_base),
      CHIMERA_SIM_ENTRY(chimera_sim_access_shared),
      CHIMERA_SIM_ENTRY(chimera_sim_access_global),
      CHIMERA_SIM_ENTRY(chimera_sim_barrier),
      CHIMERA_SIM_ENTRY(chimera_sim_warp_sync),
      CHIMERA_SIM_ENTRY(chimera_sim_fence),
      CHIMERA_SIM_ENTRY(chimera_sim_shuffle_xor),
      CHIMERA_SIM_ENTRY(chimera_sim_shuffle_up),
      CHIMERA_SIM_ENTRY(chimera_sim_shuffle_index),
      CHIMERA_SIM_ENTRY(chimera_sim_shuffle_xor_f32),
      CHIMERA_SIM_ENTRY(chimera_sim_shuffle_up_f32),
      CHIMERA_SIM_ENTRY(chimera_sim_shuffle_index_f32),
      CHIMERA_SIM_ENTRY(chimera_sim_ballot),
      CHIMERA_SIM_ENTRY(chimera_sim_ldmatrix_x4),
      CHIMERA_SIM_ENTRY(chimera_sim_ldmatrix_x4_trans),
      CHIMERA_SIM_ENTRY(chimera_sim_mma_bf16),
      CHIMERA_SIM_ENTRY(chimera_sim_cp_async_16),
      CHIMERA_SIM_ENTRY(chimera_sim_cp_async_16_fill),
      CHIMERA_SIM_ENTRY(chimera_sim_cp_async_commit),
      CHIMERA_SIM_ENTRY(chimera_sim_cp_async_wait_group),
      CHIMERA_SIM_ENTRY(chimera_sim_cp_async_wait_all),
      CHIMERA_SIM_ENTRY(chimera_sim_atomic_inc),
  };
#undef CHIMERA_SIM_ENTRY
  return table;
}

} // namespace chimera::sim
