// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_TEST_FRONTEND_CONFIGTESTSUPPORT_H
#define CHIMERA_TEST_FRONTEND_CONFIGTESTSUPPORT_H

#include "dialect/frontend/Config.h"

#include <gtest/gtest.h>

namespace chimera::test {

/// The config of `text`, which must be valid.
inline Config valid(const std::string &text) {
  ConfigOrError result = parseConfig(text, "config.json");
  if (const std::string *error = std::get_if<std::string>(&result)) {
    ADD_FAILURE() << *error << "\nin " << text;
    return Config();
  }
  return std::get<Config>(std::move(result));
}

/// The error of `text`, which must be invalid; without the file's name, which must come first, and on one line.
inline std::string errorOf(const std::string &text) {
  ConfigOrError result = parseConfig(text, "config.json");
  const std::string *error = std::get_if<std::string>(&result);
  if (!error) {
    ADD_FAILURE() << "no error in " << text;
    return {};
  }
  EXPECT_EQ(error->rfind("config.json: ", 0), 0U) << *error;
  EXPECT_EQ(error->find('\n'), std::string::npos) << *error;
  return error->substr(13);
}

/// A small config with every needed key; `extra` is put before its end ("" or ", \"window\": 3").
inline std::string small(const std::string &extra = "") {
  return R"({"model_type": "chimera", "vocab_size": 17, "hidden_size": 8, "num_hidden_layers": 2, )"
         R"("num_attention_heads": 4, "head_dim": 6, "intermediate_size": 12, "ssm": {"state_size": 4, "head_dim": 4})" +
         extra + "}";
}

/// The same with its ssm object, or with a router object, replaced.
inline std::string withSsm(const std::string &ssm) {
  return R"({"model_type": "chimera", "vocab_size": 17, "hidden_size": 8, "num_hidden_layers": 2, )"
         R"("num_attention_heads": 4, "head_dim": 6, "intermediate_size": 12, "ssm": )" +
         ssm + "}";
}
inline std::string withRouter(const std::string &router) {
  return small(", \"router\": " + router);
}

} // namespace chimera::test

#endif // CHIMERA_TEST_FRONTEND_CONFIGTESTSUPPORT_H
