// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running chimera-run and chimera-inspect on the toy model.
#ifndef CHIMERA_TEST_CHIMERARUN_TOYTOOL_H
#define CHIMERA_TEST_CHIMERARUN_TOYTOOL_H

#include "runtime/io/DType.h"
#include "runtime/io/Npy.h"
#include "test/runtime/ToyModel.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace chimera::test {

/// Tests in a folder of their own, with the toy model as m.chm and its weights as model.safetensors.
class ToolTest : public ::testing::Test {
protected:
  ToolTest();

  std::string file(const std::string &name) const { return folder.file(name); }

  /// Writes an .npy file; its path.
  template <typename T>
  std::string npy(const std::string &name, io::DType type, const std::vector<int64_t> &shape,
                  const std::vector<T> &data) const {
    writeArray(name, type, shape, data.data());
    return file(name);
  }

  /// Runs chimera-run on the toy model and its weights.
  ProcessResult run(const std::vector<std::string> &arguments) const;
  /// Runs it with these arguments only.
  ProcessResult runBare(const std::vector<std::string> &arguments) const;
  /// Runs a script of the shell, in which "$@" is chimera-run on the toy model with these arguments, in the test's
  /// folder.
  ProcessResult shell(const std::string &script, const std::vector<std::string> &arguments) const;
  /// What `run` starts.
  std::vector<std::string> command(const std::vector<std::string> &arguments) const;
  ProcessResult inspect(const std::vector<std::string> &arguments) const;

  /// The array in a file, which must have this type and shape.
  template <typename T>
  std::vector<T> load(const std::string &name, io::DType type, const std::vector<int64_t> &shape) const {
    auto array = io::readNpy(file(name));
    EXPECT_TRUE(array) << array.error().message;
    if (!array)
      return {};
    EXPECT_EQ(array->dtype, type);
    EXPECT_EQ(array->shape, shape);
    std::vector<T> values(array->data.size() / sizeof(T));
    if (!values.empty())
      std::memcpy(values.data(), array->data.data(), array->data.size());
    return values;
  }

  TemporaryDirectory folder;

private:
  void writeArray(const std::string &name, io::DType type, const std::vector<int64_t> &shape, const void *data) const;
};

/// Expects exit status `status`, nothing on stdout and one line on stderr, which contains `text`.
void expectError(const ProcessResult &result, int status, const std::string &text);

/// Expects exit status 0 and nothing on stderr.
void expectSuccess(const ProcessResult &result);

} // namespace chimera::test

#endif // CHIMERA_TEST_CHIMERARUN_TOYTOOL_H
