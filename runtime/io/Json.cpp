// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Json.h"

#include <set>
#include <vector>

namespace chimera::io {

using nlohmann::json;

namespace {
/// Watches a parse for what the library lets pass: duplicate keys and any depth of nesting. It stops the parse by an
/// exception of its own.
struct Watcher {
  static constexpr int depthLimit = 64;
  std::vector<std::set<std::string>> keys;

  bool operator()(int depth, json::parse_event_t event, json &value) {
    switch (event) {
    case json::parse_event_t::object_start:
    case json::parse_event_t::array_start:
      if (depth >= depthLimit)
        throw Error{"not valid here: JSON nested deeper than " + std::to_string(depthLimit)};
      keys.emplace_back();
      break;
    case json::parse_event_t::object_end:
    case json::parse_event_t::array_end:
      keys.pop_back();
      break;
    case json::parse_event_t::key: {
      const auto &key = value.get_ref<const std::string &>();
      if (!keys.back().insert(key).second)
        throw Error{"the key " + quote(key) + " occurs twice"};
      break;
    }
    default:
      break;
    }
    return true;
  }
};
} // namespace

Result<json> parseJson(const void *text, size_t size) {
  const char *begin = static_cast<const char *>(text);
  try {
    Watcher watcher;
    return json::parse(begin, begin + size, std::ref(watcher));
  } catch (const json::parse_error &failure) {
    return Error{"not valid JSON at byte " + std::to_string(failure.byte)};
  } catch (const json::exception &) {
    return Error{"not valid JSON: a number out of range"};
  } catch (const Error &error) {
    return error;
  }
}

} // namespace chimera::io
