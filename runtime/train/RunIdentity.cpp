// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/RunIdentity.h"

#include "runtime/io/Json.h"

#include <set>

namespace chimera::train {

using nlohmann::json;
using runtime::Error;
using runtime::Result;

std::string IdentityDifference::text(const std::string &there, const std::string &here) const {
  return io::quote(key) + " is " + theirs + " " + there + " and " + ours + " " + here;
}

static Result<json> parseObject(const std::string &text) {
  io::Result<json> value = io::parseJson(text.data(), text.size());
  if (!value)
    return Error("the identity of a run: " + value.error().message);
  if (!value->is_object())
    return Error("the identity of a run is no JSON object");
  return std::move(*value);
}

Result<std::vector<IdentityDifference>> identityDifferences(const std::string &theirs, const std::string &ours) {
  Result<json> left = parseObject(theirs), right = parseObject(ours);
  if (!left)
    return left.error();
  if (!right)
    return right.error();
  std::set<std::string> keys;
  for (const json *object : {&*left, &*right})
    for (const auto &item : object->items())
      keys.insert(item.key());
  auto valueOf = [](const json &object, const std::string &key) {
    return object.contains(key) ? io::quote(object[key].dump()) : std::string("absent");
  };
  std::vector<IdentityDifference> differences;
  for (const std::string &key : keys)
    if (left->contains(key) != right->contains(key) || left->value(key, json()) != right->value(key, json()))
      differences.push_back({key, valueOf(*left, key), valueOf(*right, key), !left->contains(key)});
  return differences;
}

} // namespace chimera::train
