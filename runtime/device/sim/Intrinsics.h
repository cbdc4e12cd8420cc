// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions that simulated kernels call. Each is one GPU instruction, executed by the running thread; all end the
// launch with an error where the instruction is used in a way that the GPU does not define.
#ifndef CHIMERA_RUNTIME_DEVICE_SIM_INTRINSICS_H
#define CHIMERA_RUNTIME_DEVICE_SIM_INTRINSICS_H

#include <cstdint>
#include <vector>

extern "C" {

// Special registers, x direction.
uint32_t chimera_sim_tid();
uint32_t chimera_sim_ntid();
uint32_t chimera_sim_ctaid();
uint32_t chimera_sim_nctaid();
uint32_t chimera_sim_laneid();

/// The first byte of the block's shared memory.
void *chimera_sim_shared_base();
/// Announce a plain access before it happens.
void chimera_sim_access_shared(const void *address, int64_t bytes, uint32_t isWrite);
void chimera_sim_access_global(const void *address, int64_t bytes, uint32_t isWrite);

/// bar.sync 0: waits for all threads of the block.
void chimera_sim_barrier();
/// bar.warp.sync
void chimera_sim_warp_sync(uint32_t mask);
/// fence.*, membar.*: nothing to do, for blocks run one after the other and a thread's accesses happen in order.
void chimera_sim_fence();

// shfl.sync and vote.sync: see Warp.h.
uint32_t chimera_sim_shuffle_xor(uint32_t mask, uint32_t value, uint32_t lanes, uint32_t clamp);
uint32_t chimera_sim_shuffle_up(uint32_t mask, uint32_t value, uint32_t lanes, uint32_t clamp);
uint32_t chimera_sim_shuffle_index(uint32_t mask, uint32_t value, uint32_t lane, uint32_t clamp);
float chimera_sim_shuffle_xor_f32(uint32_t mask, float value, uint32_t lanes, uint32_t clamp);
float chimera_sim_shuffle_up_f32(uint32_t mask, float value, uint32_t lanes, uint32_t clamp);
float chimera_sim_shuffle_index_f32(uint32_t mask, float value, uint32_t lane, uint32_t clamp);
uint32_t chimera_sim_ballot(uint32_t mask, uint32_t predicate);

/// ldmatrix.sync.aligned.m8n8.x4.shared.b16, plain and transposed.
void chimera_sim_ldmatrix_x4(uint32_t *out, const void *row);
void chimera_sim_ldmatrix_x4_trans(uint32_t *out, const void *row);
/// mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
void chimera_sim_mma_bf16(float *out, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0, uint32_t b1,
                          float c0, float c1, float c2, float c3);

/// cp.async.cg.shared.global of 16 bytes, all of them or the first `filled` and zeros after them.
void chimera_sim_cp_async_16(void *destination, const void *source);
void chimera_sim_cp_async_16_fill(void *destination, const void *source, uint32_t filled);
void chimera_sim_cp_async_commit();
void chimera_sim_cp_async_wait_group(uint32_t groupsLeft);
void chimera_sim_cp_async_wait_all();

/// atom.global.inc.u32: the old value; the new one is 0 where the old one is at least `limit`, else one more.
uint32_t chimera_sim_atomic_inc(uint32_t *address, uint32_t limit);
}

namespace chimera::sim {

struct Intrinsic {
  const char *name;
  void *address;
};

/// Every function above, for whoever links the kernels.
const std::vector<Intrinsic> &intrinsics();

} // namespace chimera::sim

#endif
