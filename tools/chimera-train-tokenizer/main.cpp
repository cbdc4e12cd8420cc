// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// chimera-train-tokenizer: learns a vocabulary from texts and writes it as a tokenizer.json.
#include "runtime/io/AtomicFile.h"
#include "runtime/io/FileKind.h"
#include "runtime/io/Vocabulary.h"
#include "runtime/text/TokenizerTrainer.h"
#include "tools/support/CommandLine.h"
#include "tools/support/Numbers.h"
#include "tools/support/Streams.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>

using namespace chimera;

namespace {

struct Options {
  std::vector<std::string> texts;
  std::string output;
  std::string begin, end = "<|endoftext|>", words = "llama3";
  std::vector<std::string> special;
  int64_t vocabSize = 0, leastCount = 2;
  bool chat = false;
};

constexpr const char *turnBegin = "<|im_start|>", *turnEnd = "<|im_end|>";

/// ChatML: each message is "<|im_start|>ROLE\nCONTENT<|im_end|>\n".
constexpr const char *chatTemplate =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

int fail(const std::string &message) {
  std::fprintf(stderr, "chimera-train-tokenizer: %s\n", io::escaped(message).c_str());
  return 1;
}

text::TrainingPlan planOf(const Options &options) {
  text::TrainingPlan plan;
  auto add = [&](const std::string &token) {
    if (std::find(plan.special.begin(), plan.special.end(), token) == plan.special.end())
      plan.special.push_back(token);
  };
  add(options.end);
  plan.end = options.end;
  if (!options.begin.empty()) {
    add(options.begin);
    plan.begin = options.begin;
  }
  if (options.chat) {
    add(turnBegin);
    add(turnEnd);
    plan.chatTemplate = chatTemplate;
  }
  for (const std::string &token : options.special)
    add(token);
  plan.vocabSize = options.vocabSize;
  plan.leastCount = uint64_t(options.leastCount);
  plan.words = options.words == "gpt2" ? text::WordStyle::Gpt2 : text::WordStyle::Llama3;
  return plan;
}

/// The folder is there, and has no tokenizer that would be lost.
io::Status prepareFolder(const std::string &folder) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (code)
    return io::Error{io::quote(folder) + ": cannot make the folder: " + code.message()};
  std::string there = io::findTokenizer(folder);
  if (std::string config = folder + "/tokenizer_config.json"; there.empty() && std::filesystem::exists(config, code))
    there = config;
  if (!there.empty())
    return io::Error{io::quote(there) + ": is there already; move it away, or name another folder with --out"};
  return {};
}

/// Reads the texts one by one.
io::Status addTexts(const Options &options, text::TokenizerTrainer &trainer) {
  for (const std::string &path : options.texts) {
    io::Result<std::string> text = tools::readAll(path);
    if (!text)
      return text.error();
    if (std::string other = io::mistakenFile(io::Wanted::Data, text->data(), std::min(text->size(), io::kindBytes));
        !other.empty())
      return io::Error{tools::nameOfInput(path) + ": " + other};
    if (io::Status status = trainer.add(*text); !status)
      return io::Error{tools::nameOfInput(path) + ": " + status.error().message};
  }
  return {};
}

/// What was made, and what the model's config.json has to say of it.
void report(const Options &options, const text::TrainingPlan &plan, const text::TrainedTokenizer &made) {
  auto idOf = [&](const std::string &token) {
    return std::to_string(std::find(plan.special.begin(), plan.special.end(), token) - plan.special.begin());
  };
  std::string special;
  for (const std::string &token : plan.special)
    special += (special.empty() ? "" : ", ") + io::escaped(token) + " " + idOf(token);
  auto merges = static_cast<long long>(made.vocabSize - 256 - int64_t(plan.special.size()));
  std::printf("%s: %lld tokens: %zu special (%s), 256 bytes, %lld merges", options.output.c_str(),
              static_cast<long long>(made.vocabSize), plan.special.size(), special.c_str(), merges);
  if (made.textTokens)
    std::printf("; %.2f bytes a token in these texts", double(made.textBytes) / double(made.textTokens));
  std::string ends =
      options.chat && options.end != turnEnd ? "[" + idOf(options.end) + ", " + idOf(turnEnd) + "]" : idOf(options.end);
  std::printf("\nfor the model's config.json: \"vocab_size\": %lld, \"eos_token_id\": %s%s\n",
              static_cast<long long>(made.vocabSize), ends.c_str(),
              plan.begin ? (", \"bos_token_id\": " + idOf(*plan.begin)).c_str() : "");
  if (made.vocabSize < options.vocabSize)
    std::fprintf(stderr,
                 "chimera-train-tokenizer: warning: these are fewer tokens than the %lld of --vocab-size: no other "
                 "pair occurs %lld times or more; give it more text, or a smaller --min-frequency\n",
                 static_cast<long long>(options.vocabSize), static_cast<long long>(options.leastCount));
}

int trainTokenizer(const Options &options) {
  text::TrainingPlan plan = planOf(options);
  io::Result<text::TokenizerTrainer> trainer = text::TokenizerTrainer::make(plan);
  if (!trainer)
    return fail(trainer.error().message);
  if (io::Status status = prepareFolder(options.output); !status)
    return fail(status.error().message);
  if (io::Status status = addTexts(options, *trainer); !status)
    return fail(status.error().message);
  io::Result<text::TrainedTokenizer> made = trainer->train();
  if (!made)
    return fail(made.error().message);
  // The tokenizer itself comes last: where it is, all of it is.
  if (io::Status status = io::writeWhole(options.output + "/tokenizer_config.json", made->config); !status)
    return fail(status.error().message);
  if (io::Status status = io::writeWhole(options.output + "/tokenizer.json", made->tokenizer); !status)
    return fail(status.error().message);
  report(options, plan, *made);
  if (io::Status written = tools::flush(stdout); !written)
    return fail(written.error().message);
  return 0;
}

void addOptions(CLI::App &app, Options &options) {
  app.set_version_flag("--version", "chimera-train-tokenizer " CHIMERA_VERSION);
  app.add_option("texts", options.texts, "text files, each a text of its own; - is the standard input")->required();
  app.add_option("--out", options.output, "the folder for tokenizer.json and tokenizer_config.json")->required();
  app.add_option("--vocab-size", options.vocabSize, "how many tokens: special ones, 256 bytes, and merges")
      ->required()
      ->check(tools::wholeNumber(257, text::Bpe::idLimit + 1));
  app.add_option("--min-frequency", options.leastCount, "how often two tokens must be neighbours to be joined to one")
      ->check(tools::wholeNumber(1, int64_t(1) << 40))
      ->capture_default_str();
  app.add_option("--pre-tokenizer", options.words, "llama3 or gpt2: whose regular expression cuts a text into words")
      ->check(CLI::IsMember({"llama3", "gpt2"}).description(""))
      ->capture_default_str();
  app.add_option("--eos", options.end, "the token that ends a text")->capture_default_str();
  app.add_option("--bos", options.begin, "a token that is put before each text; without it there is none");
  app.add_option("--special-token", options.special, "another special token; may be given several times")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--chat", options.chat, "add <|im_start|> and <|im_end|>, and a chat template that uses them (ChatML)");
}

} // namespace

int main(int argc, char **argv) {
  tools::keepStandardStreams();
  Options options;
  CLI::App app("Learns a vocabulary of byte pairs from texts, and writes it as a tokenizer.json.",
               "chimera-train-tokenizer");
  addOptions(app, options);
  if (std::optional<int> ended = tools::parseCommandLine(app, argc, argv))
    return *ended;
  if (std::count(options.texts.begin(), options.texts.end(), tools::standardInput) > 1)
    return tools::misuse(app.get_name(), "texts: only one of them can be the standard input");
  try {
    return trainTokenizer(options);
  } catch (const std::bad_alloc &) {
    return fail("there is not enough memory for the words of these texts");
  } catch (const std::exception &failure) {
    return fail(failure.what());
  }
}
