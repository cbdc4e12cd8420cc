// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What somebody who writes to a path has written, without a file.
#ifndef CHIMERA_CODEGEN_BINARY_OUTPUTPIPE_H
#define CHIMERA_CODEGEN_BINARY_OUTPUTPIPE_H

#include "llvm/Support/Error.h"
#include <string>
#include <thread>

namespace chimera::binary {

/// A pipe with a path. A linker that is given a file's path makes another file beside it first, which would need a
/// folder and be left there when the process is killed; to a pipe it writes.
class OutputPipe {
public:
  /// An error is the system's.
  llvm::Error open();
  ~OutputPipe();
  OutputPipe() = default;
  OutputPipe(const OutputPipe &) = delete;
  OutputPipe &operator=(const OutputPipe &) = delete;

  /// Where to write to, for this process, until `take`.
  std::string path() const;
  /// All that was written.
  std::string take();

private:
  int ends[2] = {-1, -1};
  std::string bytes;
  std::thread reader;
};

} // namespace chimera::binary

#endif // CHIMERA_CODEGEN_BINARY_OUTPUTPIPE_H
