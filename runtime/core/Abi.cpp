// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C interface: handles around the C++ classes, and a fence that no exception passes.
#include "runtime/abi/chimera.h"

#include "runtime/core/Model.h"
#include "runtime/core/Session.h"
#include "runtime/core/Weights.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

using namespace chimera::runtime;

struct chimera_error {
  std::string message;
};
struct chimera_model {
  std::shared_ptr<const Model> model;
};
struct chimera_weights {
  std::shared_ptr<const Weights> weights;
};
struct chimera_session {
  explicit chimera_session(std::unique_ptr<Session> session) : session(std::move(session)) {}

  std::unique_ptr<Session> session;
  mutable std::atomic<bool> busy{false}; ///< A thread is in a call on it.
};

/// What is reported when there is no memory for an error object; never freed.
static chimera_error &outOfMemory() {
  static chimera_error error{"out of memory"};
  return error;
}

static int32_t report(const Error &failure, chimera_error **error) {
  if (error) {
    try {
      // A message is one line whatever name a file or a caller gave.
      *error = new chimera_error{chimera::io::escaped(failure.message)};
    } catch (const std::exception &) {
      *error = &outOfMemory();
    }
  }
  return failure.status;
}

/// Calls `body`, which returns a Failure, and turns what it throws into an error.
template <typename Body> static int32_t guarded(chimera_error **error, Body body) noexcept {
  try {
    try {
      if (Failure failure = body())
        return report(*failure, error);
      return CHIMERA_OK;
    } catch (const std::bad_alloc &) {
      throw;
    } catch (const std::exception &exception) {
      return report(Error(exception.what(), CHIMERA_ERROR_SYSTEM), error);
    }
  } catch (...) {
    // There was no memory, be it for the work or for the error's own text.
    if (error)
      *error = &outOfMemory();
    return CHIMERA_ERROR_SYSTEM;
  }
}

static Error nullArgument(const char *name) {
  return Error(std::string(name) + " is null");
}

namespace {

/// The use of a session by one call: of one that is there, that this process made, and in which no other thread is.
class SessionUse {
public:
  explicit SessionUse(const chimera_session *session) : session(session) {
    if (!session)
      failure = nullArgument("session");
    else if (Failure foreign = session->session->checkUsable())
      failure = std::move(foreign);
    else if (session->busy.exchange(true, std::memory_order_acquire))
      failure = Error("another thread is in a call on this session; a session is used by one thread at a time");
  }
  ~SessionUse() {
    if (!failure)
      session->busy.store(false, std::memory_order_release);
  }
  SessionUse(const SessionUse &) = delete;
  SessionUse &operator=(const SessionUse &) = delete;

  Failure failure;

private:
  const chimera_session *session;
};

} // namespace

/// Puts a result into `*out` by way of `wrap`.
template <typename T, typename Out, typename Wrap> static Failure deliver(Result<T> &&result, Out *out, Wrap wrap) {
  if (!result)
    return result.error();
  *out = wrap(std::move(*result));
  return std::nullopt;
}

template <typename T, typename Out> static Failure deliver(Result<T> &&result, Out *out) {
  return deliver(std::move(result), out, [](T &&value) { return std::move(value); });
}

uint32_t chimera_abi_version(void) {
  return CHIMERA_ABI_VERSION;
}

const char *chimera_error_message(const chimera_error *error) {
  return error ? error->message.c_str() : "";
}

void chimera_error_free(chimera_error *error) {
  if (error != &outOfMemory())
    delete error;
}

static chimera_model *wrapModel(std::shared_ptr<const Model> &&model) {
  return new chimera_model{std::move(model)};
}

int32_t chimera_model_load(const char *path, chimera_model **model, chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    if (!path || !model)
      return nullArgument(path ? "model" : "path");
    return deliver(Model::load(path), model, wrapModel);
  });
}

int32_t chimera_model_load_bytes(const void *bytes, size_t size, const char *name, chimera_model **model,
                                 chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    if ((!bytes && size) || !model)
      return nullArgument(model ? "bytes" : "model");
    const uint8_t *begin = static_cast<const uint8_t *>(bytes);
    return deliver(Model::load(name ? name : "model", std::vector<uint8_t>(begin, begin + size)), model, wrapModel);
  });
}

void chimera_model_free(chimera_model *model) {
  delete model;
}

const char *chimera_model_manifest(const chimera_model *model, size_t *length) {
  if (length)
    *length = model ? model->model->manifestText().size() : 0;
  return model ? model->model->manifestText().data() : "";
}

int32_t chimera_model_get_info(const chimera_model *model, chimera_model_info *info, chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    if (!model || !info)
      return nullArgument(model ? "info" : "model");
    if (info->struct_size < sizeof(size_t))
      return Error("info: struct_size is not set");
    const Manifest &manifest = model->model->manifest();
    bool isF64 = manifest.dtype == chimera::io::DType::F64;
    chimera_model_info full{};
    full.struct_size = info->struct_size;
    full.dtype = isF64                                        ? CHIMERA_DTYPE_F64
                 : manifest.dtype == chimera::io::DType::BF16 ? CHIMERA_DTYPE_BF16
                                                              : CHIMERA_DTYPE_F32;
    full.logits_dtype = isF64 ? CHIMERA_DTYPE_F64 : CHIMERA_DTYPE_F32;
    full.vocab_size = manifest.model.vocabSize;
    full.layers = manifest.layers();
    full.max_tokens = manifest.maxTokens;
    full.max_seqs = manifest.maxSeqs;
    full.bos_token_id = manifest.model.bosTokenId;
    std::memcpy(info, &full, std::min(info->struct_size, sizeof full));
    return std::nullopt;
  });
}

const char *chimera_model_variant(const chimera_model *model) {
  return model ? model->model->variant().name.c_str() : "";
}

int64_t chimera_model_eos_token(const chimera_model *model, size_t index) {
  if (!model || index >= model->model->manifest().model.eosTokenIds.size())
    return -1;
  return model->model->manifest().model.eosTokenIds[index];
}

int64_t chimera_model_max_positions(const chimera_model *model) {
  return model ? model->model->manifest().model.maxPositions : -1;
}

int32_t chimera_model_sampling(const chimera_model *model, chimera_sampling *sampling, chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    if (!model || !sampling)
      return nullArgument(model ? "sampling" : "model");
    if (sampling->struct_size < sizeof(size_t))
      return Error("sampling: struct_size is not set");
    chimera::abi::SamplingDefaults defaults =
        model->model->manifest().model.sampling.value_or(chimera::abi::SamplingDefaults());
    chimera_sampling full{sampling->struct_size, defaults.temperature, defaults.topK, defaults.topP};
    std::memcpy(sampling, &full, std::min(sampling->struct_size, sizeof full));
    return std::nullopt;
  });
}

static LayerModes layerOf(const chimera_model *model, int64_t layer) {
  if (!model || layer < 0 || layer >= model->model->manifest().layers())
    return {};
  return model->model->manifest().model.layers[size_t(layer)];
}

uint32_t chimera_model_layer_modes(const chimera_model *model, int64_t layer) {
  return layerOf(model, layer).modes;
}

uint32_t chimera_model_layer_forceable(const chimera_model *model, int64_t layer) {
  return layerOf(model, layer).forceable;
}

int32_t chimera_weights_load(const chimera_model *model, const char *path, chimera_weights **weights,
                             chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    if (!model || !path || !weights)
      return nullArgument(!model ? "model" : !path ? "path" : "weights");
    return deliver(Weights::load(model->model, std::string(path)), weights,
                   [](auto loaded) { return new chimera_weights{std::move(loaded)}; });
  });
}

void chimera_weights_free(chimera_weights *weights) {
  delete weights;
}

size_t chimera_weights_unused_count(const chimera_weights *weights) {
  return weights ? weights->weights->unused().size() : 0;
}

const char *chimera_weights_unused_name(const chimera_weights *weights, size_t index) {
  return index < chimera_weights_unused_count(weights) ? weights->weights->unused()[index].c_str() : nullptr;
}

int32_t chimera_weights_digest(const chimera_weights *weights, uint8_t *digest, chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    if (!weights || !digest)
      return nullArgument(weights ? "digest" : "weights");
    const Digest &value = weights->weights->digest();
    static_assert(sizeof value == CHIMERA_DIGEST_BYTES);
    std::memcpy(digest, value.data(), sizeof value);
    return std::nullopt;
  });
}

int32_t chimera_session_create(const chimera_model *model, const chimera_weights *weights,
                               const chimera_session_options *options, chimera_session **session,
                               chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    if (!model || !session)
      return nullArgument(model ? "session" : "model");
    chimera_session_options given{};
    if (options) {
      if (options->struct_size < sizeof(size_t))
        return Error("options: struct_size is not set");
      std::memcpy(&given, options, std::min(options->struct_size, sizeof given));
    }
    if (given.flags & ~CHIMERA_SESSION_POISON)
      return Error("options: flags has unknown bits");
    SessionOptions wanted{given.threads, given.max_sequences, given.memory_limit,
                          (given.flags & CHIMERA_SESSION_POISON) != 0};
    return deliver(Session::create(model->model, weights ? weights->weights : nullptr, wanted), session,
                   [](auto made) { return new chimera_session(std::move(made)); });
  });
}

void chimera_session_free(chimera_session *session) {
  delete session;
}

int32_t chimera_sequence_add(chimera_session *session, chimera_sequence *sequence, chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    SessionUse use(session);
    if (use.failure)
      return use.failure;
    if (!sequence)
      return nullArgument("sequence");
    return deliver(session->session->add(), sequence);
  });
}

int32_t chimera_sequence_drop(chimera_session *session, chimera_sequence sequence, chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    SessionUse use(session);
    if (use.failure)
      return use.failure;
    return session->session->drop(sequence);
  });
}

int32_t chimera_sequence_fork(chimera_session *session, chimera_sequence source, chimera_sequence *copy,
                              chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    SessionUse use(session);
    if (use.failure)
      return use.failure;
    if (!copy)
      return nullArgument("copy");
    return deliver(session->session->fork(source), copy);
  });
}

int32_t chimera_sequence_position(const chimera_session *session, chimera_sequence sequence, int64_t *position,
                                  chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    SessionUse use(session);
    if (use.failure)
      return use.failure;
    if (!position)
      return nullArgument("position");
    return deliver(session->session->position(sequence), position);
  });
}

int32_t chimera_sequence_snapshot(const chimera_session *session, chimera_sequence sequence, void **bytes, size_t *size,
                                  chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    SessionUse use(session);
    if (use.failure)
      return use.failure;
    if (!bytes || !size)
      return nullArgument(bytes ? "size" : "bytes");
    Result<std::vector<uint8_t>> snapshot = session->session->snapshot(sequence);
    if (!snapshot)
      return snapshot.error();
    void *copy = std::malloc(snapshot->size());
    if (!copy)
      throw std::bad_alloc();
    std::memcpy(copy, snapshot->data(), snapshot->size());
    *bytes = copy;
    *size = snapshot->size();
    return std::nullopt;
  });
}

void chimera_bytes_free(void *bytes) {
  std::free(bytes);
}

int32_t chimera_sequence_restore(chimera_session *session, const void *bytes, size_t size, chimera_sequence *sequence,
                                 chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    SessionUse use(session);
    if (use.failure)
      return use.failure;
    if (!bytes || !sequence)
      return nullArgument(bytes ? "sequence" : "bytes");
    return deliver(session->session->restore({static_cast<const uint8_t *>(bytes), size}), sequence);
  });
}

int32_t chimera_step(chimera_session *session, const chimera_step_item *items, size_t count, void *logits,
                     size_t logits_bytes, int8_t *routing, size_t routing_bytes, chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    SessionUse use(session);
    if (use.failure)
      return use.failure;
    if (!items && count)
      return nullArgument("items");
    return session->session->step(items, count, logits, logits_bytes, routing, routing_bytes);
  });
}

int32_t chimera_memory_use(const chimera_session *session, chimera_sequence sequence, chimera_memory *memory,
                           chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    SessionUse use(session);
    if (use.failure)
      return use.failure;
    if (!memory)
      return nullArgument("memory");
    if (memory->struct_size < sizeof(size_t))
      return Error("memory: struct_size is not set");
    Result<MemoryUse> held = session->session->memoryUse(sequence);
    if (!held)
      return held.error();
    chimera_memory full{};
    full.struct_size = memory->struct_size;
    std::copy(held->reserved.begin(), held->reserved.end(), full.reserved);
    std::copy(held->used.begin(), held->used.end(), full.used);
    std::memcpy(memory, &full, std::min(memory->struct_size, sizeof full));
    return std::nullopt;
  });
}

int32_t chimera_profile_begin(chimera_session *session, int64_t max_events, chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    SessionUse use(session);
    if (use.failure)
      return use.failure;
    return session->session->beginProfile(max_events);
  });
}

int32_t chimera_profile_end(chimera_session *session, chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    SessionUse use(session);
    if (use.failure)
      return use.failure;
    session->session->endProfile();
    return std::nullopt;
  });
}

static const Profile *profileOf(const chimera_session *session) {
  return session ? session->session->profile() : nullptr;
}

size_t chimera_profile_launches(const chimera_session *session) {
  const Profile *profile = profileOf(session);
  return profile ? profile->entries().size() : 0;
}

int32_t chimera_profile_launch(const chimera_session *session, size_t index, chimera_launch_profile *profile,
                               chimera_error **error) {
  return guarded(error, [&]() -> Failure {
    SessionUse use(session);
    if (use.failure)
      return use.failure;
    if (!profile)
      return nullArgument("profile");
    if (profile->struct_size < sizeof(size_t))
      return Error("profile: struct_size is not set");
    size_t launches = chimera_profile_launches(session);
    if (index >= launches)
      return Error("the profile covers " + std::to_string(launches) + " launches, there is no launch " +
                   std::to_string(index));
    const Profile::Entry &entry = profileOf(session)->entries()[index];
    chimera_launch_profile full{};
    full.struct_size = profile->struct_size;
    full.phase = entry.phase;
    full.index = entry.index;
    full.layer = entry.launch->layer;
    full.kernel = entry.launch->kernel.c_str();
    full.op = entry.launch->op.c_str();
    full.calls = entry.calls;
    full.nanoseconds = entry.nanoseconds;
    std::memcpy(profile, &full, std::min(profile->struct_size, sizeof full));
    return std::nullopt;
  });
}

size_t chimera_profile_events(const chimera_session *session, const chimera_launch_event **events) {
  const Profile *profile = profileOf(session);
  if (events)
    *events = profile ? profile->events().data() : nullptr;
  return profile ? profile->events().size() : 0;
}
