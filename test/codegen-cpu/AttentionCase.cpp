// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-cpu/AttentionCase.h"

#include <cmath>

namespace chimera::cpu::test {

using ref::test::fromBF16;

Operands Operands::random(Scalar type, size_t count, uint64_t seed) {
  Operands operands{type, ref::test::randomVector<float>(count, seed)};
  if (type == Scalar::BF16)
    for (float &x : operands.numbers)
      x = fromBF16(ref::test::toBF16(x));
  return operands;
}

size_t Operands::addTo(Launch &launch) const {
  return type == Scalar::BF16 ? launch.add(toBF16(numbers)) : launch.add(numbers);
}

Operands Operands::part(size_t first, size_t count) const {
  auto from = numbers.begin() + static_cast<std::ptrdiff_t>(first);
  return {type, {from, from + static_cast<std::ptrdiff_t>(count)}};
}

StepInputs StepInputs::random(const AttendSpec &spec, int64_t own, int64_t keys, uint64_t seed) {
  const CacheSpec &c = spec.cache;
  auto draw = [&](int64_t count, uint64_t salt) { return Operands::random(c.operand, count, seed * 4 + salt); };
  int64_t width = c.kvHeads * c.headSize;
  return {draw(own * spec.heads * c.headSize, 0), draw(keys * width, 1), draw(keys * width, 2),
          ref::test::randomVector<float>(keys, seed * 4 + 3)};
}

static std::vector<uint8_t> poison(int64_t bytes) {
  return std::vector<uint8_t>(bytes, 0xff);
}

static std::vector<int32_t> scatteredPages(int64_t slots, int64_t pagesASlot) {
  std::vector<int32_t> table(slots * pagesASlot);
  for (size_t i = 0; i < table.size(); ++i)
    table[i] = static_cast<int32_t>(table.size() - 1 - i);
  return table;
}

static int64_t pageBytesOf(const CacheSpec &spec) {
  return ref::pageBytes(spec.kvHeads, spec.headSize, spec.operand, Scalar::F32);
}

// The cpu kernels' cache.

CpuCache::CpuCache(const CacheSpec &spec, int64_t entries)
    : spec(spec), pagesASlot((entries + blockEntries - 1) / blockEntries), table(scatteredPages(slots, pagesASlot)),
      counts(slots) {
  if (spec.kind == CacheKind::List) {
    pools[0] = poison(slots * pagesASlot * pageBytesOf(spec));
    return;
  }
  for (int which = 0; which < 3; ++which)
    pools[which] = poison(slots * ringBlocks(spec.window) * blockBytes(which));
}

int64_t CpuCache::blockBytes(int which) const {
  return which == 2 ? blockEntries * 4 : blockEntries * spec.kvHeads * spec.headSize * byteSize(spec.operand);
}

const uint8_t *CpuCache::block(int which, int64_t slot, int64_t entry) const {
  int64_t number = entry / blockEntries;
  if (spec.kind == CacheKind::Ring)
    return pools[which].data() +
           (slot * ringBlocks(spec.window) + number % ringBlocks(spec.window)) * blockBytes(which);
  const uint8_t *page = pools[0].data() + table[slot * pagesASlot + number] * pageBytesOf(spec);
  return page + which * blockBytes(0);
}

float CpuCache::number(const uint8_t *bytes, size_t index) const {
  if (spec.operand == Scalar::BF16) {
    uint16_t bits;
    std::memcpy(&bits, bytes + 2 * index, sizeof bits);
    return fromBF16(bits);
  }
  float x;
  std::memcpy(&x, bytes + 4 * index, sizeof x);
  return x;
}

float CpuCache::key(int64_t slot, int64_t entry, int64_t head, int64_t d) const {
  int64_t place = entry % blockEntries, pair = spec.operand == Scalar::BF16 ? 2 : 1;
  int64_t inHead = (d / pair * blockEntries + place) * pair + d % pair;
  return number(block(0, slot, entry), head * spec.headSize * blockEntries + inHead);
}

float CpuCache::value(int64_t slot, int64_t entry, int64_t head, int64_t d) const {
  return number(block(1, slot, entry), (head * blockEntries + entry % blockEntries) * spec.headSize + d);
}

float CpuCache::weight(int64_t slot, int64_t entry) const {
  float x;
  std::memcpy(&x, block(2, slot, entry) + 4 * (entry % blockEntries), sizeof x);
  return x;
}

size_t CpuCache::addTo(Launch &launch) const {
  size_t first = launch.add(pools[0]);
  if (spec.kind == CacheKind::Ring) {
    launch.add(pools[1]);
    if (spec.weighted)
      launch.add(pools[2]);
  } else {
    launch.add(table);
  }
  launch.add(counts);
  return first;
}

void CpuCache::takeFrom(const Launch &launch, size_t place) {
  pools[0] = launch.get<uint8_t>(place++);
  if (spec.kind == CacheKind::Ring) {
    pools[1] = launch.get<uint8_t>(place++);
    if (spec.weighted)
      pools[2] = launch.get<uint8_t>(place++);
  } else {
    ++place;
  }
  counts = launch.get<int64_t>(place);
}

// The ref kernels' cache.

RefCache::RefCache(const CacheSpec &c, int64_t entries)
    : spec{c.kind == CacheKind::Ring ? ref::CacheKind::Ring : ref::CacheKind::List,
           c.kvHeads,
           c.headSize,
           c.window,
           c.weighted,
           c.operand,
           Scalar::F32},
      pagesASlot((entries + blockEntries - 1) / blockEntries), table(scatteredPages(CpuCache::slots, pagesASlot)),
      counts(CpuCache::slots) {
  int64_t entryBytes = c.kvHeads * c.headSize * byteSize(c.operand);
  if (c.kind == CacheKind::List) {
    pools[0].resize(CpuCache::slots * pagesASlot * pageBytesOf(c));
    return;
  }
  for (int which = 0; which < 3; ++which)
    pools[which].resize(CpuCache::slots * c.window * (which == 2 ? 4 : entryBytes));
}

void RefCache::addTo(Launch &launch) const {
  launch.add(pools[0]);
  if (spec.kind == ref::CacheKind::Ring) {
    launch.add(pools[1]);
    if (spec.weighted)
      launch.add(pools[2]);
  } else {
    launch.add(table);
  }
  launch.add(counts);
}

void RefCache::takeFrom(const Launch &launch, size_t place) {
  pools[0] = launch.get<uint8_t>(place++);
  if (spec.kind == ref::CacheKind::Ring) {
    pools[1] = launch.get<uint8_t>(place++);
    if (spec.weighted)
      pools[2] = launch.get<uint8_t>(place++);
  } else {
    ++place;
  }
  counts = launch.get<int64_t>(place);
}

// Steps.

/// Adds this step's keys, values and write weights.
static void addStep(Launch &launch, const StepInputs &inputs, bool weighted) {
  inputs.k.addTo(launch);
  inputs.v.addTo(launch);
  if (weighted)
    launch.add(inputs.writes);
}

static size_t addOut(Launch &launch, Scalar type, size_t count) {
  return type == Scalar::BF16 ? launch.add(std::vector<uint16_t>(count)) : launch.add(std::vector<float>(count));
}

static std::vector<float> takeOut(const Launch &launch, Scalar type, size_t place) {
  if (type != Scalar::BF16)
    return launch.get<float>(place);
  std::vector<float> numbers;
  for (uint16_t bits : launch.get<uint16_t>(place))
    numbers.push_back(fromBF16(bits));
  return numbers;
}

namespace {

struct Compiled {
  ref::test::KernelFunction function = nullptr;
  Grid grid;

  void run(Launch &launch, const Batch &batch, const CpuCache &cache) const {
    if (function)
      launch.run(function, grid, batch.sizes(cache.stride()));
  }
};

/// All kernels of a spec, in one module as in a model's.
struct Kernels {
  std::unique_ptr<ref::test::KernelJit> jit;
  Compiled append, attend, parts, merge;

  Kernels(const Isa &isa, const AttendSpec &spec) : jit(makeJit(isa)) {
    mlir::ModuleOp module = jit->module();
    std::vector<std::pair<Compiled *, Kernel>> all = {{&append, getOrEmit(module, isa, AppendSpec{spec.cache})},
                                                      {&attend, getOrEmit(module, isa, spec)}};
    if (spec.cache.kind == CacheKind::List) {
      SplitAttend split = getOrEmitSplit(module, isa, spec);
      all.emplace_back(&parts, split.parts);
      all.emplace_back(&merge, split.merge);
    }
    for (auto &[compiled, kernel] : all)
      *compiled = {jit->compile(kernel.symbol), kernel.grid};
  }
};

} // namespace

/// Compiled once a spec and ISA.
static const Kernels &kernelsOf(const Isa &isa, const AttendSpec &spec) {
  static std::map<std::string, Kernels> all;
  const CacheSpec &c = spec.cache;
  std::string key = isa.name;
  for (int64_t part : {int64_t(c.kind), c.kvHeads, c.headSize, c.window, int64_t(c.weighted), int64_t(c.operand),
                       spec.heads, int64_t(spec.separate), int64_t(spec.committed), int64_t(spec.out)})
    key += "/" + std::to_string(part);
  key += "/" + std::to_string(spec.scale) + "/" + std::to_string(spec.softCap.value_or(0));
  return all.try_emplace(key, isa, spec).first->second;
}

static std::vector<float> attend(const Isa &isa, const AttendSpec &spec, const CpuCache &cache, const Batch &batch,
                                 const RowSet &own, const RowSet &keys, const StepInputs &inputs) {
  Launch launch;
  own.addTo(launch, batch);
  keys.addTo(launch, batch);
  inputs.q.addTo(launch);
  if (!spec.committed)
    addStep(launch, inputs, spec.cache.weighted);
  cache.addTo(launch);
  size_t out = addOut(launch, spec.out, inputs.q.numbers.size());
  kernelsOf(isa, spec).attend.run(launch, batch, cache);
  return takeOut(launch, spec.out, out);
}

static void append(const Isa &isa, const AttendSpec &spec, CpuCache &cache, const Batch &batch, const RowSet &keys,
                   const StepInputs &inputs) {
  Launch launch;
  keys.addTo(launch, batch);
  addStep(launch, inputs, spec.cache.weighted);
  size_t place = cache.addTo(launch);
  kernelsOf(isa, spec).append.run(launch, batch, cache);
  cache.takeFrom(launch, place);
}

std::vector<float> cpuStep(const Isa &isa, const AttendSpec &spec, CpuCache &cache, const Batch &batch,
                           const RowSet &own, const RowSet &keys, const StepInputs &inputs) {
  if (spec.committed)
    append(isa, spec, cache, batch, keys, inputs);
  std::vector<float> out = attend(isa, spec, cache, batch, own, keys, inputs);
  if (!spec.committed)
    append(isa, spec, cache, batch, keys, inputs);
  return out;
}

std::vector<float> splitAttention(const Isa &isa, const AttendSpec &spec, const CpuCache &cache, const Batch &batch,
                                  const RowSet &own, const RowSet &keys, const Operands &q) {
  Launch first, second;
  own.addTo(first, batch);
  keys.addTo(first, batch);
  q.addTo(first);
  cache.addTo(first);
  std::vector<float> partial(own.count() * spec.heads * parts * partialWidth(spec.cache.headSize), NAN);
  size_t place = first.add(partial);
  kernelsOf(isa, spec).parts.run(first, batch, cache);
  own.addTo(second, batch);
  keys.addTo(second, batch);
  second.add(cache.lengths());
  second.add(first.get<float>(place));
  size_t out = addOut(second, spec.out, q.numbers.size());
  kernelsOf(isa, spec).merge.run(second, batch, cache);
  return takeOut(second, spec.out, out);
}

std::vector<float> refStep(const AttendSpec &spec, RefCache &cache, const Batch &batch, const RowSet &own,
                           const RowSet &keys, const StepInputs &inputs) {
  Launch attend, append;
  own.addTo(attend, batch);
  keys.addTo(attend, batch);
  inputs.q.addTo(attend);
  addStep(attend, inputs, spec.cache.weighted);
  cache.addTo(attend);
  size_t out = attend.add(std::vector<float>(inputs.q.numbers.size()));
  ref::test::runKernel(ref::AttendSpec{cache.spec, spec.heads, spec.scale, spec.separate, spec.softCap}, attend,
                       batch.sizes(cache.stride()));
  keys.addTo(append, batch);
  addStep(append, inputs, spec.cache.weighted);
  size_t place = spec.cache.weighted ? 8 : 7;
  cache.addTo(append);
  ref::test::runKernel(ref::AppendSpec{cache.spec}, append, batch.sizes(cache.stride()));
  cache.takeFrom(append, place);
  return attend.get<float>(out);
}

std::vector<uint32_t> bitsOf(const std::vector<float> &numbers) {
  std::vector<uint32_t> bits(numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    float x = std::isnan(numbers[i]) ? NAN : numbers[i];
    std::memcpy(&bits[i], &x, sizeof x);
  }
  return bits;
}

} // namespace chimera::cpu::test
