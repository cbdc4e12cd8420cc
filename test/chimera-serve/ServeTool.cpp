// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/chimera-serve/ServeTool.h"

#include "runtime/text/Utf8.h"

#include <arpa/inet.h>
#include <filesystem>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace chimera::test {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

static Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

std::string Reply::message() const {
  return json.is_object() && json.contains("error") ? json["error"]["message"].get<std::string>() : "";
}

json Reply::choice(size_t index) const {
  if (!json.is_object() || !json.contains("choices") || json["choices"].size() <= index) {
    ADD_FAILURE() << "no choice " << index << " in: " << body;
    return json::object();
  }
  return json["choices"][index];
}

std::vector<json> eventsOf(const std::string &body) {
  std::vector<json> events;
  bool done = false;
  for (size_t at = 0, end; at < body.size(); at = end + 2) {
    end = body.find("\n\n", at);
    EXPECT_NE(end, std::string::npos) << "an event without an end: " << body.substr(at);
    EXPECT_EQ(body.compare(at, 6, "data: "), 0) << body.substr(at, 80);
    EXPECT_FALSE(done) << "something follows [DONE]";
    if (end == std::string::npos)
      break;
    std::string data = body.substr(at + 6, end - at - 6);
    done = data == "[DONE]";
    if (done)
      continue;
    events.push_back(json::parse(data, nullptr, false));
    EXPECT_FALSE(events.back().is_discarded()) << data;
  }
  EXPECT_TRUE(done) << "no [DONE] in: " << body;
  return events;
}

std::string streamedText(const std::vector<json> &events, int64_t index) {
  std::string text;
  for (const json &event : events)
    for (const json &choice : event["choices"])
      if (choice["index"] == index)
        text += choice.contains("delta") ? choice["delta"].value("content", "") : choice["text"].get<std::string>();
  return text;
}

ServeTest::ServeTest() {
  std::filesystem::remove(file("tokenizer.json"));
  std::filesystem::remove(file("tokenizer_config.json"));
}

void ServeTest::writeChat() {
  writeFile(file("tokenizer.json"),
            tokenizerJson({{"<s>", 257}, {"</s>", 258}, {"<|im_start|>", 259}, {"<|im_end|>", 260}}));
  setTemplate(chatMl);
}

std::vector<std::string> ServeTest::serveCommand(std::vector<std::string> options) const {
  std::vector<std::string> command = {CHIMERA_SERVE, file("m.chm"), "--weights", folder.path(), "--port", "0"};
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

void ServeTest::serve(std::vector<std::string> options) {
  server = std::make_unique<RunningServer>(serveCommand(std::move(options)), folder.path());
}

httplib::Client ServeTest::client() const {
  httplib::Client made("127.0.0.1", server->port());
  made.set_read_timeout(60);
  made.set_tcp_nodelay(true);
  return made;
}

static Reply replyOf(const httplib::Result &result) {
  Reply reply;
  if (!result)
    return reply;
  reply.status = result->status;
  reply.headers = result->headers;
  reply.body = result->body;
  reply.json = json::parse(result->body, nullptr, false);
  if (reply.json.is_discarded())
    reply.json = nullptr;
  return reply;
}

Reply ServeTest::get(const std::string &path, const httplib::Headers &headers) const {
  return replyOf(client().Get(path, headers));
}

Reply ServeTest::post(const std::string &path, const std::string &body, const httplib::Headers &headers) const {
  return replyOf(client().Post(path, headers, body, "application/json"));
}

int ServeTest::connection() const {
  int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(uint16_t(server->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(file, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
  return file;
}

std::string ServeTest::raw(const std::string &bytes, double seconds) const {
  int file = connection();
  std::string answer;
  for (size_t sent = 0; sent < bytes.size();) {
    ssize_t count = ::send(file, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0)
      break;
    sent += size_t(count);
  }
  for (auto end = after(seconds); Clock::now() < end;) {
    pollfd poll = {file, POLLIN, 0};
    if (::poll(&poll, 1, seconds < 0.1 ? 1 : 20) <= 0)
      continue;
    char part[4096];
    ssize_t count = ::recv(file, part, sizeof part, 0);
    if (count <= 0)
      break;
    answer.append(part, size_t(count));
  }
  ::close(file);
  return answer;
}

int ServeTest::occupy(const json &more) const {
  json request = {{"prompt", "abc"}, {"max_tokens", 400000}};
  request.update(more);
  std::string text = completionRequest(request.dump());
  int file = connection();
  EXPECT_EQ(::write(file, text.data(), text.size()), ssize_t(text.size()));
  return file;
}

int64_t ServeTest::metric(const std::string &name) const {
  std::string text = "\n" + get("/metrics").body;
  size_t at = text.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stoll(text.substr(at + name.size() + 2));
}

bool ServeTest::eventually(const std::function<bool()> &holds, double seconds) {
  for (auto end = after(seconds); Clock::now() < end;) {
    if (holds())
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return holds();
}

std::string ServeTest::expectedText(const std::string &prompt, size_t count, const SamplerOptions &options,
                                    uint64_t number, int letters) {
  return text::wellFormed(ByteModelTest::textOf(chosen(bytesOf(prompt), count, options, number, {}, letters)));
}

} // namespace chimera::test
