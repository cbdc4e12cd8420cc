// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From tokens back to text.
#ifndef CHIMERA_RUNTIME_TEXT_DECODER_H
#define CHIMERA_RUNTIME_TEXT_DECODER_H

#include "runtime/io/Result.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace chimera::text {

/// What a step gives to the next: tokens one by one, or, once a step has joined them, parts of one text.
enum class Flow { Tokens, Text };

/// One step of one decoding.
class DecodingStage {
public:
  virtual ~DecodingStage() = default;
  virtual io::Status push(std::string_view token) = 0;
  /// Nothing more comes.
  virtual io::Status finish() { return next->finish(); }

  DecodingStage *next = nullptr;
};

/// One step as a file describes it.
class DecoderStep {
public:
  virtual ~DecoderStep() = default;
  /// Begins a decoding; `eager` if the text is wanted as soon as it is complete. `flow`: what comes in; becomes what
  /// goes out.
  virtual std::unique_ptr<DecodingStage> begin(Flow &flow, bool eager) const = 0;
  /// It makes one text of the tokens without looking at them.
  virtual bool joins() const { return false; }
};

/// The steps of a tokenizer's decoder. Threads may share it.
class Decoder {
public:
  /// Without steps: tokens with spaces between them, as the reference joins them where a file has no decoder.
  Decoder() = default;
  /// Reads the object at `where` of a tokenizer.json. The error names what is not supported and where.
  static io::Result<Decoder> read(const nlohmann::json &object, const std::string &where);

private:
  friend class Decoding;
  std::vector<std::unique_ptr<DecoderStep>> steps;
};

/// One text under way: tokens in, characters out.
class Decoding {
public:
  /// `eager`: complete characters come as soon as they are there. The text is then the same but for bytes that are not
  /// UTF-8: a run of byte tokens that turns out to be wrong keeps the characters that were complete.
  Decoding(const Decoder &decoder, bool eager);
  ~Decoding();
  Decoding(Decoding &&) noexcept;

  /// The error: a regular expression takes too long.
  io::Status push(std::string_view token) { return first->push(token); }
  io::Status finish() { return first->finish(); }
  /// The text that came since the last call: complete characters.
  std::string take();

private:
  struct Sink;
  std::vector<std::unique_ptr<DecodingStage>> stages;
  std::unique_ptr<Sink> sink;
  DecodingStage *first;
};

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_DECODER_H
