/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The C interface of the CHIMERA runtime: all that a program needs that embeds a compiled model, and all that codegen
 * and runtime share (the kernel's signature and the canonical numbers of modes).
 *
 *     chimera_model_load -> chimera_weights_load -> chimera_session_create -> chimera_sequence_add -> chimera_step ...
 *
 * Errors. Every function that can fail returns 0 on success and a chimera_status otherwise. Its last argument, which
 * may be NULL, then receives an error object with one line of text that says what is wrong and where; free it with
 * chimera_error_free. On success it is left alone. A call that fails has changed nothing. No function throws, exits or
 * prints.
 *
 * Lifetime. Handles may be freed in any order: a session keeps what it needs of its model and weights alive. NULL may
 * be freed; anything else is freed once.
 *
 * Threads. A model and weights may be used by many threads at once; a session by one thread at a time, not always the
 * same: a call on a session in which another thread is fails. Two sessions share nothing that changes, so each may have
 * a thread of its own. A session starts threads - 1 workers, which live as long as it does; between steps they wait,
 * and after about a millisecond they sleep. chimera_weights_load starts threads that have ended when it returns.
 *
 * Stack. 64 KiB of free stack are enough for every call. Kernels need more, how much depends on the model (stack_bytes
 * in its manifest); the session brings stacks of that size, and the caller's part of a step runs on one of them too. So
 * a step works from a small thread or a fiber, but whoever looks at the stack pointer during a step finds it outside of
 * the thread's stack. A signal handler that interrupts a step has 128 KiB there, unless it has a stack of its own
 * (sigaltstack).
 *
 * Signals. The library installs no handlers and changes no signal mask of yours. Its workers block every signal but
 * those for what a thread did itself (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS) and SIGPROF, so your
 * handlers run on your threads. No function is safe to call in a signal handler.
 *
 * Fork. A forked child may free everything that it inherited, and may use inherited models and weights as the parent
 * may: to load weights and to make sessions of its own. An inherited session belongs to the parent, where its workers
 * are: in the child, every call on it but chimera_session_free fails. To go on with a sequence in a child, let the
 * parent take a snapshot before it forks, and restore that in the child's session. No thread may be inside a call of
 * this library while another one forks.
 *
 * Floating point. A step computes with the same floating-point mode whatever the caller's is (round to nearest, no
 * traps, denormals flushed to zero), and restores the caller's MXCSR with its sticky flags; chimera_weights_load
 * likewise rounds to nearest and keeps denormals. Both leave the x87 and AVX state as any function call does.
 *
 * Locale and errno. Nothing depends on the locale or changes it, but for the system's texts within messages. A call may
 * change errno, whose value means nothing afterwards.
 *
 * Structs that begin with struct_size grow at the end in later versions: set it to sizeof of your struct, and zero the
 * rest, so that fields you do not know get their defaults.
 */
#ifndef CHIMERA_RUNTIME_ABI_CHIMERA_H
#define CHIMERA_RUNTIME_ABI_CHIMERA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a function or a struct changes its meaning; new functions do not raise it. */
#define CHIMERA_ABI_VERSION 1u

#if defined(__GNUC__)
#define CHIMERA_API __attribute__((visibility("default")))
#else
#define CHIMERA_API
#endif

/* The version that the library was built with; it fits this header when it equals CHIMERA_ABI_VERSION. */
CHIMERA_API uint32_t chimera_abi_version(void);

/* A kernel of a model binary: computes the blocks begin .. end-1 of a launch. args holds CHIMERA_ARG_*, then the
 * launch's own constants. docs/model-binary.md has the contract. */
typedef void (*chimera_kernel)(void *const *buffers, const int64_t *args, int64_t begin, int64_t end);

enum {
  CHIMERA_ARG_TOKENS = 0,   /* N, the rows of this step */
  CHIMERA_ARG_SEQS = 1,     /* S, the sequences of this step */
  CHIMERA_ARG_OUTPUTS = 2,  /* R, the rows whose logits are wanted */
  CHIMERA_ARG_STRIDE = 3,   /* the page table's entries a slot */
  CHIMERA_ARG_CONSTANTS = 4 /* the first of the launch's constants */
};

/* The modes in canonical order. */
enum {
  CHIMERA_MODE_SSM = 0,
  CHIMERA_MODE_SWA = 1,
  CHIMERA_MODE_FULL = 2,
  CHIMERA_MODE_IDENTITY = 3,
  CHIMERA_MODE_COUNT = 4
};

enum { CHIMERA_DTYPE_F32 = 0, CHIMERA_DTYPE_F64 = 1, CHIMERA_DTYPE_BF16 = 2 };

typedef enum chimera_status {
  CHIMERA_OK = 0,
  CHIMERA_ERROR_INVALID = 1, /* an argument or a file is wrong */
  CHIMERA_ERROR_LIMIT = 2,   /* the memory limit or the most resident sequences would be exceeded */
  CHIMERA_ERROR_SYSTEM = 3,  /* the operating system or a driver refused: memory, threads, mapping, no GPU */
  CHIMERA_ERROR_DEVICE = 4   /* a GPU failed: the session is lost, the process and other sessions are not */
} chimera_status;

typedef struct chimera_error chimera_error;
typedef struct chimera_model chimera_model;
typedef struct chimera_weights chimera_weights;
typedef struct chimera_session chimera_session;

/* A sequence of one session: > 0, and of no other sequence in this process, so that a session never takes another's for
 * its own. */
typedef int64_t chimera_sequence;

/* The text of an error: one line, no newline; valid until the error is freed. "" for NULL. */
CHIMERA_API const char *chimera_error_message(const chimera_error *error);
CHIMERA_API void chimera_error_free(chimera_error *error);

/* ---- Models ---------------------------------------------------------------------------------------------------------
 */

/* Reads a model binary, checks its digest, its version, the CPU's features and every field of its manifest, and only
 * then maps its code. Reads the file once: what was checked is what runs. */
CHIMERA_API int32_t chimera_model_load(const char *path, chimera_model **model, chimera_error **error);

/* The same for a binary in memory; the bytes are copied. name stands for the file's name in messages. */
CHIMERA_API int32_t chimera_model_load_bytes(const void *bytes, size_t size, const char *name, chimera_model **model,
                                             chimera_error **error);
CHIMERA_API void chimera_model_free(chimera_model *model);

/* The manifest's JSON text (UTF-8, no terminator), valid as long as the model. */
CHIMERA_API const char *chimera_model_manifest(const chimera_model *model, size_t *length);

typedef struct chimera_model_info {
  size_t struct_size;
  int32_t dtype;        /* CHIMERA_DTYPE_*: the dtype the model was compiled for */
  int32_t logits_dtype; /* CHIMERA_DTYPE_F64 for an f64 model, else CHIMERA_DTYPE_F32 */
  int64_t vocab_size;
  int64_t layers;
  int64_t max_tokens;   /* the most rows that one step of the binary holds; chimera_step cuts longer work itself */
  int64_t max_seqs;     /* the most sequences that one step of the binary holds, likewise */
  int64_t bos_token_id; /* -1: none */
} chimera_model_info;

/* Fills the first info->struct_size bytes of *info. */
CHIMERA_API int32_t chimera_model_get_info(const chimera_model *model, chimera_model_info *info, chimera_error **error);

/* The name of the binary's variant that this machine runs ("avx512"), valid as long as the model; "" for NULL. */
CHIMERA_API const char *chimera_model_variant(const chimera_model *model);

/* The tokens that end a text, by index from 0; -1 past the last. */
CHIMERA_API int64_t chimera_model_eos_token(const chimera_model *model, size_t index);

/* The longest sequence that the model was made for (max_position_embeddings of its config); -1: not known. Nothing
 * stops a sequence there, but what follows is beyond what the model was trained on. */
CHIMERA_API int64_t chimera_model_max_positions(const chimera_model *model);

/* How the model's next tokens are meant to be chosen, from the generation_config.json beside its config. */
typedef struct chimera_sampling {
  size_t struct_size;
  double temperature; /* divides the logits; 0: always the largest logit */
  int64_t top_k;      /* how many of the largest logits are kept; 0: all */
  double top_p;       /* in (0, 1]: the probability of the likeliest tokens that are kept, after top_k */
} chimera_sampling;

/* Fills the first sampling->struct_size bytes of *sampling. A model that says nothing has temperature 0, top_k 0 and
 * top_p 1. */
CHIMERA_API int32_t chimera_model_sampling(const chimera_model *model, chimera_sampling *sampling,
                                           chimera_error **error);

/* The modes of a layer as bits (1 << CHIMERA_MODE_*), and those of them that may be forced. 0 for no such layer. */
CHIMERA_API uint32_t chimera_model_layer_modes(const chimera_model *model, int64_t layer);
CHIMERA_API uint32_t chimera_model_layer_forceable(const chimera_model *model, int64_t layer);

/* ---- Weights --------------------------------------------------------------------------------------------------------
 */

/* Loads every parameter of the model from a checkpoint: a .safetensors file, an index (.json) of shards, or a directory
 * that holds either. Each is checked for presence and shape and rounded to the dtype the model wants. */
CHIMERA_API int32_t chimera_weights_load(const chimera_model *model, const char *path, chimera_weights **weights,
                                         chimera_error **error);
CHIMERA_API void chimera_weights_free(chimera_weights *weights);

/* Tensors of the checkpoint that the model does not use: how many, and their names (NULL past the end). */
CHIMERA_API size_t chimera_weights_unused_count(const chimera_weights *weights);
CHIMERA_API const char *chimera_weights_unused_name(const chimera_weights *weights, size_t index);

/* A digest of the model binary, of the variant that this machine runs, and of every number that its kernels read. Equal
 * digests mean equal logits bit by bit; a checkpoint in other files or dtypes whose numbers round to the same has the
 * same digest. A host may put it into the keys of its own caches. digest receives CHIMERA_DIGEST_BYTES bytes. */
enum { CHIMERA_DIGEST_BYTES = 16 };
CHIMERA_API int32_t chimera_weights_digest(const chimera_weights *weights, uint8_t *digest, chimera_error **error);

/* ---- Sessions -------------------------------------------------------------------------------------------------------
 */

/* Fill the arena with bytes of ones (NaNs) before every step: shows reads of values that no kernel wrote. For tests. */
#define CHIMERA_SESSION_POISON 1u

typedef struct chimera_session_options {
  size_t struct_size;
  int64_t threads;       /* worker threads, the caller included; 0: one for each CPU that this process may use (its
                            affinity and the CPU quota of its control groups), or as many as it can start */
  int64_t max_sequences; /* the most sequences resident at once; 0: 1024, or max_seqs where that is more */
  int64_t memory_limit;  /* the most bytes that the caches may hold; 0: the memory that this process may use (the least
                            of the machine's, of its control groups' limits, and of RLIMIT_AS and RLIMIT_DATA) */
  uint32_t flags;        /* CHIMERA_SESSION_* */
} chimera_session_options;

/* Makes a session: threads, an arena, and caches that hold no sequence yet. options may be NULL: all defaults. weights
 * may be NULL when the model has no parameters; otherwise they must have been loaded for this very binary.
 *
 * max_sequences and memory_limit are upper bounds: a session reserves addresses for them, not memory. Where a limit of
 * address space (RLIMIT_AS) leaves no room for all, it reserves at most half of what there is, and reaches
 * CHIMERA_ERROR_LIMIT sooner. */
CHIMERA_API int32_t chimera_session_create(const chimera_model *model, const chimera_weights *weights,
                                           const chimera_session_options *options, chimera_session **session,
                                           chimera_error **error);
CHIMERA_API void chimera_session_free(chimera_session *session);

/* ---- Sequences ------------------------------------------------------------------------------------------------------
 */

/* Starts an empty sequence. */
CHIMERA_API int32_t chimera_sequence_add(chimera_session *session, chimera_sequence *sequence, chimera_error **error);

/* Ends a sequence and gives its memory back. */
CHIMERA_API int32_t chimera_sequence_drop(chimera_session *session, chimera_sequence sequence, chimera_error **error);

/* Makes an independent copy of a sequence with all its caches. Full pages of growing lists are shared, not copied. */
CHIMERA_API int32_t chimera_sequence_fork(chimera_session *session, chimera_sequence source, chimera_sequence *copy,
                                          chimera_error **error);

/* The number of tokens that the sequence has consumed: the position of its next token. */
CHIMERA_API int32_t chimera_sequence_position(const chimera_session *session, chimera_sequence sequence,
                                              int64_t *position, chimera_error **error);

/* Writes everything a sequence holds into a byte string that chimera_sequence_restore reads back, in this session or in
 * any other of the same binary, variant and weights (chimera_weights_digest): with others the next logits would belong
 * to neither, as what a sequence holds was computed by the former. Threads, limits and other sequences may differ. Free
 * *bytes with chimera_bytes_free. */
CHIMERA_API int32_t chimera_sequence_snapshot(const chimera_session *session, chimera_sequence sequence, void **bytes,
                                              size_t *size, chimera_error **error);
CHIMERA_API void chimera_bytes_free(void *bytes);

/* Starts a sequence from a snapshot. All of it is checked first: format, checksum, binary, variant, numerics, weights
 * and sizes. A snapshot that an earlier version of this library made is refused when its format was another. */
CHIMERA_API int32_t chimera_sequence_restore(chimera_session *session, const void *bytes, size_t size,
                                             chimera_sequence *sequence, chimera_error **error);

/* ---- Steps ----------------------------------------------------------------------------------------------------------
 */

typedef enum chimera_logits { CHIMERA_LOGITS_NONE = 0, CHIMERA_LOGITS_LAST = 1, CHIMERA_LOGITS_ALL = 2 } chimera_logits;

/* The work of one sequence in a step. */
typedef struct chimera_step_item {
  chimera_sequence sequence;
  const int32_t *tokens; /* [count], each in 0 .. vocab_size-1 */
  int64_t count;         /* >= 0; an item without tokens does nothing */
  const int8_t *forced;  /* [count][layers]: CHIMERA_MODE_* to admit, or -1 to let the router decide; NULL: all -1. A
                            mode must be one of the layer's forceable ones, or its only one */
  int32_t logits;        /* chimera_logits: the rows whose logits are wanted */
} chimera_step_item;

/*
 * Feeds tokens to sequences. items may be any mix of long and short work; a sequence occurs at most once. Work beyond
 * the binary's limits is cut; the results do not depend on how.
 *
 * logits receives [R][vocab_size] in logits_dtype: the wanted rows in the order of items, a sequence's in order of
 * position. It must hold at least logits_bytes >= R * vocab_size * size bytes. It may be NULL when no row is wanted.
 * routing, unless NULL, receives int8 [N][layers]: the admitted modes of all rows in the order of items;
 * routing_bytes >= N * layers.
 *
 * Everything is checked before the first kernel runs, memory for the whole step included: a step that fails leaves
 * every sequence as it was. The check for memory assumes that every token enters every growing list; what is not used
 * is given back afterwards.
 */
CHIMERA_API int32_t chimera_step(chimera_session *session, const chimera_step_item *items, size_t count, void *logits,
                                 size_t logits_bytes, int8_t *routing, size_t routing_bytes, chimera_error **error);

/* ---- Memory ---------------------------------------------------------------------------------------------------------
 */

/* What cache memory is for: the modes that hold any, then the token convolution's tails and the router's counts. */
enum {
  CHIMERA_MEMORY_SSM = 0,
  CHIMERA_MEMORY_SWA = 1,
  CHIMERA_MEMORY_FULL = 2,
  CHIMERA_MEMORY_TOKEN_CONV = 3,
  CHIMERA_MEMORY_ROUTE = 4,
  CHIMERA_MEMORY_COUNT = 5
};

typedef struct chimera_memory {
  size_t struct_size;
  int64_t reserved[CHIMERA_MEMORY_COUNT]; /* bytes set aside */
  int64_t used[CHIMERA_MEMORY_COUNT]; /* bytes of them that hold something: ring and list entries written, states and
                                         tails of sequences that have begun */
} chimera_memory;

#define CHIMERA_ALL_SEQUENCES ((chimera_sequence)0)

/* The cache bytes of one sequence (pages that forks share count fully), or of CHIMERA_ALL_SEQUENCES (they count once).
 */
CHIMERA_API int32_t chimera_memory_use(const chimera_session *session, chimera_sequence sequence,
                                       chimera_memory *memory, chimera_error **error);

/* ---- Profile --------------------------------------------------------------------------------------------------------
 */

enum { CHIMERA_PHASE_PREFILL = 0, CHIMERA_PHASE_DECODE = 1 };

/* One launch of a launch table, and the time spent in it since the profile began. */
typedef struct chimera_launch_profile {
  size_t struct_size;
  int32_t phase;      /* CHIMERA_PHASE_* */
  int64_t index;      /* which launch of the phase, from 0 */
  int64_t layer;      /* -1: of no layer */
  const char *kernel; /* the kernel's symbol and the op it came from; valid as long as the model */
  const char *op;
  int64_t calls;       /* how often it ran; a launch without blocks does not */
  int64_t nanoseconds; /* of all calls, on the clock of the wall */
} chimera_launch_profile;

/* One run of a launch. start counts nanoseconds since the profile began. */
typedef struct chimera_launch_event {
  int32_t phase;
  int32_t index;
  int64_t start;
  int64_t nanoseconds;
} chimera_launch_event;

/* Times every launch of the session's steps from now on, and forgets an earlier profile. Besides the sums, the first
 * max_events runs are kept one by one (24 bytes each, taken at once); 0 keeps sums only. Without a profile a step reads
 * no clock. */
CHIMERA_API int32_t chimera_profile_begin(chimera_session *session, int64_t max_events, chimera_error **error);

/* Stops; what was gathered can be read until the next begin. */
CHIMERA_API int32_t chimera_profile_end(chimera_session *session, chimera_error **error);

/* The launches that a profile covers: those of prefill, then those of decode. 0 when none ever began. */
CHIMERA_API size_t chimera_profile_launches(const chimera_session *session);

/* Fills the first profile->struct_size bytes of *profile for a launch, index in 0 .. chimera_profile_launches - 1. */
CHIMERA_API int32_t chimera_profile_launch(const chimera_session *session, size_t index,
                                           chimera_launch_profile *profile, chimera_error **error);

/* The single runs that were kept, in the order in which they happened: their number, and in *events, unless events is
 * NULL, the first of them; valid until the session's next step or profile. */
CHIMERA_API size_t chimera_profile_events(const chimera_session *session, const chimera_launch_event **events);

#ifdef __cplusplus
}
#endif

#endif /* CHIMERA_RUNTIME_ABI_CHIMERA_H */
