// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/sim/Block.h"

#include <cstring>
#include <utility>

namespace chimera::sim {

namespace {
thread_local Block *currentBlock = nullptr;
constexpr int kMostThreads = 1024;
} // namespace

Block *Block::current() {
  return currentBlock;
}

std::string Block::prepare(const Launch &wanted) {
  launch = &wanted;
  if (wanted.threads <= 0 || wanted.threads % kWarpLanes != 0 || wanted.threads > kMostThreads)
    return "a block must have a multiple of 32 threads and at most 1024, not " + std::to_string(wanted.threads);
  if (wanted.sharedBytes < 0 || wanted.sharedBytes > int64_t(SharedWindow::kMostBytes))
    return "a block can have at most " + std::to_string(SharedWindow::kMostBytes) + " bytes of shared memory, not " +
           std::to_string(wanted.sharedBytes);
  if (!window.map())
    return "no place below 4 GiB is free for the simulator's shared memory";
  fibers.resize(size_t(wanted.threads));
  for (Thread &fiber : fibers)
    if (!fiber.stack.allocate())
      return "no memory for the stacks of " + std::to_string(wanted.threads) + " simulated threads";
  warps.resize(fibers.size() / kWarpLanes);
  for (int i = 0; i < wanted.threads; ++i)
    order.push_back(i);
  randomState = wanted.seed;
  checker.beginLaunch(wanted.buffers, wanted.checkRaces);
  return {};
}

void Block::threadMain() {
  Block &block = *currentBlock;
  enterContext(block.scheduler);
  block.launch->entry(block.launch->params);
  block.sleep(State::Ended);
}

bool Block::runBlock(int64_t index) {
  blockIndex = index;
  atBarrier = 0;
  checker.beginBlock(launch->threads, launch->sharedBytes);
  std::memset(window.base(), 0xff, size_t(launch->sharedBytes)); // garbage, the same each time: NaNs
  for (WarpMeeting &warp : warps)
    warp.arrived = 0;
  for (Thread &fiber : fibers) {
    fiber.context = fiber.stack.prepare(&Block::threadMain);
    fiber.state = State::Ready;
    fiber.copies.clear();
  }
  currentBlock = this;
  for (bool live = true; live && error.empty();) {
    live = false;
    bool ran = false;
    shuffleOrder();
    for (int i : order) {
      live |= fibers[size_t(i)].state != State::Ended;
      if (fibers[size_t(i)].state != State::Ready || !error.empty())
        continue;
      ran = true;
      running = i;
      ++statistics.switches;
      switchContext(scheduler, fibers[size_t(i)].context);
    }
    if (live && !ran)
      reportDeadlock();
  }
  currentBlock = nullptr;
  return error.empty();
}

void Block::shuffleOrder() {
  if (launch->seed == 0)
    return;
  for (size_t i = order.size() - 1; i > 0; --i) {
    randomState = randomState * 6364136223846793005ull + 1442695040888963407ull;
    std::swap(order[i], order[size_t((randomState >> 33) % (i + 1))]);
  }
}

void Block::sleep(State state) {
  Thread &self = fibers[size_t(running)];
  self.state = state;
  switchContext(self.context, scheduler);
}

void Block::setError(std::string what) {
  error = "block " + std::to_string(blockIndex) + ", thread " + std::to_string(running) + " " + what;
}

void Block::fail(std::string what) {
  // The fiber's stack is never unwound: nothing on it may own memory from here on.
  setError(std::move(what));
  for (;;)
    sleep(State::Ended);
}

void Block::reportDeadlock() {
  int barrierCount = 0, ended = 0;
  std::string lanes;
  for (size_t i = 0; i < fibers.size(); ++i) {
    barrierCount += fibers[i].state == State::AtBarrier;
    ended += fibers[i].state == State::Ended;
    if (fibers[i].state == State::InWarp && lanes.empty()) {
      const WarpMeeting &warp = warps[i / kWarpLanes];
      lanes = ", " + std::to_string(warp.arrived) + " of 32 lanes of warp " + std::to_string(i / kWarpLanes) + " at " +
              warpOpName(warp.lanes[i % kWarpLanes].op);
    }
  }
  error = "block " + std::to_string(blockIndex) + ": deadlock: " + std::to_string(barrierCount) +
          " threads wait at the barrier" + lanes + ", " + std::to_string(ended) + " have ended";
}

void Block::barrier() {
  if (++atBarrier < launch->threads)
    return sleep(State::AtBarrier);
  atBarrier = 0;
  ++statistics.barriers;
  checker.blockBarrier();
  for (Thread &fiber : fibers)
    if (fiber.state == State::AtBarrier)
      fiber.state = State::Ready;
}

void Block::collective(WarpRequest request) {
  int warp = running / kWarpLanes, lane = running % kWarpLanes;
  WarpMeeting &meeting = warps[size_t(warp)];
  if (request.mask != 0xffffffff)
    fail(std::string("executes ") + warpOpName(request.op) + " with a partial mask, which is not simulated");
  if (meeting.arrived > 0)
    for (int other = 0; other < kWarpLanes; ++other)
      if (fibers[size_t(warp * kWarpLanes + other)].state == State::InWarp && meeting.lanes[other].op != request.op)
        fail(std::string("is at ") + warpOpName(request.op) + " while lane " + std::to_string(other) +
             " of its warp is at " + warpOpName(meeting.lanes[other].op));
  meeting.lanes[lane] = request;
  if (++meeting.arrived < kWarpLanes)
    return sleep(State::InWarp);
  finishWarp(warp);
}

void Block::finishWarp(int warp) {
  WarpMeeting &meeting = warps[size_t(warp)];
  meeting.arrived = 0;
  switch (meeting.lanes[0].op) {
  case WarpOp::Sync:
    checker.warpBarrier(warp);
    ++statistics.warpOps;
    break;
  case WarpOp::LoadMatrix:
  case WarpOp::LoadMatrixTransposed:
    ++statistics.matrixLoads;
    statistics.bankConflicts += uint64_t(bankConflicts(meeting));
    break;
  case WarpOp::MmaBf16:
    ++statistics.matrixOps;
    break;
  default:
    ++statistics.warpOps;
  }
  executeWarp(meeting);
  for (int lane = 0; lane < kWarpLanes; ++lane)
    fibers[size_t(warp * kWarpLanes + lane)].state = State::Ready;
}

int64_t Block::sharedOffset(const void *address) const {
  // Compared as numbers: a stray address may be anywhere.
  return int64_t(reinterpret_cast<uintptr_t>(address)) - int64_t(reinterpret_cast<uintptr_t>(window.base()));
}

void Block::accessShared(const void *address, int64_t bytes, bool isWrite) {
  int64_t offset = sharedOffset(address);
  std::string wrong =
      isWrite ? checker.writeShared(running, offset, bytes) : checker.readShared(running, offset, bytes);
  if (!wrong.empty())
    fail(std::move(wrong));
}

void Block::accessGlobal(const void *address, int64_t bytes, bool isWrite) {
  std::string wrong =
      isWrite ? checker.writeGlobal(running, address, bytes) : checker.readGlobal(running, address, bytes);
  if (!wrong.empty())
    fail(std::move(wrong));
}

void Block::accessAtomically(const void *address, int64_t bytes) {
  std::string wrong = checker.atomicGlobal(address, bytes);
  if (!wrong.empty())
    fail(std::move(wrong));
}

void Block::startCopy(void *destination, const void *source, int64_t bytes, int64_t filled) {
  int64_t offset = sharedOffset(destination);
  if (filled < 0 || filled > bytes)
    fail("copies " + std::to_string(filled) + " bytes with a cp.async of " + std::to_string(bytes));
  if (offset % bytes != 0)
    fail("has a cp.async to shared offset " + std::to_string(offset) + ", not a multiple of " + std::to_string(bytes));
  if (filled > 0 && reinterpret_cast<uintptr_t>(source) % uintptr_t(bytes) != 0)
    fail("has a cp.async from an address that is no multiple of " + std::to_string(bytes));
  if (filled > 0)
    accessGlobal(source, filled, false);
  std::string wrong = checker.beginCopy(running, offset, bytes);
  if (!wrong.empty())
    fail(std::move(wrong));
  ++statistics.asyncCopies;
  fibers[size_t(running)].copies.start(
      {static_cast<char *>(destination), static_cast<const char *>(source), bytes, filled});
}

void Block::commitCopies() {
  fibers[size_t(running)].copies.commit();
}

void Block::waitCopies(int64_t groupsLeft) {
  for (const Copy &copy : fibers[size_t(running)].copies.wait(groupsLeft))
    checker.endCopy(running, sharedOffset(copy.destination), copy.bytes);
}

} // namespace chimera::sim
