// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tokens that a tokenizer puts before and behind a text.
#ifndef CHIMERA_RUNTIME_TEXT_POSTPROCESSOR_H
#define CHIMERA_RUNTIME_TEXT_POSTPROCESSOR_H

#include "runtime/io/Result.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace chimera::text {

/// What stands around a text: <bos> text <eos>, say.
struct Frame {
  std::vector<int32_t> before, behind;
};

/// Reads the post_processor at `where` of a tokenizer.json (TemplateProcessing, RobertaProcessing,
/// BertProcessing, ByteLevel, Sequence). Templates for pairs of texts are not used.
io::Result<Frame> readFrame(const nlohmann::json &object, const std::string &where);

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_POSTPROCESSOR_H
