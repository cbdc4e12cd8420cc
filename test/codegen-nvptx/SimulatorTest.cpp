// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The simulator itself: small kernels that follow the rules, and some that break one.
#include "test/codegen-nvptx/SimKernel.h"

#include "codegen/nvptx/DeviceMath.h"
#include "codegen/nvptx/GpuBuilder.h"

#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::nvptx::test {
namespace {

/// A kernel whose one block runs `body`.
Emit kernelOf(int64_t threads, std::function<void(GpuBuilder &)> body) {
  return [=](mlir::ModuleOp module, std::string &) -> std::optional<GpuKernel> {
    GpuBuilder b(module, "probe", threads);
    body(b);
    b.finish();
    return GpuKernel{"probe", {0, 1, 1}, threads};
  };
}

/// Runs a kernel that writes one i32 a thread.
struct Probe {
  std::string error;
  std::vector<int32_t> values;
};

Probe run(int64_t threads, std::function<void(GpuBuilder &, Pointer)> body, int64_t room = 0) {
  SimKernel kernel(kernelOf(threads, [&](GpuBuilder &b) { body(b, b.nextPointer(b.i32())); }));
  SimLaunch launch;
  size_t out = launch.add(std::vector<int32_t>(room ? room : threads, -1));
  std::string error = kernel.error().empty() ? launch.run(kernel, 1).error : kernel.error();
  return {error, launch.get<int32_t>(out)};
}

TEST(Simulator, ShufflesMoveValuesBetweenLanes) {
  Probe probe = run(
      64,
      [](GpuBuilder &b, Pointer out) {
        Val t = b.thread();
        out.store(t, b.shuffleXor(t, 5));
        out.store(t + 64, b.shuffleUp(t, 3));
        out.store(t + 128, b.shuffleFrom(t, (b.lane() * 7) & 31));
      },
      192);
  ASSERT_EQ(probe.error, "");
  for (int t = 0; t < 64; ++t) {
    int warp = t & 32, lane = t & 31;
    EXPECT_EQ(probe.values[t], warp + (lane ^ 5));
    EXPECT_EQ(probe.values[t + 64], lane >= 3 ? t - 3 : t);
    EXPECT_EQ(probe.values[t + 128], warp + (lane * 7 & 31));
  }
}

TEST(Simulator, VotesCollectPredicatesOfAWarp) {
  Probe probe = run(64, [](GpuBuilder &b, Pointer out) { out.store(b.thread(), b.ballot(b.thread() > 40)); });
  ASSERT_EQ(probe.error, "");
  EXPECT_EQ(probe.values[7], 0);
  EXPECT_EQ(static_cast<uint32_t>(probe.values[50]), 0xfffffe00u);
}

TEST(Simulator, BarrierMakesSharedMemoryVisible) {
  Probe probe = run(96, [](GpuBuilder &b, Pointer out) {
    Pointer shared = b.shared("words", 96 * 4, b.i32());
    shared.store(b.thread(), b.thread() * 3);
    b.barrier();
    out.store(b.thread(), shared.load(b.constant(95) - b.thread()));
  });
  ASSERT_EQ(probe.error, "");
  for (int t = 0; t < 96; ++t)
    EXPECT_EQ(probe.values[t], (95 - t) * 3);
}

TEST(Simulator, ReadWithoutBarrierIsARace) {
  Probe probe = run(64, [](GpuBuilder &b, Pointer out) {
    Pointer shared = b.shared("words", 64 * 4, b.i32());
    shared.store(b.thread(), b.thread());
    out.store(b.thread(), shared.load(b.thread() & 62));
  });
  EXPECT_EQ(probe.error,
            "block 0, thread 1 reads 4 bytes at shared offset 0, which thread 0 wrote with no barrier between");
}

TEST(Simulator, OverwritingWhatOthersReadWithoutBarrierIsARace) {
  Probe probe = run(64, [](GpuBuilder &b, Pointer out) {
    Pointer shared = b.shared("words", 64 * 4, b.i32());
    shared.store(b.thread(), b.thread());
    b.barrier();
    Val value = shared.load(b.constant(0));
    b.ifThen(b.thread() == 0, [&] { shared.store(b.constant(0), value + 1); });
    b.barrier();
    out.store(b.thread(), value + shared.load(b.thread()));
  });
  // The thread that comes last to a barrier goes on first.
  EXPECT_EQ(probe.error,
            "block 0, thread 0 writes 4 bytes at shared offset 0, which several threads read with no barrier between");
}

TEST(Simulator, SharedMemoryThatNobodyWroteIsNotRead) {
  Probe probe = run(32, [](GpuBuilder &b, Pointer out) {
    Pointer shared = b.shared("words", 32 * 4, b.i32());
    b.ifThen(b.thread() < 20, [&] { shared.store(b.thread(), b.thread()); });
    b.barrier();
    out.store(b.thread(), shared.load(b.thread()));
  });
  EXPECT_EQ(probe.error, "block 0, thread 31 reads 4 bytes at shared offset 124, which nobody has written");
}

TEST(Simulator, SharedAccessOutOfBoundsIsAnError) {
  Probe probe = run(64, [](GpuBuilder &b, Pointer out) {
    Pointer shared = b.shared("words", 50 * 4, b.i32());
    shared.store(b.thread(), b.thread());
    b.barrier();
    out.store(b.thread(), shared.load(b.thread()));
  });
  EXPECT_EQ(probe.error, "block 0, thread 50 writes 4 bytes at shared offset 200, outside the block's 200 bytes");
}

TEST(Simulator, GlobalAccessOutOfBoundsIsAnError) {
  Probe probe = run(64, [](GpuBuilder &b, Pointer out) { out.store(b.thread(), b.thread()); }, 40);
  EXPECT_EQ(probe.error, "block 0, thread 40 writes 4 bytes at offset 160 of buffer 0, which has 160 bytes");
}

TEST(Simulator, GlobalMemoryIsWatchedForRacesWithinABlock) {
  Probe probe = run(64, [](GpuBuilder &b, Pointer out) {
    out.store(b.thread(), b.thread());
    Val other = out.load(b.thread() & 32);
    b.barrier();
    out.store(b.thread(), other);
  });
  EXPECT_EQ(probe.error,
            "block 0, thread 1 reads 4 bytes at offset 0 of buffer 0, which thread 0 wrote with no barrier between");
}

TEST(Simulator, BarrierThatSomeThreadsSkipIsADeadlock) {
  Probe probe = run(64, [](GpuBuilder &b, Pointer out) {
    b.ifThen(b.thread() < 24, [&] { b.barrier(); });
    out.store(b.thread(), b.thread());
  });
  EXPECT_EQ(probe.error, "block 0: deadlock: 24 threads wait at the barrier, 40 have ended");
}

TEST(Simulator, ShuffleThatSomeLanesSkipIsADeadlock) {
  Probe probe = run(32, [](GpuBuilder &b, Pointer out) {
    b.ifThen(b.thread() < 20, [&] { out.store(b.thread(), b.shuffleXor(b.thread(), 1)); });
  });
  EXPECT_EQ(
      probe.error,
      "block 0: deadlock: 0 threads wait at the barrier, 20 of 32 lanes of warp 0 at shfl.sync.bfly, 12 have ended");
}

TEST(Simulator, LanesOfAWarpAtDifferentInstructionsAreAnError) {
  Probe probe = run(32, [](GpuBuilder &b, Pointer out) {
    b.ifElse(
        b.thread() < 8, {},
        [&] { return out.store(b.thread(), b.shuffleXor(b.thread(), 1)), llvm::SmallVector<Val>(); },
        [&] { return out.store(b.thread(), b.ballot(b.thread() > 9)), llvm::SmallVector<Val>(); });
  });
  EXPECT_EQ(probe.error, "block 0, thread 8 is at vote.sync.ballot while lane 0 of its warp is at shfl.sync.bfly");
}

TEST(Simulator, BlocksThatAreNoWholeWarpsAreRefused) {
  Probe probe = run(48, [](GpuBuilder &b, Pointer out) { out.store(b.thread(), b.thread()); });
  EXPECT_EQ(probe.error, "a block must have a multiple of 32 threads and at most 1024, not 48");
}

TEST(Simulator, UnknownInstructionsAreNamed) {
  Probe asmProbe = run(32, [](GpuBuilder &b, Pointer) { b.ptx("nanosleep.u32 20;", "", {}, {}); });
  EXPECT_EQ(asmProbe.error, "the simulator does not know the PTX 'nanosleep.u32 20;'");
  Probe intrinsicProbe = run(
      32, [](GpuBuilder &b, Pointer out) { out.store(b.intrinsic("llvm.nvvm.read.ptx.sreg.clock", b.i32(), {})[0]); });
  EXPECT_EQ(intrinsicProbe.error, "the simulator does not know llvm.nvvm.read.ptx.sreg.clock");
}

/// Applies `function` to doubles, on the simulator.
std::vector<double> evaluate(Val (*function)(Val), const std::vector<double> &x) {
  auto blockThreads = static_cast<int64_t>(x.size() + 31) / 32 * 32;
  SimKernel kernel(kernelOf(blockThreads, [&](GpuBuilder &b) {
    Pointer in = b.nextPointer(b.f64()), out = b.nextPointer(b.f64());
    b.ifThen(b.thread() < static_cast<int64_t>(x.size()),
             [&] { out.store(b.thread(), function(in.load(b.thread()))); });
  }));
  EXPECT_EQ(kernel.error(), "");
  SimLaunch launch;
  launch.add(x);
  size_t out = launch.add(std::vector<double>(x.size()));
  EXPECT_EQ(launch.run(kernel, 1).error, "");
  return launch.get<double>(out);
}

/// |a - b| in units of the last place of b.
double ulps(double a, double b) {
  return std::fabs(a - b) / (std::nextafter(std::fabs(b), INFINITY) - std::fabs(b));
}

TEST(DeviceMath, ExponentialIsWithinOneUlp) {
  std::vector<double> x = {0, -0.0, 1, -1, 0.34657, -0.34658, 709.7, -700, 1e-300, 88.5, -745};
  for (int i = 0; i < 900; ++i)
    x.push_back(-700 + 1.557 * i);
  auto y = evaluate(exponential, x);
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_LE(ulps(y[i], std::exp(x[i])), 1.5) << x[i]; // the library's own half ulp included
}

TEST(DeviceMath, ExponentialKnowsTheEnds) {
  double inf = std::numeric_limits<double>::infinity();
  auto y = evaluate(exponential, {inf, -inf, 1000, -1000, std::nan("")});
  EXPECT_EQ(y[0], inf);
  EXPECT_EQ(y[1], 0);
  EXPECT_EQ(y[2], inf);
  EXPECT_EQ(y[3], 0);
  EXPECT_TRUE(std::isnan(y[4]));
}

TEST(DeviceMath, LogarithmIsWithinTwoUlp) {
  std::vector<double> x = {1, 1 + 0x1p-52, 1.41421, 1.41422, 2, 4, 1e300};
  for (int i = 0; i < 900; ++i)
    x.push_back(1 + i * 0.0041);
  auto y = evaluate(logarithm, x);
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_LE(ulps(y[i], std::log(x[i])), 2.5) << x[i];
  EXPECT_TRUE(std::isnan(evaluate(logarithm, {std::nan("")})[0]));
}

} // namespace
} // namespace chimera::nvptx::test
