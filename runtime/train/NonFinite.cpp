// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Finding the launch that made a NaN or an infinity.
#include "runtime/train/Programs.h"

#include <cstring>

namespace chimera::train {

/// Whether some aligned word is an infinity or a NaN as arithmetic makes them (quiet, no payload, either sign). Only
/// these patterns, as the bytes may hold other types too: small negative integers are NaNs with a payload.
template <typename Word>
static bool holdsNonFinite(const uint8_t *bytes, size_t size, Word infinity, Word quietNan, Word sign) {
  for (size_t at = 0; at + sizeof(Word) <= size; at += sizeof(Word)) {
    Word word;
    std::memcpy(&word, bytes + at, sizeof word);
    word &= Word(~sign);
    if (word == infinity || word == quietNan)
      return true;
  }
  return false;
}

static bool holdsNonFinite(const uint8_t *bytes, size_t size, bool wide) {
  if (wide)
    return holdsNonFinite<uint64_t>(bytes, size, 0x7FF0000000000000, 0x7FF8000000000000, uint64_t(1) << 63);
  return holdsNonFinite<uint32_t>(bytes, size, 0x7F800000, 0x7FC00000, uint32_t(1) << 31);
}

namespace {

/// Memory of the device, looked at in pieces.
class Inspector {
public:
  explicit Inspector(const State &state) : device(state.device()), wide(state.type() == io::DType::F64) {}

  /// The numbers of narrow models are f32, but for results, which are f64 as in all.
  bool finds(const uint8_t *from, size_t bytes) {
    constexpr size_t piece = size_t(1) << 20;
    copy.resize(std::min(bytes, piece));
    for (size_t at = 0; at < bytes; at += piece) {
      size_t size = std::min(piece, bytes - at);
      device.download(copy.data(), from + at, size);
      if (holdsNonFinite(copy.data(), size, wide) || (!wide && holdsNonFinite(copy.data(), size, true)))
        return true;
    }
    return false;
  }

private:
  runtime::Device &device;
  bool wide;
  std::vector<uint8_t> copy;
};

} // namespace

static std::string describe(const runtime::Launch &launch, size_t index) {
  std::string layer = launch.layer < 0 ? "" : " of layer " + std::to_string(launch.layer);
  return launch.op + layer + " (launch " + std::to_string(index) + ", " + launch.kernel + ")";
}

std::string Programs::firstNonFinite(TrainingProgram program, const RunBatch &batch) {
  if (std::string name = owned.nonFiniteParameter(); !name.empty())
    return "the parameter " + name;
  if (batch.seqs() == 0)
    return {};
  runtime::LaunchTable &table = tables[size_t(program)];
  const runtime::Phase &phase = *table.phase();
  runtime::Device &device = owned.device();
  // What the launches before it left is without, so whatever is found after a launch, it has made.
  device.fill(arena->base, 0, size_t(phase.arenaBytes));
  owned.zeroGradients();
  upload(batch);
  table.begin({batch.step.rows(), batch.step.seqs(), batch.step.outputs(), 0});
  Inspector inspector(owned);
  for (size_t l = 0; l < phase.launches.size(); ++l) {
    int64_t blocks = table.blocks(l);
    if (blocks <= 0)
      continue;
    const runtime::Launch &launch = phase.launches[l];
    device.launch(table.launch(l, blocks));
    for (const runtime::Buffer &buffer : launch.buffers) {
      size_t index = size_t(buffer.index), bytes = 0;
      const uint8_t *from = nullptr;
      if (buffer.kind == runtime::Buffer::Kind::Arena) {
        from = arena->base + buffer.index;
        bytes = size_t(buffer.bytes);
      } else if (buffer.kind == runtime::Buffer::Kind::Grad) {
        from = owned.gradient(index);
        bytes = size_t(owned.model().manifest().parameters[index].elements * io::sizeOf(owned.type()));
      }
      if (from && inspector.finds(from, bytes))
        return describe(launch, l);
    }
  }
  return {};
}

} // namespace chimera::train
