// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The bodies of answers, in the form of OpenAI's API.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_ANSWER_H
#define CHIMERA_TOOLS_CHIMERASERVE_ANSWER_H

#include "tools/chimera-serve/Job.h"
#include "tools/chimera-serve/ServedModel.h"

#include <nlohmann/json.hpp>

#include "tools/generation/TokenTexts.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace chimera::serve {

/// How an answer is called and who gives it.
struct AnswerHead {
  std::string id, model;
  int64_t created = 0; ///< Seconds since 1970.
  bool chat = false, stream = false, includeUsage = false;
};

/// Makes the answer of one request from what the scheduler says, as a whole or as a stream.
class Answer {
public:
  /// What is given must live longer.
  Answer(const ServedModel &model, const Job &job, AnswerHead head);

  /// Keeps pieces for `whole`.
  void add(std::vector<Piece> pieces);
  /// The answer that is not a stream.
  std::string whole();

  /// Server-sent events: what comes before the first piece; a piece; what comes at the end.
  std::string firstEvents() const;
  std::string event(const Piece &piece);
  std::string lastEvents() const;
  /// One piece for each choice that has any.
  static std::vector<Piece> joined(std::vector<Piece> pieces);
  static std::string errorEvent(const ApiError &error);

private:
  using Json = nlohmann::ordered_json;

  Json envelope(const char *object) const;
  Json usage() const;
  Json logprobs(const std::vector<ScoredToken> &tokens, size_t choice);
  Json completionLogprobs(const std::vector<ScoredToken> &tokens, size_t choice);
  Json chatLogprobs(const std::vector<ScoredToken> &tokens) const;
  Json routing(const Piece &piece);
  Json chunk(Json choices) const;
  Json chunkChoice(int64_t index, Json content, Json logprobs, Finish finish) const;

  const ServedModel &model;
  const Job &job;
  const AnswerHead head;
  std::vector<Piece> choices;               ///< What came of each so far, unless it is a stream.
  std::vector<int64_t> offsets;             ///< Characters of each choice's tokens so far.
  std::map<int64_t, run::TokenTexts> texts; ///< Of choices whose routing is told.
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_ANSWER_H
