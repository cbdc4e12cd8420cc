// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "python/src/Errors.h"
#include "python/src/Model.h"
#include "python/src/Module.h"

#include "runtime/io/Json.h"
#include "runtime/text/Utf8.h"
#include "tools/generation/ChatPrompt.h"
#include "tools/generation/StopStrings.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace py = pybind11;

namespace chimera::python {

using Ids = py::array_t<int32_t, py::array::c_style>;
using Released = py::call_guard<py::gil_scoped_release>;

/// An array that owns `ids`, which are not copied.
static Ids arrayOf(std::vector<int32_t> ids) {
  auto *owned = new std::vector<int32_t>(std::move(ids));
  py::capsule owner(owned, [](void *memory) { delete static_cast<std::vector<int32_t> *>(memory); });
  return Ids(py::ssize_t(owned->size()), owned->data(), owner);
}

namespace {

/// A tokenizer of a file, or bytes as tokens. Threads may share it.
class Tokenizer {
public:
  /// Finds it by `options`. Without a model (null) any id is good, and no token stands before bytes.
  Tokenizer(run::ModelOptions options, const Model *model);

  std::vector<int32_t> encode(const std::string &text, bool addSpecial, bool parseSpecial) const;
  std::string decode(const std::vector<int32_t> &ids, bool skipSpecial) const;
  std::unique_ptr<text::StreamDecoder> stream(bool skipSpecial) const;
  std::vector<std::string> specialTokens() const;
  std::optional<std::string> tokenOf(int64_t id) const { return tokenizer->tokenOf(id); }
  std::optional<int32_t> idOf(const std::string &token) const { return tokenizer->idOf(token); }
  int64_t vocabSize() const { return file ? file->vocabSize() : 256; }
  bool isBytes() const { return !file; }

  const run::ModelOptions options;
  std::unique_ptr<run::Tokenizer> tokenizer;
  std::shared_ptr<chimera_model> model; ///< Null: none.
  chimera_model_info info = {};         ///< Of the model, or of one that takes everything.

private:
  std::shared_ptr<const text::Tokenizer> file; ///< Null: bytes are tokens.
};

/// A text under way.
class Stream {
public:
  Stream(std::shared_ptr<const Tokenizer> tokenizer, bool skipSpecial)
      : tokenizer(std::move(tokenizer)), decoder(this->tokenizer->stream(skipSpecial)) {}

  py::bytes push(int64_t id) { return take(decoder->push(id)); }
  py::bytes pushAll(const Ids &ids) {
    std::string text;
    for (py::ssize_t i = 0; i < ids.size(); ++i)
      text += take(decoder->push(ids.data()[i]));
    return text;
  }
  py::bytes flush() { return take(decoder->flush()); }

private:
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<text::StreamDecoder> decoder;
};

/// A chat template with the process that renders it, which answers one thread at a time.
class Chat {
public:
  Chat(std::shared_ptr<const Tokenizer> tokenizer, const std::string &path, std::vector<std::string> command);

  std::vector<int32_t> encode(const std::string &messages, bool parseSpecial);
  std::string render(const std::string &messages);
  std::optional<int32_t> end() const { return run::endOfAnswer(chatTemplate, *tokenizer->tokenizer); }

private:
  std::shared_ptr<const Tokenizer> tokenizer;
  run::ChatTemplate chatTemplate;
  std::mutex mutex;
};

} // namespace

Tokenizer::Tokenizer(run::ModelOptions given, const Model *of) : options(std::move(given)) {
  info.vocab_size = INT64_MAX;
  info.bos_token_id = -1;
  if (of) {
    model = of->handle();
    info = of->info();
  }
  if (std::optional<std::string> path = run::findTokenizer(options)) {
    file = take(text::Tokenizer::open(*path));
    tokenizer = run::Tokenizer::ofFile(file, options.parseSpecial, info);
  } else {
    tokenizer = take(run::Tokenizer::open(options, info, {}));
  }
}

std::vector<int32_t> Tokenizer::encode(const std::string &text, bool addSpecial, bool parseSpecial) const {
  if (!file) {
    run::EncodedText encoded = take(tokenizer->encode(text));
    if (!addSpecial)
      encoded.tokens.erase(encoded.tokens.begin(), encoded.tokens.begin() + encoded.unseen);
    return std::move(encoded.tokens);
  }
  std::vector<int32_t> ids = take(file->encode(text, {addSpecial, parseSpecial}));
  check(file->checkIds(ids, info.vocab_size));
  return ids;
}

std::string Tokenizer::decode(const std::vector<int32_t> &ids, bool skipSpecial) const {
  if (file)
    return take(file->decode(ids, {skipSpecial}));
  std::unique_ptr<text::StreamDecoder> decoder = tokenizer->stream();
  std::string text;
  for (int32_t id : ids)
    text += take(decoder->push(id));
  return text::wellFormed(text + take(decoder->flush()));
}

std::unique_ptr<text::StreamDecoder> Tokenizer::stream(bool skipSpecial) const {
  return file ? file->stream({skipSpecial}) : tokenizer->stream();
}

std::vector<std::string> Tokenizer::specialTokens() const {
  return tokenizer->specialTokens();
}

Chat::Chat(std::shared_ptr<const Tokenizer> of, const std::string &path, std::vector<std::string> command)
    : tokenizer(std::move(of)), chatTemplate(take([&] {
        run::ModelOptions options = tokenizer->options;
        options.chatTemplate = path;
        options.renderChat = std::move(command);
        return run::ChatTemplate::open(options);
      }())) {
  if (tokenizer->model)
    run::nameTokens(tokenizer->model.get(), tokenizer->info, *tokenizer->tokenizer, chatTemplate);
}

static nlohmann::json parse(const std::string &messages) {
  return take(io::parseJson(messages.data(), messages.size()));
}

std::vector<int32_t> Chat::encode(const std::string &messages, bool parseSpecial) {
  std::lock_guard<std::mutex> lock(mutex);
  return take(run::encodeMessages(parse(messages), chatTemplate, *tokenizer->tokenizer, parseSpecial));
}

std::string Chat::render(const std::string &messages) {
  std::lock_guard<std::mutex> lock(mutex);
  return take(chatTemplate.render(parse(messages)));
}

static std::shared_ptr<Tokenizer> openTokenizer(const std::string &tokenizer, const Model *model,
                                                const std::string &modelPath, const std::string &weightsPath) {
  run::ModelOptions options;
  options.tokenizer = tokenizer;
  options.model = modelPath;
  options.weights = weightsPath;
  return std::make_shared<Tokenizer>(std::move(options), model);
}

static std::vector<int32_t> vectorOf(const Ids &ids) {
  return {ids.data(), ids.data() + ids.size()};
}

static void bindTokenizer(py::module_ &module) {
  py::class_<Tokenizer, std::shared_ptr<Tokenizer>>(module, "Tokenizer")
      .def(py::init(&openTokenizer), py::arg("tokenizer"), py::arg("model"), py::arg("model_path"),
           py::arg("weights_path"), Released())
      .def(
          "encode",
          [](const Tokenizer &tokenizer, const std::string &text, bool addSpecial, bool parseSpecial) {
            std::vector<int32_t> ids;
            {
              py::gil_scoped_release released;
              ids = tokenizer.encode(text, addSpecial, parseSpecial);
            }
            return arrayOf(std::move(ids));
          },
          py::arg("text"), py::arg("add_special"), py::arg("parse_special"))
      .def(
          "decode",
          [](const Tokenizer &tokenizer, const Ids &ids, bool skipSpecial) {
            std::vector<int32_t> copy = vectorOf(ids);
            py::gil_scoped_release released;
            return tokenizer.decode(copy, skipSpecial);
          },
          py::arg("ids"), py::arg("skip_special"))
      .def("special_tokens", &Tokenizer::specialTokens)
      .def("token_of", &Tokenizer::tokenOf)
      .def("id_of", &Tokenizer::idOf)
      .def("vocab_size", &Tokenizer::vocabSize)
      .def("is_bytes", &Tokenizer::isBytes);
}

void bindText(py::module_ &module) {
  bindTokenizer(module);
  py::class_<Stream>(module, "Stream")
      .def(py::init([](const std::shared_ptr<Tokenizer> &tokenizer, bool skipSpecial) {
             return std::make_unique<Stream>(tokenizer, skipSpecial);
           }),
           py::arg("tokenizer"), py::arg("skip_special"))
      .def("push", &Stream::push)
      .def("push_all", &Stream::pushAll)
      .def("flush", &Stream::flush);
  py::class_<Chat>(module, "Chat")
      .def(py::init([](const std::shared_ptr<Tokenizer> &tokenizer, const std::string &path,
                       std::vector<std::string> command) {
             return std::make_unique<Chat>(tokenizer, path, std::move(command));
           }),
           py::arg("tokenizer"), py::arg("template_path"), py::arg("command"), Released())
      .def(
          "encode",
          [](Chat &chat, const std::string &messages, bool parseSpecial) {
            std::vector<int32_t> ids;
            {
              py::gil_scoped_release released;
              ids = chat.encode(messages, parseSpecial);
            }
            return arrayOf(std::move(ids));
          },
          py::arg("messages"), py::arg("parse_special"))
      .def("render", &Chat::render, py::arg("messages"), Released())
      .def("end", &Chat::end);
  py::class_<run::StopStrings>(module, "StopStrings")
      .def(py::init<std::vector<std::string>>(), py::arg("strings"))
      .def("push", [](run::StopStrings &stop, const std::string &part) { return py::bytes(stop.push(part)); })
      .def("found", &run::StopStrings::found)
      .def("flush", [](run::StopStrings &stop) { return py::bytes(stop.flush()); });
}

} // namespace chimera::python
