// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/chimera-serve/DamagedRequests.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace chimera::test {

using Json = nlohmann::json;

static const char *const completions = "/v1/completions", *const chats = "/v1/chat/completions";

static std::string joined(const std::vector<std::string> &lines) {
  std::string text;
  for (const std::string &line : lines)
    text += line;
  return text;
}

DamagedRequest DamagedRequests::next() {
  switch (below(16)) {
  case 0:
  case 1:
  case 2:
  case 3:
  case 4:
    return wrongField();
  case 5:
  case 6:
    return anyFields();
  case 7:
    return noJson();
  case 8:
  case 9:
    return damagedJson();
  case 10:
    return cutBody();
  case 11:
    return damagedChunks();
  case 12:
    return damagedLine();
  case 13:
  case 14:
    return damagedHeader();
  default:
    return damagedBytes();
  }
}

std::string DamagedRequests::randomBytes(size_t most) {
  std::string bytes(below(most + 1), '\0');
  for (char &byte : bytes)
    byte = char(random());
  return bytes;
}

/// Changes, adds or takes away some bytes.
void DamagedRequests::damage(std::string &bytes) {
  for (size_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
    size_t at = below(bytes.size());
    switch (below(4)) {
    case 0:
      bytes.erase(at, 1 + below(8));
      break;
    case 1:
      bytes.insert(at, randomBytes(6));
      break;
    case 2:
      bytes.insert(at, bytes.substr(below(bytes.size()), below(20)));
      break;
    default:
      bytes[at] = char(random());
    }
  }
}

// ---------------------------------------------------------------------------------------------------------- fields

Json DamagedRequests::rightRequest(bool chat) {
  Json request = Json::object();
  request["max_tokens"] = 1 + below(3);
  if (chat)
    request["messages"] = Json::array({{{"role", "user"}, {"content", "a"}}});
  else
    request["prompt"] = oneIn(2) ? Json("abc") : Json::array({97, 98});
  return request;
}

void DamagedRequests::addRightFields(Json &request) {
  static const std::vector<std::pair<const char *, Json>> fields = {
      {"temperature", 0.5}, {"top_p", 0.9},   {"top_k", 3},      {"seed", 5},           {"n", 2},
      {"stop", "zz"},       {"stream", true}, {"routing", true}, {"speculation", true}, {"user", "u"}};
  for (size_t count = below(3); count > 0; --count) {
    const auto &[field, value] = oneOf(fields);
    request[field] = value;
  }
}

/// A value of JSON, of the kinds that fields have and of others.
Json DamagedRequests::anyValue(int depth) {
  switch (below(depth < 3 ? 11 : 8)) {
  case 0:
    return nullptr;
  case 1:
    return oneIn(2);
  case 2:
    return int64_t(below(7)) - 2;
  case 3:
    return std::ldexp(double(random()), int(below(80)) - 60);
  case 4:
    return uint64_t(random()) << 32 | random();
  case 5:
    return -int64_t(uint64_t(random()) << 31);
  case 6:
    return std::string(below(5), char('a' + below(26)));
  case 7:
    return "\xC3\xA9\xE2\x82\xAC";
  case 8:
  case 9: {
    Json array = Json::array();
    for (size_t i = below(4); i > 0; --i)
      array.push_back(anyValue(depth + 1));
    return array;
  }
  default: {
    static const std::vector<std::string> names = {"role", "content", "type", "text", "include_usage", "other"};
    Json object = Json::object();
    for (size_t i = below(3); i > 0; --i)
      object[oneOf(names)] = anyValue(depth + 1);
    return object;
  }
  }
}

/// A value of any other type, which is not null.
Json DamagedRequests::notOf(Json::value_t type) {
  while (true) {
    Json value = anyValue(2);
    bool number = value.is_number() && (type == Json::value_t::number_integer || type == Json::value_t::number_float);
    if (!value.is_null() && value.type() != type && !number)
      return value;
  }
}

/// No integer in low .. high.
Json DamagedRequests::wrongInteger(int64_t low, int64_t high) {
  switch (below(6)) {
  case 0:
    return low - 1 - int64_t(below(1000));
  case 1:
    return std::numeric_limits<int64_t>::min() + int64_t(below(3));
  case 2:
    return uint64_t(high) + 1 + below(1000);
  case 3:
    return std::numeric_limits<uint64_t>::max() - below(3);
  case 4:
    return double(low) + 0.5;
  default:
    return notOf(Json::value_t::number_integer);
  }
}

/// Values that a field cannot have; null for those whose wrong values are made.
static Json wrongValuesOf(const std::string &field) {
  if (field == "prompt")
    return {true,
            1,
            1.5,
            Json::object(),
            Json::array(),
            Json::array({Json::array()}),
            {"a", 5},
            {1, "a"},
            {-1},
            {300},
            {1.5},
            {1, nullptr},
            {{1}, {2, {3}}},
            {nullptr, "a"},
            {true},
            std::string(60, 'a'),
            std::vector<int>(60, 97),
            std::vector<std::string>(1025, "a")};
  if (field == "messages")
    return {true,
            1,
            "a",
            Json::object(),
            Json::array(),
            {5},
            {nullptr},
            Json::array({Json::object()}),
            Json::array({{{"role", 5}, {"content", "a"}}}),
            Json::array({{{"role", "user"}}}),
            Json::array({{{"content", "a"}}}),
            Json::array({{{"role", "user"}, {"content", 5}}}),
            Json::array({{{"role", "user"}, {"content", nullptr}}}),
            Json::array({{{"role", "user"}, {"content", {{{"type", "image_url"}}}}}}),
            Json::array({{{"role", "user"}, {"content", {{{"type", "text"}, {"text", 5}}}}}}),
            Json::array({{{"role", "user"}, {"content", {"a"}}}}),
            Json::array({{{"role", "user"}, {"content", std::string(60, 'a')}}})};
  if (field == "stop")
    return {5,
            true,
            "",
            {""},
            {5},
            {"a", 5},
            Json::object(),
            Json::array({Json::array()}),
            std::vector<std::string>(17, "a"),
            std::string(2000, 'a')};
  if (field == "speculation")
    return {-1, 65, 1.5, 1e300, "true", Json::array(), Json::object()};
  if (field == "stream_options")
    return {5, "a", Json::array(), {{"include_usage", 1}}, {{"other", true}}};
  return nullptr;
}

/// A value that the field cannot have.
Json DamagedRequests::wrongValue(const std::string &field, bool chat) {
  if (const Json values = wrongValuesOf(field); !values.is_null())
    return values[below(values.size())];
  if (field == "max_tokens" || field == "max_completion_tokens")
    return oneIn(4) ? Json(41 + below(1000)) : wrongInteger(0, INT32_MAX);
  if (field == "n")
    return wrongInteger(1, 128);
  if (field == "top_k")
    return oneIn(2) ? wrongInteger(-1, INT64_MAX) : notOf(Json::value_t::number_integer);
  if (field == "logprobs")
    return chat ? notOf(Json::value_t::boolean) : wrongInteger(0, 20);
  if (field == "top_logprobs")
    return wrongInteger(0, 20);
  if (field == "seed")
    return oneIn(2) ? Json(-1 - int64_t(below(100))) : notOf(Json::value_t::number_integer);
  if (field == "temperature")
    return oneIn(2) ? Json(-std::ldexp(1.0 + double(below(100)), int(below(600)) - 300))
                    : notOf(Json::value_t::number_float);
  if (field == "top_p")
    return oneIn(3)   ? Json(-std::ldexp(double(below(100)), int(below(600)) - 300))
           : oneIn(2) ? Json(1 + std::ldexp(1.0 + double(below(100)), int(below(600)) - 50))
                      : notOf(Json::value_t::number_float);
  if (field == "model")
    return oneIn(2) ? Json(std::string(1 + below(300), char('n' + below(10)))) : notOf(Json::value_t::string);
  for (const char *boolean : {"stream", "echo", "routing"})
    if (field == boolean)
      return chat && field == "echo" ? Json(true) : notOf(Json::value_t::boolean);
  return "wrong"; // The others have one value.
}

DamagedRequest DamagedRequests::wrongField() {
  static const std::vector<std::string> both = {"max_tokens",
                                                "n",
                                                "top_k",
                                                "logprobs",
                                                "seed",
                                                "temperature",
                                                "top_p",
                                                "stop",
                                                "speculation",
                                                "stream_options",
                                                "model",
                                                "stream",
                                                "echo",
                                                "routing",
                                                "frequency_penalty",
                                                "presence_penalty",
                                                "repetition_penalty",
                                                "logit_bias",
                                                "min_p",
                                                "min_tokens",
                                                "ignore_eos",
                                                "skip_special_tokens",
                                                "stop_token_ids",
                                                "include_stop_str_in_output",
                                                "use_beam_search",
                                                "best_of"};
  static const std::vector<std::string> ofChats = {"messages",
                                                   "messages",
                                                   "max_completion_tokens",
                                                   "top_logprobs",
                                                   "tools",
                                                   "tool_choice",
                                                   "functions",
                                                   "response_format",
                                                   "modalities",
                                                   "store",
                                                   "add_generation_prompt",
                                                   "continue_final_message"};
  static const std::vector<std::string> ofCompletions = {"prompt", "prompt", "suffix"};
  const bool chat = oneIn(2);
  Json request = rightRequest(chat);
  addRightFields(request);
  std::string field = oneIn(3) ? oneOf(chat ? ofChats : ofCompletions) : oneOf(both);
  if (oneIn(20)) {
    field = "no_" + field;
    request[field] = anyValue(2);
    if (request[field].is_null())
      request[field] = 1;
  } else {
    request[field] = wrongValue(field, chat);
  }
  return posted(chat, request.dump(), "a wrong field", true);
}

DamagedRequest DamagedRequests::anyFields() {
  static const std::vector<std::string> names = {
      "prompt",       "messages", "role",  "content",     "max_tokens", "temperature", "top_p",
      "top_k",        "n",        "seed",  "stop",        "stream",     "logprobs",    "stream_options",
      "top_logprobs", "echo",     "model", "suffix",      "best_of",    "logit_bias",  "tools",
      "type",         "text",     "other", "speculation", "routing"};
  const bool chat = oneIn(4);
  Json request = oneIn(4) ? Json::object() : rightRequest(chat);
  for (size_t fields = below(3); fields > 0; --fields)
    request[oneOf(names)] = anyValue();
  return posted(chat, request.dump(), "any fields", false);
}

// ------------------------------------------------------------------------------------------------------------ JSON

/// What stands for a value where JSON has none.
std::string DamagedRequests::wrongLiteral() {
  static const std::vector<std::string> literals = {"1e999",
                                                    "-1e999",
                                                    "01",
                                                    "+1",
                                                    ".5",
                                                    "1.",
                                                    "1e",
                                                    "0x10",
                                                    "NaN",
                                                    "Infinity",
                                                    "-",
                                                    "--1",
                                                    "'a'",
                                                    "undefined",
                                                    "True",
                                                    "\"\\ud800\"",
                                                    "\"\\udc00\\ud800\"",
                                                    "\"\\x41\"",
                                                    "\"\\u12\"",
                                                    "\"\xff\"",
                                                    "\"\xc0\xaf\"",
                                                    "\"\xed\xa0\x80\"",
                                                    "\"\xf5\x80\x80\x80\"",
                                                    "\"\xe2\x82\"",
                                                    "\"a\nb\"",
                                                    "\"a",
                                                    "[1,]",
                                                    "[1",
                                                    "{\"a\":1,}",
                                                    "{\"a\"}",
                                                    "{a:1}",
                                                    "/* */ 1",
                                                    "// 1",
                                                    "",
                                                    std::string("\"a\0b\"", 5),
                                                    "1 2",
                                                    "\"a\" \"b\""};
  switch (below(8)) {
  case 0:
    return std::string(400 + below(2000), '9');
  case 1:
    return "1e" + std::string(1 + below(30), '9');
  case 2:
    return std::string(1 + below(oneIn(20) ? 50000 : 2000), oneIn(2) ? '[' : '{');
  default:
    return oneOf(literals);
  }
}

DamagedRequest DamagedRequests::noJson() {
  const bool chat = oneIn(2);
  std::string body = rightRequest(chat).dump();
  switch (below(6)) {
  case 0: // Something else than an object.
    body = oneOf<std::string>({"", " ", "null", "true", "5", "\"a\"", "[]", "[{}]", "\xef\xbb\xbf", "\x1f\x8b\x08"});
    break;
  case 1: // Something behind it.
    body += oneOf<std::string>({"x", "}", "{}", ",", std::string(1, '\0'), "\xff", "null"});
    break;
  case 2: // Not all of it.
    body.resize(below(body.size()));
    break;
  default:
    body.back() = ',';
    body += "\"seed\":" + wrongLiteral() + "}";
  }
  return posted(chat, body, "no JSON", true);
}

DamagedRequest DamagedRequests::damagedJson() {
  const bool chat = oneIn(4);
  Json request = rightRequest(chat);
  addRightFields(request);
  std::string body = request.dump();
  damage(body);
  return posted(chat, body, "damaged JSON", false);
}

// ------------------------------------------------------------------------------------------------------------ HTTP

std::vector<std::string> DamagedRequests::rightHeader(bool chat, size_t length) {
  return {std::string("POST ") + (chat ? chats : completions) + " HTTP/1.1\r\n", "Host: a\r\n",
          "Content-Type: application/json\r\n", "Content-Length: " + std::to_string(length) + "\r\n", "\r\n"};
}

DamagedRequest DamagedRequests::posted(bool chat, const std::string &body, const char *kind, bool wrong) {
  return {joined(rightHeader(chat, body.size())) + body, kind, true, wrong};
}

/// Less than the header says.
DamagedRequest DamagedRequests::cutBody() {
  const bool chat = oneIn(4);
  std::string body = rightRequest(chat).dump();
  size_t length = body.size() + 1 + (oneIn(4) ? below(100000) : below(10));
  if (oneIn(2))
    body.resize(below(body.size()));
  return {joined(rightHeader(chat, length)) + body, "a cut body", false, true};
}

DamagedRequest DamagedRequests::damagedChunks() {
  const std::string body = rightRequest(false).dump();
  std::string chunked;
  char size[32];
  for (size_t at = 0, count; at < body.size(); at += count) {
    count = std::min(body.size() - at, 1 + below(body.size()));
    std::snprintf(size, sizeof size, "%zx", count);
    chunked += size + std::string("\r\n") + body.substr(at, count) + "\r\n";
  }
  chunked += "0\r\n\r\n";
  std::vector<std::string> header = rightHeader(false, 0);
  header[3] = "Transfer-Encoding: chunked\r\n";
  bool wrong = true;
  switch (below(6)) {
  case 0: // Sizes that are none, or too large.
    chunked =
        oneOf<std::string>({"zz", "-1", "", " ", "0x", "ffffffffffffffff", "10000000000000000", "7fffffffffffffff",
                            "fffffff", ";", "1 2", std::string(30, 'f'), std::string(5000, '0') + "1"}) +
        "\r\n" + chunked;
    break;
  case 1: // More of a chunk than its size says, or less.
    chunked.insert(chunked.find('\n') + 1, oneOf<std::string>({"x", "xy", "\r\n"}));
    break;
  case 2: // No end.
    chunked.resize(below(chunked.size() - 5));
    break;
  case 3: // No CR, or no LF.
    chunked.erase(chunked.find(oneIn(2) ? '\r' : '\n'), 1);
    wrong = false;
    break;
  case 4:
    header[3] = "Transfer-Encoding: " + oneOf<std::string>({"gzip", "chunked, chunked", "xchunked", "identity", ""}) +
                "\r\n" + (oneIn(2) ? "Content-Length: 5\r\n" : "");
    break;
  default:
    damage(chunked);
    wrong = false;
  }
  return {joined(header) + chunked, "damaged chunks", false, wrong};
}

std::string DamagedRequests::wrongLine() {
  const std::string path = oneIn(2) ? completions : "/v1/models";
  switch (below(8)) {
  case 0:
    return oneOf<std::string>({"BREW", "post", "GET", "PUT", "DELETE", "TRACE", "CONNECT", "PRI", "", "P OST", "POST\t",
                               std::string(300, 'G'), "\xff"}) +
           " " + path + " HTTP/1.1\r\n";
  case 1:
    return "POST " + path + " " +
           oneOf<std::string>(
               {"HTTP/9.9", "HTTP/2.0", "HTTP/1.10", "HTTP/1", "http/1.1", "HTTP/1.1 x", "", "RTSP/1.0"}) +
           "\r\n";
  case 2:
    return "POST" + oneOf<std::string>({"", "  ", "\t", " /a "}) + path + oneOf<std::string>({"", "  ", "\t", " b "}) +
           "HTTP/1.1\r\n";
  case 3:
    return "POST /" + randomBytes(40) + " HTTP/1.1\r\n";
  case 4:
    return "POST " + path +
           oneOf<std::string>({"/", "/..", "/../..//etc/passwd", "%", "%zz", "%00", "?", "?a", "?a=%ff&=&&b=c", "#x",
                               ";x", "/" + std::string(40, '.')}) +
           " HTTP/1.1\r\n";
  case 5:
    return "POST /" + std::string(oneIn(4) ? 40000 : 9000, 'a') + " HTTP/1.1\r\n";
  case 6:
    return "GET /v1/models/" + oneOf<std::string>({"", "other", "%6d", "%ff%fe", std::string(7000, 'a'), "m/m"}) +
           " HTTP/1.1\r\n";
  default:
    return oneOf<std::string>({"\r\n", "\n", "\r", "x\r\n", "GET\r\n", " \r\n", "HTTP/1.1 200 OK\r\n"});
  }
}

DamagedRequest DamagedRequests::damagedLine() {
  const std::string body = rightRequest(false).dump();
  std::vector<std::string> header = rightHeader(false, body.size());
  header[0] = wrongLine();
  return {joined(header) + body, "a damaged line", false, false};
}

void DamagedRequests::spoil(std::vector<std::string> &header) {
  std::string &line = header[1 + below(header.size() - 2)];
  switch (below(10)) {
  case 0:
    line = "Content-Length: " +
           oneOf<std::string>({"", "-1", "abc", "0x10", "1e3", "18446744073709551616", "18446744073709551615",
                               "9223372036854775807", "99999999999999999999999999", "5, 5", "+5", "5 5", " 7 "}) +
           "\r\n";
    break;
  case 1:
    line += "Content-Length: " + std::to_string(below(200)) + "\r\n";
    break;
  case 2:
    line = "Content-Type: " +
           oneOf<std::string>({"", "text/plain", "application/jsonx", "multipart/form-data",
                               "multipart/form-data; boundary=", "application/x-www-form-urlencoded",
                               "application/json; charset=\xff", ";"}) +
           "\r\n";
    break;
  case 3:
    line += oneOf<std::string>({"Expect: 100-continue", "Expect: 200-ok", "Expect: ", "Content-Encoding: gzip",
                                "Content-Encoding: br", "Content-Encoding: x", "Transfer-Encoding: chunked",
                                "Upgrade: websocket", "Connection: upgrade", "Connection: close", "Connection: \xff",
                                "Authorization: Bearer", "Authorization: \xff", "Range: bytes=0-99999999999999999999",
                                "X-Forwarded-For: " + std::string(1000, ','), "Accept: " + std::string(3000, ';')}) +
            "\r\n";
    break;
  case 4:
    line.insert(below(line.size()), 1, oneOf<char>({'\0', '\r', '\n', '\x7f', '\x01', '\xff'}));
    break;
  case 5:
    if (size_t at = line.find(oneOf<char>({':', '\r', '\n'})); at != line.npos)
      line.erase(at, 1);
    break;
  case 6:
    line = oneOf<std::string>({": a\r\n", "a\r\n", " folded\r\n", "\tfolded\r\n", "a b: c\r\n", ":\r\n", "a :b\r\n"});
    break;
  case 7:
    if (oneIn(4))
      for (size_t i = 0; i < 3000; ++i)
        line += "a: b\r\n";
    break;
  case 8:
    line = "X-Long: " + std::string(oneIn(4) ? 33000 : 9000, 'a') + "\r\n" + line;
    break;
  default:
    damage(line);
  }
}

DamagedRequest DamagedRequests::damagedHeader() {
  const bool chat = oneIn(4);
  const std::string body = rightRequest(chat).dump();
  std::vector<std::string> header = rightHeader(chat, body.size());
  for (size_t count = 1 + below(2); count > 0; --count)
    spoil(header);
  return {joined(header) + body, "a damaged header", false, false};
}

DamagedRequest DamagedRequests::damagedBytes() {
  std::string bytes = randomBytes(300);
  if (oneIn(2)) {
    const std::string body = rightRequest(false).dump();
    bytes = joined(rightHeader(false, body.size())) + body;
    damage(bytes);
  }
  if (oneIn(3))
    bytes.resize(below(bytes.size() + 1));
  return {bytes, "damaged bytes", false, false};
}

} // namespace chimera::test
