// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nvptx/Route.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"
#include <cmath>

namespace chimera::nvptx {

static RouteParams takeParams(GpuBuilder &b, const RouteSpec &spec) {
  RouteParams p;
  auto take = [&](mlir::Type type) { return b.nextPointer(type); };
  p.index = take(b.i32());
  p.start = take(b.i32());
  p.position = take(b.i64());
  p.sequence = take(b.i32());
  p.slot = take(b.i32());
  p.x = take(b.f32());
  p.normWeight = take(b.f32());
  if (spec.norm == NormKind::Layer)
    p.normBias = take(b.f32());
  p.h = take(b.f32());
  if (spec.routerNorm != NormKind::None)
    p.routerNormWeight = take(b.f32());
  if (spec.routerNorm == NormKind::Layer)
    p.routerNormBias = take(b.f32());
  p.routerWeight = take(b.f32());
  p.logits = take(b.f32());
  p.bias = take(b.f32());
  p.forced = take(b.i8());
  p.counts = take(b.i64());
  p.mode = take(b.i8());
  p.gate = take(b.f32());
  p.logp = take(b.f32());
  if (spec.gateIsProbability)
    p.probability = take(b.f32());
  p.sortedIndex = take(b.i32());
  p.inverse = take(b.i32());
  for (size_t k = 0; k < spec.modes.size(); ++k)
    p.sortedStart.push_back(take(b.i32()));
  p.ticket = take(b.i32());
  for (Val *scalar : {&p.rows, &p.sequences, &p.layer, &p.layers})
    *scalar = convert(b.nextScalar(), b.i32());
  return p;
}

/// True, in every thread of it, in the one block that comes here after all others have written what they write.
///
/// A block's writes come before its barrier, that before its first thread's fence and ticket; the last ticket's fence
/// and barrier come before that block's reads. The counter goes back to zero by itself.
static Val isLastBlock(RouteContext &c) {
  GpuBuilder &b = c.b;
  Pointer flag = b.shared("last", 4, b.i32());
  b.barrier();
  b.ifThen(b.thread() == 0, [&] {
    Val limit = b.blocks() - 1;
    b.ptx("fence.acq_rel.gpu;", "~{memory}", {}, {});
    Val before = b.ptx("atom.relaxed.gpu.global.inc.u32 $0, [$1], $2;", "=r,l,r,~{memory}", b.i32(),
                       {c.p.ticket.value(), limit})[0];
    b.ptx("fence.acq_rel.gpu;", "~{memory}", {}, {});
    flag.store(zeroExtend(before == limit, b.i32()));
  });
  if (c.spec.fault != RouteSpec::Fault::NoFlagBarrier)
    b.barrier();
  return flag.load() != 0;
}

static std::string checkSpec(const RouteSpec &spec) {
  std::string what = "a routing kernel for the GPU ";
  if (spec.width < 1)
    return what + "needs a width of at least 1, not " + std::to_string(spec.width);
  if (spec.norm == NormKind::None)
    return what + "needs an input norm";
  if (spec.modes.size() < 2 || spec.modes.size() > 4)
    return what + "needs two to four modes, not " + std::to_string(spec.modes.size());
  for (size_t k = 0; k < spec.modes.size(); ++k)
    if (spec.modes[k] < 0 || spec.modes[k] > 3 || (k > 0 && spec.modes[k] <= spec.modes[k - 1]))
      return what + "needs its modes in canonical order, each once";
  if (!(spec.temperature > 0) || !std::isfinite(spec.temperature))
    return what + "needs a temperature above 0";
  for (const ModeLimit &limit : spec.limits)
    if ((limit.rate && !(*limit.rate >= 0)) || (limit.most && *limit.most < 0))
      return what + "needs limits of at least 0";
  return {};
}

static std::string symbolOf(const RouteSpec &spec) {
  static const char *const norms[] = {"none", "rms", "layer"};
  std::string modes;
  for (int64_t id : spec.modes)
    modes += "swfi"[id];
  std::string rest;
  llvm::raw_string_ostream os(rest);
  os << llvm::format("%a %a ", spec.epsilon, spec.temperature) << spec.gateIsProbability << spec.biasInGate;
  for (const ModeLimit &limit : spec.limits)
    os << llvm::format(" %a %lld", limit.rate.value_or(-1), static_cast<long long>(limit.most.value_or(-1)));
  return "chimera_route_f32_" + std::to_string(spec.width) + "_" + norms[static_cast<int>(spec.norm)] + "_" +
         norms[static_cast<int>(spec.routerNorm)] + "_" + modes + "_" + llvm::utohexstr(llvm::xxh3_64bits(rest), true);
}

std::optional<GpuKernel> emitRoute(mlir::ModuleOp module, const RouteSpec &spec, std::string &error) {
  error = checkSpec(spec);
  if (!error.empty())
    return std::nullopt;
  GpuKernel kernel;
  kernel.symbol = symbolOf(spec);
  kernel.threads = routeThreads;
  kernel.grid = {/*tokens=*/1, /*constant=*/1, /*divisor=*/routeWarps}; // at least one block, for the sort of no rows
  GpuBuilder b(module, kernel.symbol, routeThreads);
  RouteContext c{b, spec, takeParams(b, spec)};
  Val row = b.block() * routeWarps + b.warp();
  b.ifThen(row < c.p.rows, [&] { emitRouteRow(c, row); });
  b.ifThen(isLastBlock(c), [&] {
    emitAdmission(c);
    if (spec.fault != RouteSpec::Fault::NoAdmissionBarrier)
      b.barrier();
    emitGates(c);
    emitCompaction(c);
  });
  b.finish();
  return kernel;
}

} // namespace chimera::nvptx
