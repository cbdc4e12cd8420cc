// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/runtime/TrainingToy.h"

#include "runtime/core/ModelFile.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

namespace chimera::train::toy {

using nlohmann::json;

[[noreturn]] static void stop(const std::string &what) {
  std::fprintf(stderr, "training toy: %s\n", what.c_str());
  std::abort();
}

static json step(const char *name) {
  return json::array({"step", name});
}

static json param(size_t index) {
  return json::array({"param", index});
}

static json grad(size_t index) {
  return json::array({"grad", index});
}

static json grid(const char *symbol, int64_t factor) {
  json grid = {{"tokens", 0}, {"seqs", 0}, {"outputs", 0}, {"constant", 0}, {"divisor", 1}};
  grid[symbol] = factor;
  return grid;
}

static json launch(const char *kernel, json grid, json buffers, json constants = json::array(), int64_t layer = -1) {
  return {{"kernel", kernel},   {"op", "toy." + std::string(kernel + 4)},
          {"layer", layer},     {"grid", grid},
          {"buffers", buffers}, {"constants", constants}};
}

// The arena: each part at the start of the room that it has at most.
static const json wanted = {"arena", 0, maxTokens}, scores = {"arena", 256, maxTokens * 16},
                  delta = {"arena", 4352, maxTokens * 8}, loss = {"arena", 6400, 16}, statistics = {"arena", 6464, 112},
                  modes = {"arena", 6592, maxTokens *layers}, norm = {"arena", 7104, 8};
static constexpr int64_t arenaBytes = 7168;

static json span(const json &buffer) {
  return {buffer[1], buffer[2]};
}

static json program(json results, json launches) {
  return {{"max_tokens", maxTokens},
          {"max_seqs", maxSeqs},
          {"arena_bytes", arenaBytes},
          {"results", results},
          {"launches", launches}};
}

static json forward(bool soft) {
  return json::array(
      {launch("toy_route", grid("tokens", 1), {step("tokens"), step("noise"), step("hyper"), param(bias), wanted},
              json::array(), 0),
       launch("toy_score", grid("outputs", 1),
              {step("out_index"), step("tokens"), step("targets"), param(table), scores, delta}, json::array(), 1),
       launch("toy_loss", grid("constant", 1), {step("leaves"), step("out_start"), scores, loss}),
       launch("toy_statistics", grid("constant", 1), {step("leaves"), step("seq_start"), wanted, statistics},
              json::array({int(soft)}), 0)});
}

static json train(bool soft) {
  json launches = forward(soft);
  launches.push_back(
      launch("toy_table_grad", grid("constant", vocab),
             {step("leaves"), step("out_start"), step("out_index"), step("tokens"), delta, step("hyper"), grad(table)},
             json::array({int(soft)})));
  launches.push_back(launch("toy_head_grad", grid("constant", 1),
                            {step("leaves"), step("seq_start"), wanted, step("prices"), grad(head)}));
  return program({{"loss", span(loss)}, {"statistics.0", span(statistics)}}, launches);
}

static json evaluate(bool soft) {
  json launches = forward(soft);
  launches.push_back(launch("toy_modes", grid("tokens", 1), {wanted, modes}));
  return program({{"loss", span(loss)}, {"statistics.0", span(statistics)}, {"modes", span(modes)}}, launches);
}

static json updateOf(size_t index, int64_t elements) {
  return launch("toy_update", grid("constant", 1),
                json::array({step("hyper"), grad(index), param(index), json::array({"moment1", index}),
                             json::array({"moment2", index})}),
                json::array({elements}));
}

static json accumulateOf(size_t index, int64_t elements) {
  return launch("toy_accumulate", grid("constant", 1), json::array({grad(index), json::array({"total", index})}),
                json::array({elements}));
}

json manifest(const std::string &dtype) {
  json normLaunch = launch("toy_norm", grid("constant", 1), {grad(table), grad(head), norm}, json::array({33, 4}));
  json training = {
      {"train_hard", train(false)},
      {"train_soft", train(true)},
      {"evaluate_hard", evaluate(false)},
      {"evaluate_soft", evaluate(true)},
      {"accumulate", program(json::object(), json::array({accumulateOf(table, 33), accumulateOf(head, 4)}))},
      {"update", program({{"norm", span(norm)}}, json::array({normLaunch, updateOf(table, 33), updateOf(head, 4)}))}};
  json routed = {{"modes", {"ssm", "full"}}, {"forceable", {"ssm", "full"}}, {"target", {0.75, 0.25}}};
  json full = {{"modes", json::array({"full"})}, {"forceable", json::array({"full"})}, {"target", json::array({1.0})}};
  json parameters = {
      {{"name", "table"}, {"shape", json::array({vocab, 3})}, {"dtype", dtype}, {"optional", false}},
      {{"name", "head"},
       {"shape", json::array({4})},
       {"dtype", dtype},
       {"optional", false},
       {"source", "out"},
       {"source_shape", json::array({2, 2})},
       {"row_permutation", {2, 0, 3, 1}}},
      {{"name", "layers.0.router.bias"}, {"shape", json::array({2})}, {"dtype", dtype}, {"optional", true}}};
  return {{"format", "chimera-model"},
          {"version", chimera::abi::formatVersion},
          {"producer", "toy"},
          {"target", "ref"},
          {"dtype", dtype},
          {"numerics", "invariant"},
          {"limits", {{"max_tokens", maxTokens}, {"max_seqs", maxSeqs}}},
          {"model",
           {{"vocab_size", vocab},
            {"hidden_size", 1},
            {"window", 1},
            {"head_dim", 0},
            {"num_attention_heads", 0},
            {"num_key_value_heads", 0},
            {"bos_token_id", nullptr},
            {"eos_token_ids", json::array()},
            {"max_position_embeddings", nullptr},
            {"layers", {routed, full}}}},
          {"parameters", parameters},
          {"pools", json::array()},
          {"caches", json::array()},
          {"pages", {{"entries", 64}, {"bytes", 0}, {"tables", 0}}},
          {"trainable", {table, head}},
          {"variants", json::array({{{"name", "x86-64"},
                                     {"features", json::array({"sse2"})},
                                     {"packed", json::array()},
                                     {"stack_bytes", 4096},
                                     {"phases", json::object()},
                                     {"training", training}}})}};
}

std::shared_ptr<const runtime::Model> load(const json &manifest) {
  bool wide = manifest["dtype"] == "f64";
  std::ifstream file(wide ? CHIMERA_TRAINING_TOY_F64 : CHIMERA_TRAINING_TOY_F32, std::ios::binary);
  std::vector<uint8_t> elf((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  Result<runtime::ByteSpan> section = runtime::findSection({elf.data(), elf.size()}, ".chimera.manifest");
  std::string text = manifest.dump();
  if (!section || text.size() > section->size)
    stop("no section for the manifest");
  uint8_t *to = elf.data() + (section->data - elf.data());
  std::memset(to, ' ', section->size);
  std::memcpy(to, text.data(), text.size());
  runtime::appendTrailer(elf);
  Result<std::shared_ptr<const runtime::Model>> model = runtime::Model::load("toy.chm", elf);
  if (!model)
    stop(model.error().message);
  return *model;
}

std::string writeInitial(const std::string &folder) {
  std::vector<float> rows(33), out = {10, 11, 12, 13};
  for (size_t i = 0; i < rows.size(); ++i)
    rows[i] = float(0.3 * double(i % 7) - 0.1 * double(i % 5));
  auto view = [](const char *name, std::vector<int64_t> shape, const std::vector<float> &values) {
    return io::TensorView{name, io::DType::F32, std::move(shape), reinterpret_cast<const uint8_t *>(values.data()),
                          values.size() * sizeof(float)};
  };
  std::string path = folder + "/model.safetensors";
  if (io::Status status = io::writeSafetensors(path, {view("table", {vocab, 3}, rows), view("out", {2, 2}, out)});
      !status)
    stop(status.error().message);
  return path;
}

std::vector<float> Setup::values(const uint8_t *from, size_t count) const {
  std::vector<float> numbers(count);
  io::convertElements(state->type(), from, io::DType::F32, numbers.data(), int64_t(count));
  return numbers;
}

Setup setup(const json &manifest, int64_t threads, bool totals) {
  Setup made;
  made.model = load(manifest);
  Result<std::unique_ptr<runtime::CpuDevice>> device =
      runtime::CpuDevice::create(threads, made.model->variant().stackBytes);
  if (!device)
    stop(device.error().message);
  made.device = std::move(*device);
  Result<std::unique_ptr<State>> state = State::create(*made.device, *made.model, totals);
  if (!state)
    stop(state.error().message);
  made.state = std::move(*state);
  TemporaryFolder folder;
  io::Result<io::Checkpoint> checkpoint = io::Checkpoint::open(writeInitial(folder.path()));
  if (!checkpoint)
    stop(checkpoint.error().message);
  if (Failure failure = made.state->load(*checkpoint))
    stop(failure->message);
  Result<std::unique_ptr<Programs>> programs = Programs::create(*made.state, /*poison=*/true);
  if (!programs)
    stop(programs.error().message);
  made.programs = std::move(*programs);
  return made;
}

void readSequence(int64_t index, int64_t length, int32_t *tokens, int32_t *targets) {
  for (int64_t t = 0; t < length; ++t) {
    uint32_t mixed = uint32_t(index * 31 + t * 7 + 3) * 2654435761u;
    tokens[t] = int32_t((mixed >> 8) % vocab);
    targets[t] = (mixed >> 20) % 3 == 0 ? -100 : int32_t((mixed >> 16) % vocab);
  }
}

TrainerOptions options(int64_t batch, int64_t accumulate) {
  TrainerOptions made;
  made.batch = batch;
  made.accumulate = accumulate;
  made.length = 5;
  made.seed = 1;
  made.balancer.step = 0.125;
  return made;
}

std::vector<double> prices() {
  std::vector<double> made(size_t(layers * abi::pricesPerLayer), 0.0);
  made[CHIMERA_MODE_SSM] = 0.5;
  made[CHIMERA_MODE_FULL] = 0.25;
  return made;
}

StepInput input(uint32_t step, int64_t length) {
  StepInput made;
  made.step = step;
  made.read = [step, length](int64_t index, int32_t *tokens, int32_t *targets) {
    readSequence(int64_t(step) * 1000 + index, length, tokens, targets);
    return io::Status();
  };
  made.hyper.learningRate = 0.1;
  made.hyper.beta1 = 0.5;
  made.hyper.beta2 = 0.5;
  made.prices = prices();
  return made;
}

} // namespace chimera::train::toy
