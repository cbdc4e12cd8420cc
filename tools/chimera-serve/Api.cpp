// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Api.h"

#include "runtime/abi/Layout.h"
#include "runtime/io/HtmlPage.h"
#include "runtime/io/Result.h"

#include <ctime>
#include <random>
#include <utility>

namespace chimera {

/// Of the folder page (cmake/Pages.cmake).
extern const io::HtmlTemplate servePage;

} // namespace chimera

namespace chimera::serve {

using httplib::ContentReader;
using httplib::DataSink;
using std::chrono::milliseconds;

static constexpr const char *json = "application/json";
static constexpr milliseconds slice{100}; ///< How often a wait looks whether the client is still there.
static constexpr milliseconds pause{5};   ///< Between two parts of a stream, where tokens come faster.

/// The paths that there are, and the method of each.
static constexpr std::pair<const char *, const char *> endpoints[] = {
    {"/", "GET"},          {"/health", "GET"},          {"/metrics", "GET"},
    {"/v1/models", "GET"}, {"/v1/completions", "POST"}, {"/v1/chat/completions", "POST"}};
static constexpr const char *oneModel = "/v1/models/";
/// What the page at / may do: nothing but what is in it, and to ask this server.
static constexpr const char *pagePolicy =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The endpoint of a path, as metrics call it.
static std::string endpointOf(const std::string &path) {
  for (auto [endpoint, method] : endpoints)
    if (path == endpoint)
      return path;
  return path.rfind(oneModel, 0) == 0 ? "/v1/models" : "other";
}

static void respond(httplib::Response &response, const ApiError &error) {
  response.status = error.status;
  if (error.retryAfter)
    response.set_header("Retry-After", std::to_string(error.retryAfter));
  if (error.status == 401)
    response.set_header("WWW-Authenticate", "Bearer");
  response.set_content(textOf(error.body()), json);
}

/// What httplib found wrong itself.
static std::string reasonOf(int status) {
  switch (status) {
  case 400:
    return "the request is not HTTP/1.1, or its body is not what its headers say";
  case 413:
    return "the body is too large";
  case 414:
    return "the path is too long";
  default:
    return "the request cannot be answered";
  }
}

static bool hasBody(const httplib::Request &request) {
  return request.has_header("Transfer-Encoding") || request.get_header_value<uint64_t>("Content-Length") > 0;
}

/// A name that no other answer has.
static std::string uniqueName(const char *prefix) {
  std::random_device device;
  std::string name = prefix;
  for (int word = 0; word < 4; ++word) {
    char text[9];
    std::snprintf(text, sizeof text, "%08x", unsigned(device()));
    name += text;
  }
  return name;
}

/// What is wrong with a request before its body is read.
std::optional<ApiError> Api::refusal(const Request &request, Response &response) const {
  const char *method = request.path.rfind(oneModel, 0) == 0 ? "GET" : nullptr;
  for (auto [path, itsMethod] : endpoints)
    if (request.path == path)
      method = itsMethod;
  bool open = request.path == "/health" || request.path == "/"; // The page asks for a key itself.
  if (keys.needed() && !open && !keys.allows(request.get_header_value("Authorization")))
    return ApiError{401, "a key is needed: Authorization: Bearer KEY", "", "invalid_api_key", 0};
  if (!method)
    return ApiError{404, "there is no " + io::quote(request.path), "", "unknown_url", 0};
  bool fits = request.method == method || (request.method == "HEAD" && std::string(method) == "GET");
  if (!fits) {
    response.set_header("Allow", method);
    return ApiError{405, request.path + " takes " + method + " only", "", "method_not_allowed", 0};
  }
  if (request.method != "POST")
    return std::nullopt;
  if (std::optional<ApiError> refusal = scheduler.refusal())
    return refusal;
  std::string type = request.get_header_value("Content-Type");
  if (type.substr(0, type.find(';')) != json) // What a web page may send without asking has other types.
    return ApiError{415, "the Content-Type must be application/json", "", "", 0};
  if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding"))
    return ApiError{411, "the request has no Content-Length", "", "", 0};
  if (request.get_header_value<uint64_t>("Content-Length") > uint64_t(options.bodyBytes))
    return ApiError{413, "the body has more than " + std::to_string(options.bodyBytes) + " bytes", "", "", 0};
  return std::nullopt;
}

nlohmann::ordered_json Api::describeModel() const {
  nlohmann::ordered_json one;
  one["id"] = reader.modelName();
  one["object"] = "model";
  one["created"] = options.created;
  one["owned_by"] = "chimera";
  one["max_context"] = reader.mostContext();
  one["chat"] = model.hasTemplate();
  one["layers"] = nlohmann::ordered_json::array();
  for (int64_t layer = 0; layer < model.engine.info().layers; ++layer) {
    nlohmann::ordered_json modes = nlohmann::ordered_json::array();
    for (int mode = 0; mode < CHIMERA_MODE_COUNT; ++mode)
      if (chimera_model_layer_modes(model.engine.handle(), layer) >> mode & 1)
        modes.push_back(abi::modeNames[mode]);
    one["layers"].push_back(std::move(modes));
  }
  return one;
}

void Api::answerModel(const Request &request, Response &response) const {
  std::string wanted = request.path.substr(std::string(oneModel).size());
  if (wanted == reader.modelName())
    return response.set_content(textOf(describeModel()), json);
  respond(response, {404, "there is no model " + io::quote(wanted), "model", "model_not_found", 0});
}

void Api::attach(HttpServer &server) {
  server.set_pre_routing_handler([this](const Request &request, Response &response) {
    std::optional<ApiError> error = refusal(request, response);
    // httplib matches paths by regular expressions, which take much stack for a long one. So names are matched here.
    if (!error && request.path.rfind(oneModel, 0) == 0) {
      answerModel(request, response);
      return httplib::Server::HandlerResponse::Handled;
    }
    if (!error)
      return httplib::Server::HandlerResponse::Unhandled;
    if (hasBody(request)) { // It will not be read.
      response.set_header("Connection", "close");
      Connection::current()->closeAfter();
    }
    respond(response, *error);
    return httplib::Server::HandlerResponse::Handled;
  });
  server.set_error_handler([](const Request &, Response &response) {
    if (!response.body.empty() || response.content_provider_)
      return;
    respond(response, {response.status, reasonOf(response.status), "", "", 0});
    response.set_header("Connection", "close");
    if (Connection *connection = Connection::current())
      connection->closeAfter();
  });
  server.set_exception_handler([](const Request &, Response &response, std::exception_ptr) {
    respond(response, {500, "the server has no memory left for this request", "", "out_of_memory", 0});
  });
  server.set_logger([this](const Request &request, const Response &response) {
    metrics.countRequest(endpointOf(request.path), response.status);
  });
  server.onRefused = [this](int status) { metrics.countRequest("other", status); };

  server.Get("/", [page = io::htmlPage(servePage, nullptr)](const Request &, Response &response) {
    response.set_header("Content-Security-Policy", pagePolicy);
    response.set_header("Referrer-Policy", "no-referrer");
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_content(page, "text/html; charset=utf-8");
  });
  server.Get("/health", [this](const Request &, Response &response) {
    bool draining = scheduler.refusal().has_value();
    response.status = draining ? 503 : 200;
    response.set_content(draining ? R"({"status":"draining"})" : R"({"status":"ok"})", json);
  });
  server.Get("/metrics", [this](const Request &, Response &response) {
    response.set_content(metrics.text(), "text/plain; version=0.0.4; charset=utf-8");
  });
  server.Get("/v1/models", [this](const Request &, Response &response) {
    nlohmann::ordered_json list;
    list["object"] = "list";
    list["data"] = nlohmann::ordered_json::array({describeModel()});
    response.set_content(textOf(list), json);
  });
  for (bool chat : {false, true})
    server.Post(chat ? "/v1/chat/completions" : "/v1/completions",
                [this, chat](const Request &request, Response &response, const ContentReader &content) {
                  generate(request, response, content, chat);
                });
}

/// Reads a body, as far as it may be long; nothing where it ends too early.
static ApiResult<std::string> readBody(const ContentReader &content, size_t most) {
  std::string body;
  bool tooLong = false;
  bool whole = content([&](const char *bytes, size_t count) {
    tooLong |= count > most - body.size();
    if (!tooLong)
      body.append(bytes, count);
    return !tooLong;
  });
  if (tooLong)
    return ApiError{413, "the body has more than " + std::to_string(most) + " bytes", "", "", 0};
  if (!whole || !Connection::current()->bodyIsWhole())
    return ApiError{400, "the body ended early, or is not encoded as its headers say", "", "", 0};
  return body;
}

void Api::generate(const Request &, Response &response, const ContentReader &content, bool chat) {
  ApiResult<std::string> body = readBody(content, size_t(options.bodyBytes));
  if (!body) {
    response.set_header("Connection", "close");
    Connection::current()->closeAfter();
    return respond(response, body.error());
  }
  ApiResult<ApiRequest> request = chat ? reader.chat(*body) : reader.completion(*body);
  if (!request)
    return respond(response, request.error());
  AnswerHead head;
  head.id = uniqueName(chat ? "chatcmpl-" : "cmpl-");
  head.model = reader.modelName();
  head.created = int64_t(std::time(nullptr));
  head.chat = chat;
  head.stream = request->stream;
  head.includeUsage = request->includeUsage;
  auto job = std::make_shared<Job>(std::move(request->generation));
  auto answer = std::make_shared<Answer>(model, *job, head);
  if (std::optional<ApiError> error = scheduler.submit(job))
    return respond(response, *error);
  if (head.stream)
    answerStream(job, answer, response);
  else
    answerWhole(job, *answer, response);
}

/// Ends a job that nobody waits for any more.
void Api::abandon(Job &job) {
  if (!job.cancel())
    return;
  scheduler.cancelled();
  if (!job.error())
    metrics.countCancelled();
}

/// An error where the time for an answer is over.
std::optional<ApiError> Api::late(const Job &job) const {
  if (options.timeout.count() == 0 || Job::Clock::now() - job.arrival < options.timeout)
    return std::nullopt;
  return ApiError{504, "the answer was not complete in time (--timeout)", "", "timeout", 0};
}

void Api::answerWhole(const std::shared_ptr<Job> &job, Answer &answer, Response &response) {
  struct Guard { // Whatever happens here, nothing runs on for nobody.
    Api &api;
    Job &job;
    ~Guard() {
      if (!job.over())
        api.abandon(job);
    }
  } guard{*this, *job};
  while (!job->over()) {
    answer.add(job->take(slice, Job::Clock::time_point::max()));
    std::optional<ApiError> error = late(*job);
    if (!error && Connection::current()->clientGone())
      error = ApiError{499, "the client went away", "", "", 0};
    if (!error || job->over())
      continue;
    Connection::current()->closeAfter();
    return respond(response, *error);
  }
  if (std::optional<ApiError> error = job->error()) {
    abandon(*job);
    return respond(response, *error);
  }
  response.set_content(answer.whole(), json);
}

/// Sends what has come, not before `soonest`; false: the client is gone.
bool Api::sendPart(Job &job, Answer &answer, Job::Clock::time_point &soonest, DataSink &sink) {
  std::string events;
  for (const Piece &piece : Answer::joined(job.take(slice, soonest)))
    events += answer.event(piece);
  if (!events.empty())
    soonest = Job::Clock::now() + pause;
  std::optional<ApiError> error = job.over() ? job.error() : late(job);
  if (error || job.over()) {
    events += error ? Answer::errorEvent(*error) : answer.lastEvents();
    if (!events.empty() && !sink.write(events.data(), events.size()))
      return false;
    if (!job.over())
      abandon(job);
    sink.done();
    return true;
  }
  return events.empty() ? sink.is_writable() : sink.write(events.data(), events.size()) && sink.is_writable();
}

void Api::answerStream(const std::shared_ptr<Job> &job, std::shared_ptr<Answer> answer, Response &response) {
  response.set_header("Cache-Control", "no-cache");
  response.set_header("X-Accel-Buffering", "no");
  struct Stream {
    bool begun = false;
    Job::Clock::time_point soonest; ///< Of the next part.
  };
  auto stream = std::make_shared<Stream>();
  response.set_chunked_content_provider(
      "text/event-stream",
      [this, job, answer, stream](size_t, DataSink &sink) {
        std::string events = stream->begun ? "" : answer->firstEvents();
        stream->begun = true;
        if (!events.empty() && !sink.write(events.data(), events.size()))
          return false;
        return sendPart(*job, *answer, stream->soonest, sink);
      },
      [this, job](bool) {
        if (!job->over() || job->error())
          abandon(*job);
      });
}

} // namespace chimera::serve
