// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/TextEncoder.h"
#include "runtime/train/data/Streams.h"
#include "test/runtime-io/TempFolder.h"

#include <gtest/gtest.h>

namespace {

using namespace chimera;
using namespace chimera::train;

/// Gives 100000 at the start of a text and then its bytes; '!' is no text.
class ByteIds : public text::Tokenizer {
public:
  io::Result<std::vector<int32_t>> encode(std::string_view text, text::EncodeOptions options) const override {
    std::vector<int32_t> ids;
    if (options.addSpecial)
      ids.push_back(first);
    for (char byte : text) {
      if (byte == '!')
        return io::Error{"it is no text"};
      if (byte == '~')
        throw std::bad_alloc();
      ids.push_back(uint8_t(byte));
    }
    return ids;
  }
  std::unique_ptr<text::StreamDecoder> stream(text::DecodeOptions) const override { return nullptr; }
  std::optional<std::string> tokenOf(int64_t) const override { return "<first>"; }
  std::optional<int32_t> idOf(const std::string &) const override { return std::nullopt; }
  std::vector<std::string> specialTokens() const override { return {}; }
  int64_t vocabSize() const override { return first + 1; }

  static constexpr int32_t first = 100000;

protected:
  std::unique_ptr<text::StreamDecoder> whole(text::DecodeOptions) const override { return nullptr; }
};

class TextEncoder : public testing::Test {
protected:
  std::vector<int32_t> encoded(const std::vector<std::string> &paths, const TextEncoding &how) {
    io::Status status = encodeTexts(paths, how, folder.file("out.bin"));
    EXPECT_TRUE(status) << status.error().message;
    DataOptions options;
    options.vocabulary = how.vocabulary;
    io::Result<TokenFile> file = TokenFile::open({folder.file("out.bin"), FileForm::ByName}, options);
    EXPECT_TRUE(bool(file)) << file.error().message;
    std::vector<int32_t> ids(size_t(file->rowLength()));
    EXPECT_TRUE(file->read(0, 0, file->rowLength(), ids.data()));
    return ids;
  }
  void expectError(const std::vector<std::string> &paths, const TextEncoding &how, const std::string &text) {
    io::Status status = encodeTexts(paths, how, folder.file("bad.bin"));
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message.find(text), std::string::npos) << status.error().message;
    EXPECT_FALSE(std::filesystem::exists(folder.file("bad.bin")));
  }

  ByteIds tokenizer;
  test::TempFolder folder;
};

TEST_F(TextEncoder, KeepsTheOrderOfTheFilesOnAnyNumberOfThreads) {
  std::vector<std::string> paths;
  std::vector<int32_t> wanted;
  for (int i = 0; i < 300; ++i) {
    paths.push_back(folder.write("t" + std::to_string(i), std::string(size_t(i * 37 % 500), char('a' + i % 26))));
    wanted.push_back(ByteIds::first);
    wanted.insert(wanted.end(), size_t(i * 37 % 500), 'a' + i % 26);
    wanted.push_back(9);
  }
  for (int64_t threads : {1, 2, 7})
    EXPECT_EQ(encoded(paths, {&tokenizer, 200000, 9, false, threads}), wanted);
}

TEST_F(TextEncoder, EndsATextOnce) {
  std::string file = folder.write("t", std::string("ab\t"));
  EXPECT_EQ(encoded({file}, {&tokenizer, 200000, '\t'}), (std::vector<int32_t>{ByteIds::first, 'a', 'b', '\t'}));
  EXPECT_EQ(encoded({file, file}, {&tokenizer, 200000, std::nullopt}),
            (std::vector<int32_t>{ByteIds::first, 'a', 'b', '\t', ByteIds::first, 'a', 'b', '\t'}));
  EXPECT_EQ(encoded({folder.write("empty", std::string())}, {&tokenizer, 200000, 5}),
            (std::vector<int32_t>{ByteIds::first, 5}));
}

TEST_F(TextEncoder, LeavesNothingOfWhatFails) {
  std::string good = folder.write("good", std::string("abc")), bad = folder.write("bad", std::string("abc!"));
  TextEncoding how{&tokenizer, 200000, 9, false, 2};
  expectError({good, bad, good}, how, "bad': it is no text");
  expectError({good, folder.file("none")}, how, "none'");
  how.mayGoOn = [] { return io::Error{"told to stop"}; };
  expectError({good}, how, "told to stop");
  how.mayGoOn = nullptr;
  std::string large = folder.write("large", std::string("~"));
  EXPECT_THROW((void)encodeTexts({good, large, good, good}, how, folder.file("bad.bin")), std::bad_alloc);
  how.vocabulary = ByteIds::first;
  expectError({good}, how,
              "good': the tokenizer is not this model's: it gives the token '<first>' with the id 100000, "
              "and the model's vocab_size is 100000");
}

} // namespace
