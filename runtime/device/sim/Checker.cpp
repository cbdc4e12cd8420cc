// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/sim/Checker.h"

namespace chimera::sim {

namespace {
constexpr int kLanes = 32;

} // namespace

void Checker::beginLaunch(const std::vector<Range> &ranges, bool races) {
  buffers = &ranges;
  global.assign(ranges.size(), {});
  checkRaces = races;
}

void Checker::beginBlock(int threads, int64_t bytes) {
  shared.assign(checkRaces ? size_t(bytes) : 0, Byte());
  warpEpochs.assign(size_t(threads + kLanes - 1) / kLanes, 1);
  sharedBytes = bytes;
  ++blockEpoch;
}

std::string Checker::textOf(const Place &place) {
  std::string text = std::to_string(place.bytes) + " bytes at ";
  if (place.buffer < 0)
    return text + "shared offset " + std::to_string(place.offset);
  return text + "offset " + std::to_string(place.offset) + " of buffer " + std::to_string(place.buffer);
}

std::string Checker::locateShared(int64_t offset, int64_t bytes, const char *what, Place &place) {
  place = {-1, offset, bytes, nullptr};
  if (offset < 0 || bytes > sharedBytes || offset > sharedBytes - bytes)
    return std::string(what) + " " + textOf(place) + ", outside the block's " + std::to_string(sharedBytes) + " bytes";
  if (checkRaces)
    place.shadow = shared.data() + offset;
  return {};
}

std::string Checker::locateGlobal(const void *address, int64_t bytes, const char *what, Place &place) {
  constexpr uint64_t near = 4096; // so far past a buffer's end an access is taken to mean that buffer
  auto at = reinterpret_cast<uintptr_t>(address);
  std::string error = std::string(what) + " " + std::to_string(bytes) + " bytes outside every buffer of the launch";
  for (size_t i = 0; i < buffers->size(); ++i) {
    const Range &range = (*buffers)[i];
    auto base = reinterpret_cast<uintptr_t>(range.base);
    if (at < base || at - base >= range.bytes + near)
      continue;
    place = {int64_t(i), int64_t(at - base), bytes, nullptr};
    if (uint64_t(bytes) > range.bytes || at - base > range.bytes - uint64_t(bytes)) {
      error = std::string(what) + " " + textOf(place) + ", which has " + std::to_string(range.bytes) + " bytes";
      continue;
    }
    if (checkRaces && global[i].empty())
      global[i].resize(range.bytes);
    if (checkRaces)
      place.shadow = global[i].data() + place.offset;
    return {};
  }
  return error;
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

std::string Checker::checkRead(int thread, const Place &place) {
  for (int64_t i = 0; place.shadow && i < place.bytes; ++i) {
    Byte &byte = place.shadow[i];
    if (byte.copying)
      return "reads " + textOf(place) + ", where a cp.async of thread " + std::to_string(byte.writer) +
             " is not waited for";
    if (byte.writer == kNobody && place.buffer < 0)
      return "reads " + textOf(place) + ", which nobody has written";
    if (!ordered(thread, byte.writer, byte.writeBlockEpoch, byte.writeWarpEpoch))
      return "reads " + textOf(place) + ", which thread " + std::to_string(byte.writer) +
             " wrote with no barrier between";
    noteRead(thread, byte);
  }
  return {};
}

std::string Checker::checkWrite(int thread, const Place &place, const char *what) {
  for (int64_t i = 0; place.shadow && i < place.bytes; ++i) {
    const Byte &byte = place.shadow[i];
    if (byte.copying)
      return std::string(what) + " " + textOf(place) + ", where a cp.async of thread " + std::to_string(byte.writer) +
             " is not waited for";
    if (!ordered(thread, byte.writer, byte.writeBlockEpoch, byte.writeWarpEpoch))
      return std::string(what) + " " + textOf(place) + ", which thread " + std::to_string(byte.writer) +
             " wrote with no barrier between";
    if (!readIsOrdered(thread, byte))
      return std::string(what) + " " + textOf(place) + ", which " +
             (byte.reader >= 0 ? "thread " + std::to_string(byte.reader) : std::string("several threads")) +
             " read with no barrier between";
  }
  for (int64_t i = 0; place.shadow && i < place.bytes; ++i)
    noteWrite(thread, place.shadow[i]);
  return {};
}

std::string Checker::readShared(int thread, int64_t offset, int64_t bytes) {
  Place place;
  std::string error = locateShared(offset, bytes, "reads", place);
  return error.empty() ? checkRead(thread, place) : error;
}

std::string Checker::writeShared(int thread, int64_t offset, int64_t bytes) {
  Place place;
  std::string error = locateShared(offset, bytes, "writes", place);
  return error.empty() ? checkWrite(thread, place, "writes") : error;
}

std::string Checker::beginCopy(int thread, int64_t offset, int64_t bytes) {
  Place place;
  std::string error = locateShared(offset, bytes, "copies to", place);
  if (error.empty())
    error = checkWrite(thread, place, "copies to");
  for (int64_t i = 0; error.empty() && place.shadow && i < bytes; ++i)
    place.shadow[i].copying = true;
  return error;
}

void Checker::endCopy(int thread, int64_t offset, int64_t bytes) {
  for (int64_t i = offset; checkRaces && i < offset + bytes; ++i) {
    noteWrite(thread, shared[size_t(i)]);
    shared[size_t(i)].copying = false;
  }
}

std::string Checker::readGlobal(int thread, const void *address, int64_t bytes) {
  Place place;
  std::string error = locateGlobal(address, bytes, "reads", place);
  return error.empty() ? checkRead(thread, place) : error;
}

std::string Checker::writeGlobal(int thread, const void *address, int64_t bytes) {
  Place place;
  std::string error = locateGlobal(address, bytes, "writes", place);
  return error.empty() ? checkWrite(thread, place, "writes") : error;
}

std::string Checker::atomicGlobal(const void *address, int64_t bytes) {
  Place place;
  return locateGlobal(address, bytes, "changes", place);
}

} // namespace chimera::sim
