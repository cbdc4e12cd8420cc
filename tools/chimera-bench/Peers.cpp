// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/Peers.h"

#include "runtime/core/ProcessLimits.h"
#include "runtime/io/Affixes.h"
#include "tools/chimera-bench/Process.h"
#include "tools/chimera-bench/TemporaryFolder.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace chimera::bench {

using nlohmann::json;

io::Result<PeerShape> peerShape(const runtime::Manifest &manifest) {
  PeerShape shape;
  shape.layers = manifest.layers();
  shape.hidden = manifest.model.hiddenSize;
  shape.heads = manifest.model.heads;
  shape.keyValueHeads = manifest.model.keyValueHeads;
  shape.headDim = manifest.model.headDim;
  shape.vocab = manifest.model.vocabSize;
  shape.dtype = manifest.dtype == io::DType::BF16 ? io::DType::BF16 : io::DType::F32;
  bool isUngated = false;
  for (const runtime::Parameter &parameter : manifest.parameters) {
    if (io::endsWith(parameter.name, ".ffn.gate_proj.weight") && parameter.shape.size() == 2)
      shape.feedForward = parameter.shape[0];
    isUngated |= io::endsWith(parameter.name, ".ffn.up_proj.weight");
  }
  if (shape.heads == 0)
    return io::Error{"the model has no attention heads that a dense Transformer could have"};
  if (shape.feedForward == 0 && isUngated)
    return io::Error{"the model's feed-forward layers have no gate, which the peers' layers have"};
  if (shape.feedForward == 0)
    return io::Error{"the model has no feed-forward layers that a dense Transformer could have"};
  return shape;
}

static std::string threadsText(const Options &options) {
  return std::to_string(options.threads ? options.threads : runtime::usableCpus());
}

/// One measurement of llama-bench's JSON: the object of the test that was asked for.
static io::Result<std::vector<double>> readLlama(const ProcessOutput &output) {
  if (output.status != 0)
    return io::Error{output.lastError()};
  json tests = json::parse(output.out, nullptr, false);
  if (!tests.is_array() || tests.size() != 1 || !tests[0].is_object())
    return io::Error{"its output is not the JSON of one test"};
  json samples = tests[0].value("samples_ts", json());
  std::vector<double> speeds;
  if (samples.is_array())
    for (const json &sample : samples)
      if (sample.is_number())
        speeds.push_back(sample.get<double>());
  if (speeds.empty())
    return io::Error{"its output has no samples_ts"};
  return speeds;
}

PeerResult runLlama(const PeerShape &shape, const std::vector<Work> &works, const Options &options) {
  PeerResult result{"llama.cpp", {}, {}};
  auto note = [&](const std::string &text) {
    result.notes.push_back(text);
    return result;
  };
  if (!isInPath("llama-bench"))
    return note("not installed: there is no llama-bench in PATH");
  io::Result<TemporaryFolder> folder = TemporaryFolder::create("model.gguf");
  if (!folder)
    return note(folder.error().message);
  int64_t context = 1;
  for (const Work &work : works)
    context = std::max(context, work.context + work.tokens);
  std::string model = folder->file();
  if (io::Status status = writeGguf(model, shape, context, options.seed); !status)
    return note(status.error().message);
  for (const Work &work : works) {
    std::string name = std::string(work.name()) + ", batch " + std::to_string(work.batch) + ", context " +
                       std::to_string(work.context);
    if (work.batch != 1) {
      note(name + ": llama-bench runs one sequence at a time");
      continue;
    }
    std::string tokens = std::to_string(work.tokens);
    std::vector<std::string> command = {"llama-bench",
                                        "-m",
                                        model,
                                        "-o",
                                        "json",
                                        "-r",
                                        std::to_string(options.repeats),
                                        "-t",
                                        threadsText(options),
                                        "-p",
                                        work.isDecode ? "0" : tokens,
                                        "-n",
                                        work.isDecode ? tokens : "0"};
    if (work.context > 0)
      command.insert(command.end(), {"-d", std::to_string(work.context)});
    io::Result<ProcessOutput> output = runProcess(command);
    io::Result<std::vector<double>> speeds = output ? readLlama(*output) : output.error();
    if (speeds)
      result.measurements.push_back({work, *speeds});
    else
      note(name + ": llama-bench failed: " + io::escaped(speeds.error().message));
  }
  return result;
}

/// A dense Transformer in PyTorch: one argument, the JSON of shapes and works; prints a JSON list of lists of seconds.
static const char *const torchProgram = R"python(
import json, sys, time
import torch
import torch.nn.functional as F

job = json.loads(sys.argv[1])
torch.set_num_threads(job["threads"])
torch.set_flush_denormal(True)
torch.manual_seed(0)
L, D, H, KV, K = job["layers"], job["hidden"], job["heads"], job["kv_heads"], job["head_dim"]
I, V = job["feed_forward"], job["vocab"]
kind = torch.bfloat16 if job["bf16"] else torch.float32


def matrix(rows, columns):
    return torch.empty(rows, columns).uniform_(-0.035, 0.035).to(kind)


embed, head = matrix(V, D), matrix(V, D)
layers = [dict(q=matrix(H * K, D), k=matrix(KV * K, D), v=matrix(KV * K, D), o=matrix(D, H * K),
               gate=matrix(I, D), up=matrix(I, D), down=matrix(D, I)) for _ in range(L)]
rates = 10000.0 ** (-torch.arange(0, K, 2).double() / K)


def norm(x):
    wide = x.float()
    return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-5)).to(x.dtype)


def rotate(x, begin):
    angles = torch.arange(begin, begin + x.shape[2]).double()[:, None] * rates
    angles = torch.cat((angles, angles), -1)
    half = K // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), -1)
    return (x * angles.cos().to(x.dtype)) + (turned * angles.sin().to(x.dtype))


def attend(q, k, v, held):
    if KV != H:
        k, v = k.repeat_interleave(H // KV, 1), v.repeat_interleave(H // KV, 1)
    count = q.shape[2]
    if hasattr(F, "scaled_dot_product_attention"):
        mask = None
        if count > 1:
            mask = torch.ones(count, held + count, dtype=torch.bool).tril(held)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = (q @ k.transpose(2, 3)) * K ** -0.5
    if count > 1:
        scores = scores.masked_fill(torch.ones(count, held + count, dtype=torch.bool).triu(held + 1), -float("inf"))
    return torch.softmax(scores.float(), -1).to(q.dtype) @ v


def forward(tokens, caches, held):
    """Logits of the last token; caches are [B, KV, room, K] pairs that hold `held` entries."""
    x = embed[tokens]
    B, T = tokens.shape
    for w, (keys, values) in zip(layers, caches):
        h = norm(x)
        q = rotate(F.linear(h, w["q"]).view(B, T, H, K).transpose(1, 2), held)
        keys[:, :, held:held + T] = rotate(F.linear(h, w["k"]).view(B, T, KV, K).transpose(1, 2), held)
        values[:, :, held:held + T] = F.linear(h, w["v"]).view(B, T, KV, K).transpose(1, 2)
        y = attend(q, keys[:, :, :held + T], values[:, :, :held + T], held)
        x = x + F.linear(y.transpose(1, 2).reshape(B, T, H * K), w["o"])
        h = norm(x)
        x = x + F.linear(F.silu(F.linear(h, w["gate"])) * F.linear(h, w["up"]), w["down"])
    return F.linear(norm(x[:, -1]), head)


def run(work):
    B, context, count = work["batch"], work["context"], work["tokens"]
    caches = [tuple(torch.randn(B, KV, context + count, K).to(kind) for _ in range(2)) for _ in range(L)]
    times = []
    for repeat in range(job["warmup"] + job["repeats"]):
        tokens = torch.randint(V, (B, count))
        begin = time.perf_counter()
        if work["decode"]:
            for i in range(count):
                forward(tokens[:, i:i + 1], caches, context + i)
        else:
            forward(tokens, caches, 0)
        if repeat >= job["warmup"]:
            times.append(time.perf_counter() - begin)
    return times


with torch.no_grad():
    print(json.dumps({"version": torch.__version__, "seconds": [run(work) for work in job["works"]]}))
)python";

static json torchJob(const PeerShape &shape, const std::vector<Work> &works, const Options &options) {
  json list = json::array();
  for (const Work &work : works)
    list.push_back(
        {{"decode", work.isDecode}, {"batch", work.batch}, {"context", work.context}, {"tokens", work.tokens}});
  return {{"layers", shape.layers},
          {"hidden", shape.hidden},
          {"heads", shape.heads},
          {"kv_heads", shape.keyValueHeads},
          {"head_dim", shape.headDim},
          {"feed_forward", shape.feedForward},
          {"vocab", shape.vocab},
          {"bf16", shape.dtype == io::DType::BF16},
          {"threads", std::stoll(threadsText(options))},
          {"warmup", options.warmup},
          {"repeats", options.repeats},
          {"works", list}};
}

PeerResult runTorch(const PeerShape &shape, const std::vector<Work> &works, const Options &options) {
  PeerResult result{"PyTorch", {}, {}};
  auto note = [&](const std::string &text) {
    result.notes.push_back(text);
    return result;
  };
  io::Result<ProcessOutput> probe = runProcess({"python3", "-c", "import torch"});
  if (!probe)
    return note("not installed: there is no python3 in PATH");
  if (probe->status != 0)
    return note("not installed: python3 cannot import torch (" + io::escaped(probe->lastError()) + ")");
  io::Result<ProcessOutput> output =
      runProcess({"python3", "-c", torchProgram, torchJob(shape, works, options).dump()});
  if (!output || output->status != 0)
    return note("failed: " + io::escaped(output ? output->lastError() : output.error().message));
  json parsed = json::parse(output->out, nullptr, false);
  json seconds = parsed.is_object() ? parsed.value("seconds", json()) : json();
  if (!seconds.is_array() || seconds.size() != works.size())
    return note("failed: its output is not the JSON of the works");
  for (size_t i = 0; i < works.size(); ++i) {
    PeerMeasurement measurement{works[i], {}};
    for (const json &value : seconds[i])
      if (value.is_number() && value.get<double>() > 0)
        measurement.tokensPerSecond.push_back(double(works[i].allTokens()) / value.get<double>());
    if (!measurement.tokensPerSecond.empty())
      result.measurements.push_back(std::move(measurement));
  }
  return result;
}

} // namespace chimera::bench
