// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Quantised.h"

#include "runtime/io/Affixes.h"

namespace chimera::runtime {

namespace {
/// A tensor that a quantiser writes for a weight, by what follows the name of the weight's module ("x" of "x.weight").
struct Mark {
  const char *ending, *method;
};
} // namespace

/// GPTQ and AWQ pack alike; AWQ has no order of groups. The first mark that is there decides.
static constexpr Mark marks[] = {
    {".g_idx", "GPTQ"},
    {".qweight", "GPTQ or AWQ"},
    {".weight_packed", "compressed-tensors"},
    {".weight.quant_state.bitsandbytes__nf4", "bitsandbytes, nf4"},
    {".weight.quant_state.bitsandbytes__fp4", "bitsandbytes, fp4"},
    {".weight.absmax", "bitsandbytes, 4 bits"},
    {".SCB", "bitsandbytes, int8"},
    {".weight_scale_inv", "fp8 with scales of blocks"},
    {".weight_scale", "fp8 or int8 with scales"},
};

static std::string sentence(const std::string &what) {
  return "is quantised (" + what + "), and quantised weights are not read; take the checkpoint in bf16, f16 or f32";
}

std::string quantised(const io::Checkpoint &checkpoint, const std::string &name) {
  const std::string weight = ".weight";
  const io::StoredTensor *tensor = checkpoint.find(name);
  if (tensor && io::isFloat(tensor->dtype))
    return {};
  std::string module = name;
  if (name.size() > weight.size() && io::endsWith(name, weight))
    module.resize(name.size() - weight.size());
  for (const Mark &mark : marks)
    if (checkpoint.find(module + mark.ending))
      return sentence(std::string(mark.method) + ": " + io::quote(module + mark.ending));
  if (tensor && (tensor->dtype == io::DType::F8E4M3 || tensor->dtype == io::DType::F8E5M2))
    return sentence(std::string("dtype ") + io::nameOf(tensor->dtype));
  return {};
}

} // namespace chimera::runtime
