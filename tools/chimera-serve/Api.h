// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The endpoints: what a request of HTTP becomes, and how it is answered.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_API_H
#define CHIMERA_TOOLS_CHIMERASERVE_API_H

#include "tools/chimera-serve/Answer.h"
#include "tools/chimera-serve/ApiKeys.h"
#include "tools/chimera-serve/ApiRequest.h"
#include "tools/chimera-serve/HttpServer.h"
#include "tools/chimera-serve/Metrics.h"
#include "tools/chimera-serve/Scheduler.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace chimera::serve {

struct ApiOptions {
  int64_t bodyBytes = 0;                ///< The most of a body.
  std::chrono::milliseconds timeout{0}; ///< For an answer, from the request's arrival on; 0: any.
  int64_t created = 0;                  ///< When the model was loaded, in seconds since 1970.
};

/// Answers requests, on httplib's threads.
class Api {
public:
  /// What is given must live longer.
  Api(ServedModel &model, Scheduler &scheduler, Metrics &metrics, const ApiKeys &keys, const RequestReader &reader,
      const ApiOptions &options)
      : model(model), scheduler(scheduler), metrics(metrics), keys(keys), reader(reader), options(options) {}

  /// Makes the server answer by this.
  void attach(HttpServer &server);

private:
  using Request = httplib::Request;
  using Response = httplib::Response;

  std::optional<ApiError> refusal(const Request &request, Response &response) const;
  void generate(const Request &request, Response &response, const httplib::ContentReader &content, bool chat);
  void answerWhole(const std::shared_ptr<Job> &job, Answer &answer, Response &response);
  void answerStream(const std::shared_ptr<Job> &job, std::shared_ptr<Answer> answer, Response &response);
  bool sendPart(Job &job, Answer &answer, Job::Clock::time_point &soonest, httplib::DataSink &sink);
  void abandon(Job &job);
  std::optional<ApiError> late(const Job &job) const;
  nlohmann::ordered_json describeModel() const;
  void answerModel(const Request &request, Response &response) const;

  ServedModel &model;
  Scheduler &scheduler;
  Metrics &metrics;
  const ApiKeys &keys;
  const RequestReader &reader;
  const ApiOptions options;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_API_H
