// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/KeyLog.h"

#include <algorithm>

namespace chimera {

namespace {

/// As JSON; what is beyond `most` bytes may be left out.
std::string textOf(const JsonValue &value, size_t most) {
  bool isObject = value.kind == JsonValue::Kind::Object;
  if (!isObject && value.kind != JsonValue::Kind::Array)
    return value.describe();
  std::string text(1, isObject ? '{' : '[');
  for (size_t i = 0, n = isObject ? value.members.size() : value.items.size(); i < n && text.size() <= most; ++i) {
    text += i ? ", " : "";
    if (isObject)
      text += "\"" + value.members[i].first + "\": ";
    text += textOf(isObject ? value.members[i].second : value.items[i], most);
  }
  return text + (isObject ? '}' : ']');
}

} // namespace

void KeyLog::begin(const JsonValue &object) {
  constexpr size_t most = 40;
  all.clear();
  for (const auto &[key, value] : object.members)
    all.push_back({key, printable(textOf(value, most), most), KeyUse::NotReached, ""});
}

void KeyLog::note(std::string_view key, KeyUse use, std::string_view reason) {
  for (Entry &entry : all)
    if (entry.key == key && entry.use != KeyUse::Refused) {
      entry.use = use;
      entry.reason = reason;
    }
}

void KeyLog::refuse(std::string_view path, std::string_view reason) {
  for (Entry &entry : all) {
    // A path has the key as printable() gives it.
    std::string key = printable(entry.key);
    if (path.substr(0, key.size()) != key)
      continue;
    std::string_view rest = path.substr(key.size());
    if (rest.empty())
      note(entry.key, KeyUse::Refused, reason);
    else if (rest.front() == '.' || rest.front() == '[')
      note(entry.key, KeyUse::Refused, std::string(path) + ": " + std::string(reason));
  }
}

std::string describe(const KeyLog::Entry &entry) {
  static constexpr const char *words[] = {"not looked at", "read",    "not set", "no effect",
                                          "neutral",       "ignored", "refused"};
  std::string text = words[size_t(entry.use)];
  return entry.reason.empty() ? text : text + ": " + entry.reason;
}

} // namespace chimera
