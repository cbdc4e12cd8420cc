// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whatever comes, the server goes on, and says what is wrong.
#include "test/chimera-serve/ServeTool.h"

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {
class MalformedTest : public ServeTest {
protected:
  /// Expects that the server still answers as it should.
  void expectWell() {
    ASSERT_TRUE(server->alive()) << server->errors();
    EXPECT_EQ(complete({{"prompt", "abc"}}).choice()["text"], expectedText("abc", 16));
    EXPECT_EQ(countLines(server->errors()), 1) << server->errors();
  }
};
} // namespace

TEST_F(MalformedTest, RequestsThatAreNoneAreAnswered) {
  serve();
  for (const char *text : {
           "\r\n\r\nGET /health\r\n\r\n",
           "GET /health HTTP/9.9\r\n\r\n",
           "BREW /health HTTP/1.1\r\n\r\n",
           "GET /health HTTP/1.1\n\r\n\r\n",
           "GET /health HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
           "GET /health%00%ff%zz HTTP/1.1\r\n\r\n",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: abc\r\n\r\n",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: -1\r\n\r\n",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: "
           "chunked\r\n\r\nzz\r\n",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
           "ffffffffffffffff\r\nabc\r\n0\r\n\r\n",
           // Of two lengths a proxy may believe the other one.
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 16\r\n"
           "Content-Length: 5\r\n\r\n{\"prompt\":\"abc\"}",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 16\r\n"
           "Transfer-Encoding: chunked\r\n\r\n10\r\n{\"prompt\":\"abc\"}\r\n0\r\n\r\n",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length : 16\r\n\r\n"
           "{\"prompt\":\"abc\"}",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: +16\r\n\r\n"
           "{\"prompt\":\"abc\"}",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked, chunked"
           "\r\n\r\n10\r\n{\"prompt\":\"abc\"}\r\n0\r\n\r\n",
           // A chunk that is longer than it says.
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
           "10\r\n{\"prompt\":\"abc\"}, \r\n0\r\n\r\n",
           "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
           "Content-Length: 5\r\n\r\nabcde",
       }) {
    std::string answer = raw(std::string(text) + "Connection: close\r\n\r\n", 0.3);
    EXPECT_EQ(answer.find(" 200 "), std::string::npos) << text << "\n" << answer;
    EXPECT_EQ(answer.compare(0, 5, "HTTP/"), 0) << text << "\n" << answer;
  }
  expectWell();
}
