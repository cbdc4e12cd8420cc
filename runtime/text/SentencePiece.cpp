// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/SentencePiece.h"

#include "runtime/text/AddedTokens.h"
#include "runtime/text/SentencePieceModel.h"
#include "runtime/text/Utf8.h"

#include <cstdio>
#include <exception>
#include <sentencepiece_processor.h>

namespace chimera::text {

namespace {
class PieceTokenizer : public Tokenizer {
public:
  io::Status load(std::string_view bytes, SpecialTokens special);

  io::Result<std::vector<int32_t>> encode(std::string_view text, EncodeOptions options) const override;
  std::unique_ptr<StreamDecoder> stream(DecodeOptions options) const override;
  std::unique_ptr<StreamDecoder> whole(DecodeOptions options) const override { return stream(options); }
  std::optional<std::string> tokenOf(int64_t id) const override {
    return id >= 0 && id < vocabSize() ? std::optional(pieces.IdToPiece(int(id))) : std::nullopt;
  }
  std::optional<int32_t> idOf(const std::string &token) const override {
    int id = pieces.PieceToId(token); // the unknown token's for what is none
    return id >= 0 && id < vocabSize() && pieces.IdToPiece(id) == token ? std::optional(int32_t(id)) : std::nullopt;
  }
  std::vector<std::string> specialTokens() const override {
    std::vector<std::string> contents;
    for (int id = 0; id < pieces.GetPieceSize(); ++id)
      if (pieces.IsControl(id))
        contents.push_back(pieces.IdToPiece(id));
    return contents;
  }
  int64_t vocabSize() const override { return pieces.GetPieceSize(); }

  const sentencepiece::SentencePieceProcessor &processor() const { return pieces; }
  const SentencePieceModel &settings() const { return model; }

private:
  io::Status encodeText(std::string_view text, std::string_view mark, std::vector<int32_t> &ids) const;

  sentencepiece::SentencePieceProcessor pieces;
  SentencePieceModel model;
  Frame frame;
  StringFinder controls; ///< Control tokens' texts.
};

/// Decodes as SentencePieceProcessor::Decode does, one id at a time.
class PieceStream : public StreamDecoder {
public:
  PieceStream(const PieceTokenizer &tokenizer, DecodeOptions options) : tokenizer(tokenizer), options(options) {}

  io::Result<std::string> push(int64_t id) override {
    const auto &pieces = tokenizer.processor();
    std::string out;
    if (id < 0 || id >= tokenizer.vocabSize())
      return out;
    const std::string &piece = pieces.IdToPiece(int(id));
    if (pieces.IsByte(int(id))) {
      unsigned byte = 0;
      (void)std::sscanf(piece.c_str(), "<0x%2X>", &byte);
      held += char(byte);
      giveBytes(false, out);
      return out;
    }
    giveBytes(true, out);
    if (pieces.IsControl(int(id)))
      out += options.skipSpecial ? "" : piece;
    else if (pieces.IsUnknown(int(id)))
      giveText(tokenizer.settings().unknownSurface, out);
    else
      giveText(withSpaces(piece), out);
    return out;
  }
  io::Result<std::string> flush() override {
    std::string out;
    giveBytes(true, out);
    return out;
  }

private:
  static constexpr std::string_view mark = "\xE2\x96\x81"; ///< U+2581 stands for a space.

  /// A piece with its spaces; where the text begins, without the one that encoding put there.
  std::string withSpaces(std::string_view piece) {
    const SentencePieceModel &model = tokenizer.settings();
    bool begins = atBegin && (model.addDummyPrefix || model.removeExtraSpaces);
    if (begins && piece.substr(0, mark.size()) == mark) {
      piece.remove_prefix(mark.size());
      atBegin = model.removeExtraSpaces; // then all that stand there are left out
    }
    std::string out;
    for (size_t at = 0; at < piece.size();)
      if (piece.substr(at, mark.size()) == mark) {
        out += ' ';
        at += mark.size();
      } else {
        out += piece[at++];
      }
    return out;
  }
  void giveText(const std::string &text, std::string &out) {
    atBegin &= text.empty();
    out += text;
  }
  /// Gives the characters of held bytes; of what is no character each byte is U+FFFD. `all`: no more bytes come.
  void giveBytes(bool all, std::string &out) {
    size_t at = 0;
    while (at < held.size()) {
      Scan found = scan(held, at);
      if (found.kind == Scan::Kind::Incomplete && !all)
        break;
      bool isCharacter = found.kind == Scan::Kind::Character;
      giveText(isCharacter ? held.substr(at, found.length) : std::string(replacement), out);
      at += isCharacter ? found.length : 1;
    }
    held.erase(0, at);
  }

  const PieceTokenizer &tokenizer;
  DecodeOptions options;
  std::string held; ///< Bytes that may begin a character.
  bool atBegin = true;
};
} // namespace

/// `call` (which returns a status of libsentencepiece) as a status here. Its double array reports by exceptions.
template <typename Call> static io::Status guarded(const char *what, Call call) {
  try {
    sentencepiece::util::Status status = call();
    if (!status.ok())
      return io::Error{std::string(what) + ": " + io::escaped(status.error_message())};
  } catch (const std::exception &exception) {
    return io::Error{std::string(what) + ": " + io::escaped(exception.what())};
  }
  return {};
}

io::Status PieceTokenizer::load(std::string_view bytes, SpecialTokens special) {
  io::Result<SentencePieceModel> read = SentencePieceModel::read(bytes);
  if (!read)
    return read.error();
  model = *read;
  io::Status loaded = guarded("not a SentencePiece model, or it is damaged",
                              [&] { return pieces.LoadFromSerializedProto({bytes.data(), bytes.size()}); });
  if (!loaded)
    return loaded;
  for (int id = 0; id < pieces.GetPieceSize(); ++id) {
    if (findIllFormed(pieces.IdToPiece(id)))
      return io::Error{"piece " + std::to_string(id) + " is not UTF-8"};
    if (pieces.IsControl(id))
      controls.add(pieces.IdToPiece(id), uint32_t(id));
  }
  if (findIllFormed(model.unknownSurface))
    return io::Error{"unk_surface is not UTF-8"};
  if (!special.begin && pieces.bos_id() >= 0)
    special.begin = pieces.IdToPiece(pieces.bos_id());
  if (!special.end && pieces.eos_id() >= 0)
    special.end = pieces.IdToPiece(pieces.eos_id());
  if (!special.addBegin)
    special.addBegin = pieces.bos_id() >= 0;
  return special.apply(frame, [this](const std::string &token) { return idOf(token); });
}

io::Status PieceTokenizer::encodeText(std::string_view part, std::string_view mark, std::vector<int32_t> &ids) const {
  std::string text(part);
  erase(text, mark);
  std::vector<int> found;
  io::Status status = guarded("libsentencepiece", [&] { return pieces.Encode({text.data(), text.size()}, &found); });
  ids.insert(ids.end(), found.begin(), found.end());
  return status;
}

io::Result<std::vector<int32_t>> PieceTokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (std::optional<size_t> at = findIllFormed(text))
    return io::Error{"the text is not UTF-8 at byte " + std::to_string(*at)};
  std::vector<int32_t> ids;
  if (options.addSpecial)
    ids = frame.before;
  size_t open = 0;
  for (size_t at = 0; options.parseSpecial && at < text.size();) {
    auto control = controls.longest(text, at);
    if (!control) {
      ++at;
      continue;
    }
    if (io::Status status = encodeText(text.substr(open, at - open), options.mark, ids); !status)
      return status.error();
    ids.push_back(int32_t(control->first));
    open = at = control->second;
  }
  if (io::Status status = encodeText(text.substr(open), options.mark, ids); !status)
    return status.error();
  if (options.addSpecial)
    ids.insert(ids.end(), frame.behind.begin(), frame.behind.end());
  return ids;
}

std::unique_ptr<StreamDecoder> PieceTokenizer::stream(DecodeOptions options) const {
  return std::make_unique<PieceStream>(*this, options);
}

io::Result<std::unique_ptr<Tokenizer>> makeSentencePiece(const void *bytes, size_t size, const SpecialTokens &special) {
  auto tokenizer = std::make_unique<PieceTokenizer>();
  if (io::Status status = tokenizer->load({static_cast<const char *>(bytes), size}, special); !status)
    return status.error();
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

} // namespace chimera::text
