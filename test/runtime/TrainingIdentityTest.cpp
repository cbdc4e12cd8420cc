// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/ContentDigest.h"
#include "runtime/train/RunIdentity.h"
#include "test/runtime/ToyModel.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <sys/resource.h>

namespace chimera::train {
namespace {

std::string digest(const std::vector<std::string> &paths) {
  runtime::Result<std::string> made = contentDigest(paths);
  EXPECT_TRUE(bool(made)) << made.error().message;
  return made ? *made : "";
}

class Content : public testing::Test {
protected:
  std::string file(const std::string &name) const { return folder.path() + "/" + name; }
  std::string write(const std::string &name, const std::string &bytes) const {
    test::writeFile(file(name), bytes);
    return file(name);
  }

  runtime::toy::TemporaryFolder folder;
};

TEST_F(Content, EveryByteAndEverySizeCounts) {
  std::string text(200000, 'a');
  std::set<std::string> digests = {digest({write("f", text)})};
  int others = 1;
  for (size_t at : {size_t(0), size_t(65535), size_t(65536), size_t(131071), text.size() - 1}) {
    std::string changed = text;
    changed[at] = 'b';
    digests.insert(digest({write("f", changed)}));
    ++others;
  }
  digests.insert(digest({write("f", text + "a")}));
  digests.insert(digest({write("f", "")}));
  EXPECT_EQ(digests.size(), size_t(others) + 2);
  EXPECT_EQ(digest({write("f", text)}), digest({write("g", text)})) << "the name does not count";
}

TEST_F(Content, TheOrderAndTheCutOfFilesCount) {
  std::string one = write("one", "abc"), two = write("two", "def");
  EXPECT_NE(digest({one, two}), digest({two, one}));
  EXPECT_NE(digest({one, two}), digest({write("both", "abcdef")})) << "rows end where files do";
}

TEST_F(Content, MoreFilesThanAProcessMayOpen) {
  rlimit before = {}, few = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  few = {64, before.rlim_max};
  std::vector<std::string> paths;
  for (int i = 0; i < 200; ++i)
    paths.push_back(write("f" + std::to_string(i), std::to_string(i)));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  std::string made = digest(paths);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(made.size(), 32u);
}

TEST_F(Content, OfLargeFilesBlocksCountAndTheSizes) {
  // Holes: nothing of it takes room.
  std::string large = write("large", "");
  auto size = uintmax_t(5) << 30;
  std::filesystem::resize_file(large, size);
  std::string zeros = digest({large});
  std::filesystem::resize_file(large, size + 1);
  EXPECT_NE(digest({large}), zeros);
  std::filesystem::resize_file(large, size);
  for (uintmax_t at : {uintmax_t(0), uintmax_t(5) << 29, size - 1}) {
    // The blocks are 5 MiB apart: more than that is seen wherever it is.
    std::string bytes(size_t(std::min<uintmax_t>(size - at, uintmax_t(6) << 20)), 'x');
    std::FILE *file = std::fopen(large.c_str(), "r+");
    ASSERT_NE(file, nullptr);
    ASSERT_EQ(fseeko(file, off_t(at), SEEK_SET), 0);
    ASSERT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
    std::fclose(file);
    std::string changed = digest({large});
    EXPECT_NE(changed, zeros) << at;
    zeros = changed;
  }
}

TEST_F(Content, NamesAFileThatIsNotThere) {
  runtime::Result<std::string> made = contentDigest({write("one", "a"), file("none")});
  ASSERT_FALSE(bool(made));
  EXPECT_EQ(made.error().message, "'" + file("none") + "': cannot open: No such file or directory");
}

TEST(Identity, NamesTheKeysThatDiffer) {
  auto differences = identityDifferences(R"({"a": 1, "b": "x", "c": [1, 2], "e": null})",
                                         R"({"a": 1, "b": "y", "c": [1, 2], "d": 3.5})");
  ASSERT_TRUE(bool(differences));
  ASSERT_EQ(differences->size(), 3u);
  EXPECT_EQ((*differences)[0].text("there", "here"), R"('b' is '"x"' there and '"y"' here)");
  EXPECT_EQ((*differences)[1].text("on rank 0", "on this one"), "'d' is absent on rank 0 and '3.5' on this one");
  EXPECT_TRUE((*differences)[1].isNew);
  EXPECT_EQ((*differences)[2].text("there", "here"), "'e' is 'null' there and absent here");
  EXPECT_FALSE((*differences)[2].isNew);
  EXPECT_TRUE(identityDifferences("{}", "{}")->empty());
}

TEST(Identity, RefusesWhatIsNoObject) {
  EXPECT_FALSE(bool(identityDifferences("[]", "{}")));
  EXPECT_FALSE(bool(identityDifferences("{}", "{")));
}

} // namespace
} // namespace chimera::train
