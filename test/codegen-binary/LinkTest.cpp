// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/Link.h"
#include "codegen/binary/Manifest.h"
#include "codegen/binary/Output.h"
#include "test/codegen-binary/Kernels.h"
#include "test/codegen-binary/TemporaryFolder.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <cstdlib>
#include <dlfcn.h>
#include <gtest/gtest.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace chimera;
using namespace chimera::binary;
using chimera::test::KernelContext;

namespace {

constexpr size_t trailerBytes = 32;

Manifest squareManifest() {
  Manifest manifest;
  manifest.dtype = "f32";
  manifest.limits = {8, 2};
  manifest.model.vocabSize = manifest.model.hiddenSize = 1;
  manifest.model.layers = {{{"identity"}, {}, {1.0}}};
  Launch launch;
  launch.kernel = "square";
  launch.op = "test.square";
  launch.grid = {1, 0, 0, 0, 1};
  launch.buffers = {Buffer::arena(0, 32), Buffer::arena(64, 32)};
  manifest.variants = {{"x86-64-v3",
                        llvm::cantFail(isaVariant("x86-64-v3")).features,
                        {},
                        {Phase{"prefill", {8, 2}, 192, {64, 32}, {128, 8}, {launch}}}}};
  return manifest;
}

std::string squareBinary() {
  KernelContext context;
  auto kernels = context.parse(test::squareKernel);
  auto bytes = modelBinary(*kernels, squareManifest());
  EXPECT_TRUE(static_cast<bool>(bytes)) << (bytes ? "" : llvm::toString(bytes.takeError()));
  return bytes ? *bytes : std::string(trailerBytes, '\0');
}

llvm::StringRef elfPart(llvm::StringRef binary) {
  return binary.drop_back(trailerBytes);
}

/// What a command prints, standard error included.
std::string outputOf(const std::string &command) {
  FILE *pipe = ::popen((command + " 2>&1").c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  std::string text;
  for (int c; (c = std::fgetc(pipe)) != EOF;)
    text.push_back(static_cast<char>(c));
  ::pclose(pipe);
  return text;
}

class LinkedFile : public testing::Test {
protected:
  LinkedFile()
      : binary(squareBinary()), folder(llvm::cantFail(TemporaryFolder::create())),
        path(llvm::cantFail(folder.add("model.chm", binary))) {}

  std::string binary;
  TemporaryFolder folder;
  std::string path;
};

TEST_F(LinkedFile, LoadsAndRuns) {
  void *handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(handle, nullptr) << ::dlerror();
  using Kernel = void(void *const *, const int64_t *, int64_t, int64_t);
  auto *kernel = reinterpret_cast<Kernel *>(::dlsym(handle, "square"));
  ASSERT_NE(kernel, nullptr);
  std::vector<float> in(20), out(20, -1.0f);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = static_cast<float>(i) - 3.0f;
  void *buffers[] = {in.data(), out.data()};
  kernel(buffers, nullptr, 2, 19);
  for (size_t i = 0; i < in.size(); ++i)
    EXPECT_EQ(out[i], i >= 2 && i < 19 ? in[i] * in[i] + 1.0f : -1.0f) << i;
  EXPECT_EQ(::dlsym(handle, "squareOf"), nullptr);
  EXPECT_EQ(::dlsym(handle, "unused"), nullptr);
  ::dlclose(handle);
}

TEST_F(LinkedFile, NmListsNoUndefinedSymbol) {
  std::string nm = "/usr/lib/llvm-19/bin/llvm-nm";
  if (!llvm::sys::fs::exists(nm))
    GTEST_SKIP() << "llvm-nm is not installed";
  EXPECT_EQ(outputOf(nm + " -u " + path), "");
  EXPECT_EQ(outputOf(nm + " -u -D " + path), "");
  EXPECT_NE(outputOf(nm + " -D " + path).find("T square"), std::string::npos);
}

TEST_F(LinkedFile, NeedsNothingAndInitialisesNothing) {
  auto object = llvm::object::ELFObjectFile<llvm::object::ELF64LE>::create({elfPart(binary), "binary"});
  ASSERT_TRUE(static_cast<bool>(object));
  auto entries = object->getELFFile().dynamicEntries();
  ASSERT_TRUE(static_cast<bool>(entries));
  for (const auto &entry : *entries) {
    EXPECT_NE(entry.getTag(), llvm::ELF::DT_NEEDED);
    EXPECT_NE(entry.getTag(), llvm::ELF::DT_INIT);
    EXPECT_NE(entry.getTag(), llvm::ELF::DT_INIT_ARRAY);
    EXPECT_NE(entry.getTag(), llvm::ELF::DT_FINI);
    EXPECT_NE(entry.getTag(), llvm::ELF::DT_TEXTREL);
  }
}

TEST_F(LinkedFile, HoldsTheManifestReadOnlyWithoutTerminator) {
  auto object = llvm::object::ELFObjectFile<llvm::object::ELF64LE>::create({elfPart(binary), "binary"});
  ASSERT_TRUE(static_cast<bool>(object));
  int found = 0;
  for (const llvm::object::ELFSectionRef section : object->sections()) {
    llvm::StringRef name = llvm::cantFail(section.getName());
    EXPECT_NE(name, ".eh_frame");
    EXPECT_NE(name, ".note.gnu.build-id");
    if (name != ".chimera.manifest")
      continue;
    ++found;
    Manifest manifest = squareManifest();
    KernelContext context;
    llvm::cantFail(compileKernels(*context.parse(test::squareKernel), {"square"},
                                  llvm::cantFail(isaVariant("x86-64-v3")), CodeFormat::Object, "",
                                  &manifest.variants.front().stackBytes));
    EXPECT_GT(manifest.variants.front().stackBytes, 0);
    EXPECT_EQ(llvm::cantFail(section.getContents()), toJson(manifest));
    EXPECT_TRUE(section.getFlags() & llvm::ELF::SHF_ALLOC);
    EXPECT_FALSE(section.getFlags() & (llvm::ELF::SHF_WRITE | llvm::ELF::SHF_EXECINSTR));
  }
  EXPECT_EQ(found, 1);
}

TEST_F(LinkedFile, EndsWithTheTrailer) {
  llvm::StringRef elf = elfPart(binary);
  const char *end = binary.data() + elf.size();
  EXPECT_EQ(std::string(end, 8), "CHIMERA1");
  EXPECT_EQ(llvm::support::endian::read64le(end + 8), elf.size());
  XXH128_canonical_t digest;
  XXH128_canonicalFromHash(&digest, XXH3_128bits(elf.data(), elf.size()));
  EXPECT_EQ(std::string(end + 16, 16), std::string(reinterpret_cast<const char *>(digest.digest), 16));
}

TEST(Link, TrailerHasTheCanonicalDigest) {
  // XXH3-128 of no bytes at all, as the algorithm's authors print it: 99aa06d3014798d86001c324468d497f.
  const unsigned char expected[32] = {'C',  'H',  'I',  'M',  'E',  'R',  'A',  '1',  0,    0,    0,
                                      0,    0,    0,    0,    0,    0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47,
                                      0x98, 0xd8, 0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f};
  EXPECT_EQ(trailer(""), std::string(reinterpret_cast<const char *>(expected), sizeof(expected)));
}

TEST(Link, EqualInputGivesEqualBytes) {
  EXPECT_TRUE(squareBinary() == squareBinary());
}

TEST(Link, NamesTheFunctionThatAKernelWouldCall) {
  KernelContext context;
  auto kernels = context.parse(test::exponentialKernel);
  auto object = test::compile(*kernels, {"exponential"}, CodeFormat::Object);
  ASSERT_TRUE(static_cast<bool>(object));
  auto bytes = linkModelBinary({*object}, "{}");
  ASSERT_FALSE(static_cast<bool>(bytes));
  EXPECT_EQ(llvm::toString(bytes.takeError()), "cannot link the kernels: undefined symbol: expf");
}

/// The square kernel for the variant, its symbol with a suffix.
std::string squareObject(llvm::StringRef variantName, llvm::StringRef suffix) {
  KernelContext context;
  auto kernels = context.parse(test::squareKernel);
  IsaVariant variant = llvm::cantFail(isaVariant(variantName));
  return llvm::cantFail(compileKernels(*kernels, {"square"}, variant, CodeFormat::Object, suffix));
}

TEST(Link, KernelsOfSeveralVariantsLieSideBySide) {
  auto bytes =
      linkModelBinary({squareObject("x86-64-v2", ".x86-64-v2"), squareObject("x86-64-v3", ".x86-64-v3")}, "{}");
  ASSERT_TRUE(static_cast<bool>(bytes)) << llvm::toString(bytes.takeError());
  TemporaryFolder folder = llvm::cantFail(TemporaryFolder::create());
  std::string path = llvm::cantFail(folder.add("model.chm", *bytes));
  void *handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(handle, nullptr) << ::dlerror();
  void *lower = ::dlsym(handle, "square.x86-64-v2"), *higher = ::dlsym(handle, "square.x86-64-v3");
  EXPECT_NE(lower, nullptr);
  EXPECT_NE(higher, nullptr);
  EXPECT_NE(lower, higher);
  EXPECT_EQ(::dlsym(handle, "square"), nullptr);
  ::dlclose(handle);
}

TEST(Link, AKernelThatTwoObjectsDefineIsAnError) {
  auto bytes = linkModelBinary({squareObject("x86-64-v2", ""), squareObject("x86-64-v3", "")}, "{}");
  ASSERT_FALSE(static_cast<bool>(bytes));
  EXPECT_EQ(llvm::toString(bytes.takeError()), "cannot link the kernels: duplicate symbol: square");
}

TEST(Link, CanRunAgainAfterAnError) {
  auto bytes = linkModelBinary({std::string("this is no object")}, "{}");
  ASSERT_FALSE(static_cast<bool>(bytes));
  std::string message = llvm::toString(bytes.takeError());
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_GT(squareBinary().size(), trailerBytes);
}

// What is in no folder is left in none, however the process ends.
TEST(Link, NeedsNoTemporaryFolder) {
  std::string expected = squareBinary();
  const char *before = std::getenv("TMPDIR");
  std::string restore = before ? before : "";
  ::setenv("TMPDIR", "/nonexistent", 1);
  EXPECT_EQ(squareBinary(), expected);
  if (before)
    ::setenv("TMPDIR", restore.c_str(), 1);
  else
    ::unsetenv("TMPDIR");
}

TEST(Link, RefusesAManifestThatTheRuntimeWouldRefuse) {
  KernelContext context;
  auto kernels = context.parse(test::squareKernel);
  Manifest manifest = squareManifest();
  manifest.variants[0].features.pop_back();
  auto bytes = modelBinary(*kernels, manifest);
  ASSERT_FALSE(static_cast<bool>(bytes));
  EXPECT_EQ(llvm::toString(bytes.takeError()), "manifest: features: not those of x86-64-v3");
}

} // namespace
