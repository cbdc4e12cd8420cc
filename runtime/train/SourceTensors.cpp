// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/SourceTensors.h"

#include <algorithm>
#include <map>
#include <utility>

namespace chimera::train {

using runtime::Parameter;

static std::string rowsText(int64_t first, int64_t end) {
  return "no parameter takes its rows " + std::to_string(first) + " .. " + std::to_string(end - 1);
}

/// Why the tensor cannot be written from its parameters, which are sorted; empty: it can.
static std::string faultOf(const SourceTensor &tensor, const std::vector<Parameter> &parameters) {
  const Parameter *before = nullptr;
  int64_t end = 0;
  for (size_t index : tensor.parameters) {
    const Parameter &parameter = parameters[index];
    if (parameter.sourceShape != tensor.shape)
      return "its parameters do not agree on its shape";
    if (before && parameter.sourceRow < end)
      return "parameters " + io::quote(before->name) + " and " + io::quote(parameter.name) +
             " take the same rows of it";
    if (parameter.sourceRow > end)
      return rowsText(end, parameter.sourceRow);
    // A scalar has no rows, but is whole.
    bool isWhole = parameter.elements == parameter.sourceElements;
    end = isWhole ? parameter.sourceRows() : parameter.sourceRow + parameter.shape[0];
    if (before && parameter.sourceRows() != before->sourceRows())
      return "parameters " + io::quote(before->name) + " and " + io::quote(parameter.name) +
             " do not agree on its rows";
    before = &parameter;
  }
  return end == before->sourceRows() ? std::string() : rowsText(end, before->sourceRows());
}

runtime::Result<std::vector<SourceTensor>> sourceTensors(const std::vector<Parameter> &parameters) {
  std::vector<SourceTensor> tensors;
  std::map<std::string, size_t> byName;
  for (size_t i = 0; i < parameters.size(); ++i) {
    auto [found, isNew] = byName.insert({parameters[i].source, tensors.size()});
    if (isNew)
      tensors.push_back({parameters[i].source, parameters[i].sourceShape, {}});
    tensors[found->second].parameters.push_back(i);
  }
  for (SourceTensor &tensor : tensors) {
    std::sort(tensor.parameters.begin(), tensor.parameters.end(), [&](size_t a, size_t b) {
      return std::pair(parameters[a].sourceRow, a) < std::pair(parameters[b].sourceRow, b);
    });
    if (std::string fault = faultOf(tensor, parameters); !fault.empty())
      return runtime::Error("the checkpoint's tensor " + io::quote(tensor.name) +
                            " could not be written after training: " + fault);
  }
  return tensors;
}

} // namespace chimera::train
