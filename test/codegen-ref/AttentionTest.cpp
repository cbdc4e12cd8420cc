// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-support/KernelJit.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

constexpr size_t slots = 3, stride = 4, pageCount = 16;

/// The history of one slot as the definition sees it: every entry ever written, in order.
struct Entries {
  std::vector<std::vector<double>> keys, values;
  std::vector<double> weights;
};

/// A cache's buffers on the host, of one operand type U and weights of type T, beside the plain history of each slot.
template <typename T, typename U> struct HostCache {
  CacheSpec spec;
  std::vector<U> keys, values;
  std::vector<T> weights;
  std::vector<uint8_t> pages;
  std::vector<int32_t> table;
  std::vector<int64_t> count;

  explicit HostCache(const CacheSpec &spec)
      : spec(spec), keys(slots * spec.window * width()), values(keys.size()), weights(slots * spec.window),
        pages(pageCount * pageBytes(spec.kvHeads, spec.headSize, spec.operand, spec.type)), count(slots) {
    for (size_t i = 0; i < slots * stride; ++i)
      table.push_back(static_cast<int32_t>((i * 7 + 3) % pageCount)); // any order, no page twice
  }

  int64_t width() const { return spec.kvHeads * spec.headSize; }

  void addTo(Launch &launch) const {
    if (spec.kind == CacheKind::Ring) {
      launch.add(keys);
      launch.add(values);
      if (spec.weighted)
        launch.add(weights);
    } else {
      launch.add(pages);
      launch.add(table);
    }
    launch.add(count);
  }

  void takeFrom(const Launch &launch, size_t place) {
    if (spec.kind == CacheKind::Ring) {
      keys = launch.get<U>(place++);
      values = launch.get<U>(place++);
      if (spec.weighted)
        weights = launch.get<T>(place++);
    } else {
      pages = launch.get<uint8_t>(place++);
      ++place;
    }
    count = launch.get<int64_t>(place);
  }
};

double valueOf(double x) {
  return x;
}
double valueOf(float x) {
  return x;
}
double valueOf(uint16_t x) {
  return fromBF16(x);
}

template <typename U> std::vector<U> randomOperands(size_t size, uint64_t seed) {
  if constexpr (sizeof(U) == 2) {
    std::vector<U> bits;
    for (float v : randomVector<float>(size, seed))
      bits.push_back(toBF16(v));
    return bits;
  } else {
    return randomVector<U>(size, seed);
  }
}

template <typename U>
constexpr Scalar operandOf = sizeof(U) == 2   ? Scalar::BF16
                             : sizeof(U) == 4 ? Scalar::F32
                                              : Scalar::F64;

/// One step: attention of the own rows, then the append of the key rows; checked against the plain histories.
template <typename T, typename U> struct AttentionRun {
  AttendSpec spec;
  HostCache<T, U> cache;
  std::vector<Entries> histories = std::vector<Entries>(slots);
  uint64_t seed = 1;

  explicit AttentionRun(const AttendSpec &spec) : spec(spec), cache(spec.cache) {}

  std::vector<T> expected(const Batch &batch, const RowSet &own, const RowSet &keys, const std::vector<U> &q) const {
    std::vector<T> out;
    int64_t size = spec.cache.headSize, group = spec.heads / spec.cache.kvHeads;
    for (int64_t i = 0; i < own.count(); ++i) {
      int32_t r = own.index[own.start[0] + i], s = batch.sequence[r];
      const Entries &all = histories[batch.slot[s]]; // with this step's rows
      int64_t inChunk = keys.start[s + 1] - keys.start[s], place = 0;
      while (keys.index[keys.start[s] + place] != r)
        ++place;
      int64_t last = static_cast<int64_t>(all.keys.size()) - inChunk + place;
      int64_t low = spec.cache.kind == CacheKind::Ring ? std::max<int64_t>(0, last - spec.cache.window + 1) : 0;
      for (int64_t h = 0; h < spec.heads; ++h) {
        std::vector<long double> scores, sums(size);
        long double greatest = -std::numeric_limits<long double>::infinity(), total = 0;
        for (int64_t a = low; a <= last; ++a) {
          long double dot = 0;
          for (int64_t d = 0; d < size; ++d)
            dot += static_cast<long double>(valueOf(q[(i * spec.heads + h) * size + d])) *
                   all.keys[a][h / group * size + d];
          long double score = dot * spec.scale;
          if (spec.softCap)
            score = *spec.softCap * tanhl(score / *spec.softCap);
          scores.push_back(score + (spec.cache.weighted ? all.weights[a] : 0));
          greatest = std::max(greatest, scores.back());
        }
        for (int64_t a = low; a <= last; ++a) {
          long double p = expl(scores[a - low] - greatest);
          total += p;
          for (int64_t d = 0; d < size; ++d)
            sums[d] += p * all.values[a][h / group * size + d];
        }
        for (long double v : sums)
          out.push_back(static_cast<T>(v / total));
      }
    }
    return out;
  }

  void step(const Batch &batch, const RowSet &own, const RowSet &keyRows) {
    int64_t width = cache.width(), rows = keyRows.count();
    auto q = randomOperands<U>(own.count() * spec.heads * spec.cache.headSize, ++seed);
    auto k = randomOperands<U>(rows * width, ++seed), v = randomOperands<U>(rows * width, ++seed);
    auto write = randomVector<T>(rows, ++seed);
    Launch attend;
    own.addTo(attend, batch);
    keyRows.addTo(attend, batch);
    attend.add(q);
    addStep(attend, k, v, write);
    cache.addTo(attend);
    size_t out = attend.add(std::vector<T>(q.size()));
    runKernel(spec, attend, batch.sizes(stride));
    for (int64_t s = 0; s < batch.seqs(); ++s)
      for (int32_t j = keyRows.start[s]; j < keyRows.start[s + 1]; ++j) {
        size_t row = j - keyRows.start[0];
        Entries &history = histories[batch.slot[s]];
        history.keys.emplace_back();
        history.values.emplace_back();
        for (int64_t d = 0; d < width; ++d) {
          history.keys.back().push_back(valueOf(k[row * width + d]));
          history.values.back().push_back(valueOf(v[row * width + d]));
        }
        history.weights.push_back(write[row]);
      }
    expectNear(attend.get<T>(out), expected(batch, own, keyRows, q), sizeof(T) == 8 ? 1e-14 : 2e-6);
    Launch append;
    keyRows.addTo(append, batch);
    size_t place = 5 + addStep(append, k, v, write);
    cache.addTo(append);
    runKernel(AppendSpec{spec.cache}, append, batch.sizes(stride));
    cache.takeFrom(append, place);
    for (size_t slot = 0; slot < slots; ++slot)
      EXPECT_EQ(cache.count[slot], static_cast<int64_t>(histories[slot].keys.size()));
  }

  size_t addStep(Launch &launch, const std::vector<U> &k, const std::vector<U> &v, const std::vector<T> &write) const {
    launch.add(k);
    launch.add(v);
    if (spec.cache.weighted)
      launch.add(write);
    return spec.cache.weighted ? 3 : 2;
  }

  /// A prompt, decodes and chunks longer than the window, of which every third row is of another mode.
  void conversation() {
    for (const std::vector<int64_t> &lengths :
         std::vector<std::vector<int64_t>>{{7, 1, 3}, {1, 1, 1}, {2, 0, 70}, {1, 30, 1}, {64, 1, 5}, {1, 1, 1}}) {
      Batch batch(lengths, {2, 0, 1}, {0, 0, 0});
      std::vector<bool> keep(batch.tokens());
      for (size_t r = 0; r < keep.size(); ++r)
        keep[r] = r % 3 != 1;
      RowSet own = someRows(batch, keep, 2);
      step(batch, own, spec.separate ? allRows(batch) : own);
    }
  }
};

template <typename T, typename U> AttendSpec makeSpec(CacheKind kind, int64_t window, bool weighted, bool separate) {
  return {{kind, 2, 6, window, weighted, operandOf<U>, scalarOf<T>}, 4, 1 / std::sqrt(6.0), separate};
}

template <typename Pair> class RefAttention : public testing::Test {};
using Types = testing::Types<std::pair<double, double>, std::pair<float, float>, std::pair<float, uint16_t>>;
TYPED_TEST_SUITE(RefAttention, Types);

TYPED_TEST(RefAttention, RingAttendsToTheLastEntriesThroughCacheAndChunk) {
  using T = typename TypeParam::first_type;
  using U = typename TypeParam::second_type;
  for (int64_t window : {1, 5, 64})
    AttentionRun<T, U>(makeSpec<T, U>(CacheKind::Ring, window, false, false)).conversation();
}

TYPED_TEST(RefAttention, RingWithTheWholeBatchAsKeysAttendsUpToTheOwnRow) {
  using T = typename TypeParam::first_type;
  using U = typename TypeParam::second_type;
  for (int64_t window : {1, 5, 64})
    AttentionRun<T, U>(makeSpec<T, U>(CacheKind::Ring, window, false, true)).conversation();
}

TYPED_TEST(RefAttention, ListAttendsToEveryEntryThroughPages) {
  using T = typename TypeParam::first_type;
  using U = typename TypeParam::second_type;
  AttentionRun<T, U>(makeSpec<T, U>(CacheKind::List, 0, false, false)).conversation();
}

TYPED_TEST(RefAttention, WriteWeightsAreAddedToTheScores) {
  using T = typename TypeParam::first_type;
  using U = typename TypeParam::second_type;
  AttentionRun<T, U>(makeSpec<T, U>(CacheKind::Ring, 5, true, false)).conversation();
  AttentionRun<T, U>(makeSpec<T, U>(CacheKind::Ring, 5, true, true)).conversation();
  AttentionRun<T, U>(makeSpec<T, U>(CacheKind::List, 0, true, false)).conversation();
}

TYPED_TEST(RefAttention, ScoresAreCappedBeforeTheyAreWeighted) {
  using T = typename TypeParam::first_type;
  using U = typename TypeParam::second_type;
  for (CacheKind kind : {CacheKind::Ring, CacheKind::List})
    for (bool weighted : {false, true}) {
      AttendSpec spec = makeSpec<T, U>(kind, kind == CacheKind::Ring ? 5 : 0, weighted, weighted);
      spec.softCap = 0.4; // scores are up to 2 or so
      AttentionRun<T, U>(spec).conversation();
    }
}

TEST(RefAttentionPages, APageHoldsItsEntriesRoundedUpToALine) {
  EXPECT_EQ(pageBytes(2, 6, Scalar::F32, Scalar::F32), 64 * (2 * 12 * 4 + 4));
  EXPECT_EQ(pageBytes(2, 6, Scalar::BF16, Scalar::F32), 64 * (2 * 12 * 2 + 4));
  EXPECT_EQ(pageBytes(1, 2, Scalar::F64, Scalar::F64) % 64, 0);
}

/// Attention of one sequence from an empty cache, row by row or at once: the outputs in row order.
std::vector<float> attendInChunks(CacheKind kind, std::optional<double> softCap, const std::vector<int64_t> &chunks) {
  AttendSpec spec = makeSpec<float, uint16_t>(kind, 5, true, false);
  spec.softCap = softCap;
  HostCache<float, uint16_t> cache(spec.cache);
  const size_t rows = 80, width = 12, heads = 24;
  auto q = randomOperands<uint16_t>(rows * heads, 1), k = randomOperands<uint16_t>(rows * width, 2);
  auto v = randomOperands<uint16_t>(rows * width, 3);
  auto write = randomVector<float>(rows, 4);
  std::vector<float> all;
  size_t at = 0;
  for (int64_t chunk : chunks) {
    auto part = [&](const auto &x, size_t each) {
      return std::decay_t<decltype(x)>(x.begin() + at * each, x.begin() + (at + chunk) * each);
    };
    Batch batch({chunk}, {1}, {static_cast<int64_t>(at)});
    Launch attend, append;
    allRows(batch).addTo(attend, batch);
    allRows(batch).addTo(attend, batch);
    attend.add(part(q, heads));
    allRows(batch).addTo(append, batch);
    for (Launch *launch : {&attend, &append}) {
      launch->add(part(k, width));
      launch->add(part(v, width));
      launch->add(part(write, 1));
      cache.addTo(*launch);
    }
    size_t out = attend.add(std::vector<float>(chunk * heads));
    runKernel(spec, attend, batch.sizes(stride));
    runKernel(AppendSpec{spec.cache}, append, batch.sizes(stride));
    cache.takeFrom(append, 8);
    for (float x : attend.get<float>(out))
      all.push_back(x);
    at += chunk;
  }
  return all;
}

TEST(RefAttentionBits, ChunksOfAnySizeGiveTheSameBits) {
  for (CacheKind kind : {CacheKind::Ring, CacheKind::List})
    for (std::optional<double> softCap : {std::optional<double>(), std::optional<double>(0.4)}) {
      std::vector<float> whole = attendInChunks(kind, softCap, {80});
      EXPECT_EQ(attendInChunks(kind, softCap, {7, 1, 30, 2, 40}), whole);
      EXPECT_EQ(attendInChunks(kind, softCap, std::vector<int64_t>(80, 1)), whole);
    }
}

} // namespace
