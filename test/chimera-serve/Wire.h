// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A client that sends any bytes, and reads answers more strictly than a client would.
#ifndef CHIMERA_TEST_CHIMERASERVE_WIRE_H
#define CHIMERA_TEST_CHIMERASERVE_WIRE_H

#include <string>

namespace chimera::test {

/// What came from a server.
struct WireAnswer {
  enum class End {
    Whole,     ///< An answer.
    Closed,    ///< Nothing more comes.
    Malformed, ///< Something else than an answer, or a part of one.
    TooLate,   ///< Nothing in ten seconds.
  } end = End::Closed;
  int status = 0;
  bool closes = false; ///< The server says that it closes the connection.
  std::string body;
  std::string problem; ///< What is malformed.
};

/// A connection to 127.0.0.1.
class Wire {
public:
  ~Wire() { close(); }
  Wire() = default;
  Wire(const Wire &) = delete;
  Wire &operator=(const Wire &) = delete;

  bool open(int port);
  bool isOpen() const { return file >= 0; }
  void close();

  /// Sends as much as the server takes.
  void send(const std::string &bytes);
  /// Says that nothing more is sent.
  void finish();
  /// The next answer; those that only say to go on are left out.
  WireAnswer read();

private:
  WireAnswer readOne();
  bool fill(WireAnswer &answer);
  bool readLine(WireAnswer &answer, std::string &line);
  bool readBytes(WireAnswer &answer, size_t count);
  bool readChunks(WireAnswer &answer);

  int file = -1;
  std::string received;
};

} // namespace chimera::test

#endif // CHIMERA_TEST_CHIMERASERVE_WIRE_H
