// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/sim/Checker.h"

namespace chimera::sim {

namespace {
constexpr int kLanes = 32;

std::string place(int64_t offset, int64_t bytes) {
  return std::to_string(bytes) + " bytes at shared offset " + std::to_string(offset);
}
} // namespace

void Checker::beginBlock(int threads, int64_t bytes, bool races) {
  shadow.assign(races ? size_t(bytes) : 0, Byte());
  warpEpochs.assign(size_t(threads + kLanes - 1) / kLanes, 1);
  blockEpoch = 1;
  size = bytes;
  checkRaces = races;
}

std::string Checker::bounds(int64_t offset, int64_t bytes, const char *what) const {
  if (offset >= 0 && bytes <= size && offset <= size - bytes)
    return {};
  return std::string(what) + " " + place(offset, bytes) + ", outside the block's " + std::to_string(size) + " bytes";
}

bool Checker::ordered(int thread, int other, uint32_t block, uint32_t warp) const {
  if (other == kNobody || other == thread || block < blockEpoch)
    return true;
  return other / kLanes == thread / kLanes && warp < warpEpochs[thread / kLanes];
}

bool Checker::readIsOrdered(int thread, const Byte &byte) const {
  if (byte.reader == kNobody || byte.readBlockEpoch < blockEpoch)
    return true;
  if (byte.reader == kSeveralWarps)
    return false;
  if (byte.reader == kSeveralLanes)
    return byte.readerWarp == thread / kLanes && byte.readWarpEpoch < warpEpochs[thread / kLanes];
  return ordered(thread, byte.reader, byte.readBlockEpoch, byte.readWarpEpoch);
}

void Checker::noteRead(int thread, Byte &byte) {
  int warp = thread / kLanes;
  if (byte.reader == kNobody || byte.readBlockEpoch < blockEpoch)
    byte.reader = int16_t(thread);
  else if (byte.reader == kSeveralWarps || byte.readerWarp != warp)
    byte.reader = kSeveralWarps;
  else if (byte.reader != thread)
    byte.reader = kSeveralLanes;
  byte.readerWarp = int16_t(warp);
  byte.readBlockEpoch = blockEpoch;
  byte.readWarpEpoch = warpEpochs[warp];
}

void Checker::noteWrite(int thread, Byte &byte) {
  byte.writer = int16_t(thread);
  byte.writeBlockEpoch = blockEpoch;
  byte.writeWarpEpoch = warpEpochs[thread / kLanes];
  byte.reader = kNobody;
}

std::string Checker::read(int thread, int64_t offset, int64_t bytes) {
  std::string error = bounds(offset, bytes, "reads");
  if (!error.empty() || !checkRaces)
    return error;
  for (int64_t i = offset; i < offset + bytes; ++i) {
    Byte &byte = shadow[size_t(i)];
    if (byte.copying)
      return "reads " + place(offset, bytes) + ", where a cp.async of thread " + std::to_string(byte.writer) +
             " is not waited for";
    if (byte.writer == kNobody)
      return "reads " + place(offset, bytes) + ", which nobody has written";
    if (!ordered(thread, byte.writer, byte.writeBlockEpoch, byte.writeWarpEpoch))
      return "reads " + place(offset, bytes) + ", which thread " + std::to_string(byte.writer) +
             " wrote with no barrier between";
    noteRead(thread, byte);
  }
  return {};
}

std::string Checker::checkWrite(int thread, int64_t offset, int64_t bytes, const char *what) {
  std::string error = bounds(offset, bytes, what);
  if (!error.empty() || !checkRaces)
    return error;
  for (int64_t i = offset; i < offset + bytes; ++i) {
    Byte &byte = shadow[size_t(i)];
    if (byte.copying)
      return std::string(what) + " " + place(offset, bytes) + ", where a cp.async of thread " +
             std::to_string(byte.writer) + " is not waited for";
    if (!ordered(thread, byte.writer, byte.writeBlockEpoch, byte.writeWarpEpoch))
      return std::string(what) + " " + place(offset, bytes) + ", which thread " + std::to_string(byte.writer) +
             " wrote with no barrier between";
    if (!readIsOrdered(thread, byte))
      return std::string(what) + " " + place(offset, bytes) + ", which " +
             (byte.reader >= 0 ? "thread " + std::to_string(byte.reader) : std::string("several threads")) +
             " read with no barrier between";
  }
  return {};
}

std::string Checker::write(int thread, int64_t offset, int64_t bytes) {
  std::string error = checkWrite(thread, offset, bytes, "writes");
  if (error.empty() && checkRaces)
    for (int64_t i = offset; i < offset + bytes; ++i)
      noteWrite(thread, shadow[size_t(i)]);
  return error;
}

std::string Checker::beginCopy(int thread, int64_t offset, int64_t bytes) {
  std::string error = checkWrite(thread, offset, bytes, "copies to");
  if (error.empty() && checkRaces)
    for (int64_t i = offset; i < offset + bytes; ++i) {
      noteWrite(thread, shadow[size_t(i)]);
      shadow[size_t(i)].copying = true;
    }
  return error;
}

void Checker::endCopy(int thread, int64_t offset, int64_t bytes) {
  if (!checkRaces)
    return;
  for (int64_t i = offset; i < offset + bytes; ++i) {
    noteWrite(thread, shadow[size_t(i)]);
    shadow[size_t(i)].copying = false;
  }
}

std::string Checker::global(const void *address, int64_t bytes, bool isWrite) const {
  auto at = reinterpret_cast<uintptr_t>(address);
  for (const Range &range : *buffers) {
    auto base = reinterpret_cast<uintptr_t>(range.base);
    if (at >= base && uintptr_t(bytes) <= range.bytes && at - base <= range.bytes - uintptr_t(bytes))
      return {};
  }
  std::string where = "outside every buffer of the launch";
  for (size_t i = 0; i < buffers->size(); ++i) {
    auto base = reinterpret_cast<uintptr_t>((*buffers)[i].base);
    if (at >= base && at - base < (*buffers)[i].bytes + 4096)
      where = "at offset " + std::to_string(at - base) + " of buffer " + std::to_string(i) + ", which has " +
              std::to_string((*buffers)[i].bytes) + " bytes";
  }
  return std::string(isWrite ? "writes " : "reads ") + std::to_string(bytes) + " bytes of global memory " + where;
}

} // namespace chimera::sim
