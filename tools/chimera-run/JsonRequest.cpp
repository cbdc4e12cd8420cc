// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/JsonRequest.h"

#include "runtime/core/JsonReader.h"
#include "runtime/io/Json.h"

#include <algorithm>

namespace chimera::run {

using io::Error;
using io::Result;
using io::Status;
using nlohmann::json;
using runtime::JsonReader;

namespace {
/// The keys of a line.
class Fields {
public:
  Fields(const json &object, std::string &error) : object(object), reader(object, error) {}

  /// Calls read(value, reader of the value) if the key is there and not null.
  template <typename Read> void field(const char *key, const Read &read) {
    known.push_back(key);
    if (reader.has(key) && !reader.at(key).isNull())
      read(object[key], reader.at(key));
  }

  /// Fails if there is a key that no `field` asked for.
  void finish() const {
    reader.eachMember([&](const std::string &key, const JsonReader &) {
      if (std::find(known.begin(), known.end(), key) == known.end())
        reader.fail("the key " + io::quote(key) + " is not known");
    });
  }

private:
  const json &object;
  JsonReader reader;
  std::vector<std::string> known;
};
} // namespace

/// Any string; JsonReader's are for names.
static std::string text(const json &value, const JsonReader &reader) {
  if (value.is_string())
    return value.get<std::string>();
  reader.fail("must be a string");
  return {};
}

static double number(const json &value, const JsonReader &reader) {
  if (value.is_number())
    return value.get<double>();
  reader.fail("must be a number");
  return 0;
}

static std::vector<std::string> stopStrings(const json &value, const JsonReader &reader) {
  std::vector<std::string> strings;
  auto add = [&](const json &string, const JsonReader &at) {
    strings.push_back(text(string, at));
    if (strings.back().empty())
      at.fail("the string is empty");
  };
  if (value.is_string())
    add(value, reader);
  else if (!value.is_array())
    reader.fail("must be a string or an array of strings");
  else
    reader.each([&](const JsonReader &at) { add(value[strings.size()], at); });
  return strings;
}

static void readContinuation(Fields &fields, Continuation &continuation) {
  SamplerOptions &sampler = continuation.sampler;
  fields.field("max_new_tokens", [&](const json &, const JsonReader &reader) {
    continuation.maxNewTokens = reader.integer(0, mostNewTokens);
  });
  fields.field("temperature",
               [&](const json &value, const JsonReader &reader) { sampler.temperature = number(value, reader); });
  fields.field("top_k", [&](const json &, const JsonReader &reader) { sampler.topK = reader.integer(0, INT64_MAX); });
  fields.field("top_p", [&](const json &value, const JsonReader &reader) { sampler.topP = number(value, reader); });
  fields.field("seed", [&](const json &value, const JsonReader &reader) {
    if (!value.is_number_unsigned())
      return reader.fail("must be an integer in 0 .. 2^64-1");
    sampler.seed = value.get<uint64_t>();
    continuation.number = 0;
  });
}

Status JsonRequest::read(std::string_view line, int64_t index, const Options &options, int64_t vocab) {
  Result<json> parsed = io::parseJson(line.data(), line.size());
  if (!parsed)
    return parsed.error();
  if (!parsed->is_object())
    return Error{"a line must be a JSON object"};
  if (auto found = parsed->find("id"); found != parsed->end())
    id = *found;
  continuation = {options.maxNewTokens, options.sampler, uint64_t(index)};
  stop = options.stop;
  std::string error;
  Fields fields(*parsed, error);
  bool hasTokens = false;
  fields.field("id", [](const json &, const JsonReader &) {});
  fields.field("prompt", [&](const json &value, const JsonReader &reader) { prompt = text(value, reader); });
  fields.field("tokens", [&](const json &, const JsonReader &reader) {
    hasTokens = true;
    for (int64_t token : reader.integers(0, vocab - 1))
      tokens.push_back(int32_t(token));
    if (tokens.empty())
      reader.fail("there is no token to start from");
  });
  readContinuation(fields, continuation);
  fields.field("stop", [&](const json &value, const JsonReader &reader) { stop = stopStrings(value, reader); });
  fields.finish();
  if (!error.empty())
    return Error{error};
  if (prompt.has_value() == hasTokens)
    return Error{hasTokens ? "prompt and tokens exclude each other" : "one of prompt and tokens is required"};
  return checkSamplerOptions(continuation.sampler);
}

} // namespace chimera::run
