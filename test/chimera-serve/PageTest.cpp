// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The page at /: what it is, and what a browser does with it.
#include "test/chimera-serve/ServeTool.h"
#include "test/support/Browser.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {

/// The server with a script of the test's own in its page: what a person would do. It passes everything else on.
class ScriptedServer {
public:
  ScriptedServer(int port, std::string script) : target(port), script(std::move(script)) {
    proxy.Get("/", [this](const httplib::Request &, httplib::Response &response) {
      std::string page = client().Get("/")->body;
      page.insert(page.rfind("</body>"), "<script>" + this->script + "</script>");
      response.set_content(page, "text/html; charset=utf-8");
    });
    proxy.Get("/v1/models", [this](const httplib::Request &request, httplib::Response &response) {
      answer(client().Get(request.path, headersOf(request)), response);
    });
    proxy.Post("/v1/.*", [this](const httplib::Request &request, httplib::Response &response) {
      asked.push_back(json::parse(request.body));
      answer(client().Post(request.path, headersOf(request), request.body, "application/json"), response);
    });
    listensOn = proxy.bind_to_any_port("127.0.0.1");
    listener = std::thread([this] { proxy.listen_after_bind(); });
    while (!proxy.is_running())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ~ScriptedServer() {
    proxy.stop();
    listener.join();
  }

  std::string address() const { return "http://127.0.0.1:" + std::to_string(listensOn) + "/"; }
  std::vector<json> asked; ///< By the page.

private:
  httplib::Client client() const { return httplib::Client("127.0.0.1", target); }
  static httplib::Headers headersOf(const httplib::Request &request) {
    httplib::Headers headers;
    if (request.has_header("Authorization"))
      headers.emplace("Authorization", request.get_header_value("Authorization"));
    return headers;
  }
  static void answer(const httplib::Result &result, httplib::Response &response) {
    ASSERT_TRUE(result);
    response.status = result->status;
    response.set_content(result->body, result->get_header_value("Content-Type"));
  }

  int target, listensOn = 0;
  std::string script;
  httplib::Server proxy;
  std::thread listener;
};

class PageTest : public ServeTest {
protected:
  /// The document after the page was used as `script` says, and what it asked of the server.
  std::string used(const std::string &script, const std::vector<std::string> &options = {}, bool quiet = true) {
    ScriptedServer scripted(server->port(), script);
    std::string document = documentInBrowser(scripted.address(), file("profile"), options, quiet);
    asked = scripted.asked;
    return document;
  }

  static constexpr const char *whenReady =
      "new MutationObserver((_, watch) => { if (!('ready' in document.body.dataset)) "
      "return; watch.disconnect(); act(); })"
      ".observe(document.body, {attributes: true});";
  std::vector<json> asked;
};

} // namespace

TEST_F(PageTest, NeedsNothingElseAndNoKey) {
  serve({"--api-key", "secret"});
  Reply reply = get("/");
  EXPECT_EQ(reply.status, 200);
  auto header = [&](const char *name) {
    auto found = reply.headers.find(name);
    return found == reply.headers.end() ? std::string() : found->second;
  };
  EXPECT_EQ(header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_NE(header("Content-Security-Policy").find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(reply.body.find("{{"), std::string::npos) << "a place that was not filled";
  for (const char *other : {"src=", "href=\"http", "@import", "https://"})
    EXPECT_EQ(reply.body.find(other), std::string::npos) << other;
  EXPECT_EQ(post("/", "{}").status, 405);
  EXPECT_EQ(get("/v1/models").status, 401);
}

TEST_F(PageTest, ABrowserShowsItUnderItsPolicy) {
  if (!hasBrowser())
    GTEST_SKIP() << "chromium is not installed";
  serve();
  std::string html = documentInBrowser("http://127.0.0.1:" + std::to_string(server->port()) + "/", file("profile"));
  EXPECT_NE(html.find("data-ready=\"2\""), std::string::npos) << "it has read the layers";
  EXPECT_NE(html.find("m, 2 layers"), std::string::npos);
}

TEST_F(PageTest, ATextIsContinuedAndItsTokensAreShown) {
  if (!hasBrowser())
    GTEST_SKIP() << "chromium is not installed";
  serve();
  // Typed, sent by the keyboard, and looked at by the keyboard.
  const std::string script =
      "function act() { find('prompt').value = 'a<b>&\\n'; find('tokens').value = 30; find('guesses').value = 4;"
      " find('prompt').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', ctrlKey: true, bubbles: true}));"
      " new MutationObserver(() => { for (const key of ['Home', 'ArrowRight', 'ArrowDown']) find('text').dispatchEvent("
      "new KeyboardEvent('keydown', {key})); document.body.dataset.text = [...find('text').textContent.slice(6)].map("
      "c => c.charCodeAt(0).toString(16).padStart(2, '0')).join(''); }).observe(document.body, {attributes: true, "
      "attributeFilter: "
      "['data-ended']}); }";
  std::string shot = file("page.png");
  std::string html = used(script + whenReady, {"--screenshot=" + shot, "--window-size=1200,1600"});
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0]["prompt"], "a<b>&\n");
  EXPECT_EQ(asked[0]["speculation"], 4);
  EXPECT_NE(html.find("data-ended=\"35\""), std::string::npos) << "6 of the prompt and 29 that were fed";
  EXPECT_NE(html.find("Token 1: \"&lt;\""), std::string::npos) << "the second token is chosen";
  EXPECT_NE(html.find("in layer 1"), std::string::npos);
  EXPECT_NE(html.find("class=\"area\""), std::string::npos) << "the caches are drawn";
  EXPECT_EQ(html.find("NaN"), std::string::npos);
  for (const char *mode : {"class=\"ssm made", "class=\"full made"})
    EXPECT_NE(html.find(mode), std::string::npos) << "no new token is coloured " << mode;
  std::string text;
  for (char byte : expectedText("a<b>&\n", 30))
    text += "0123456789abcdef"[uint8_t(byte) >> 4], text += "0123456789abcdef"[byte & 15];
  EXPECT_NE(html.find("data-text=\"" + text + "\""), std::string::npos) << "all new tokens are there";
  EXPECT_GT(std::filesystem::file_size(shot), 10000u);
  if (const char *keep = std::getenv("CHIMERA_SCREENSHOTS")) // A folder, to look at it.
    std::filesystem::copy_file(shot, std::string(keep) + "/serve.png",
                               std::filesystem::copy_options::overwrite_existing);
}

TEST_F(PageTest, AConversationGoesOn) {
  if (!hasBrowser())
    GTEST_SKIP() << "chromium is not installed";
  writeChat();
  serve();
  const std::string script = "let turns = 0; function act() { find('tokens').value = 8; find('prompt').value = "
                             "'Hello'; find('ask').requestSubmit();"
                             " new MutationObserver(() => { if (++turns === 1) { find('prompt').value = 'More'; "
                             "find('ask').requestSubmit(); } })"
                             ".observe(document.body, {attributes: true, attributeFilter: ['data-ended']}); }";
  std::string html = used(script + whenReady);
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0]["messages"], json({{{"role", "user"}, {"content", "Hello"}}}));
  ASSERT_EQ(asked[1]["messages"].size(), 3u);
  EXPECT_EQ(asked[1]["messages"][1]["role"], "assistant");
  EXPECT_EQ(asked[1]["messages"][1]["content"], answerTo(chatMlOf({"user", "Hello"}), 8));
  EXPECT_NE(html.find("<b>assistant</b>"), std::string::npos);
}

TEST_F(PageTest, AKeyIsAskedForAndErrorsAreShown) {
  if (!hasBrowser())
    GTEST_SKIP() << "chromium is not installed";
  serve({"--api-key", "secret"});
  std::string html = used("", {}, false);
  EXPECT_NE(html.find("a key is needed"), std::string::npos);
  EXPECT_EQ(html.find("id=\"key-choice\" hidden"), std::string::npos) << "there is a place for it";
  const std::string script = "function act() { find('key').value = 'secret'; find('prompt').value = 'abc';"
                             " find('temperature').value = '-1'; find('ask').requestSubmit(); }";
  html = used(script + whenReady, {}, false);
  EXPECT_NE(html.find("temperature must be"), std::string::npos);
  EXPECT_NE(html.find("m, 2 layers"), std::string::npos) << "the key opened the rest";
}
