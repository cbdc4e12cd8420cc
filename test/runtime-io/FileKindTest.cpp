// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/FileKind.h"
#include "runtime/io/Npy.h"
#include "runtime/io/Safetensors.h"
#include "test/runtime-io/TempFolder.h"

#include <gtest/gtest.h>

using namespace chimera;
using io::mistakenFile;
using io::Wanted;
using test::TempFolder;

namespace {

constexpr Wanted all[] = {Wanted::Checkpoint, Wanted::Index, Wanted::Array,
                          Wanted::Config,     Wanted::Model, Wanted::Data};

const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 107904\n";
const std::string page = "\n<!DOCTYPE html><html><head><title>404</title>";
const std::string zip = std::string("PK\x03\x04\x14\0\0\0", 8);
const std::string pickle = std::string("\x80\x04\x95\x10\0\0\0", 7), torchPickle = "\x80\x02}q\x01(X";

std::string tar() {
  std::string bytes(512, '\0');
  bytes.replace(0, 3, "dir").replace(257, 5, "ustar");
  return bytes;
}

std::string kind(Wanted wanted, const std::string &bytes) {
  return mistakenFile(wanted, bytes.data(), bytes.size());
}

TEST(FileKind, APointerOfGitLfsIsNamedWhateverIsWanted) {
  for (Wanted wanted : all)
    EXPECT_EQ(kind(wanted, pointer), "is a Git LFS pointer, not the file itself: run 'git lfs pull'");
}

TEST(FileKind, ArchivesAndPackedFilesAreNamedWhateverIsWanted) {
  for (Wanted wanted : all) {
    EXPECT_NE(kind(wanted, zip).find("is a zip archive"), std::string::npos);
    EXPECT_NE(kind(wanted, pickle).find("is a Python pickle"), std::string::npos);
    EXPECT_NE(kind(wanted, torchPickle).find("is a Python pickle"), std::string::npos);
    EXPECT_EQ(kind(wanted, "\x1f\x8b\x08 ..."), "is compressed with gzip: decompress it first");
    EXPECT_EQ(kind(wanted, "\x28\xb5\x2f\xfd..."), "is compressed with zstd: decompress it first");
    EXPECT_EQ(kind(wanted, "BZh91AY&SY..."), "is compressed with bzip2: decompress it first");
    EXPECT_EQ(kind(wanted, std::string("\xfd"
                                       "7zXZ\0\0",
                                       7)),
              "is compressed with xz: decompress it first");
    EXPECT_EQ(kind(wanted, tar()), "is a tar archive: unpack it first");
    EXPECT_NE(kind(wanted, "GGUF\x03").find("is a GGUF file"), std::string::npos);
    EXPECT_NE(kind(wanted, "\x89HDF\r\n\x1a\n").find("is an HDF5 file"), std::string::npos);
    EXPECT_NE(kind(wanted, "PAR1").find("is a table"), std::string::npos);
  }
}

TEST(FileKind, TheAdviceIsForWhatIsWanted) {
  EXPECT_EQ(kind(Wanted::Array, zip),
            "is a zip archive, as numpy.savez and torch.save write: save it as .npy (numpy.save)");
  EXPECT_EQ(kind(Wanted::Checkpoint, zip),
            "is a zip archive, as numpy.savez and torch.save write: convert it to safetensors");
  EXPECT_EQ(kind(Wanted::Checkpoint, torchPickle),
            "is a Python pickle, as torch.save and pickle.dump write: convert it to safetensors");
  EXPECT_EQ(kind(Wanted::Data, "\x93NUMPY\x01"), "is a NumPy array: its name must end in .npy");
  EXPECT_EQ(kind(Wanted::Checkpoint, "{\"weight_map\": {}}"),
            "is JSON, not a checkpoint; the name of an index of shards must end in .json");
}

TEST(FileKind, PagesTextAndNothingAreNoBinaryFiles) {
  for (Wanted wanted : {Wanted::Checkpoint, Wanted::Index, Wanted::Array, Wanted::Config, Wanted::Model}) {
    EXPECT_EQ(kind(wanted, page), "is a web page, not the file itself: download it again, by the address of the file");
    EXPECT_EQ(kind(wanted, "<?xml version='1.0'?><Error>"), kind(wanted, page));
    EXPECT_EQ(kind(wanted, ""), "is empty");
  }
  EXPECT_EQ(kind(Wanted::Checkpoint, "Entry not found"), "is text, not a checkpoint");
  EXPECT_EQ(kind(Wanted::Array, "1 2 3\n"), "is text, not an array");
  EXPECT_EQ(kind(Wanted::Model, "Entry not found"), "is text, not a model");
}

TEST(FileKind, WhatIsWantedIsNoMistake) {
  std::string safetensors = std::string("\x20\0\0\0\0\0\0\0{\"a\":", 13);
  EXPECT_EQ(kind(Wanted::Checkpoint, safetensors), "");
  EXPECT_EQ(kind(Wanted::Checkpoint, "PK\x03\x04" + std::string(4, '\0') + "{\"a\""), "") << "a length that looks so";
  EXPECT_EQ(kind(Wanted::Model, "\x7f"
                                "ELF\x02"),
            "");
  EXPECT_EQ(kind(Wanted::Array, "\x93NUMPY\x01"), "");
  for (Wanted wanted : {Wanted::Index, Wanted::Config})
    EXPECT_EQ(kind(wanted, "{\"model_type\": \"chimera\"}"), "");
  for (const std::string &text : {std::string(), page, std::string("PK is a text"), std::string("BZh is one"),
                                  std::string("\x80\x02\x01\x02 16-bit numbers"), std::string(600, '\0')})
    EXPECT_EQ(kind(Wanted::Data, text), "") << text;
  EXPECT_EQ(kind(Wanted::Data, safetensors), "is a safetensors file: weights");
}

TEST(FileKind, IsSaidByEveryReader) {
  TempFolder folder;
  auto quoted = [&](const char *name) { return io::quote(folder.file(name)) + ": "; };
  const std::string lfs = "is a Git LFS pointer, not the file itself: run 'git lfs pull'";
  for (const char *name : {"model.safetensors", "a.npy", "model.safetensors.index.json"})
    folder.write(name, pointer);
  EXPECT_EQ(io::Checkpoint::open(folder.path()).error().message, quoted("model.safetensors") + lfs);
  EXPECT_EQ(io::Checkpoint::open(folder.file("model.safetensors.index.json")).error().message,
            quoted("model.safetensors.index.json") + lfs);
  EXPECT_EQ(io::readNpy(folder.file("a.npy")).error().message, quoted("a.npy") + lfs);
  folder.write("model.safetensors", std::string());
  EXPECT_EQ(io::Checkpoint::open(folder.path()).error().message, quoted("model.safetensors") + "is empty");
  folder.write("w.bin", zip);
  EXPECT_EQ(io::Checkpoint::open(folder.file("w.bin")).error().message,
            quoted("w.bin") + "is a zip archive, as numpy.savez and torch.save write: convert it to safetensors");
}

} // namespace
