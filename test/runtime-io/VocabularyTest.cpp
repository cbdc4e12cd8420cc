// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Vocabulary.h"
#include "test/runtime-io/TempFolder.h"

#include <gtest/gtest.h>

using namespace chimera;
using test::TempFolder;

TEST(Vocabulary, BytesAreTokensOfASmallVocabularyWithoutATokenizer) {
  TempFolder folder;
  std::string config = folder.write("config.json", std::string("{}"));
  for (const std::string &place : {folder.path(), config, folder.file("not there")})
    for (int64_t vocabSize : {1, 256, 257, 512})
      EXPECT_TRUE(io::bytesAreTokens({place}, vocabSize)) << place << " " << vocabSize;
  EXPECT_TRUE(io::bytesAreTokens({}, 256));
}

TEST(Vocabulary, MoreIdsThanBytesAreNotBytes) {
  io::Status status = io::bytesAreTokens({}, 513);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "the bytes of a text are not this model's tokens, for its vocabulary has 513 of them; give token ids in a "
            ".npy file, or --tokenizer=bytes if each byte is meant to be a token");
}

TEST(Vocabulary, ATokenizerBesideTheModelSaysThatBytesAreNotItsTokens) {
  for (const char *name : {"tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "merges.txt"}) {
    TempFolder folder;
    std::string path = folder.write(name, std::string("x"));
    std::string weights = folder.write("w.safetensors", std::string("x"));
    for (const std::string &place : {folder.path(), weights}) {
      EXPECT_EQ(io::findTokenizer(place), path);
      io::Status status = io::bytesAreTokens({"elsewhere", place}, 256);
      ASSERT_FALSE(status) << name;
      EXPECT_TRUE(test::isOneLine(status.error().message));
      EXPECT_NE(status.error().message.find("'" + path + "'"), std::string::npos) << status.error().message;
      EXPECT_NE(status.error().message.find("--tokenizer=bytes"), std::string::npos) << status.error().message;
    }
  }
}
