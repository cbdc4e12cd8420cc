// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera_mpi.so: the only code that knows MPI.
#include "runtime/train/MpiPlugin.h"

#include <algorithm>
#include <mpi.h>

namespace {

/// The most bytes of one message: MPI counts in int.
constexpr int64_t mostBytes = int64_t(1) << 30;

int start(int *rank, int *size) {
  int provided = 0;
  if (int error = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided))
    return error;
  if (int error = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN))
    return error;
  if (int error = MPI_Comm_rank(MPI_COMM_WORLD, rank))
    return error;
  return MPI_Comm_size(MPI_COMM_WORLD, size);
}

void finish() {
  MPI_Finalize();
}

int exchange(int partner, const void *send, void *receive, int64_t bytes) {
  const char *from = static_cast<const char *>(send);
  char *to = static_cast<char *>(receive);
  for (int64_t at = 0; at < bytes; at += mostBytes) {
    int count = int(std::min(mostBytes, bytes - at));
    if (int error = MPI_Sendrecv(from + at, count, MPI_BYTE, partner, 0, to + at, count, MPI_BYTE, partner, 0,
                                 MPI_COMM_WORLD, MPI_STATUS_IGNORE))
      return error;
  }
  return 0;
}

int broadcast(void *data, int64_t bytes) {
  char *at = static_cast<char *>(data);
  for (; bytes > 0; bytes -= mostBytes, at += mostBytes)
    if (int error = MPI_Bcast(at, int(std::min(mostBytes, bytes)), MPI_BYTE, 0, MPI_COMM_WORLD))
      return error;
  return 0;
}

int barrier() {
  return MPI_Barrier(MPI_COMM_WORLD);
}

void abandon(int status) {
  MPI_Abort(MPI_COMM_WORLD, status);
}

void describe(int error, char *text, int64_t size) {
  char message[MPI_MAX_ERROR_STRING + 1] = "";
  int length = 0;
  MPI_Error_string(error, message, &length);
  int64_t count = size > 0 ? std::min<int64_t>(length, size - 1) : 0;
  std::transform(message, message + count, text, [](char c) { return c == '\n' ? ' ' : c; });
  if (size > 0)
    text[count] = 0;
}

} // namespace

extern "C" __attribute__((visibility("default"))) const chimera_mpi *chimera_mpi_functions(void) {
  static const chimera_mpi functions = {CHIMERA_MPI_VERSION, start,   finish,  exchange,
                                        broadcast,           barrier, abandon, describe};
  return &functions;
}
