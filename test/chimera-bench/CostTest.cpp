// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The counting of bytes and operations, on a small launch table whose costs are worked out by hand.
#include "tools/chimera-bench/Cost.h"

#include "runtime/abi/chimera.h"

#include <gtest/gtest.h>

namespace {

using namespace chimera;
using namespace chimera::bench;
using runtime::Buffer;
using runtime::CacheKind;
using runtime::CacheMode;
using runtime::StepBuffer;

constexpr int64_t window = 3;
enum Params { Embed, Gate, Query, State, Head };
enum Pools { RingKeys, RingValues, RingCount, ListLength, StatePool, TailPool };
enum Caches { RingCache, ListCache, StateCache, TailCache };
/// Where the toy dispatch puts the starts of ssm, swa and full.
constexpr int64_t startOf[] = {64, 128, 192};

Buffer step(StepBuffer buffer) {
  return {Buffer::Kind::Step, int64_t(buffer), 0};
}
Buffer param(int64_t index) {
  return {Buffer::Kind::Param, index, 0};
}
Buffer pool(int64_t index) {
  return {Buffer::Kind::Pool, index, 0};
}
Buffer start(int mode) {
  return {Buffer::Kind::Arena, startOf[mode], 16};
}

runtime::Launch launch(const char *op, int64_t layer, std::vector<Buffer> buffers) {
  runtime::Launch result;
  result.op = op;
  result.layer = layer;
  result.buffers = std::move(buffers);
  return result;
}

runtime::Phase phase(int64_t limit, bool writesAll) {
  Buffer all = step(StepBuffer::SeqStart), other{Buffer::Kind::Arena, 512, 64};
  Buffer list{Buffer::Kind::Table, 0, 0}, pages{Buffer::Kind::Pages, 0, 0};
  runtime::Phase result;
  result.maxTokens = result.maxSeqs = limit;
  result.launches = {
      launch("chimera.embed", -1, {all, step(StepBuffer::Tokens), param(Embed), other}),
      launch("chimera.linear", 0, {all, other, param(Gate), other}),
      launch("chimera.dispatch", 0,
             {step(StepBuffer::RowIndex), all, step(StepBuffer::RowPosition), step(StepBuffer::RowSequence),
              step(StepBuffer::SeqSlot), other, other, other, start(0), start(1), start(2)}),
      launch("chimera.shift_tail", 0, {start(0), pool(TailPool)}),
      launch("chimera.ssm_scan", 0, {start(0), param(State), pool(StatePool)}),
      launch("chimera.causal_conv", 0, {start(0), pool(TailPool)}),
      launch("chimera.linear", 0, {start(1), other, param(Query), other}),
      launch("chimera.attend", 0, {start(1), pool(RingKeys), pool(RingValues), pool(RingCount), other}),
      launch("chimera.append", 0, {writesAll ? all : start(1), pool(RingKeys), pool(RingValues), pool(RingCount)}),
      launch("chimera.linear", 0, {start(2), other, param(Query), other}),
      launch("chimera.attend", 0, {start(2), pages, list, pool(ListLength), other}),
      launch("chimera.append", 0, {start(2), pages, list, pool(ListLength)}),
      launch("chimera.linear", -1, {step(StepBuffer::OutStart), other, param(Head), other}),
  };
  return result;
}

/// One layer with the modes ssm, swa and full, all f32; 2 heads of 4, keys and values of 4.
runtime::Manifest manifest(bool writesAll = false) {
  runtime::Manifest m;
  m.model.vocabSize = 10;
  m.model.window = window;
  m.model.heads = 2;
  m.model.keyValueHeads = 1;
  m.model.headDim = 4;
  m.model.layers = {{7, 7, {}}};
  auto add = [&](const char *name, std::vector<int64_t> shape) {
    runtime::Parameter p;
    p.name = name;
    p.shape = shape;
    p.elements = 1;
    for (int64_t size : shape)
      p.elements *= size;
    p.bytes = 4 * p.elements;
    m.parameters.push_back(p);
  };
  add("embed", {10, 8});
  add("gate", {3, 8});
  add("query", {8, 8});
  add("state", {5});
  add("head", {10, 8});
  for (int64_t bytes : {window * 16, window * 16, int64_t(8), int64_t(8), int64_t(40), int64_t(24)})
    m.pools.push_back({"", 0, CacheMode::Swa, bytes});
  m.caches = {{0, CacheMode::Swa, CacheKind::Ring, {RingKeys, RingValues, RingCount}, -1},
              {0, CacheMode::Full, CacheKind::List, {ListLength}, 0},
              {0, CacheMode::Ssm, CacheKind::State, {StatePool}, -1},
              {0, CacheMode::Ssm, CacheKind::Tail, {TailPool}, -1}};
  m.pages = {64, 64 * 32, 1};
  runtime::Variant variant;
  variant.prefill = phase(100, writesAll);
  variant.decode = phase(4, writesAll);
  m.variants = {variant};
  return m;
}

constexpr int8_t ssm = CHIMERA_MODE_SSM, swa = CHIMERA_MODE_SWA, full = CHIMERA_MODE_FULL;

TEST(Cost, ParametersCountOnceAStepAndMatricesByTheRowsOfTheirSlice) {
  runtime::Manifest m = manifest();
  CostModel model(m, m.variants[0]);
  Fill fill = model.emptyFill();
  std::vector<int8_t> modes = {ssm, ssm, swa, full, full};
  Cost cost = model.step({{modes.data(), 5, 1, &fill}});
  // Five rows of the embedding; gate, query (once, though two launches use it), state, head.
  EXPECT_EQ(cost.parameterBytes, 4 * (5 * 8 + 24 + 64 + 5 + 80));
  // gate on 5 rows, query on 1 and on 2, head on 1. The state's vector is no matrix.
  EXPECT_EQ(cost.matrixFlops, 2 * (24 * 5 + 64 * 1 + 64 * 2 + 80 * 1));
  // 10 elements of state for each of the two ssm rows.
  EXPECT_EQ(cost.scanFlops, 5 * 10 * 2);
  // One pair in the ring, 1 + 2 in the list.
  EXPECT_EQ(cost.attentionFlops, 4 * 2 * 4 * (1 + 3));
  // The state and the tail, which two launches touch, once each way; nothing was held before.
  EXPECT_EQ(cost.cacheReadBytes, 40 + 24);
  EXPECT_EQ(cost.cacheWriteBytes, 40 + 24 + 32 + 2 * 32);
  EXPECT_EQ(cost.flops(), cost.matrixFlops + cost.attentionFlops + cost.scanFlops);
  EXPECT_EQ(fill.entries, (std::vector<int64_t>{1, 2, 0, 0}));
}

TEST(Cost, WhatNoRowIsRoutedToCostsNothing) {
  runtime::Manifest m = manifest();
  CostModel model(m, m.variants[0]);
  Fill fill = model.emptyFill();
  std::vector<int8_t> modes = {CHIMERA_MODE_IDENTITY, CHIMERA_MODE_IDENTITY};
  Cost cost = model.step({{modes.data(), 2, 0, &fill}});
  EXPECT_EQ(cost.parameterBytes, 4 * (2 * 8 + 24));
  EXPECT_EQ(cost.matrixFlops, 2 * 24 * 2);
  EXPECT_EQ(cost.attentionFlops + cost.scanFlops + cost.cacheReadBytes + cost.cacheWriteBytes, 0);
}

TEST(Cost, ARingHoldsAWindowAndAListEverything) {
  runtime::Manifest m = manifest();
  CostModel model(m, m.variants[0]);
  Fill fill = model.emptyFill();
  std::vector<int8_t> modes(5, swa);
  Cost cost = model.step({{modes.data(), 5, 0, &fill}});
  EXPECT_EQ(cost.attentionFlops, 32 * (1 + 2 + 3 + 3 + 3));
  EXPECT_EQ(cost.cacheWriteBytes, window * 32); // Of five entries two are overwritten.
  cost = model.step({{modes.data(), 1, 0, &fill}});
  EXPECT_EQ(cost.attentionFlops, 32 * 3);
  EXPECT_EQ(cost.cacheReadBytes, window * 32);

  std::vector<int8_t> listed(5, full);
  model.step({{listed.data(), 5, 0, &fill}});
  cost = model.step({{listed.data(), 1, 0, &fill}});
  EXPECT_EQ(cost.attentionFlops, 32 * 6);
  EXPECT_EQ(cost.cacheReadBytes, 5 * 32);
}

TEST(Cost, WhereEveryTokenIsWrittenOthersFillTheRing) {
  runtime::Manifest m = manifest(true);
  CostModel model(m, m.variants[0]);
  Fill fill = model.emptyFill();
  std::vector<int8_t> modes = {ssm, full, swa};
  Cost cost = model.step({{modes.data(), 3, 0, &fill}});
  EXPECT_EQ(cost.attentionFlops, 32 * (3 + 1));
  EXPECT_EQ(fill.entries[RingCache], 3);
  EXPECT_EQ(fill.entries[ListCache], 1);
}

TEST(Cost, SequencesHaveCachesOfTheirOwnAndShareParameters) {
  runtime::Manifest m = manifest();
  CostModel model(m, m.variants[0]);
  Fill first = model.emptyFill(), second = model.emptyFill();
  int8_t one = full, two = ssm;
  std::vector<Cost> launches(model.launchCount());
  Cost cost = model.step({{&one, 1, 1, &first}, {&two, 1, 1, &second}}, &launches);
  EXPECT_EQ(cost.parameterBytes, 4 * (2 * 8 + 24 + 64 + 5 + 80));
  EXPECT_EQ(cost.cacheReadBytes, 64);
  EXPECT_EQ(first.entries[ListCache], 1);
  EXPECT_EQ(second.entries[ListCache], 0);
  // A step of single rows is decode's: the second half of the launches. Alone, the tail's two launches count each.
  ASSERT_EQ(launches.size(), 26u);
  Cost sum, half;
  for (size_t i = 0; i < launches.size(); ++i)
    (i < 13 ? half : sum) += launches[i];
  EXPECT_EQ(half.bytes() + half.flops(), 0);
  EXPECT_EQ(sum.flops(), cost.flops());
  EXPECT_EQ(sum.cacheReadBytes, cost.cacheReadBytes + 24);
  EXPECT_EQ(launches[13 + 12].matrixFlops, 2 * 80 * 2);
}

TEST(Cost, MoreSequencesThanDecodeHoldsArePrefill) {
  runtime::Manifest m = manifest();
  CostModel model(m, m.variants[0]);
  std::vector<Fill> fills(5, model.emptyFill());
  int8_t mode = ssm;
  std::vector<SequenceRows> sequences;
  for (Fill &fill : fills)
    sequences.push_back({&mode, 1, 0, &fill});
  std::vector<Cost> launches(model.launchCount());
  model.step(sequences, &launches);
  EXPECT_GT(launches[1].matrixFlops, 0);
  EXPECT_EQ(launches[13 + 1].matrixFlops, 0);
}

TEST(Cost, AModelWithOneModeHasNoDispatch) {
  runtime::Manifest m = manifest(true);
  m.model.layers = {{4, 0, {}}};
  for (runtime::Phase *p : {&m.variants[0].prefill, &*m.variants[0].decode}) {
    Buffer all = step(StepBuffer::SeqStart);
    p->launches = {launch("chimera.linear", 0, {all, param(Query)}),
                   launch("chimera.attend", 0, {all, {Buffer::Kind::Table, 0, 0}, pool(ListLength)}),
                   launch("chimera.append", 0, {all, {Buffer::Kind::Table, 0, 0}, pool(ListLength)})};
  }
  CostModel model(m, m.variants[0]);
  Fill fill = model.emptyFill();
  std::vector<int8_t> modes(3, full);
  Cost cost = model.step({{modes.data(), 3, 0, &fill}});
  EXPECT_EQ(cost.matrixFlops, 2 * 64 * 3);
  EXPECT_EQ(cost.attentionFlops, 32 * (1 + 2 + 3));
}

TEST(Cost, PackedWeightsHaveTheBytesOfTheirFormAndTheOperationsOfTheirMatrices) {
  runtime::Manifest m = manifest();
  runtime::Variant &variant = m.variants[0];
  variant.packed = {{{Query, Gate}, runtime::WeightFormat::I8, 16, 4, false, 528}};
  Buffer packed{Buffer::Kind::Packed, 0, 0}, other{Buffer::Kind::Arena, 512, 64};
  for (runtime::Phase *p : {&variant.prefill, &*variant.decode}) {
    p->launches[6] = launch("chimera.fused_linear", 0, {other, start(1), other, packed, other});
    p->launches[9] = launch("chimera.fused_linear", 0, {other, start(2), other, packed, other});
  }
  CostModel model(m, variant);
  EXPECT_EQ(model.weightBytes(), 4 * (24 + 5 + 80) + 528);
  Fill fill = model.emptyFill();
  std::vector<int8_t> modes = {ssm, ssm, swa, full, full};
  Cost cost = model.step({{modes.data(), 5, 1, &fill}});
  EXPECT_EQ(cost.parameterBytes, 4 * (5 * 8 + 24 + 5 + 80) + 528);
  EXPECT_EQ(cost.matrixFlops, 2 * (24 * 5 + (64 + 24) * 1 + (64 + 24) * 2 + 80 * 1));
}

TEST(Cost, ACountSaysWhichRowsALaunchHas) {
  runtime::Manifest m = manifest();
  runtime::Variant &variant = m.variants[0];
  for (runtime::Phase *p : {&variant.prefill, &*variant.decode}) {
    // All rows come first, but the launch is about those of full.
    p->launches[9] = launch("chimera.fused_linear", 0, {step(StepBuffer::SeqStart), start(2), param(Query)});
    p->launches[9].count = 1;
  }
  CostModel model(m, variant);
  Fill fill = model.emptyFill();
  std::vector<int8_t> modes = {ssm, ssm, swa, full, full};
  EXPECT_EQ(model.step({{modes.data(), 5, 1, &fill}}).matrixFlops, 2 * (24 * 5 + 64 * 1 + 64 * 2 + 80 * 1));
}

TEST(Cost, AnExpertHasAnEqualShareOfTheRowsThatAreSentToExperts) {
  runtime::Manifest m = manifest();
  runtime::Variant &variant = m.variants[0];
  // Two of four experts for each row: a row number for each of them, and starts from 1024 on.
  auto startOfExpert = [](int64_t expert) { return Buffer{Buffer::Kind::Arena, 1024 + 64 * expert, 16}; };
  Buffer other{Buffer::Kind::Arena, 512, 64};
  for (runtime::Phase *p : {&variant.prefill, &*variant.decode}) {
    Buffer index{Buffer::Kind::Arena, 768, 2 * p->maxTokens * 4};
    runtime::Launch dispatch =
        launch("chimera.dispatch_experts", 0,
               {step(StepBuffer::RowIndex), step(StepBuffer::SeqStart), step(StepBuffer::RowPosition),
                step(StepBuffer::RowSequence), step(StepBuffer::SeqSlot), other, index, startOfExpert(0),
                startOfExpert(1), startOfExpert(2), startOfExpert(3)});
    runtime::Launch product = launch("chimera.linear", 0, {startOfExpert(2), other, param(Query), other});
    p->launches = {dispatch, product};
  }
  CostModel model(m, variant);
  Fill fill = model.emptyFill();
  std::vector<int8_t> modes(5, ssm);
  Cost cost = model.step({{modes.data(), 5, 0, &fill}});
  EXPECT_EQ(cost.matrixFlops, 2 * 64 * 5 * 0.5);
  // Each of five rows goes elsewhere half of the time.
  EXPECT_DOUBLE_EQ(cost.parameterBytes, 4 * 64 * (1 - 1.0 / 32));
}

TEST(Cost, TheSecondLaunchOfASplitAttentionCostsNothing) {
  runtime::Manifest m = manifest();
  CostModel plain(m, m.variants[0]);
  Fill fill = plain.emptyFill(), same = fill;
  std::vector<int8_t> modes = {full, full, swa};
  Cost expected = plain.step({{modes.data(), 3, 0, &fill}});
  // The second part of an attention that is split over threads: it merges what the first has computed.
  for (runtime::Phase *p : {&m.variants[0].prefill, &*m.variants[0].decode}) {
    p->launches.push_back(launch("chimera.fused_attend", 0, {start(2), pool(ListLength)}));
    p->launches.push_back(launch("chimera.fused_attend", 0, {start(1), pool(RingCount)}));
    p->launches.push_back(launch("chimera.fused_attend", 0, {start(2), {Buffer::Kind::Table, 0, 0}, pool(ListLength)}));
  }
  CostModel split(m, m.variants[0]);
  Cost cost = split.step({{modes.data(), 3, 0, &same}});
  EXPECT_EQ(cost.attentionFlops, expected.attentionFlops);
  EXPECT_EQ(cost.bytes(), expected.bytes());
  EXPECT_EQ(fill.entries, same.entries);
}

TEST(Cost, ARingsEntriesHaveTheirSizeHoweverMuchRoomThereIs) {
  runtime::Manifest m = manifest();
  m.pools[RingKeys].bytesPerSlot *= 5;
  m.pools[RingValues].bytesPerSlot *= 5;
  CostModel model(m, m.variants[0]);
  Fill fill = model.emptyFill();
  std::vector<int8_t> modes(5, swa);
  EXPECT_EQ(model.step({{modes.data(), 5, 0, &fill}}).cacheWriteBytes, window * 32);
}

} // namespace
