// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tests' plain tensor: a shape and its values in row-major order, in double precision.
#ifndef CHIMERA_TEST_SUPPORT_TENSOR_H
#define CHIMERA_TEST_SUPPORT_TENSOR_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace chimera::test {

/// Over the scalar, for what is also computed with numbers that know their derivatives.
template <typename T> struct TensorOf {
  std::vector<int64_t> shape;
  std::vector<T> values;
};
using Tensor = TensorOf<double>;

/// Parameters by name.
template <typename T> using TensorMapOf = std::map<std::string, TensorOf<T>>;
using TensorMap = TensorMapOf<double>;

/// The number of elements of a shape; 1 for the empty shape.
inline int64_t elementCount(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

} // namespace chimera::test

#endif
