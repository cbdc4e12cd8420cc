// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/Report.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace chimera::bench {

using nlohmann::json;

static ReportRow rowOf(const Measurement &measurement, const MachineLimits &limits) {
  ReportRow row;
  row.work = measurement.work;
  row.measurement = &measurement;
  std::vector<double> speeds;
  for (double seconds : measurement.seconds)
    speeds.push_back(seconds > 0 ? double(measurement.work.allTokens()) / seconds : 0);
  row.speed = statisticsOf(speeds);
  row.seconds = statisticsOf(measurement.seconds).median;
  if (row.seconds > 0) {
    row.bytesPerSecond = measurement.cost.bytes() / row.seconds;
    row.flopsPerSecond = measurement.cost.flops() / row.seconds;
  }
  row.bandwidthShare = row.bytesPerSecond / limits.bytesPerSecond;
  row.peakShare = row.flopsPerSecond / limits.peak();
  return row;
}

std::vector<ReportRow> rowsOf(const Report &report) {
  std::vector<ReportRow> rows;
  for (const Measurement &measurement : report.measurements)
    rows.push_back(rowOf(measurement, report.limits));
  for (const PeerResult &peer : report.peers) {
    for (const PeerMeasurement &measurement : peer.measurements) {
      ReportRow row;
      row.program = peer.program;
      row.work = measurement.work;
      row.speed = statisticsOf(measurement.tokensPerSecond);
      rows.push_back(row);
    }
  }
  return rows;
}

static void append(std::string &text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(std::string &text, const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text += line;
}

using Wide = long long;

static void appendHead(std::string &text, const Report &report) {
  const runtime::Manifest &manifest = *report.manifest;
  append(text, "model    %s: target %s, variant %s, dtype %s, %lld layers, %.1f MB of weights\n",
         io::escaped(report.options->model).c_str(), manifest.target.c_str(), io::escaped(report.variant->name).c_str(),
         io::nameOf(manifest.dtype), Wide(manifest.layers()), report.weightBytes / 1e6);
  append(text, "machine  %lld threads: reads %.1f GB/s over %.1f MB, %.1f GFLOP/s of f32 multiply-adds (%s)",
         Wide(report.limits.threads), report.limits.bytesPerSecond / 1e9, double(report.limits.bufferBytes) / 1e6,
         report.limits.flopsPerSecond / 1e9, report.limits.instructionSet.c_str());
  if (!report.limits.products.empty())
    append(text, ", %.1f of bf16 products (%s)", report.limits.productsPerSecond / 1e9, report.limits.products.c_str());
  text += "\n";
  append(text, "work     %lld runs after %lld to warm up; modes %s\n\n", Wide(report.options->repeats),
         Wide(report.options->warmup), report.options->fractions ? "forced" : "chosen by the router");
}

static void appendRow(std::string &text, const ReportRow &row) {
  append(text, "%-10s %-8s %5lld %8lld %8lld %10.2f %8.2f %10.2f", row.program.c_str(), row.work.name(),
         Wide(row.work.batch), Wide(row.work.context), Wide(row.work.tokens), row.speed.mean, row.speed.deviation,
         row.speed.median);
  if (const Measurement *m = row.measurement)
    append(text, " %10.3f %8.2f %6.1f %10.4f %9.2f %6.1f  %4.2f %4.2f %4.2f %4.2f %10.3f", m->cost.bytes() / 1e6,
           row.bytesPerSecond / 1e9, 100 * row.bandwidthShare, m->cost.flops() / 1e9, row.flopsPerSecond / 1e9,
           100 * row.peakShare, m->shares[0], m->shares[1], m->shares[2], m->shares[3], double(m->cacheBytes) / 1e6);
  text += "\n";
}

static void appendProfile(std::string &text, const Measurement &measurement) {
  const LaunchProfile &profile = *measurement.profile;
  append(text, "\n%s, batch %lld, context %lld: %.3f ms in steps, %.3f ms of them in launches\n",
         measurement.work.name(), Wide(measurement.work.batch), Wide(measurement.work.context), profile.seconds * 1e3,
         double(profile.nanoseconds()) / 1e6);
  append(text, "%12s %6s %6s %9s %9s  %-7s %6s %5s  %-22s %s\n", "ms", "%", "calls", "GB/s", "GFLOP/s", "phase",
         "launch", "layer", "op", "kernel");
  double all = double(profile.nanoseconds());
  for (const LaunchRow *row : profile.byTime()) {
    double time = double(std::max<int64_t>(row->nanoseconds, 1));
    append(text, "%12.4f %6.2f %6lld %9.2f %9.2f  %-7s %6lld %5lld  %-22s %s\n", time / 1e6, 100 * time / all,
           Wide(row->calls), row->cost.bytes() / time, row->cost.flops() / time,
           row->phase == CHIMERA_PHASE_DECODE ? "decode" : "prefill", Wide(row->index), Wide(row->layer),
           row->op.c_str(), row->kernel.c_str());
  }
}

std::string tableOf(const Report &report) {
  std::string text;
  appendHead(text, report);
  append(text, "%-10s %-8s %5s %8s %8s %10s %8s %10s %10s %8s %6s %10s %9s %6s  %4s %4s %4s %4s %10s\n", "program",
         "phase", "batch", "context", "tokens", "tokens/s", "+-", "median", "MB", "GB/s", "%read", "GFLOP", "GFLOP/s",
         "%peak", "ssm", "swa", "full", "id", "cache MB");
  for (const ReportRow &row : rowsOf(report))
    appendRow(text, row);
  for (const PeerResult &peer : report.peers)
    for (const std::string &note : peer.notes)
      text += peer.program + ": " + note + "\n";
  if (report.options->profile)
    for (const Measurement &measurement : report.measurements)
      appendProfile(text, measurement);
  return text;
}

/// The launches of a report as a second list, after an empty line.
static void appendProfileCsv(std::string &text, const Report &report) {
  text += "\nphase,batch,context,launch_phase,launch,layer,op,kernel,calls,nanoseconds,bytes,flops\n";
  for (const Measurement &measurement : report.measurements)
    for (const LaunchRow *row : measurement.profile->byTime())
      append(text, "%s,%lld,%lld,%s,%lld,%lld,%s,%s,%lld,%lld,%.0f,%.0f\n", measurement.work.name(),
             Wide(measurement.work.batch), Wide(measurement.work.context),
             row->phase == CHIMERA_PHASE_DECODE ? "decode" : "prefill", Wide(row->index), Wide(row->layer),
             row->op.c_str(), row->kernel.c_str(), Wide(row->calls), Wide(row->nanoseconds), row->cost.bytes(),
             row->cost.flops());
}

std::string csvOf(const Report &report) {
  std::string text = "program,phase,batch,context,tokens,tokens_per_second_mean,tokens_per_second_deviation,"
                     "tokens_per_second_median,seconds_median,bytes,bytes_per_second,read_share,flops,"
                     "flops_per_second,peak_share,share_ssm,share_swa,share_full,share_identity,cache_bytes\n";
  for (const ReportRow &row : rowsOf(report)) {
    append(text, "%s,%s,%lld,%lld,%lld,%.6g,%.6g,%.6g", row.program.c_str(), row.work.name(), Wide(row.work.batch),
           Wide(row.work.context), Wide(row.work.tokens), row.speed.mean, row.speed.deviation, row.speed.median);
    if (const Measurement *m = row.measurement)
      append(text, ",%.6g,%.0f,%.6g,%.6g,%.0f,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%lld\n", row.seconds, m->cost.bytes(),
             row.bytesPerSecond, row.bandwidthShare, m->cost.flops(), row.flopsPerSecond, row.peakShare, m->shares[0],
             m->shares[1], m->shares[2], m->shares[3], Wide(m->cacheBytes));
    else
      text += ",,,,,,,,,,,,\n";
  }
  if (report.options->profile)
    appendProfileCsv(text, report);
  return text;
}

static json costJson(const Cost &cost) {
  return {{"flops", cost.flops()},
          {"matrix_flops", cost.matrixFlops},
          {"attention_flops", cost.attentionFlops},
          {"scan_flops", cost.scanFlops},
          {"bytes", cost.bytes()},
          {"parameter_bytes", cost.parameterBytes},
          {"cache_read_bytes", cost.cacheReadBytes},
          {"cache_write_bytes", cost.cacheWriteBytes}};
}

static json profileJson(const LaunchProfile &profile) {
  json launches = json::array();
  for (const LaunchRow *row : profile.byTime())
    launches.push_back({{"phase", row->phase == CHIMERA_PHASE_DECODE ? "decode" : "prefill"},
                        {"launch", row->index},
                        {"layer", row->layer},
                        {"op", row->op},
                        {"kernel", row->kernel},
                        {"calls", row->calls},
                        {"nanoseconds", row->nanoseconds},
                        {"cost", costJson(row->cost)}});
  return {{"seconds", profile.seconds}, {"launches", launches}};
}

static json rowJson(const ReportRow &row, bool withProfile) {
  json out = {{"program", row.program},
              {"phase", row.work.name()},
              {"batch", row.work.batch},
              {"context", row.work.context},
              {"tokens", row.work.tokens},
              {"tokens_per_second",
               {{"mean", row.speed.mean}, {"deviation", row.speed.deviation}, {"median", row.speed.median}}}};
  const Measurement *m = row.measurement;
  if (!m)
    return out;
  out["seconds"] = m->seconds;
  out["cost"] = costJson(m->cost);
  out["bytes_per_second"] = row.bytesPerSecond;
  out["read_share"] = row.bandwidthShare;
  out["flops_per_second"] = row.flopsPerSecond;
  out["peak_share"] = row.peakShare;
  out["shares"] = {{"ssm", m->shares[0]}, {"swa", m->shares[1]}, {"full", m->shares[2]}, {"identity", m->shares[3]}};
  out["cache_bytes"] = m->cacheBytes;
  if (withProfile)
    out["profile"] = profileJson(*m->profile);
  return out;
}

std::string jsonOf(const Report &report) {
  json results = json::array(), notes = json::array();
  for (const ReportRow &row : rowsOf(report))
    results.push_back(rowJson(row, report.options->profile && row.measurement));
  for (const PeerResult &peer : report.peers)
    for (const std::string &note : peer.notes)
      notes.push_back({{"program", peer.program}, {"note", note}});
  const MachineLimits &limits = report.limits;
  json out = {{"model",
               {{"file", report.options->model},
                {"target", report.manifest->target},
                {"variant", report.variant->name},
                {"weight_bytes", report.weightBytes},
                {"dtype", io::nameOf(report.manifest->dtype)},
                {"layers", report.manifest->layers()}}},
              {"machine",
               {{"threads", limits.threads},
                {"instruction_set", limits.instructionSet},
                {"buffer_bytes", limits.bufferBytes},
                {"read_bytes_per_second", limits.bytesPerSecond},
                {"f32_flops_per_second", limits.flopsPerSecond},
                {"bf16_instruction", limits.products},
                {"bf16_flops_per_second", limits.productsPerSecond}}},
              {"repeats", report.options->repeats},
              {"warmup", report.options->warmup},
              {"forced", bool(report.options->fractions)},
              {"results", results},
              {"notes", notes}};
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace chimera::bench
