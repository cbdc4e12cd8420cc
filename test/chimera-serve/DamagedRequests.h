// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Requests that are wrong in every way that a request can be: its line, its headers, its chunks, its JSON, its fields.
#ifndef CHIMERA_TEST_CHIMERASERVE_DAMAGEDREQUESTS_H
#define CHIMERA_TEST_CHIMERASERVE_DAMAGEDREQUESTS_H

#include <nlohmann/json.hpp>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace chimera::test {

/// A request as bytes, and what must become of it.
struct DamagedRequest {
  std::string bytes;
  const char *kind = "";
  /// Its header is right, and its body as long as it says: there is an answer, and the connection may go on. Otherwise
  /// it is sent on a connection of its own, which is closed behind it, and there may be no answer.
  bool whole = false;
  /// No server may take it for right. Otherwise the damage may have changed nothing that matters.
  bool wrong = false;
};

/// An endless row of them, which depends on the seed alone. They are for a server of the byte model with a tokenizer of
/// 300 tokens, a chat template, `--max-context 40` and `--max-body 64K`.
class DamagedRequests {
public:
  explicit DamagedRequests(uint32_t seed) : random(seed) {}

  DamagedRequest next();

private:
  using Json = nlohmann::json;

  size_t below(size_t count) { return random() % count; }
  bool oneIn(size_t count) { return below(count) == 0; }
  template <typename T> T oneOf(const std::vector<T> &values) { return values[below(values.size())]; }
  std::string randomBytes(size_t most);
  void damage(std::string &bytes);

  Json rightRequest(bool chat);
  void addRightFields(Json &request);
  Json anyValue(int depth = 0);
  Json wrongInteger(int64_t low, int64_t high);
  Json notOf(Json::value_t type);
  Json wrongValue(const std::string &field, bool chat);
  std::string wrongLiteral();

  DamagedRequest posted(bool chat, const std::string &body, const char *kind, bool wrong);
  std::vector<std::string> rightHeader(bool chat, size_t length);
  std::string wrongLine();
  void spoil(std::vector<std::string> &header);

  DamagedRequest wrongField();
  DamagedRequest anyFields();
  DamagedRequest noJson();
  DamagedRequest damagedJson();
  DamagedRequest cutBody();
  DamagedRequest damagedChunks();
  DamagedRequest damagedLine();
  DamagedRequest damagedHeader();
  DamagedRequest damagedBytes();

  std::mt19937 random;
};

} // namespace chimera::test

#endif // CHIMERA_TEST_CHIMERASERVE_DAMAGEDREQUESTS_H
