// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/e2e/ForeignModel.h"

#include "runtime/io/Safetensors.h"
#include "test/support/Subprocess.h"

#include <cmath>
#include <stdexcept>

namespace chimera::test {

static double draw(Random &random, Values values, int64_t fanIn) {
  switch (values) {
  case Values::Matrix:
    return random.normal() / std::sqrt(static_cast<double>(fanIn));
  case Values::Table:
    return random.normal();
  case Values::Taps:
    return 0.5 * random.normal();
  case Values::Scale:
    return random.uniform(0.7, 1.3);
  case Values::Shift:
    return 0.3 * random.normal();
  case Values::Router:
    return 2 * random.normal() / std::sqrt(static_cast<double>(fanIn));
  case Values::LogDecay:
    return std::log(random.uniform(1, 16));
  case Values::StepBias:
    return random.uniform(-4, 0);
  }
  throw std::logic_error("no such values");
}

void ForeignModel::add(const std::string &theirs, const std::vector<int64_t> &shape, const std::string &ours,
                       Values values, const std::vector<int64_t> &oursShape) {
  Tensor tensor{shape, std::vector<double>(static_cast<size_t>(elementCount(shape)))};
  for (double &value : tensor.values)
    value = draw(random, values, shape.back());
  if (!disk.emplace(theirs, tensor).second)
    throw std::logic_error(theirs + " is there twice");
  if (!oursShape.empty())
    tensor.shape = oursShape;
  this->ours[ours] = std::move(tensor);
}

void ForeignModel::addUnused(const std::string &theirs, const std::vector<int64_t> &shape) {
  disk[theirs] = {shape, std::vector<double>(static_cast<size_t>(elementCount(shape)), 0.25)};
}

void ForeignModel::permuteRows(const std::string &name, const std::vector<size_t> &order) {
  Tensor &tensor = ours.at(name);
  size_t width = tensor.values.size() / order.size();
  std::vector<double> rows;
  for (size_t row : order)
    rows.insert(rows.end(), tensor.values.begin() + static_cast<std::ptrdiff_t>(row * width),
                tensor.values.begin() + static_cast<std::ptrdiff_t>((row + 1) * width));
  tensor.values = std::move(rows);
}

void ForeignModel::splitRows(const std::string &name, const std::vector<std::pair<std::string, int64_t>> &parts) {
  Tensor tensor = std::move(ours.at(name));
  ours.erase(name);
  int64_t width = static_cast<int64_t>(tensor.values.size()) / tensor.shape.front();
  auto begin = tensor.values.begin();
  for (const auto &[part, rows] : parts) {
    tensor.shape.front() = rows;
    ours[part] = {tensor.shape, {begin, begin + rows * width}};
    begin += rows * width;
  }
  if (begin != tensor.values.end())
    throw std::logic_error(name + " has more rows");
}

void ForeignModel::write(const std::string &directory) const {
  writeFile(directory + "/config.json", configText);
  std::vector<io::TensorView> views;
  for (const auto &[name, tensor] : disk)
    views.push_back({name, io::DType::F64, tensor.shape, reinterpret_cast<const uint8_t *>(tensor.values.data()),
                     tensor.values.size() * sizeof(double)});
  if (io::Status status = io::writeSafetensors(directory + "/model.safetensors", views); !status)
    throw std::runtime_error(status.error().message);
}

} // namespace chimera::test
