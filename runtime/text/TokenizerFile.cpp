// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/TokenizerFile.h"

namespace chimera::text {

using nlohmann::json;

namespace {
/// Receives what nlohmann-json's parser finds (its SAX interface, whose names these are). A function that returns false
/// ends the parse; `error` says why.
class Receiver {
public:
  explicit Receiver(TokenizerFile &file) : file(file) {}

  bool null() { return value(nullptr); }
  bool boolean(bool v) { return value(v); }
  bool number_integer(json::number_integer_t v) { return value(v); }
  bool number_unsigned(json::number_unsigned_t v) {
    if (mode != Mode::Vocab)
      return value(v);
    if (file.bpe.vocab.find(token))
      return fail("model.vocab: " + io::quote(token) + " occurs twice");
    file.bpe.vocab.add(token);
    file.bpe.ids.push_back(v > uint64_t(Bpe::idLimit) ? -1 : int64_t(v));
    return true;
  }
  bool number_float(json::number_float_t v, const std::string &) { return value(v); }
  bool string(std::string &v) {
    if (mode == Mode::Merges)
      return mergeString(v);
    if (mode != Mode::Pair)
      return value(std::move(v));
    file.bpe.merges.add(v);
    return ++parts <= 2 || fail(mergePlace() + ": must be two tokens");
  }
  bool binary(json::binary_t &) { return false; } // of binary formats

  bool start_object(size_t) {
    if (mode == Mode::Tree && atModel("vocab")) {
      file.hasVocab = true;
      mode = Mode::Vocab;
      return true;
    }
    return open(json::object());
  }
  bool key(std::string &v) {
    if (mode == Mode::Vocab) {
      token = std::move(v);
      return true;
    }
    bool taken = (v == "vocab" && file.hasVocab) || (v == "merges" && file.hasMerges);
    if (levels.back()->contains(v) || (taken && levels.size() == 2 && section == "model"))
      return fail("the key " + io::quote(v) + " occurs twice");
    if (levels.size() == 1)
      section = v;
    name = std::move(v);
    return true;
  }
  bool end_object() { return close(); }
  bool start_array(size_t) {
    if (mode == Mode::Tree && atModel("merges")) {
      file.hasMerges = true;
      mode = Mode::Merges;
      return true;
    }
    if (mode != Mode::Merges)
      return open(json::array());
    mode = Mode::Pair;
    parts = 0;
    sawPair = true;
    ++merges;
    return !sawString || fail(mergePlace() + ": strings and pairs are mixed");
  }
  bool end_array() {
    if (mode == Mode::Pair) {
      mode = Mode::Merges;
      return parts == 2 || fail(mergePlace() + ": must be two tokens");
    }
    return close();
  }
  bool parse_error(size_t byte, const std::string &, const json::exception &failure) {
    bool range = failure.id == 406;
    return fail(range ? "not valid JSON: a number out of range" : "not valid JSON at byte " + std::to_string(byte));
  }

  io::Error error;

private:
  enum class Mode { Tree, Vocab, Merges, Pair };
  static constexpr size_t depthLimit = 64;

  bool fail(std::string message) {
    error.message = std::move(message);
    return false;
  }
  std::string mergePlace() const { return "model.merges[" + std::to_string(merges - 1) + "]"; }
  /// The value that comes is the field `field` of model.
  bool atModel(const char *field) const { return levels.size() == 2 && section == "model" && name == field; }

  /// A merge as "left right".
  bool mergeString(const std::string &text) {
    sawString = true;
    if (text.rfind("#version", 0) == 0) // the first line of a merges.txt, which is no merge
      return true;
    size_t space = text.find(' ');
    ++merges;
    if (sawPair)
      return fail(mergePlace() + ": strings and pairs are mixed");
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
      return fail(mergePlace() + ": must be two tokens with one space between them");
    file.bpe.merges.add(std::string_view(text).substr(0, space));
    file.bpe.merges.add(std::string_view(text).substr(space + 1));
    return true;
  }

  json *place(json v) {
    if (levels.empty()) {
      file.rest = std::move(v);
      return &file.rest;
    }
    json &level = *levels.back();
    if (level.is_array()) {
      level.push_back(std::move(v));
      return &level.back();
    }
    return &(level[name] = std::move(v));
  }
  bool value(json v) {
    if (mode == Mode::Vocab)
      return fail("model.vocab: the id of " + io::quote(token) + " must be an integer");
    if (mode != Mode::Tree)
      return fail("model.merges: must be strings or pairs of strings");
    place(std::move(v));
    return true;
  }
  bool open(json v) {
    if (mode != Mode::Tree)
      return value(nullptr);
    if (levels.size() >= depthLimit)
      return fail("JSON nested deeper than " + std::to_string(depthLimit));
    levels.push_back(place(std::move(v)));
    return true;
  }
  bool close() {
    if (mode == Mode::Tree)
      levels.pop_back();
    mode = Mode::Tree;
    return true;
  }

  TokenizerFile &file;
  Mode mode = Mode::Tree;
  std::vector<json *> levels; ///< What is open. Only the last grows, so that pointers to the others stay.
  std::string section, name;  ///< The last key at the top, and the last of all.
  std::string token;          ///< The last key of the vocabulary.
  size_t merges = 0;          ///< How many came.
  int parts = 0;              ///< Strings of the last, if it is a pair.
  bool sawString = false, sawPair = false;
};
} // namespace

io::Result<TokenizerFile> parseTokenizerFile(const void *bytes, size_t size) {
  TokenizerFile file;
  Receiver receiver(file);
  const char *begin = static_cast<const char *>(bytes);
  if (!json::sax_parse(begin, begin + size, &receiver))
    return receiver.error;
  return file;
}

} // namespace chimera::text
