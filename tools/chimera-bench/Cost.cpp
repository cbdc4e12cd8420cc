// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/Cost.h"

#include "runtime/abi/chimera.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace chimera::bench {

using runtime::Buffer;
using runtime::CacheKind;
using runtime::StepBuffer;

Cost &Cost::operator+=(const Cost &other) {
  matrixFlops += other.matrixFlops;
  attentionFlops += other.attentionFlops;
  scanFlops += other.scanFlops;
  parameterBytes += other.parameterBytes;
  cacheReadBytes += other.cacheReadBytes;
  cacheWriteBytes += other.cacheWriteBytes;
  return *this;
}

static bool contains(const std::string &text, const char *part) {
  return text.find(part) != std::string::npos;
}

namespace {
/// A part of the rows of a step: `share` of `set`, on the average.
struct Part {
  RowSet set = RowSet::All;
  double share = 1;
};

/// Where a dispatch launch put the starts of the rows of a mode or an expert.
struct SliceStart {
  Part part;
  int64_t offset, bytes;
};
} // namespace

/// The arrays that a dispatch launch makes: its last buffers, one a mode of the layer in canonical order.
static std::vector<SliceStart> modeStarts(const runtime::Launch &launch, const runtime::LayerModes &layer) {
  // Before them come five arrays of the rows, the modes, the permutation and its inverse.
  constexpr size_t others = 8;
  size_t starts = launch.buffers.size() - std::min(launch.buffers.size(), others);
  for (uint32_t bits : {layer.modes, layer.forceable}) {
    if (size_t(__builtin_popcount(bits)) != starts)
      continue;
    std::vector<SliceStart> found;
    for (int mode = 0; mode < CHIMERA_MODE_COUNT; ++mode) {
      if (!(bits >> mode & 1))
        continue;
      const Buffer &buffer = launch.buffers[others + found.size()];
      found.push_back({{RowSet(mode)}, buffer.index, buffer.bytes});
    }
    return found;
  }
  return {};
}

/// The same of a launch that dispatches to experts. Nothing says which experts a token takes, so each is taken to get
/// an equal share of the rows.
static std::vector<SliceStart> expertStarts(const runtime::Launch &launch, int64_t maxTokens) {
  // Before them come five arrays of the rows, the choice, and the row numbers: for each row as many as it has experts.
  constexpr size_t others = 7;
  if (launch.buffers.size() <= others || maxTokens <= 0)
    return {};
  double active = double(launch.buffers[others - 1].bytes) / double(maxTokens * int64_t(sizeof(int32_t)));
  Part part{RowSet::All, std::min(active / double(launch.buffers.size() - others), 1.0)};
  std::vector<SliceStart> found;
  for (size_t i = others; i < launch.buffers.size(); ++i)
    found.push_back({part, launch.buffers[i].index, launch.buffers[i].bytes});
  return found;
}

/// The rows that an array of rows is about; nothing for a buffer that is none.
static std::optional<Part> rowsOf(const Buffer &buffer, const std::vector<SliceStart> &starts) {
  if (buffer.kind == Buffer::Kind::Arena)
    for (const SliceStart &start : starts)
      if (buffer.index == start.offset && buffer.bytes == start.bytes)
        return start.part;
  if (buffer.kind != Buffer::Kind::Step)
    return std::nullopt;
  StepBuffer step = StepBuffer(buffer.index);
  if (step == StepBuffer::OutIndex || step == StepBuffer::OutStart)
    return Part{RowSet::Outputs};
  if (step == StepBuffer::RowIndex || step == StepBuffer::SeqStart)
    return Part{RowSet::All};
  return std::nullopt;
}

/// The rows of a launch: those that its count counts, else those of the first array of rows among its buffers.
static Part rowsOf(const runtime::Launch &launch, const std::vector<SliceStart> &starts) {
  if (launch.count >= 0)
    if (std::optional<Part> rows = rowsOf(launch.buffers[size_t(launch.count)], starts))
      return *rows;
  for (const Buffer &buffer : launch.buffers)
    if (std::optional<Part> rows = rowsOf(buffer, starts))
      return *rows;
  return {};
}

CostModel::CostModel(const runtime::Manifest &manifest, const runtime::Variant &variant)
    : manifest(manifest), variant(variant), writers(manifest.caches.size(), RowSet::All) {
  prefill = plan(variant.prefill);
  if (variant.decode)
    decode = plan(*variant.decode);
  findWriters(prefill);
}

static void addOnce(std::vector<size_t> &list, size_t value) {
  if (std::find(list.begin(), list.end(), value) == list.end())
    list.push_back(value);
}

/// Drops from `list` what `seen` holds, and adds the rest to it: an attention may be split into launches of which the
/// later ones only merge what the first has computed.
static void keepNew(std::vector<size_t> &list, std::vector<size_t> &seen) {
  list.erase(std::remove_if(list.begin(), list.end(),
                            [&](size_t value) { return std::find(seen.begin(), seen.end(), value) != seen.end(); }),
             list.end());
  seen.insert(seen.end(), list.begin(), list.end());
}

double CostModel::Launch::hasRows(int64_t among) const {
  return 1 - std::pow(1 - share, double(among));
}

std::vector<CostModel::Launch> CostModel::plan(const runtime::Phase &phase) const {
  std::vector<Launch> launches;
  std::vector<SliceStart> starts;
  std::vector<size_t> read;
  int64_t startsOf = -1;
  for (const runtime::Launch &source : phase.launches) {
    Launch launch;
    launch.layer = source.layer;
    if (source.layer != startsOf)
      starts.clear();
    Part part = rowsOf(source, starts);
    launch.rows = part.set;
    launch.share = part.share;
    if (contains(source.op, "dispatch") && source.layer >= 0) {
      starts = contains(source.op, "dispatch_experts")
                   ? expertStarts(source, phase.maxTokens)
                   : modeStarts(source, manifest.model.layers[size_t(source.layer)]);
      startsOf = source.layer;
    }
    for (const Buffer &buffer : source.buffers) {
      launch.looksUp |= buffer.kind == Buffer::Kind::Step && StepBuffer(buffer.index) == StepBuffer::Tokens;
      addBuffer(launch, source.op, buffer);
    }
    keepNew(launch.reads, read);
    launches.push_back(std::move(launch));
  }
  return launches;
}

/// Whether the buffer is what only those have that go through a cache's entries: a list's table, a ring's keys.
static bool holdsEntries(const runtime::CacheLayout &cache, const Buffer &buffer) {
  return cache.kind == CacheKind::List
             ? buffer.kind == Buffer::Kind::Table && buffer.index == cache.table
             : cache.kind == CacheKind::Ring && buffer.kind == Buffer::Kind::Pool && buffer.index == cache.pools[0];
}

void CostModel::addBuffer(Launch &launch, const std::string &op, const Buffer &buffer) const {
  if (buffer.kind == Buffer::Kind::Param)
    return addOnce(launch.parameters, size_t(buffer.index));
  if (buffer.kind == Buffer::Kind::Packed)
    return addOnce(launch.packed, size_t(buffer.index));
  for (size_t c = 0; c < manifest.caches.size(); ++c) {
    const runtime::CacheLayout &cache = manifest.caches[c];
    if (holdsEntries(cache, buffer))
      addOnce(contains(op, "append") ? launch.writes : launch.reads, c);
    if (cache.kind == CacheKind::Ring || cache.kind == CacheKind::List || buffer.kind != Buffer::Kind::Pool ||
        std::find(cache.pools.begin(), cache.pools.end(), buffer.index) == cache.pools.end())
      continue;
    addOnce(launch.states, size_t(buffer.index));
    if (cache.kind == CacheKind::State)
      addOnce(launch.scans, size_t(buffer.index));
  }
}

void CostModel::findWriters(const std::vector<Launch> &launches) {
  for (const Launch &launch : launches)
    for (size_t cache : launch.writes)
      writers[cache] = launch.rows;
}

static bool belongs(int8_t mode, RowSet set) {
  return set == RowSet::All || mode == int8_t(set);
}

int64_t CostModel::count(const SequenceRows &sequence, int64_t layer, RowSet set) const {
  if (set == RowSet::Outputs)
    return sequence.outputs;
  if (set == RowSet::All || layer < 0)
    return sequence.rows;
  int64_t rows = 0;
  for (int64_t row = 0; row < sequence.rows; ++row)
    rows += belongs(sequence.routing[row * manifest.layers() + layer], set);
  return rows;
}

int64_t CostModel::pairs(const SequenceRows &sequence, size_t cache, int64_t layer, RowSet queries) const {
  int64_t entries = sequence.fill->entries[cache], most = isRing(cache) ? manifest.model.window : INT64_MAX;
  int64_t sum = 0;
  for (int64_t row = 0; row < sequence.rows; ++row) {
    int8_t mode = sequence.routing[row * manifest.layers() + layer];
    bool writes = belongs(mode, writers[cache]);
    entries += writes;
    if (belongs(mode, queries))
      sum += std::min(entries + !writes, most); // Its own entry always counts.
  }
  return sum;
}

double CostModel::entryBytes(size_t index) const {
  const runtime::CacheLayout &cache = manifest.caches[index];
  if (!isRing(index))
    return double(manifest.pages.bytes) / double(manifest.pages.entries);
  // A ring may have room for more than its window. Keys, values, a count, and perhaps write weights.
  double bytes =
      2.0 * double(manifest.model.keyValueHeads) * double(manifest.model.headDim) * double(io::sizeOf(manifest.dtype));
  return cache.pools.size() == 4 ? bytes + (manifest.dtype == io::DType::F64 ? 8 : 4) : bytes;
}

/// Adds to a step's sum, in which every source of bytes counts once, and to the launch's own.
struct CostModel::Counter {
  Cost step;
  Cost launch;
  std::vector<bool> parameters;
  std::vector<bool> packed;
  std::vector<bool> states; ///< [sequences][pools]
  std::vector<bool> reads;  ///< [sequences][caches]
  size_t sequence = 0;

  static bool isFirst(std::vector<bool> &seen, size_t at) {
    bool first = !seen[at];
    seen[at] = true;
    return first;
  }
  void add(double Cost::*part, double value, bool toStep = true) {
    launch.*part += value;
    if (toStep)
      step.*part += value;
  }
};

void CostModel::addParameters(const Launch &launch, int64_t rows, Counter &counter) const {
  if (rows == 0)
    return;
  for (size_t index : launch.parameters) {
    const runtime::Parameter &parameter = manifest.parameters[index];
    if (launch.looksUp) {
      double row =
          double(parameter.bytes) / double(std::max<int64_t>(parameter.shape.empty() ? 1 : parameter.shape[0], 1));
      counter.add(&Cost::parameterBytes, double(rows) * row);
      continue;
    }
    counter.add(&Cost::parameterBytes, launch.hasRows(rows) * double(parameter.bytes),
                Counter::isFirst(counter.parameters, index));
    if (parameter.shape.size() >= 2)
      counter.add(&Cost::matrixFlops, 2.0 * launch.share * double(rows) * double(parameter.elements));
  }
}

void CostModel::addPacked(const Launch &launch, int64_t rows, Counter &counter) const {
  if (rows == 0)
    return;
  for (size_t index : launch.packed) {
    const runtime::PackedWeights &packed = variant.packed[index];
    counter.add(&Cost::parameterBytes, launch.hasRows(rows) * double(packed.bytes),
                Counter::isFirst(counter.packed, index));
    for (int64_t parameter : packed.parameters)
      counter.add(&Cost::matrixFlops,
                  2.0 * launch.share * double(rows) * double(manifest.parameters[size_t(parameter)].elements));
  }
}

double CostModel::weightBytes() const {
  std::vector<size_t> parameters, packed;
  for (const std::vector<Launch> *launches : {&prefill, &decode})
    for (const Launch &launch : *launches) {
      for (size_t index : launch.packed)
        addOnce(packed, index);
      for (size_t index : launch.parameters)
        if (!launch.looksUp)
          addOnce(parameters, index);
    }
  double bytes = 0;
  for (size_t index : parameters)
    bytes += double(manifest.parameters[index].bytes);
  for (size_t index : packed)
    bytes += double(variant.packed[index].bytes);
  return bytes;
}

void CostModel::addCaches(const Launch &launch, const SequenceRows &sequence, Counter &counter) const {
  int64_t rows = count(sequence, launch.layer, launch.rows);
  if (rows == 0)
    return;
  for (size_t cache : launch.reads) {
    int64_t held = sequence.fill->entries[cache];
    if (isRing(cache))
      held = std::min(held, manifest.model.window);
    bool first = Counter::isFirst(counter.reads, counter.sequence * manifest.caches.size() + cache);
    counter.add(&Cost::cacheReadBytes, double(held) * entryBytes(cache), first);
    double flops = 4.0 * double(manifest.model.heads) * double(manifest.model.headDim);
    counter.add(&Cost::attentionFlops, flops * double(pairs(sequence, cache, launch.layer, launch.rows)));
  }
  for (size_t cache : launch.writes) {
    int64_t kept = isRing(cache) ? std::min(rows, manifest.model.window) : rows;
    counter.add(&Cost::cacheWriteBytes, double(kept) * entryBytes(cache));
  }
  for (size_t pool : launch.states) {
    double bytes = double(manifest.pools[pool].bytesPerSlot);
    bool first = Counter::isFirst(counter.states, counter.sequence * manifest.pools.size() + pool);
    counter.add(&Cost::cacheReadBytes, bytes, first);
    counter.add(&Cost::cacheWriteBytes, bytes, first);
    double elementBytes = manifest.dtype == io::DType::F64 ? 8 : 4;
    if (std::find(launch.scans.begin(), launch.scans.end(), pool) != launch.scans.end())
      counter.add(&Cost::scanFlops, 5.0 * double(rows) * bytes / elementBytes);
  }
}

bool CostModel::runsDecode(const std::vector<SequenceRows> &sequences) const {
  if (!variant.decode || int64_t(sequences.size()) > std::min(variant.decode->maxSeqs, variant.decode->maxTokens))
    return false;
  return std::all_of(sequences.begin(), sequences.end(), [](const SequenceRows &s) { return s.rows == 1; });
}

Cost CostModel::step(const std::vector<SequenceRows> &sequences, std::vector<Cost> *launches) const {
  bool isDecode = runsDecode(sequences);
  const std::vector<Launch> &table = isDecode ? decode : prefill;
  Counter counter;
  counter.parameters.resize(manifest.parameters.size());
  counter.packed.resize(variant.packed.size());
  counter.states.resize(sequences.size() * manifest.pools.size());
  counter.reads.resize(sequences.size() * manifest.caches.size());
  for (size_t l = 0; l < table.size(); ++l) {
    counter.launch = Cost();
    int64_t rows = 0;
    for (counter.sequence = 0; counter.sequence < sequences.size(); ++counter.sequence) {
      const SequenceRows &sequence = sequences[counter.sequence];
      rows += count(sequence, table[l].layer, table[l].rows);
      if (!table[l].reads.empty() || !table[l].writes.empty() || !table[l].states.empty())
        addCaches(table[l], sequence, counter);
    }
    addParameters(table[l], rows, counter);
    addPacked(table[l], rows, counter);
    if (launches)
      (*launches)[(isDecode ? prefill.size() : 0) + l] += counter.launch;
  }
  for (const SequenceRows &sequence : sequences)
    for (size_t c = 0; c < manifest.caches.size(); ++c)
      if (isRing(c) || manifest.caches[c].kind == CacheKind::List)
        sequence.fill->entries[c] += count(sequence, manifest.caches[c].layer, writers[c]);
  return counter.step;
}

} // namespace chimera::bench
