// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tests' plain tensor: a shape and its values in row-major order, always in double precision.
#ifndef CHIMERA_TEST_SUPPORT_TENSOR_H
#define CHIMERA_TEST_SUPPORT_TENSOR_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace chimera::test {

struct Tensor {
  std::vector<int64_t> shape;
  std::vector<double> values;
};

/// Parameters by name.
using TensorMap = std::map<std::string, Tensor>;

/// The number of elements of a shape; 1 for the empty shape.
inline int64_t elementCount(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

} // namespace chimera::test

#endif
