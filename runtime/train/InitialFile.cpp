// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/InitialFile.h"

#include "runtime/device/ThreadPool.h"
#include "runtime/io/Safetensors.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <new>
#include <optional>

namespace chimera {

/// Elements that are made at a time: they stay in a core's cache until the system has copied them.
static constexpr uint64_t pieceElements = uint64_t(1) << 16;

namespace {
struct Piece {
  const InitialPart *part;
  uint64_t first, count; ///< Of the part's elements.
};

/// What the threads share.
class Work {
public:
  Work(const InitialCheckpoint &checkpoint, io::SafetensorsWriter &writer) : writer(writer) {
    for (const InitialPart &part : checkpoint.parts)
      for (uint64_t first = 0; first < part.count; first += pieceElements)
        pieces.push_back({&part, first, std::min(pieceElements, part.count - first)});
  }

  io::Status run(runtime::ThreadPool &pool) {
    pool.run([](void *self, int64_t begin, int64_t end) { static_cast<Work *>(self)->make(begin, end); }, this,
             int64_t(pieces.size()));
    return failure;
  }

private:
  void make(int64_t begin, int64_t end) {
    std::unique_ptr<float[]> values(new (std::nothrow) float[pieceElements]);
    if (!values)
      return fail(io::Error{"there is not enough memory for a thread's numbers"});
    for (int64_t i = begin; i < end && !failed; ++i) {
      const Piece &piece = pieces[size_t(i)];
      piece.part->values.fill(piece.first, size_t(piece.count), values.get());
      if (io::Status status = writer.write(piece.part->tensor, (piece.part->begin + piece.first) * sizeof(float),
                                           values.get(), size_t(piece.count) * sizeof(float));
          !status)
        fail(status.error());
    }
  }

  void fail(const io::Error &error) {
    std::lock_guard<std::mutex> lock(mutex);
    if (!failed.exchange(true))
      failure = error;
  }

  io::SafetensorsWriter &writer;
  std::vector<Piece> pieces;
  std::mutex mutex;
  std::atomic<bool> failed{false};
  io::Status failure;
};
} // namespace

io::Status writeInitialCheckpoint(const std::string &path, const InitialCheckpoint &checkpoint, uint64_t seed,
                                  runtime::ThreadPool &pool) {
  std::vector<io::TensorView> views;
  for (const InitialTensor &tensor : checkpoint.tensors)
    views.push_back({tensor.name, io::DType::F32, tensor.shape, nullptr, tensor.elements() * sizeof(float)});
  io::Result<io::SafetensorsWriter> writer =
      io::SafetensorsWriter::create(path, views, {{"format", "pt"}, {"seed", std::to_string(seed)}});
  if (!writer)
    return writer.error();
  if (io::Status status = Work(checkpoint, *writer).run(pool); !status)
    return status;
  return writer->commit();
}

} // namespace chimera
