// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokenizer files made in tests.
#ifndef CHIMERA_TEST_RUNTIMETEXT_TEXTFILES_H
#define CHIMERA_TEST_RUNTIMETEXT_TEXTFILES_H

#include "runtime/text/Tokenizer.h"
#include "test/runtime-io/TempFolder.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace chimera::test {

/// What the reference library made of texts (reference/make-reference.js).
const nlohmann::json &reference();

/// A whole tokenizer.json: a model of reference.json, with fields changed, and other parts.
nlohmann::json tokenizerFile(const std::string &model, const nlohmann::json &change = {},
                             const nlohmann::json &parts = {});

/// Opens a folder that holds `file` as tokenizer.json.
io::Result<std::unique_ptr<text::Tokenizer>> openText(const std::string &file);
io::Result<std::unique_ptr<text::Tokenizer>> openFile(const nlohmann::json &file);

/// The same; a tokenizer is expected.
std::unique_ptr<text::Tokenizer> mustOpen(const nlohmann::json &file);

/// The parts of a tokenizer of bytes with three added tokens: <s> and </s> (special), <tool> (not).
nlohmann::json byteParts();

} // namespace chimera::test

#endif // CHIMERA_TEST_RUNTIMETEXT_TEXTFILES_H
