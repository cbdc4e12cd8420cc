/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * What chimera_mpi.so exports: MPI behind a few functions, so that nothing else needs MPI to be built or to run. */
#ifndef CHIMERA_RUNTIME_TRAIN_MPIPLUGIN_H
#define CHIMERA_RUNTIME_TRAIN_MPIPLUGIN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a function changes its meaning. */
#define CHIMERA_MPI_VERSION 1u

/* Functions that return int return 0, or an error that `describe` writes as one line. */
typedef struct chimera_mpi {
  uint32_t version;
  /* Starts MPI and finds this process among the ranks. */
  int (*start)(int *rank, int *size);
  /* Ends MPI; waits for the other ranks. */
  void (*finish)(void);
  /* Sends bytes to a rank and receives as many from it. */
  int (*exchange)(int partner, const void *send, void *receive, int64_t bytes);
  /* Gives all ranks the bytes of rank 0. */
  int (*broadcast)(void *data, int64_t bytes);
  int (*barrier)(void);
  /* Ends all ranks with this exit status. Does not return. */
  void (*abandon)(int status);
  void (*describe)(int error, char *text, int64_t size);
} chimera_mpi;

/* The plugin's one symbol. */
#define CHIMERA_MPI_SYMBOL "chimera_mpi_functions"
const chimera_mpi *chimera_mpi_functions(void);

#ifdef __cplusplus
}
#endif

#endif /* CHIMERA_RUNTIME_TRAIN_MPIPLUGIN_H */
