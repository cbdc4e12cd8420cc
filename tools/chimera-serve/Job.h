// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A request between the thread that answers it and the scheduler's.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_JOB_H
#define CHIMERA_TOOLS_CHIMERASERVE_JOB_H

#include "runtime/abi/chimera.h"
#include "runtime/core/Sampler.h"
#include "tools/chimera-serve/ApiError.h"
#include "tools/chimera-serve/Logprobs.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace chimera::serve {

/// A text to be continued.
struct Prompt {
  std::vector<int32_t> tokens; ///< At least one.
  std::string text;            ///< As `echo` gives it back.
};

/// What is to be made. Each prompt gets `choices` continuations; choice c of every prompt has the random numbers of
/// sequence number c, so that choice 0 is what chimera-run makes with the same seed.
struct Generation {
  std::vector<Prompt> prompts;
  int64_t choices = 1;
  int64_t maxTokens = 0;
  SamplerOptions sampler;
  std::vector<std::string> stop;   ///< None is empty.
  std::optional<int32_t> endToken; ///< Ends a text as the model's end tokens do.
  std::optional<int64_t> logprobs; ///< How many likeliest tokens are given with each token; nothing: no logprobs.
  bool echo = false;               ///< The prompt comes first, with its logprobs if there are any.
  int64_t guesses = 0;             ///< The most tokens of a continuation that a step verifies; 0: none are guessed.
  bool routing = false;            ///< Whether the modes of the tokens are wanted.
};

/// A token with what was asked of it. The first token of a text has no probability.
struct ScoredToken {
  int32_t token = 0;
  std::optional<TokenLogprob> score;
};

enum class Finish { No, Stop, Length };

/// Tokens that a sequence was fed, and where they went.
struct RoutedTokens {
  int64_t position = 0; ///< Of the first.
  std::vector<int32_t> tokens;
  std::vector<int8_t> modes; ///< [tokens][layers]
  int64_t cachePosition = 0; ///< Tokens after which the caches held this.
  chimera_memory memory = {};
};

/// What was made of a choice since the last piece.
struct Piece {
  int64_t choice = 0; ///< prompt * choices + c
  std::string text;   ///< Well-formed UTF-8.
  std::vector<ScoredToken> tokens;
  Finish finish = Finish::No;
  std::optional<RoutedTokens> routed = {};
};

/// The scheduler adds pieces; the thread that answers takes them.
class Job {
public:
  using Clock = std::chrono::steady_clock;

  explicit Job(Generation generation) : generation(std::move(generation)), arrival(Clock::now()) {}

  const Generation generation;
  const Clock::time_point arrival;

  /// What has come, in the order of each choice. Waits no longer than `most`: until `soonest` for the end alone, from
  /// then on for anything. Who waits for the end alone is not woken for each token, which would cost the scheduler
  /// time.
  std::vector<Piece> take(std::chrono::milliseconds most, Clock::time_point soonest);
  /// Whether all was taken that will ever come.
  bool over() const;
  /// Why there is no more, if something went wrong.
  std::optional<ApiError> error() const;
  /// Nobody waits any more. Whether that is new.
  bool cancel() { return !gone.exchange(true); }

  void add(Piece piece);
  /// One of the choices is complete.
  void choiceEnded(int64_t madeTokens);
  void fail(ApiError error);
  /// So many tokens of a prompt were not fed, as they were kept.
  void countKept(int64_t tokens);
  /// So many tokens more were guessed, and so many of the guesses were right.
  void countGuesses(int64_t proposed, int64_t accepted);
  bool cancelled() const { return gone; }
  /// Tokens made for choices that are complete.
  int64_t madeTokens() const;
  /// Tokens of prompts that were not fed.
  int64_t keptTokens() const;
  /// Guesses that were right, and those that were not.
  std::pair<int64_t, int64_t> guesses() const;

private:
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<Piece> pieces;
  bool wantsPieces = false; ///< Somebody waits for any piece.
  std::optional<ApiError> failure;
  int64_t ended = 0, made = 0, kept = 0, guessesRight = 0, guessesWrong = 0;
  std::atomic<bool> gone{false};

  bool complete() const { return failure || ended == int64_t(generation.prompts.size()) * generation.choices; }
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_JOB_H
