// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Library.h"
#include "runtime/core/Model.h"
#include "runtime/core/ModelFile.h"
#include "test/runtime/ToyModel.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

namespace chimera::runtime {
namespace {

std::string loadError(std::vector<uint8_t> bytes) {
  Result<std::shared_ptr<const Model>> model = Model::load("m.chm", std::move(bytes));
  return model ? "" : model.error().message;
}

TEST(Load, ACorrectBinaryLoads) {
  EXPECT_EQ(loadError(toy::binary()), "");
  EXPECT_EQ(toy::model()->manifest().parameters.size(), 2u);
  EXPECT_EQ(toy::model()->prefillKernels().size(), 3u);
  EXPECT_EQ(toy::model()->decodeKernels().size(), 3u);
}

TEST(Load, TwoBinariesAtOnceAreTwoLibraries) {
  nlohmann::json other = toy::manifest();
  other["producer"] = "other";
  Result<std::shared_ptr<const Model>> first = Model::load("a", toy::binary());
  Result<std::shared_ptr<const Model>> second = Model::load("b", toy::binary(other.dump()));
  ASSERT_TRUE(first && second);
  EXPECT_NE((*first)->prefillKernels()[0], (*second)->prefillKernels()[0]);
  EXPECT_NE((*first)->digest(), (*second)->digest());
}

TEST(Load, ABinaryLoadedAfterAnotherWasUnloadedIsTheNewOne) {
  for (int round = 0; round < 3; ++round) {
    nlohmann::json manifest = toy::manifest();
    manifest["variants"][0]["phases"]["prefill"]["launches"][0]["kernel"] = round % 2 ? "toy_layer" : "toy_logits";
    Result<std::shared_ptr<const Model>> model = Model::load("m", toy::binary(manifest.dump()));
    ASSERT_TRUE(bool(model));
    EXPECT_EQ((*model)->prefillKernels()[0] == (*model)->prefillKernels()[1], round % 2 == 1);
  }
}

TEST(Load, WithoutMemoryFilesCodeComesFromAFileThatIsGoneAtOnce) {
  toy::TemporaryFolder folder;
  ModelFile file = *checkModelFile("m", toy::binary());
  Result<std::unique_ptr<Library>> first = Library::mapFromFolder(file.elf(), folder.path(), "m");
  Result<std::unique_ptr<Library>> second = Library::mapFromFolder(file.elf(), folder.path(), "m");
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  ASSERT_NE((*first)->kernel("toy_layer"), nullptr);
  EXPECT_NE((*first)->kernel("toy_layer"), (*second)->kernel("toy_layer"));
  EXPECT_EQ((*first)->kernel("nothing"), nullptr);
  Result<std::unique_ptr<Library>> nowhere = Library::mapFromFolder(file.elf(), "/no/such/folder", "m");
  ASSERT_FALSE(bool(nowhere));
  EXPECT_EQ(nowhere.error().message, "m: creating a file in /no/such/folder: No such file or directory");
}

TEST(Load, EveryByteOfTheTrailerAndManyOfTheRestChangedIsAnError) {
  const std::vector<uint8_t> good = toy::binary();
  std::mt19937 random(1);
  std::vector<size_t> places;
  for (size_t i = 0; i < ModelFile::trailerSize; ++i)
    places.push_back(good.size() - 1 - i);
  for (size_t i = 0; i < 64; ++i)
    places.push_back(i);
  for (int i = 0; i < 300; ++i)
    places.push_back(random() % good.size());
  for (size_t at : places) {
    std::vector<uint8_t> bad = good;
    bad[at] ^= uint8_t(1u << random() % 8);
    std::string message = loadError(bad);
    EXPECT_EQ(message.rfind("m.chm: ", 0), 0u) << at << ": " << message;
  }
}

TEST(Load, CutAndExtendedFilesAreErrors) {
  const std::vector<uint8_t> good = toy::binary();
  std::mt19937 random(2);
  for (int i = 0; i < 200; ++i) {
    std::vector<uint8_t> cut(good.begin(), good.begin() + int64_t(i < 64 ? size_t(i) : random() % good.size()));
    EXPECT_NE(loadError(cut), "");
    std::vector<uint8_t> longer = good;
    longer.insert(longer.begin() + int64_t(random() % (good.size() + 1)), uint8_t(random()));
    EXPECT_NE(loadError(longer), "");
  }
}

TEST(Load, MessagesSayWhatIsWrong) {
  std::vector<uint8_t> good = toy::binary(), bad = good;
  bad[100] ^= 1;
  EXPECT_EQ(loadError(bad), "m.chm: corrupt model binary: the digest does not match");
  EXPECT_EQ(loadError({}), "m.chm: not a model binary: shorter than the trailer");
  bad = good;
  bad.push_back(0);
  EXPECT_EQ(loadError(bad), "m.chm: not a model binary, or cut: the trailer's magic is not there");
}

std::string errorWith(const std::string &pointer, const nlohmann::json &value) {
  nlohmann::json manifest = toy::manifest();
  manifest[nlohmann::json::json_pointer(pointer)] = value;
  return loadError(toy::binary(manifest.dump()));
}

TEST(Load, ATargetOrCpuThatThisMachineIsNotIsAnError) {
  EXPECT_EQ(errorWith("/target", "tpu"),
            "m.chm: compiled for target 'tpu'; this runtime has devices for ref, cpu, sim and cuda");
  EXPECT_EQ(errorWith("/variants/0/features", {"sse2", "avx9000", "mmx17"}),
            "m.chm: needs CPU features that this machine lacks: x86-64: avx9000, mmx17");
  EXPECT_EQ(errorWith("/target", "cpu"), "");
}

TEST(Load, AKernelThatIsNotThereIsAnError) {
  EXPECT_EQ(errorWith("/variants/0/phases/decode/launches/1/kernel", "nothing"), "m.chm: there is no kernel 'nothing'");
}

TEST(Load, AFileThatCannotBeReadIsAnError) {
  Result<std::shared_ptr<const Model>> model = Model::load("/no/such/file.chm");
  ASSERT_FALSE(bool(model));
  EXPECT_EQ(model.error().message, "'/no/such/file.chm': cannot open: No such file or directory");
  Result<std::shared_ptr<const Model>> folder = Model::load("/tmp");
  ASSERT_FALSE(bool(folder));
  EXPECT_EQ(folder.error().message, "'/tmp': is a folder, not a file");
}

TEST(Load, AFileThatIsMistakenForAModelIsNamed) {
  toy::TemporaryFolder folder;
  std::string path = folder.path() + "/toy.chm";
  auto errorOf = [&](const std::string &bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
    Result<std::shared_ptr<const Model>> model = Model::load(path);
    return model ? std::string() : model.error().message.substr(path.size());
  };
  EXPECT_EQ(errorOf(""), ": is empty");
  EXPECT_EQ(errorOf("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
            ": is a Git LFS pointer, not the file itself: run 'git lfs pull'");
  EXPECT_EQ(errorOf("<!doctype html>"),
            ": is a web page, not the file itself: download it again, by the address of the file");
  EXPECT_EQ(errorOf("\x1f\x8b\x08 packed"), ": is compressed with gzip: decompress it first");
  EXPECT_EQ(errorOf(std::string("\x20\0\0\0\0\0\0\0{\"a\":", 13)), ": is a safetensors file: weights");
  EXPECT_EQ(errorOf("{\"model_type\": \"chimera\"}"), ": is text, not a model");
  EXPECT_EQ(errorOf("\x7f"
                    "ELF of a program that is no model, and longer than a trailer"),
            ": not a model binary, or cut: the trailer's magic is not there");
}

TEST(Load, FromAFileAsFromMemory) {
  toy::TemporaryFolder folder;
  std::string path = folder.path() + "/toy.chm";
  std::vector<uint8_t> bytes = toy::binary();
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char *>(bytes.data()), int64_t(bytes.size()));
  Result<std::shared_ptr<const Model>> model = Model::load(path);
  ASSERT_TRUE(bool(model));
  EXPECT_EQ((*model)->digest(), toy::model()->digest());
}

} // namespace
} // namespace chimera::runtime
