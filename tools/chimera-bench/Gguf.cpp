// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of the GGUF format (version 3) that a llama model without a vocabulary needs: a header, key/value pairs, the
// tensors' names, shapes, types and offsets, then their bytes, each at a multiple of 32.
#include "runtime/io/AtomicFile.h"
#include "tools/chimera-bench/Peers.h"
#include "tools/chimera-bench/RandomWeights.h"

#include <algorithm>
#include <cstring>

namespace chimera::bench {

namespace {
/// Numbers of the format.
enum ValueType : uint32_t { U32 = 4, F32Value = 6, String = 8 };
enum TensorType : uint32_t { F32Tensor = 0, Bf16Tensor = 30 };
constexpr uint64_t alignment = 32;

/// A row-major tensor [rows][columns], or [columns] when rows is 0.
struct TensorSpec {
  std::string name;
  int64_t rows, columns;

  uint64_t elements() const { return uint64_t(std::max<int64_t>(rows, 1)) * uint64_t(columns); }
};

/// Builds the part before the tensors' bytes.
class Header {
public:
  template <typename T> void number(T value) {
    const char *bytes = reinterpret_cast<const char *>(&value);
    text.append(bytes, sizeof value);
  }
  void string(const std::string &value) {
    number(uint64_t(value.size()));
    text += value;
  }
  void key(const std::string &name, ValueType type) {
    string(name);
    number(uint32_t(type));
    ++keys;
  }
  void pair(const std::string &name, int64_t value) {
    key(name, U32);
    number(uint32_t(value));
  }
  void pair(const std::string &name, float value) {
    key(name, F32Value);
    number(value);
  }
  void pair(const std::string &name, const std::string &value) {
    key(name, String);
    string(value);
  }

  std::string text;
  uint64_t keys = 0;
};
} // namespace

static std::vector<TensorSpec> tensorsOf(const PeerShape &shape) {
  int64_t queries = shape.heads * shape.headDim, values = shape.keyValueHeads * shape.headDim;
  std::vector<TensorSpec> tensors = {{"token_embd.weight", shape.vocab, shape.hidden}};
  for (int64_t layer = 0; layer < shape.layers; ++layer) {
    std::string prefix = "blk." + std::to_string(layer) + ".";
    tensors.push_back({prefix + "attn_norm.weight", 0, shape.hidden});
    tensors.push_back({prefix + "attn_q.weight", queries, shape.hidden});
    tensors.push_back({prefix + "attn_k.weight", values, shape.hidden});
    tensors.push_back({prefix + "attn_v.weight", values, shape.hidden});
    tensors.push_back({prefix + "attn_output.weight", shape.hidden, queries});
    tensors.push_back({prefix + "ffn_norm.weight", 0, shape.hidden});
    tensors.push_back({prefix + "ffn_gate.weight", shape.feedForward, shape.hidden});
    tensors.push_back({prefix + "ffn_up.weight", shape.feedForward, shape.hidden});
    tensors.push_back({prefix + "ffn_down.weight", shape.hidden, shape.feedForward});
  }
  tensors.push_back({"output_norm.weight", 0, shape.hidden});
  tensors.push_back({"output.weight", shape.vocab, shape.hidden});
  return tensors;
}

static Header keysOf(const PeerShape &shape, int64_t context) {
  Header header;
  header.pair("general.architecture", std::string("llama"));
  header.pair("general.name", std::string("chimera-bench"));
  header.pair("llama.vocab_size", shape.vocab);
  header.pair("llama.context_length", context);
  header.pair("llama.embedding_length", shape.hidden);
  header.pair("llama.block_count", shape.layers);
  header.pair("llama.feed_forward_length", shape.feedForward);
  header.pair("llama.rope.dimension_count", shape.headDim);
  header.pair("llama.attention.head_count", shape.heads);
  header.pair("llama.attention.head_count_kv", shape.keyValueHeads);
  header.pair("llama.attention.key_length", shape.headDim);
  header.pair("llama.attention.value_length", shape.headDim);
  header.pair("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  header.pair("tokenizer.ggml.model", std::string("no_vocab"));
  return header;
}

static uint64_t aligned(uint64_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

io::Status writeGguf(const std::string &path, const PeerShape &shape, int64_t context, uint64_t seed) {
  std::vector<TensorSpec> tensors = tensorsOf(shape);
  Header keys = keysOf(shape, context), header;
  header.text = "GGUF";
  header.number(uint32_t(3));
  header.number(uint64_t(tensors.size()));
  header.number(keys.keys);
  header.text += keys.text;
  bool isBf16 = shape.dtype == io::DType::BF16;
  auto typeOf = [&](const TensorSpec &tensor) { return isBf16 && tensor.rows ? io::DType::BF16 : io::DType::F32; };
  uint64_t offset = 0;
  for (const TensorSpec &tensor : tensors) {
    header.string(tensor.name);
    header.number(uint32_t(tensor.rows ? 2 : 1));
    header.number(tensor.columns); // The fastest dimension first.
    if (tensor.rows)
      header.number(tensor.rows);
    header.number(uint32_t(typeOf(tensor) == io::DType::BF16 ? Bf16Tensor : F32Tensor));
    header.number(offset);
    offset = aligned(offset + tensor.elements() * uint64_t(io::sizeOf(typeOf(tensor))));
  }
  io::Result<io::AtomicFile> file = io::AtomicFile::create(path);
  if (!file)
    return file.error();
  if (io::Status status = file->write(0, header.text.data(), header.text.size()); !status)
    return status;
  uint64_t at = aligned(header.text.size());
  for (const TensorSpec &tensor : tensors) {
    std::vector<uint8_t> bytes = randomTensor(seed, tensor.name, typeOf(tensor), int64_t(tensor.elements()));
    if (io::Status status = file->write(at, bytes.data(), bytes.size()); !status)
      return status;
    at = aligned(at + bytes.size());
  }
  if (io::Status status = file->resize(at); !status)
    return status;
  return file->commit();
}

} // namespace chimera::bench
