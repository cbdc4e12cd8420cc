// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/Mixture.h"

#include "runtime/io/Numbers.h"
#include "runtime/train/data/Generators.h"
#include "runtime/train/data/Permutation.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

namespace chimera::train {

io::Result<SourceSpec> SourceSpec::parse(const std::string &text) {
  size_t at = text.find('@');
  bool isWeight = at != std::string::npos && at > 0 && text.find_first_not_of("0123456789.") == at;
  if (!isWeight)
    return SourceSpec{1, text};
  std::optional<double> weight = io::parseReal(text.substr(0, at));
  if (!weight || !(*weight > 0))
    return io::Error{"--data: " + io::quote(text) + ": the weight before '@' must be a number > 0"};
  return SourceSpec{*weight, text.substr(at + 1)};
}

std::string SourceSpec::text() const {
  return weight == 1 ? spec : nlohmann::json(weight).dump() + "@" + spec;
}

bool SourceSpec::isGenerated() const {
  return isGenerator(spec.substr(0, spec.find(':')));
}

io::Result<std::vector<DataFile>> SourceSpec::files() const {
  return isGenerated() ? std::vector<DataFile>() : expandFileNames(spec);
}

std::vector<uint64_t> apportion(uint64_t total, const std::vector<double> &weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<uint64_t> parts;
  std::vector<std::pair<double, size_t>> remainders; // Negative, so that the largest come first.
  uint64_t given = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    double exact = double(total) * (weights[i] / sum), whole = std::floor(exact);
    parts.push_back(uint64_t(whole));
    remainders.emplace_back(whole - exact, i);
    given += parts.back();
  }
  std::sort(remainders.begin(), remainders.end());
  for (size_t i = 0; given < total; i = (i + 1) % parts.size(), ++given)
    ++parts[remainders[i].second];
  return parts;
}

io::Result<std::unique_ptr<Mixture>> Mixture::open(const std::vector<SourceSpec> &specs, DataOptions options) {
  std::unique_ptr<Mixture> mixture(new Mixture);
  mixture->seed = options.seed;
  std::vector<double> weights;
  for (const SourceSpec &spec : specs)
    weights.push_back(spec.weight);
  std::vector<uint64_t> quotas = apportion(block, weights);
  for (size_t i = 0; i < specs.size(); ++i) {
    if (quotas[i] == 0)
      return io::Error{"--data: " + io::quote(specs[i].spec) + ": its weight is less than 1 in " +
                       std::to_string(block) + " of all"};
    options.spec = specs[i].spec;
    // Another for each, so that two that are alike do not give the same sequences.
    options.seed = mixture->seed + i * uint64_t(0x9E3779B97F4A7C15);
    io::Result<std::unique_ptr<Dataset>> data = openDataset(options);
    if (!data)
      return data.error();
    mixture->list.push_back({specs[i], quotas[i], std::move(*data)});
  }
  return mixture;
}

io::Status Mixture::train(uint64_t index, SequenceView out) const {
  if (list.size() == 1)
    return list[0].data->sequence(Split::Train, index, out);
  // Epochs of this kind of permutation that no source comes to.
  constexpr uint64_t ownEpochs = uint64_t(1) << 63;
  const uint64_t number = index / block;
  uint64_t place = Permutation(block, seed, ownEpochs + number).at(index % block);
  for (const Source &source : list) {
    if (place < source.quota)
      return source.data->sequence(Split::Train, number * source.quota + place, out);
    place -= source.quota;
  }
  return io::Error{"--data: sequence " + std::to_string(index) + " has no source"}; // The quotas make up the block.
}

std::vector<int64_t> Mixture::heldOut(int64_t wanted) const {
  std::vector<double> weights;
  for (const Source &source : list)
    weights.push_back(double(source.quota));
  std::vector<int64_t> counts;
  for (uint64_t part : apportion(uint64_t(wanted), weights)) {
    uint64_t there = list[counts.size()].data->heldOutSequences();
    counts.push_back(int64_t(std::min(std::max<uint64_t>(part, 1), there)));
  }
  return counts;
}

bool Mixture::hasHeldOut() const {
  return std::any_of(list.begin(), list.end(),
                     [](const Source &source) { return source.data->heldOutSequences() > 0; });
}

bool Mixture::hasClasses() const {
  return std::any_of(list.begin(), list.end(), [](const Source &source) { return source.data->hasClasses(); });
}

std::string Mixture::description() const {
  if (list.size() == 1)
    return list[0].data->description();
  std::string text;
  for (const Source &source : list) {
    char share[32];
    std::snprintf(share, sizeof share, "%.4g %% ", 100 * double(source.quota) / double(block));
    text += (text.empty() ? "" : " + ") + std::string(share) + source.spec.spec + ": " + source.data->description();
  }
  return text;
}

} // namespace chimera::train
