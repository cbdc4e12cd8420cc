// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/Mixture.h"

#include "test/runtime-io/TempFolder.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace {

using namespace chimera;
using namespace chimera::train;

constexpr int64_t length = 8;

class MixtureTest : public testing::Test {
protected:
  /// A text of windows that each have a character of their own at the start, from `first` on.
  std::string windows(const std::string &name, int count, char first) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += char(first + i) + std::string(size_t(length - 1), '.');
    return folder.write(name, text + ".");
  }
  static io::Result<std::unique_ptr<Mixture>> open(const std::vector<std::string> &sources, double heldOut = 0) {
    std::vector<SourceSpec> specs;
    for (const std::string &text : sources) {
      io::Result<SourceSpec> spec = SourceSpec::parse(text);
      EXPECT_TRUE(bool(spec)) << spec.error().message;
      specs.push_back(*spec);
    }
    return Mixture::open(specs, DataOptions{{}, length, 256, 3, heldOut});
  }
  static std::unique_ptr<Mixture> mustOpen(const std::vector<std::string> &sources, double heldOut = 0) {
    auto mixture = open(sources, heldOut);
    EXPECT_TRUE(bool(mixture)) << mixture.error().message;
    return std::move(*mixture);
  }
  struct Sequence {
    std::vector<int32_t> tokens = std::vector<int32_t>(length), targets = tokens;
    std::vector<PositionClass> classes = std::vector<PositionClass>(length);
    bool operator==(const Sequence &other) const { return tokens == other.tokens && targets == other.targets; }
  };
  static Sequence at(const Mixture &mixture, uint64_t index) {
    Sequence sequence;
    EXPECT_TRUE(mixture.train(index, {sequence.tokens.data(), sequence.targets.data(), sequence.classes.data()}));
    return sequence;
  }

  test::TempFolder folder;
};

TEST_F(MixtureTest, ReadsWeights) {
  auto expect = [](const std::string &text, double weight, const std::string &spec, const std::string &again) {
    io::Result<SourceSpec> read = SourceSpec::parse(text);
    ASSERT_TRUE(bool(read)) << text;
    EXPECT_EQ(read->weight, weight);
    EXPECT_EQ(read->spec, spec);
    EXPECT_EQ(read->text(), again);
  };
  expect("0.7@web/*.txt", 0.7, "web/*.txt", "0.7@web/*.txt");
  expect("3@u16:a.bin,b.npy", 3, "u16:a.bin,b.npy", "3.0@u16:a.bin,b.npy");
  expect("1@mqar:pairs=4", 1, "mqar:pairs=4", "mqar:pairs=4");
  for (const char *name : {"a@b.txt", "./0.7@b.txt", "@b", "0x1@b", "-1@b", "2024.txt"})
    expect(name, 1, name, name);
  for (const char *text : {"0@a", "0.0@a", ".@a", "1.2.3@a"}) {
    io::Result<SourceSpec> read = SourceSpec::parse(text);
    ASSERT_FALSE(bool(read)) << text;
    EXPECT_NE(read.error().message.find("the weight before '@' must be a number > 0"), std::string::npos);
  }
}

TEST_F(MixtureTest, CutsInProportion) {
  EXPECT_EQ(apportion(10, {1}), (std::vector<uint64_t>{10}));
  EXPECT_EQ(apportion(10, {0.7, 0.3}), (std::vector<uint64_t>{7, 3}));
  EXPECT_EQ(apportion(10, {1, 1, 1}), (std::vector<uint64_t>{4, 3, 3}));
  EXPECT_EQ(apportion(2, {1, 2, 2}), (std::vector<uint64_t>{0, 1, 1}));
  EXPECT_EQ(apportion(65536, {1, 1e9}), (std::vector<uint64_t>{0, 65536}));
}

TEST_F(MixtureTest, EachSourceHasItsShareAndEachWindowItsTurn) {
  auto mixture = mustOpen({"3@" + windows("a.txt", 10, 'A'), windows("b.txt", 10, 'a')});
  ASSERT_EQ(mixture->sources()[0].quota, Mixture::block * 3 / 4);
  std::map<int32_t, int> seen;
  for (uint64_t i = 0; i < Mixture::block; ++i)
    ++seen[at(*mixture, i).tokens[0]];
  ASSERT_EQ(seen.size(), 20u);
  for (auto [first, times] : seen) {
    uint64_t quota = mixture->sources()[first >= 'a'].quota;
    EXPECT_TRUE(times == int(quota / 10) || times == int(quota / 10) + 1) << char(first) << " " << times;
  }
  // A stretch of a few hundred has about the share too: here within five deviations of a fair draw.
  for (uint64_t start : {uint64_t(0), uint64_t(5000), Mixture::block - 200, 7 * Mixture::block}) {
    int ofFirst = 0;
    for (uint64_t i = start; i < start + 400; ++i)
      ofFirst += at(*mixture, i).tokens[0] < 'a';
    EXPECT_NEAR(ofFirst, 300, 5 * 8.7) << start;
  }
}

TEST_F(MixtureTest, ASequenceIsAFunctionOfItsNumber) {
  std::string a = windows("a.txt", 20, 'A'), b = windows("b.txt", 20, 'a');
  auto mixture = mustOpen({a, b}), again = mustOpen({a, b}), alone = mustOpen({a});
  for (uint64_t i : {900, 3, 70000, 12, 3, 0})
    EXPECT_EQ(at(*mixture, i), at(*again, i)) << i;
  int same = 0;
  for (uint64_t i = 0; i < 200; ++i)
    same += at(*mixture, i) == at(*mixture, Mixture::block + i);
  EXPECT_LT(same, 40) << "each block has its own order";
  // One source is what it is without a mixture.
  DataOptions options{a, length, 256, 3, 0.0};
  auto data = openDataset(options);
  ASSERT_TRUE(bool(data));
  for (uint64_t i : {0, 1, 19, 20, 1000}) {
    Sequence sequence;
    ASSERT_TRUE((*data)->sequence(Split::Train, i, {sequence.tokens.data(), sequence.targets.data(), nullptr}));
    EXPECT_EQ(at(*alone, i), sequence);
  }
}

TEST_F(MixtureTest, GeneratorsKeepTheirTargetsAndDoNotRepeatEachOther) {
  std::string text = windows("a.txt", 10, 'A');
  auto mixture = mustOpen({text, "copy:data=2,symbols=3", "copy:data=2,symbols=3"});
  EXPECT_TRUE(mixture->hasClasses());
  int texts = 0, generated = 0;
  std::set<std::vector<int32_t>> different;
  for (uint64_t i = 0; i < 300; ++i) {
    Sequence sequence = at(*mixture, i);
    int counted = 0;
    for (int32_t target : sequence.targets)
      counted += target != ignoredTarget;
    bool isText = counted == length;
    EXPECT_TRUE(isText || counted == 2) << counted;
    EXPECT_EQ(sequence.classes[size_t(length) - 1], isText ? PositionClass::Other : PositionClass::Query);
    ++(isText ? texts : generated);
    if (!isText)
      different.insert(sequence.tokens);
  }
  EXPECT_NEAR(texts, 100, 41);
  EXPECT_EQ(int(different.size()), generated) << "random fillers make them all different";
}

TEST_F(MixtureTest, HoldsOutOfEachSource) {
  auto mixture = mustOpen({"3@" + windows("a.txt", 20, 'A'), windows("b.txt", 8, 'a')}, 0.25);
  EXPECT_TRUE(mixture->hasHeldOut());
  EXPECT_EQ(mixture->heldOut(4), (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(mixture->heldOut(1), (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(mixture->heldOut(100), (std::vector<int64_t>{5, 2}));
  EXPECT_NE(mixture->description().find("75 % " + folder.file("a.txt") +
                                        ": 161 tokens; 15 windows to train on, 5 held "
                                        "out + 25 % "),
            std::string::npos)
      << mixture->description();
  EXPECT_FALSE(mustOpen({folder.file("a.txt"), folder.file("b.txt")})->hasHeldOut());
  EXPECT_EQ(mustOpen({folder.file("a.txt"), "copy:data=2"})->heldOut(10), (std::vector<int64_t>{0, 5}));
}

TEST_F(MixtureTest, NamesTheSourceThatIsWrong) {
  std::string a = windows("a.txt", 10, 'A');
  for (auto [other, text] :
       {std::pair(folder.file("none.txt"), "none.txt'"), std::pair(std::string("copy:data=9"), "copy"),
        std::pair("0.000001@" + a, "its weight is less than 1 in 65536 of all")}) {
    auto mixture = open({a, other});
    ASSERT_FALSE(bool(mixture)) << other;
    EXPECT_NE(mixture.error().message.find(text), std::string::npos) << mixture.error().message;
  }
}

} // namespace
