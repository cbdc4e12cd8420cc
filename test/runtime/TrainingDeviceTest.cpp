// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Training on a device that the host does not see into, and that may be lost at any call.
#include "runtime/train/Checkpoint.h"
#include "test/runtime/TrainingThreadRanks.h"
#include "test/runtime/TrainingToy.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>

namespace chimera::train {
namespace {

/// The CPU's device behind an interface that shows nothing of it. Once `failing` is set, that call, counted from 1, is
/// its last.
class FarDevice final : public runtime::Device {
public:
  FarDevice() : inner(std::move(*runtime::CpuDevice::create(1, 1 << 16))) {}

  Result<runtime::Region> reserve(size_t bytes, const char *what, bool large) override {
    return inner->reserve(bytes, what, large);
  }
  Failure commit(runtime::Region &region, size_t bytes) override { return inner->commit(region, bytes); }
  void release(runtime::Region &region) override { inner->release(region); }
  void fill(void *to, int byte, size_t bytes) override {
    if (works())
      inner->fill(to, byte, bytes);
  }
  void copy(void *to, const void *from, size_t bytes) override {
    if (works())
      inner->copy(to, from, bytes);
  }
  void upload(void *to, const void *fromHost, size_t bytes) override {
    if (works())
      inner->upload(to, fromHost, bytes);
  }
  void download(void *toHost, const void *from, size_t bytes) override {
    if (works())
      inner->download(toHost, from, bytes);
    else
      std::memset(toHost, 0, bytes);
  }
  Result<void *> constant(const void *host, size_t bytes) override { return inner->constant(host, bytes); }
  void launch(const runtime::BoundLaunch &launch) override {
    if (works())
      inner->launch(launch);
  }
  Failure failure() const override { return lost; }
  int64_t usableMemory() const override { return inner->usableMemory(); }

  void failAt(int64_t call) {
    calls = 0;
    failing = call;
  }
  int64_t callsSince() const { return calls; }

private:
  bool works() {
    if (++calls == failing)
      lost = runtime::Error("the device is lost", CHIMERA_ERROR_DEVICE);
    return !lost;
  }

  std::unique_ptr<runtime::CpuDevice> inner;
  int64_t calls = 0, failing = 0;
  Failure lost;
};

/// The toy on such a device.
struct Far {
  std::shared_ptr<const runtime::Model> model = toy::load(toy::manifest());
  FarDevice device;
  std::unique_ptr<State> state = std::move(*State::create(device, *model, /*totals=*/true));
  toy::TemporaryFolder folder;
  io::Result<io::Checkpoint> initial = io::Checkpoint::open(toy::writeInitial(folder.path()));
  Failure loaded = state->load(*initial);
  std::unique_ptr<Programs> programs = std::move(*Programs::create(*state, /*poison=*/true));

  std::unique_ptr<Trainer> trainer(Communicator &ranks, const TrainerOptions &options) {
    return std::move(*Trainer::create(*programs, ranks, options));
  }
};

/// Several runs, of both kinds.
StepInput input(uint32_t step) {
  StepInput made = toy::input(step);
  made.hardShare = 0.5;
  made.softNoise = true;
  return made;
}

std::vector<uint8_t> bits(const State &state) {
  std::vector<uint8_t> all;
  for (const std::vector<HostTensor> &tensors : {state.tensors(), state.optimizer(), state.gradients()})
    for (const HostTensor &tensor : tensors)
      all.insert(all.end(), tensor.bytes.begin(), tensor.bytes.end());
  return all;
}

TEST(FarTraining, HasTheBitsOfTheCpuOnAnyNumberOfRanks) {
  toy::Setup near = toy::setup();
  SingleRank alone;
  std::unique_ptr<Trainer> steps = std::move(*Trainer::create(*near.programs, alone, toy::options(8, 2)));
  for (uint32_t step = 0; step < 3; ++step)
    ASSERT_TRUE(bool(steps->step(input(step))));
  std::vector<uint8_t> expected = bits(*near.state);
  for (int size : {1, 2, 4})
    toy::onRanks(size, [&](Communicator &ranks) {
      Far far;
      std::unique_ptr<Trainer> trainer = far.trainer(ranks, toy::options(8, 2));
      for (uint32_t step = 0; step < 3; ++step)
        EXPECT_TRUE(bool(trainer->step(input(step))));
      EXPECT_EQ(bits(*far.state), expected) << size;
    });
}

TEST(FarTraining, AGradientThatIsNotFiniteIsSeen) {
  Far far;
  EXPECT_TRUE(far.state->gradientsAreFinite());
  float infinity = std::numeric_limits<float>::infinity();
  uint8_t *last = far.state->gradientBase() + (far.state->gradientElements() - 1) * int64_t(sizeof(float));
  far.device.upload(last, &infinity, sizeof infinity);
  EXPECT_FALSE(far.state->gradientsAreFinite());
}

TEST(FarTraining, ALossThatIsNotFiniteHasTheMessageOfTheCpu) {
  float infinity = std::numeric_limits<float>::infinity();
  SingleRank alone;
  toy::Setup near = toy::setup();
  near.device->upload(near.state->parameter(toy::table), &infinity, sizeof infinity);
  Result<StepReport> expected = (*Trainer::create(*near.programs, alone, toy::options(8)))->step(toy::input(0));
  Far far;
  far.device.upload(far.state->parameter(toy::table), &infinity, sizeof infinity);
  Result<StepReport> actual = far.trainer(alone, toy::options(8))->step(toy::input(0));
  ASSERT_FALSE(expected);
  ASSERT_FALSE(actual);
  EXPECT_EQ(actual.error().message, expected.error().message);
}

TEST(FarTraining, WhereverTheDeviceIsLostTheStepFailsAndNothingIsSaved) {
  SingleRank alone;
  Far whole;
  whole.device.failAt(0);
  ASSERT_TRUE(bool(whole.trainer(alone, toy::options(8, 2))->step(input(0))));
  int64_t calls = whole.device.callsSince();
  ASSERT_GT(calls, 50);
  for (int64_t call = 1; call <= calls; ++call) {
    Far far;
    far.device.failAt(call);
    Result<StepReport> report = far.trainer(alone, toy::options(8, 2))->step(input(0));
    ASSERT_FALSE(report) << call;
    EXPECT_EQ(report.error().message, "the device is lost") << call;
    EXPECT_EQ(report.error().status, CHIMERA_ERROR_DEVICE) << call;
  }
}

/// Of what copies from it or to it.
TEST(FarTraining, NothingOfALostDeviceIsSavedOrLoaded) {
  toy::TemporaryFolder folder;
  Checkpoints checkpoints(folder.path() + "/checkpoints", 2);
  for (int64_t call : {1, 3, 4, 7}) { // Three tensors of the model, four of the optimizer.
    Far far;
    far.device.failAt(call);
    Failure failure = checkpoints.save(*far.state, {1, "{}", "{}", "{}"});
    ASSERT_TRUE(failure) << call;
    EXPECT_EQ(failure->message, "the device is lost") << call;
    EXPECT_TRUE(checkpoints.steps().empty()) << call;
    EXPECT_TRUE(writeModel(*far.state, folder.path() + "/model", "{}")) << call;
    EXPECT_TRUE(writeGradients(*far.state, folder.path() + "/gradients")) << call;
  }
  Far far;
  ASSERT_FALSE(checkpoints.save(*far.state, {1, "{}", "{}", "{}"}));
  for (int64_t call = 1; call <= 8; ++call) { // The balancer reads its bias back.
    Far other;
    other.device.failAt(call);
    Result<std::optional<CheckpointInfo>> resumed = checkpoints.loadNewest(*other.state, "{}", [](const auto &) {});
    ASSERT_FALSE(resumed) << call;
    EXPECT_EQ(resumed.error().message, "the device is lost") << call;
  }
}

TEST(FarTraining, ALostDeviceOfOneRankEndsAll) {
  // A step on two ranks, with what each says of it; the second's device is lost at a call, or not with 0.
  std::array<std::string, 2> said;
  int64_t calls = 0;
  auto runRanks = [&](int64_t failing) {
    toy::onRanks(2, [&](Communicator &ranks) {
      Far far;
      far.device.failAt(ranks.rank() == 1 ? failing : 0);
      Result<StepReport> report = far.trainer(ranks, toy::options(8))->step(input(0));
      said[size_t(ranks.rank())] = report ? "" : report.error().message;
      if (ranks.rank() == 1)
        calls = far.device.callsSince();
    });
  };
  runRanks(0);
  EXPECT_EQ(said[0] + said[1], "");
  ASSERT_GT(calls, 20);
  for (int64_t call = calls; call > 0; --call) {
    runRanks(call);
    EXPECT_EQ(said[0], failedElsewhere) << call;
    EXPECT_EQ(said[1], "the device is lost") << call;
  }
}

} // namespace
} // namespace chimera::train
