/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A program that embeds a compiled model: prefills a prompt of token ids, then takes the likeliest token again and
 * again, and prints the ids that follow the prompt.
 *
 *     embed MODEL.chm WEIGHTS COUNT TOKEN...
 */
#include <chimera.h>

#include <stdio.h>
#include <stdlib.h>

/* Everything that has to be freed. NULL may be freed, in any order. */
struct program {
  chimera_model *model;
  chimera_weights *weights;
  chimera_session *session;
  chimera_error *error;
  void *logits;
  int32_t *prompt;
};

/* Frees all and gives the exit status; a message of its own or the runtime's goes to stderr. */
static int finish(struct program *p, int status, const char *message) {
  if (status != 0)
    fprintf(stderr, "embed: %s\n", message ? message : chimera_error_message(p->error));
  chimera_error_free(p->error);
  chimera_session_free(p->session);
  chimera_weights_free(p->weights);
  chimera_model_free(p->model);
  free(p->logits);
  free(p->prompt);
  return status;
}

/* The likeliest token; of equals the lowest. f64 models have f64 logits, the others f32. */
static int32_t argmax(const void *logits, const chimera_model_info *info) {
  const double *wide = logits;
  const float *narrow = logits;
  int is_wide = info->logits_dtype == CHIMERA_DTYPE_F64;
  int64_t best = 0, id;
  for (id = 1; id < info->vocab_size; ++id)
    if (is_wide ? wide[id] > wide[best] : narrow[id] > narrow[best])
      best = id;
  return (int32_t)best;
}

static int ends_text(const chimera_model *model, int32_t token) {
  size_t index;
  for (index = 0; chimera_model_eos_token(model, index) >= 0; ++index)
    if (chimera_model_eos_token(model, index) == token)
      return 1;
  return 0;
}

/* A whole number of at most 2^31 - 1, or -1. */
static int32_t parse(const char *text) {
  char *end;
  long value = strtol(text, &end, 10);
  return *text == '\0' || *end != '\0' || value < 0 || value > INT32_MAX ? -1 : (int32_t)value;
}

int main(int argc, char **argv) {
  struct program p = {0};
  chimera_model_info info = {0};
  chimera_sequence sequence = 0;
  chimera_step_item step = {0};
  int32_t count, token;
  size_t logits_bytes;
  int i;

  if (argc < 5)
    return finish(&p, 2, "usage: embed MODEL.chm WEIGHTS COUNT TOKEN...");
  if ((count = parse(argv[3])) < 0)
    return finish(&p, 2, "COUNT is not a whole number");
  if ((p.prompt = malloc((size_t)(argc - 4) * sizeof *p.prompt)) == NULL)
    return finish(&p, 1, "out of memory");
  for (i = 4; i < argc; ++i)
    if ((p.prompt[i - 4] = parse(argv[i])) < 0)
      return finish(&p, 2, "a TOKEN is not a whole number");

  /* The structs say how large the caller knows them to be. */
  info.struct_size = sizeof info;
  if (chimera_model_load(argv[1], &p.model, &p.error) || chimera_model_get_info(p.model, &info, &p.error) ||
      chimera_weights_load(p.model, argv[2], &p.weights, &p.error) ||
      chimera_session_create(p.model, p.weights, NULL, &p.session, &p.error) ||
      chimera_sequence_add(p.session, &sequence, &p.error))
    return finish(&p, 1, NULL);
  logits_bytes = (size_t)info.vocab_size * (info.logits_dtype == CHIMERA_DTYPE_F64 ? sizeof(double) : sizeof(float));
  if ((p.logits = malloc(logits_bytes)) == NULL)
    return finish(&p, 1, "out of memory");

  /* The prompt is one step; then each step feeds the token that the last one gave. */
  step.sequence = sequence;
  step.tokens = p.prompt;
  step.count = argc - 4;
  step.logits = CHIMERA_LOGITS_LAST;
  for (i = 0; i < count; ++i) {
    if (chimera_step(p.session, &step, 1, p.logits, logits_bytes, NULL, 0, &p.error))
      return finish(&p, 1, NULL);
    token = argmax(p.logits, &info);
    if (ends_text(p.model, token))
      break;
    printf("%ld\n", (long)token);
    step.tokens = &token;
    step.count = 1;
  }
  if (fflush(stdout) != 0)
    return finish(&p, 1, "the output cannot be written");
  return finish(&p, 0, NULL);
}
