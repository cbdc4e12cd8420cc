// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/ApiError.h"

namespace chimera::serve {

static const char *typeOf(int status) {
  switch (status) {
  case 401:
    return "authentication_error";
  case 404:
    return "not_found_error";
  case 429:
    return "rate_limit_error";
  default:
    return status < 500 ? "invalid_request_error" : "server_error";
  }
}

nlohmann::ordered_json ApiError::body() const {
  auto text = [](const std::string &value) {
    return value.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(value);
  };
  nlohmann::ordered_json error;
  error["message"] = message;
  error["type"] = typeOf(status);
  error["param"] = text(param);
  error["code"] = text(code);
  nlohmann::ordered_json whole;
  whole["error"] = std::move(error);
  return whole;
}

std::string textOf(const nlohmann::ordered_json &value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

ApiError wrongField(const std::string &param, const std::string &message) {
  return {400, param + ": " + message, param, "", 0};
}

} // namespace chimera::serve
