// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/AttentionTile.h"

#include <limits>

using namespace mlir;

namespace chimera::cpu {

int64_t paddedHead(int64_t headSize) {
  return (headSize + 15) / 16 * 16;
}

void forEachColumns(KernelBuilder &k, const Isa &isa, int64_t headSize, function_ref<void(Val, Val)> body) {
  int64_t whole = headSize / isa.lanes * isa.lanes;
  k.forEach(k.integer(0), k.integer(whole), [&](Val column) { body(column, Val()); }, isa.lanes);
  if (whole < headSize)
    body(k.integer(whole), lanesBelow(k.integer(headSize - whole), isa.lanes));
}

Val loadColumns(const Buffer &buffer, Val index, int64_t lanes, Val mask) {
  return mask.value ? buffer.loadVector(index, lanes, mask) : buffer.loadVector(index, lanes);
}

void storeColumns(const Buffer &buffer, Val index, Val vector, Val mask) {
  if (mask.value)
    buffer.storeVector(index, vector, mask);
  else
    buffer.storeVector(index, vector);
}

LineState LineState::inScratch(KernelBuilder &k, int64_t lines, int64_t headSize) {
  return {k.scratch(Elem::F32, lines * paddedHead(headSize)), k.scratch(Elem::F32, lines), k.scratch(Elem::F32, lines)};
}

LineState LineState::fromOperands(KernelBuilder &k, unsigned first) {
  auto buffer = [&](unsigned i) { return Buffer(k, k.parameter(first + i).value, Elem::F32); };
  return {buffer(0), buffer(1), buffer(2)};
}

LineState LineState::at(Val line, int64_t headSize) const {
  return {sums.at(line * paddedHead(headSize)), greatest.at(line), total.at(line)};
}

void LineState::clear(KernelBuilder &k, const Isa &isa, Val lines, int64_t headSize) const {
  Val zero = k.real(0, k.f32Type()), zeros = k.real(0, k.vectorType(k.f32Type(), isa.lanes));
  k.forEach(k.integer(0), lines, [&](Val line) {
    greatest.store(line, k.real(-std::numeric_limits<double>::infinity(), k.f32Type()));
    total.store(line, zero);
    forEachColumns(k, isa, headSize,
                   [&](Val column, Val) { sums.storeVector(line * paddedHead(headSize) + column, zeros); });
  });
}

Lines Lines::inScratch(KernelBuilder &k, int64_t lines, int64_t headSize) {
  return {k.scratch(Elem::F32, lines * paddedHead(headSize)), k.scratch(Elem::I64, lines), k.scratch(Elem::I64, lines)};
}

Lines Lines::fromOperands(KernelBuilder &k, unsigned first) {
  auto pointer = [&](unsigned i) { return k.parameter(first + i).value; };
  return {Buffer(k, pointer(0), Elem::F32), Buffer(k, pointer(1), Elem::I64), Buffer(k, pointer(2), Elem::I64)};
}

Lines Lines::at(Val line, int64_t headSize) const {
  return {queries.at(line * paddedHead(headSize)), first.at(line), last.at(line)};
}

std::pair<Val, Val> placesOf(const Lines &lines, Val line, Val start) {
  KernelBuilder &k = *start.builder;
  return {max(lines.first.load(line) - start, k.integer(0)),
          min(lines.last.load(line) + 1 - start, k.integer(blockEntries))};
}

} // namespace chimera::cpu
