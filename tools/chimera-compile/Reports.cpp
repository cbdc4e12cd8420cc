// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-compile/Reports.h"
#include "codegen/binary/Manifest.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <map>
#include <set>

namespace chimera::compile {

using namespace chimera::binary;

namespace {

int64_t bytesOf(const Parameter &parameter) {
  int64_t bytes = parameter.dtype == "f64" ? 8 : parameter.dtype == "bf16" ? 2 : 4;
  for (int64_t size : parameter.shape)
    bytes *= size;
  return bytes;
}

void printParameters(llvm::raw_ostream &out, const Manifest &manifest) {
  int64_t bytes = 0;
  for (const Parameter &parameter : manifest.parameters)
    bytes += bytesOf(parameter);
  out << "parameters: " << manifest.parameters.size() << " tensors, " << bytes << " bytes\n";
  int64_t packed = 0;
  for (const PackedWeights &weights : manifest.variants.front().packed)
    packed += weights.bytes;
  if (packed)
    out << "packed for kernels: " << manifest.variants.front().packed.size() << " matrices, " << packed << " bytes\n";
}

/// Of one layer and mode: fixed bytes of a slot, and whether a list grows beside them.
struct CacheUse {
  int64_t fixed = 0;
  int64_t lists = 0;
};

void printCaches(llvm::raw_ostream &out, const Manifest &manifest) {
  std::map<std::pair<int64_t, std::string>, CacheUse> byLayer;
  std::map<std::string, CacheUse> byMode;
  for (const Pool &pool : manifest.pools) {
    byLayer[{pool.layer, pool.mode}].fixed += pool.bytesPerSlot;
    byMode[pool.mode].fixed += pool.bytesPerSlot;
  }
  for (const Cache &cache : manifest.caches)
    if (cache.table) {
      ++byLayer[{cache.layer, cache.mode}].lists;
      ++byMode[cache.mode].lists;
    }
  double entry = manifest.pages.entries ? double(manifest.pages.bytes) / double(manifest.pages.entries) : 0.0;
  auto row = [&](llvm::StringRef layer, llvm::StringRef mode, const CacheUse &use) {
    out << llvm::left_justify(layer, 8) << llvm::left_justify(mode, 12) << llvm::format_decimal(use.fixed, 14)
        << llvm::format("%16.1f", double(use.lists) * entry) << "\n";
  };
  out << "\ncache of a sequence, in bytes\n"
      << "layer   mode                 fixed       each entry\n";
  for (const auto &[key, use] : byLayer)
    row(std::to_string(key.first), key.second, use);
  for (const auto &[mode, use] : byMode)
    row("all", mode, use);
  if (manifest.pages.tables)
    out << "entries live in pages of " << manifest.pages.entries << ", " << manifest.pages.bytes << " bytes each\n";
}

/// The bytes of the arena that a set of slices covers.
int64_t covered(const std::set<std::pair<int64_t, int64_t>> &slices) {
  int64_t bytes = 0, end = 0;
  for (const auto &[offset, size] : slices) {
    bytes += std::max<int64_t>(0, offset + size - std::max(end, offset));
    end = std::max(end, offset + size);
  }
  return bytes;
}

void printPhase(llvm::raw_ostream &out, const Phase &phase) {
  std::map<int64_t, std::set<std::pair<int64_t, int64_t>>> slices;
  std::map<int64_t, int64_t> launches;
  for (const Launch &launch : phase.launches) {
    ++launches[launch.layer];
    for (const Buffer &buffer : launch.buffers)
      if (buffer.kind == Buffer::Kind::Arena)
        slices[launch.layer].insert({buffer.slice.offset, buffer.slice.bytes});
  }
  out << "\nphase " << phase.name << ": at most " << phase.limits.maxTokens << " tokens and " << phase.limits.maxSeqs
      << " sequences a step, arena " << phase.arenaBytes << " bytes, " << phase.launches.size() << " launches\n"
      << "layer       launches   arena touched\n";
  for (const auto &[layer, count] : launches)
    out << llvm::left_justify(layer < 0 ? "-" : std::to_string(layer), 8) << llvm::format_decimal(count, 12)
        << llvm::format_decimal(covered(slices[layer]), 16) << "\n";
}

/// Launches of each kernel in each phase.
std::map<std::string, std::vector<int64_t>> countLaunches(const Manifest &manifest) {
  std::map<std::string, std::vector<int64_t>> counts;
  for (auto [index, phase] : llvm::enumerate(manifest.variants.front().phases))
    for (const Launch &launch : phase.launches) {
      std::vector<int64_t> &count = counts[launch.kernel];
      count.resize(manifest.variants.front().phases.size());
      ++count[index];
    }
  return counts;
}

} // namespace

std::string memoryReport(const Manifest &manifest) {
  std::string text;
  llvm::raw_string_ostream out(text);
  printParameters(out, manifest);
  printCaches(out, manifest);
  for (const Phase &phase : manifest.variants.front().phases)
    printPhase(out, phase);
  return text;
}

llvm::Expected<std::string> resourceReport(const Manifest &manifest, llvm::StringRef object) {
  auto file = llvm::object::ELFObjectFile<llvm::object::ELF64LE>::create(llvm::MemoryBufferRef(object, "kernels"));
  if (!file)
    return file.takeError();
  std::vector<std::pair<int64_t, std::string>> sizes;
  std::map<std::string, std::vector<int64_t>> launches = countLaunches(manifest);
  for (const llvm::object::ELFSymbolRef symbol : file->symbols()) {
    auto name = symbol.getName();
    if (!name)
      return name.takeError();
    if (launches.count(name->str()))
      sizes.emplace_back(-static_cast<int64_t>(symbol.getSize()), name->str());
  }
  llvm::sort(sizes);
  std::string text;
  llvm::raw_string_ostream out(text);
  out << "target " << manifest.target << ", " << manifest.variants.front().name << ", " << manifest.dtype << ", "
      << sizes.size() << " kernels\n"
      << "     bytes";
  for (const Phase &phase : manifest.variants.front().phases)
    out << llvm::right_justify(phase.name, 10);
  out << "  kernel\n";
  for (const auto &[negated, name] : sizes) {
    out << llvm::format_decimal(-negated, 10);
    for (int64_t count : launches[name])
      out << llvm::format_decimal(count, 10);
    out << "  " << name << "\n";
  }
  return text;
}

} // namespace chimera::compile
