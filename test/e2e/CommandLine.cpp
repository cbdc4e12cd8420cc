// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/e2e/CommandLine.h"

#include "runtime/io/Npy.h"

#include <stdexcept>

namespace chimera::test {

static const char *const configText = R"({
  "model_type": "chimera", "vocab_size": 41, "hidden_size": 16, "num_hidden_layers": 3, "intermediate_size": 24,
  "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4, "token_conv_kernel": 3, "window": 6,
  "modes": [["ssm", "swa", "full", "identity"], ["full"], ["ssm", "swa", "full", "identity"]],
  "ssm": {"kind": "mamba2", "state_size": 4, "head_dim": 8, "conv_kernel": 3},
  "router": {"kind": "linear", "capacity_factor": 1.1, "write_gate": true,
             "target": {"ssm": 0.3, "swa": 0.3, "full": 0.2, "identity": 0.2}}
}
)";

static ModelCase commandLineCase() {
  return {"CommandLine", configText, 11, 40, 32, 2};
}

ModelOnDisk::ModelOnDisk(const Build &build)
    : model(makeModel(configText, build.precision, 11)), binary(compileModel(commandLineCase(), build)) {
  writeModel(model, directory.path());
}

ProcessResult ModelOnDisk::run(const std::vector<std::string> &arguments) const {
  std::vector<std::string> command = {CHIMERA_RUN_PATH, binary, "--weights", directory.path()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return runProcess(command);
}

template <typename T> static io::DType arrayType();
template <> io::DType arrayType<int8_t>() {
  return io::DType::I8;
}
template <> io::DType arrayType<int32_t>() {
  return io::DType::I32;
}
template <> io::DType arrayType<int64_t>() {
  return io::DType::I64;
}

template <typename T>
std::string ModelOnDisk::writeArray(const std::string &name, const std::vector<int64_t> &shape,
                                    const std::vector<T> &values) const {
  std::string path = directory.file(name);
  io::Status status = io::writeNpy(path, arrayType<T>(), shape, values.data());
  if (!status)
    throw std::runtime_error(status.error().message);
  return path;
}

template std::string ModelOnDisk::writeArray(const std::string &, const std::vector<int64_t> &,
                                             const std::vector<int8_t> &) const;
template std::string ModelOnDisk::writeArray(const std::string &, const std::vector<int64_t> &,
                                             const std::vector<int32_t> &) const;
template std::string ModelOnDisk::writeArray(const std::string &, const std::vector<int64_t> &,
                                             const std::vector<int64_t> &) const;

} // namespace chimera::test
