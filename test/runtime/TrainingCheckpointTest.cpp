// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Checkpoint.h"
#include "test/runtime/TrainingToy.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace chimera::train {
namespace {

namespace filesystem = std::filesystem;

/// Fills every element of parameters, moments and balancer with numbers that `step` determines.
void mark(toy::Setup &setup, int64_t step) {
  for (size_t index : {toy::table, toy::head}) {
    std::vector<float> values(index == toy::table ? 33 : 4);
    auto put = [&](uint8_t *to, float offset) {
      for (size_t i = 0; i < values.size(); ++i)
        values[i] = float(step) + offset + float(i) / 64;
      setup.device->upload(to, values.data(), values.size() * sizeof(float));
    };
    put(setup.state->parameter(index), 0.25f);
    put(setup.state->moment1(index), 0.5f);
    put(setup.state->moment2(index), 0.75f);
  }
  setup.state->setBalancer(0, {float(step), -float(step)}, {0.5f, 0.25f});
}

std::vector<uint8_t> bits(const State &state) {
  std::vector<uint8_t> all;
  for (const std::vector<HostTensor> &tensors : {state.tensors(), state.optimizer()})
    for (const HostTensor &tensor : tensors)
      all.insert(all.end(), tensor.bytes.begin(), tensor.bytes.end());
  return all;
}

CheckpointInfo info(int64_t step) {
  return {step, "{\"model_type\": \"chimera\"}\n", R"({"batch": 8, "lr": 0.1, "seed": 18446744073709551615})",
          R"({"position": )" + std::to_string(step * 10) + "}"};
}

/// Loads what is newest; the step, -1 for none, -2 for an error.
struct Loaded {
  int64_t step = -1;
  std::string progress, error;
  std::vector<std::string> warnings;
};

Loaded loadNewest(const Checkpoints &checkpoints, State &state, const std::string &identity = info(0).identity) {
  Loaded loaded;
  Result<std::optional<CheckpointInfo>> found =
      checkpoints.loadNewest(state, identity, [&](const std::string &warning) { loaded.warnings.push_back(warning); });
  if (!found) {
    loaded.step = -2;
    loaded.error = found.error().message;
  } else if (*found) {
    loaded.step = (**found).step;
    loaded.progress = (**found).progress;
    EXPECT_EQ((**found).config, info(0).config);
  }
  return loaded;
}

class CheckpointTest : public testing::Test {
protected:
  void save(int64_t step) {
    mark(setup, step);
    Failure failure = checkpoints.save(*setup.state, info(step));
    ASSERT_FALSE(failure) << failure->message;
  }

  /// Whether the state has all that `mark` gave it at a step.
  bool isMarked(int64_t step) {
    toy::Setup other = toy::setup();
    mark(other, step);
    return bits(*setup.state) == bits(*other.state);
  }

  runtime::toy::TemporaryFolder folder;
  std::string place = folder.path() + "/run/checkpoints";
  toy::Setup setup = toy::setup();
  Checkpoints checkpoints{place, 2};
};

TEST_F(CheckpointTest, WhatIsSavedIsLoaded) {
  EXPECT_EQ(loadNewest(checkpoints, *setup.state).step, -1);
  save(7);
  mark(setup, 99);
  Loaded loaded = loadNewest(checkpoints, *setup.state);
  EXPECT_EQ(loaded.step, 7);
  EXPECT_EQ(loaded.progress, R"({"position":70})");
  EXPECT_TRUE(loaded.warnings.empty());
  EXPECT_TRUE(isMarked(7));
  EXPECT_EQ(test::readFile(checkpoints.path(7) + "/config.json"), info(7).config);
  EXPECT_TRUE(bool(io::Checkpoint::open(checkpoints.path(7)))); // A model directory.
}

TEST_F(CheckpointTest, KeepsTheNewestAndReplacesAnEqualStep) {
  for (int64_t step : {1, 2, 3, 4, 4})
    save(step);
  EXPECT_EQ(checkpoints.steps(), (std::vector<int64_t>{3, 4}));
  int64_t entries = std::distance(filesystem::directory_iterator(place), filesystem::directory_iterator());
  EXPECT_EQ(entries, 2); // Nothing half done is left.
  EXPECT_EQ(loadNewest(checkpoints, *setup.state).step, 4);
}

TEST_F(CheckpointTest, WhatKilledRunsLeftIsIgnoredAndRemoved) {
  save(1);
  filesystem::create_directories(place + "/.writing-123");
  filesystem::create_directories(place + "/.removed-step-00000000");
  test::writeFile(place + "/.writing-123/model.safetensors", "half");
  test::writeFile(place + "/notes.txt", "not ours");
  EXPECT_EQ(loadNewest(checkpoints, *setup.state).step, 1);
  save(2);
  EXPECT_FALSE(filesystem::exists(place + "/.writing-123"));
  EXPECT_FALSE(filesystem::exists(place + "/.removed-step-00000000"));
  EXPECT_TRUE(filesystem::exists(place + "/notes.txt"));
}

/// Damages every file of the newest checkpoint in many places, one at a time.
TEST_F(CheckpointTest, DamageAnywhereIsFoundAndTheOneBeforeIsUsed) {
  save(1);
  save(2);
  int damaged = 0;
  for (const char *name : {"model.safetensors", "optimizer.safetensors", "config.json", "checkpoint.json"}) {
    std::string path = checkpoints.path(2) + "/" + name, good = test::readFile(path);
    auto expectFallBack = [&](const std::string &what) {
      Loaded loaded = loadNewest(checkpoints, *setup.state);
      EXPECT_EQ(loaded.step, 1) << path << ": " << what;
      ASSERT_EQ(loaded.warnings.size(), 1u) << path << ": " << what;
      EXPECT_EQ(loaded.warnings[0].rfind("passing over a checkpoint: '" + checkpoints.path(2), 0), 0u)
          << loaded.warnings[0];
      EXPECT_EQ(test::countLines(loaded.warnings[0]), 1);
      ++damaged;
    };
    for (size_t at = 0; at < good.size(); at += 1 + good.size() / 97) {
      std::string bad = good;
      bad[at] = char(bad[at] ^ (1 << at % 8));
      test::writeFile(path, bad);
      expectFallBack("byte " + std::to_string(at));
      test::writeFile(path, good.substr(0, at));
      expectFallBack("cut at " + std::to_string(at));
    }
    test::writeFile(path, good + "\n");
    expectFallBack("longer");
    filesystem::remove(path);
    expectFallBack("missing");
    test::writeFile(path, good);
  }
  EXPECT_GT(damaged, 300);
  EXPECT_TRUE(isMarked(1));
  EXPECT_EQ(loadNewest(checkpoints, *setup.state).step, 2);
}

TEST_F(CheckpointTest, WhenAllAreDamagedThatIsAnError) {
  save(1);
  save(2);
  for (int64_t step : {1, 2})
    test::writeFile(checkpoints.path(step) + "/config.json", "x");
  Loaded loaded = loadNewest(checkpoints, *setup.state);
  EXPECT_EQ(loaded.error, "no checkpoint of '" + place + "' can be used; of the newest: '" + checkpoints.path(2) +
                              "/config.json': damaged: its digest does not match");
  EXPECT_EQ(loaded.warnings.size(), 2u);
}

TEST_F(CheckpointTest, ACheckpointOfAnotherRunIsAnErrorThatNamesTheKey) {
  save(1);
  std::string start = "'" + checkpoints.path(1) + "': a checkpoint of another run: ";
  EXPECT_EQ(loadNewest(checkpoints, *setup.state, R"({"batch": 16, "lr": 0.1, "seed": 18446744073709551615})").error,
            start + "'batch' is '8' there and '16' here");
  EXPECT_EQ(loadNewest(checkpoints, *setup.state, R"({"batch": 8, "lr": 0.1})").error,
            start + "'seed' is '18446744073709551615' there and absent here");
}

TEST_F(CheckpointTest, WhatIsToleratedIsTold) {
  save(1);
  std::vector<std::string> warnings;
  auto load = [&](const std::string &identity) {
    warnings.clear();
    return checkpoints.loadNewest(
        *setup.state, identity, [&](const std::string &text) { warnings.push_back(text); },
        [](const IdentityDifference &difference) {
          return difference.key == "batch" ? std::optional<std::string>("batch was " + difference.theirs)
                                           : std::nullopt;
        });
  };
  auto found = load(R"({"batch": 16, "lr": 0.1, "seed": 18446744073709551615})");
  ASSERT_TRUE(bool(found));
  EXPECT_EQ((**found).step, 1);
  EXPECT_EQ(warnings, std::vector<std::string>{"batch was '8'"});
  found = load(R"({"batch": 16, "lr": 0.2, "seed": 18446744073709551615})");
  EXPECT_FALSE(bool(found)) << "another difference is refused all the same";
  EXPECT_TRUE(warnings.empty());
}

TEST_F(CheckpointTest, ACheckpointOfOtherShapesIsAnError) {
  save(1);
  nlohmann::json manifest = toy::manifest();
  manifest["parameters"][0]["shape"] = {3, 11};
  std::shared_ptr<const runtime::Model> model = toy::load(manifest);
  Result<std::unique_ptr<State>> other = State::create(*setup.device, *model, false);
  ASSERT_TRUE(bool(other));
  EXPECT_EQ(loadNewest(checkpoints, **other).error,
            checkpoints.path(1) + "/model.safetensors: tensor 'table': has shape [11, 3], the model needs [3, 11]");
  toy::Setup wide = toy::setup(toy::manifest("f64"));
  EXPECT_EQ(loadNewest(checkpoints, *wide.state).error,
            checkpoints.path(1) +
                "/optimizer.safetensors: tensor 'moment1.table': has another shape or dtype than the model's");
}

TEST_F(CheckpointTest, AFullDiskIsAnErrorAndTheLastGoodOneStays) {
  save(1);
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // Writing past this many bytes of a file fails, as writing to a full disk does.
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{300, 300};
    bool failed = setrlimit(RLIMIT_FSIZE, &limit) == 0;
    Failure failure = checkpoints.save(*setup.state, info(2));
    failed &= failure && failure->message.find("cannot write: File too large") != std::string::npos;
    _exit(failed ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(checkpoints.steps(), (std::vector<int64_t>{1}));
  int64_t entries = std::distance(filesystem::directory_iterator(place), filesystem::directory_iterator());
  EXPECT_EQ(entries, 1);
  EXPECT_EQ(loadNewest(checkpoints, *setup.state).step, 1);
  EXPECT_TRUE(isMarked(1));
}

TEST_F(CheckpointTest, AFolderThatCannotBeMadeIsAnError) {
  test::writeFile(folder.path() + "/file", "");
  Failure failure = Checkpoints(folder.path() + "/file/checkpoints", 1).save(*setup.state, info(1));
  ASSERT_TRUE(bool(failure));
  EXPECT_EQ(failure->message, "'" + folder.path() + "/file/checkpoints': cannot make the folder: Not a directory");
}

/// A process that saves one step after the other is killed at many moments; what is there afterwards is whole and of
/// one step, and no older than what had been saved for certain.
TEST_F(CheckpointTest, KilledAtAnyMomentTheNewestIsWhole) {
  auto begin = std::chrono::steady_clock::now();
  save(1);
  auto once = std::chrono::steady_clock::now() - begin;
  int64_t last = 1;
  for (int round = 0; round < 50; ++round) {
    int pipes[2];
    ASSERT_EQ(pipe(pipes), 0);
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (int64_t step = last + 1;; ++step) {
        mark(setup, step);
        if (checkpoints.save(*setup.state, info(step)))
          _exit(1);
        if (write(pipes[1], &step, sizeof step) != sizeof step)
          _exit(1);
      }
    }
    close(pipes[1]);
    std::this_thread::sleep_for(once * (1 + round % 25) / 8); // Up to about three checkpoints later.
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    int64_t certain = last;
    for (int64_t step; read(pipes[0], &step, sizeof step) == sizeof step;)
      certain = step;
    close(pipes[0]);
    Loaded loaded = loadNewest(checkpoints, *setup.state);
    ASSERT_TRUE(loaded.step == certain || loaded.step == certain + 1) << loaded.step << ", " << certain;
    EXPECT_TRUE(loaded.warnings.empty());
    EXPECT_EQ(loaded.progress, "{\"position\":" + std::to_string(loaded.step * 10) + "}");
    ASSERT_TRUE(isMarked(loaded.step));
    if (loaded.step == last)
      once += once / 4; // A busy machine: wait longer, so that some rounds get somewhere.
    last = loaded.step;
  }
  EXPECT_GT(last, 10);
}

} // namespace
} // namespace chimera::train
