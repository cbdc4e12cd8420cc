// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/cuda/CudaModel.h"

namespace chimera::test {

CudaModelTest::CudaModelTest() {
  writeFile(folder.file("config.json"), R"({
    "model_type": "chimera", "vocab_size": 256, "hidden_size": 16, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "intermediate_size": 24,
    "token_conv_kernel": 3, "window": 4, "ssm": {"state_size": 4, "head_dim": 8},
    "router": {"write_gate": true, "capacity_factor": 1.5}})");
  must({CHIMERA_INIT, folder.file("config.json"), "-o", folder.file("model.safetensors")});
}

ProcessResult CudaModelTest::must(const std::vector<std::string> &command) {
  ProcessResult result = runProcess(command);
  EXPECT_EQ(result.status, 0) << result.describe();
  return result;
}

void CudaModelTest::compile(const std::string &dtype) const {
  for (const char *target : {"sim", "cuda"})
    must({CHIMERA_COMPILE, folder.file("config.json"), "-o", folder.file(target + std::string(".chm")),
          std::string("--target=") + target, "--dtype=" + dtype});
}

std::vector<std::string> CudaModelTest::withDriver(const std::vector<std::string> &command,
                                                   const std::vector<std::string> &environment) const {
  std::vector<std::string> whole = {"env", "CHIMERA_CUDA_DRIVER=" CHIMERA_FAKE_CUDA,
                                    "CHIMERA_FAKE_CUDA_CODE=" + folder.file("sim.chm")};
  whole.insert(whole.end(), environment.begin(), environment.end());
  whole.insert(whole.end(), command.begin(), command.end());
  return whole;
}

ProcessResult CudaModelTest::run(const std::string &target, const std::vector<std::string> &options,
                                 const std::vector<std::string> &environment) const {
  std::vector<std::string> command = {CHIMERA_RUN, folder.file(target + ".chm"), "--weights",
                                      folder.file("model.safetensors")};
  command.insert(command.end(), options.begin(), options.end());
  return runProcess(withDriver(command, environment));
}

std::string CudaModelTest::errorOf(const std::vector<std::string> &environment) const {
  ProcessResult result = run("cuda", {"--prompt", "ab"}, environment);
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_EQ(countLines(result.err), 1) << result.err;
  return result.err;
}

} // namespace chimera::test
