// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Reduce.h"

namespace chimera::cpu {

Val sumInLanes(KernelBuilder &k, const Buffer &x, int64_t count, llvm::function_ref<Val(Val x, Val sums)> combine) {
  int64_t whole = count / sumLanes * sumLanes;
  Val zero = splat(k.real(0, k.f32Type()), sumLanes);
  Val sums = k.foldMany(
      k.integer(0), k.integer(whole), {zero},
      [&](Val i, llvm::ArrayRef<Val> carried) {
        return llvm::SmallVector<Val>{combine(x.loadVector(i, sumLanes), carried[0])};
      },
      sumLanes)[0];
  if (whole < count) {
    Val inside = lanesBelow(k.integer(count - whole), sumLanes);
    sums = select(inside, combine(x.loadVector(k.integer(whole), sumLanes, inside), sums), sums);
  }
  return reduceSum(sums);
}

void forEachVector(KernelBuilder &k, int64_t count, int64_t lanes,
                   llvm::function_ref<void(Val start, int64_t lanes)> body) {
  int64_t done = count / lanes * lanes;
  if (done > 0)
    k.forEach(k.integer(0), k.integer(done), [&](Val i) { body(i, lanes); }, lanes);
  for (int64_t part = lanes / 2; part > 0; part /= 2)
    if ((count - done) & part) {
      body(k.integer(done), part);
      done += part;
    }
}

int64_t channelBlocks(int64_t channels) {
  return (channels + blockChannels - 1) / blockChannels;
}

void forEachStrip(KernelBuilder &k, int64_t channels, Val block, int64_t lanes, int64_t vectors,
                  llvm::function_ref<void(Val channel, int64_t lanes, int64_t vectors)> body) {
  Val first = block * blockChannels;
  auto cover = [&](int64_t size) {
    int64_t strip = vectors * lanes, whole = size / strip * strip;
    if (whole > 0)
      k.forEach(first, first + whole, [&](Val channel) { body(channel, lanes, vectors); }, strip);
    forEachVector(k, size - whole, lanes, [&](Val i, int64_t narrow) { body(first + whole + i, narrow, 1); });
  };
  int64_t whole = channels / blockChannels, rest = channels % blockChannels;
  if (rest == 0)
    cover(blockChannels);
  else if (whole == 0)
    cover(rest);
  else
    k.either(block < whole, [&] { cover(blockChannels); }, [&] { cover(rest); });
}

Val rootMean(Val sum, int64_t count, double eps) {
  KernelBuilder &k = *sum.builder;
  mlir::Type type = sum.value.getType();
  return sqrt(sum / k.real(static_cast<double>(count), type) + k.real(eps, type));
}

Buffer rowOf(const Buffer &matrix, const View &view, int64_t width, Val row) {
  return matrix.at(row * (view.stride ? view.stride : width) + view.offset);
}

std::string viewName(const View &view, int64_t width) {
  if (view.offset == 0 && (view.stride == 0 || view.stride == width))
    return "";
  return "of" + std::to_string(view.stride ? view.stride : width) + "at" + std::to_string(view.offset);
}

} // namespace chimera::cpu
