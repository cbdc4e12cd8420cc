// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a client is told when its request cannot be served, in the form that OpenAI's clients read.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_APIERROR_H
#define CHIMERA_TOOLS_CHIMERASERVE_APIERROR_H

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <variant>

namespace chimera::serve {

/// A status of HTTP (RFC 9110) and what is wrong.
struct ApiError {
  int status = 400;
  std::string message;
  std::string param; ///< The field that is wrong; empty: none, as the next.
  std::string code;
  int retryAfter = 0; ///< Seconds after which to try again; 0: nothing is said.

  /// {"error": {"message", "type", "param", "code"}}.
  nlohmann::ordered_json body() const;
};

/// JSON as it is sent: bytes that are not UTF-8 are U+FFFD.
std::string textOf(const nlohmann::ordered_json &value);

/// A request that is wrong in one field.
ApiError wrongField(const std::string &param, const std::string &message);

/// A value, or what to tell the client.
template <typename T> class [[nodiscard]] ApiResult {
public:
  ApiResult(T value) : content(std::in_place_index<0>, std::move(value)) {}
  ApiResult(ApiError error) : content(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return content.index() == 0; }
  T &operator*() { return *std::get_if<0>(&content); }
  T *operator->() { return std::get_if<0>(&content); }
  /// The error; only when there is no value.
  const ApiError &error() const { return *std::get_if<1>(&content); }

private:
  std::variant<T, ApiError> content;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_APIERROR_H
