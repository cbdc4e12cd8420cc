// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/ConfigFields.h"

namespace chimera {

void readForeignConfig(ObjectReader &reader, Config &) {
  reader.error("model_type", reader.find("model_type")->describe() + " is not supported");
}

void nameSources(const Config &, std::vector<ParameterSpec> &) {}

} // namespace chimera
