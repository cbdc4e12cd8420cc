// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The bodies of requests, in the form of OpenAI's API.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_APIREQUEST_H
#define CHIMERA_TOOLS_CHIMERASERVE_APIREQUEST_H

#include "tools/chimera-serve/ApiError.h"
#include "tools/chimera-serve/Job.h"
#include "tools/chimera-serve/Scheduler.h"
#include "tools/chimera-serve/ServedModel.h"

#include <cstdint>
#include <string>

namespace chimera::serve {

class Fields;

/// What a request asks for, and how it is to be answered.
struct ApiRequest {
  Generation generation;
  bool chat = false;
  bool stream = false;
  bool includeUsage = false; ///< Of a stream.
};

/// Reads requests; threads share it.
class RequestReader {
public:
  /// `name`: the model's, as requests call it. `maxContext`: the most tokens of a prompt and its continuation.
  /// `guesses`: the most of a step for requests that do not say.
  RequestReader(ServedModel &model, const Scheduler &scheduler, std::string name, int64_t maxContext, int64_t guesses)
      : model(model), scheduler(scheduler), name(std::move(name)), maxContext(maxContext), guesses(guesses) {}

  /// The body of POST /v1/completions.
  ApiResult<ApiRequest> completion(const std::string &body) const;
  /// The body of POST /v1/chat/completions.
  ApiResult<ApiRequest> chat(const std::string &body) const;

  const std::string &modelName() const { return name; }
  int64_t mostContext() const { return maxContext; }

  static constexpr size_t mostPrompts = 1024, mostStops = 16, mostStopBytes = 1000;
  static constexpr int64_t mostLogprobs = 20, mostChoices = 128;
  static constexpr int64_t usualGuesses = 8; ///< Where a request wants them, and no more is said.
  static constexpr int64_t completionTokens = 16, answerTokens = 4096; ///< New ones, where a request does not say.

private:
  void readCommon(Fields &fields, ApiRequest &request) const;
  void readSampling(Fields &fields, Generation &generation) const;
  void readSpeculation(Fields &fields, Generation &generation) const;
  void readPrompts(Fields &fields, Generation &generation) const;
  void readMessages(Fields &fields, Generation &generation) const;
  void checkRoom(Fields &fields, Generation &generation, std::optional<int64_t> wanted, int64_t otherwise,
                 const char *promptField) const;

  ServedModel &model;
  const Scheduler &scheduler;
  std::string name;
  int64_t maxContext, guesses;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_APIREQUEST_H
