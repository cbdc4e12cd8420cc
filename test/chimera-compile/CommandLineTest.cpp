// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What chimera-compile says about a wrong command line or a wrong input, and how it ends.
#include "test/chimera-compile/Compile.h"
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace chimera::test;

namespace {

struct Misuse {
  const char *name;
  std::vector<std::string> arguments;
  const char *message;
};

void PrintTo(const Misuse &misuse, std::ostream *out) {
  *out << misuse.name;
}

class CompileMisuse : public CompileTest, public testing::WithParamInterface<Misuse> {};

TEST_P(CompileMisuse, IsOneLineAndStatusTwo) {
  ProcessResult result = compile(GetParam().arguments);
  EXPECT_EQ(result.status, 2) << result.describe();
  EXPECT_EQ(result.err, "chimera-compile: " + std::string(GetParam().message) + " (--help says more)\n");
  EXPECT_EQ(result.out, "");
}

const Misuse misuses[] = {
    {"NoModel", {}, "no model: give a model directory, a config.json or a .mlir file"},
    {"TwoModels", {"a", "b", "-o", "c"}, "more than one model: 'a' and 'b'"},
    {"NoOutput", {"a.json"}, "no output: give -o model.chm"},
    {"ExplainWithOutput",
     {"a.json", "--explain", "-o", "b"},
     "--explain prints to the standard output and compiles nothing: leave -o and --emit out"},
    {"UnknownOption", {"a.json", "-o", "b", "--fast"}, "unknown option '--fast'"},
    {"OptionOfLLVM", {"a.json", "-o", "b", "--debug-pass-manager"}, "unknown option '--debug-pass-manager'"},
    {"MissingValue", {"a.json", "-o"}, "'-o' needs a value"},
    {"HelpWithValue", {"--help=1"}, "unknown option '--help=1'"},
    {"Target", {"a", "-o", "b", "--target=gpu"}, "--target: 'gpu' is none of cpu, cuda, sim, ref"},
    {"DType", {"a", "-o", "b", "--dtype=f16"}, "--dtype: 'f16' is none of f32, bf16, f64"},
    {"CpuUnknown",
     {"a", "-o", "b", "--mcpu=skylake"},
     "--mcpu: 'skylake' is none of native, avx2, avx512, avx512-bf16, amx-bf16"},
    {"CpuEmpty", {"a", "-o", "b", "--mcpu="}, "--mcpu: '' is none of native, avx2, avx512, avx512-bf16, amx-bf16"},
    {"CpuTwice", {"a", "-o", "b", "--mcpu=avx2,avx512,avx2"}, "--mcpu: 'avx2' twice"},
    {"CpuOfRef", {"a", "-o", "b", "--target=ref", "--mcpu=avx2"}, "--mcpu is for --target=cpu"},
    {"CodeOfSeveralCpus",
     {"a", "--emit=asm", "--mcpu=avx2,avx512"},
     "--emit: this level is of one ISA: give --mcpu one name"},
    {"Weights", {"a", "-o", "b", "--weights=int2"}, "--weights: 'int2' is none of same, int8, int4"},
    {"WeightsOfRef", {"a", "-o", "b", "--target=ref", "--weights=int8"}, "--weights is for --target=cpu"},
    {"WeightsOfF64", {"a", "-o", "b", "--weights=int8", "--dtype=f64"}, "--weights=int8 is for f32 and bf16 models"},
    {"DropShareAlone", {"a", "-o", "b", "--drop-share=0.1"}, "--drop-share is for --drop-modes"},
    {"DropShare",
     {"a", "-o", "b", "--drop-modes=c", "--drop-share=1"},
     "--drop-share: '1' is not a number from 0 to below 1"},
    {"DropModesOfTraining",
     {"a", "-o", "b", "--drop-modes=c", "--phases=train"},
     "--drop-modes is for --phases=infer: what is dropped cannot be trained"},
    {"Numerics", {"a", "-o", "b", "--numerics=exact"}, "--numerics: 'exact' is none of invariant, fast"},
    {"Phase", {"a", "-o", "b", "--phases=infer,eval"}, "--phases: 'eval' is none of infer, train"},
    {"PhaseTwice", {"a", "-o", "b", "--phases=infer,infer"}, "--phases: 'infer' twice"},
    {"Emit",
     {"a", "-o", "b", "--emit=elf"},
     "--emit: 'elf' is none of chimera, dispatched, fused, kernels, llvm, asm, ptx, cubin, memory, resources, binary"},
    {"ZeroTokens", {"a", "-o", "b", "--max-tokens=0"}, "--max-tokens: '0' is not a whole number from 1 to 65536"},
    {"TokensNoNumber",
     {"a", "-o", "b", "--max-tokens=12x"},
     "--max-tokens: '12x' is not a whole number from 1 to 65536"},
    {"TooManySeqs",
     {"a", "-o", "b", "--max-seqs=99999999999999999999"},
     "--max-seqs: '99999999999999999999' is not a whole number from 1 to 16384"},
    {"MoreSeqsThanTokens",
     {"a", "-o", "b", "--max-tokens=8", "--max-seqs=9"},
     "--max-seqs: 9 is more than --max-tokens, 8"},
    {"MemoryInNoUnit",
     {"a", "-o", "b", "--phases=train", "--memory-limit=5X"},
     "--memory-limit: '5X' is not a number of bytes: a whole number, or one with K, M or G"},
    {"MemoryWithoutTraining", {"a", "-o", "b", "--memory-limit=5M"}, "--memory-limit is for --phases=train"},
};

INSTANTIATE_TEST_SUITE_P(All, CompileMisuse, testing::ValuesIn(misuses),
                         [](const testing::TestParamInfo<Misuse> &info) { return std::string(info.param.name); });

/// The model from the standard input, the result to the standard output.
class CompileStreams : public CompileTest {
protected:
  /// Runs a script of the shell in the test's folder, in which "$@" is chimera-compile with these arguments.
  ProcessResult shell(const std::string &script, const std::vector<std::string> &arguments) {
    std::vector<std::string> command = {"/bin/sh", "-c", "cd '" + folder.path() + "'; " + script, "sh",
                                        CHIMERA_COMPILE};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return runProcess(command);
  }

  void expectError(const ProcessResult &result, int status, const std::string &line) {
    EXPECT_EQ(result.status, status) << result.describe();
    EXPECT_EQ(result.err, line + "\n");
  }
};

TEST_F(CompileStreams, ReadsAConfigOrIR) {
  write("config.json", smallConfig);
  std::string model = output({folder.file("config.json"), "--emit=chimera"});
  write("model.mlir", model);
  output({folder.file("config.json"), "-o", folder.file("m.chm")});
  std::string binary = readFile(folder.file("m.chm"));
  for (const char *name : {"config.json", "model.mlir"}) {
    for (const std::string &script : {std::string("\"$@\" < ") + name, std::string("cat ") + name + " | \"$@\""}) {
      SCOPED_TRACE(script);
      ProcessResult text = shell(script, {"-", "--emit=chimera"});
      EXPECT_EQ(text.status, 0) << text.describe();
      EXPECT_EQ(text.out, model);
      ProcessResult file = shell(script, {"-", "-o", folder.file("o.chm")});
      EXPECT_EQ(file.status, 0) << file.describe();
      EXPECT_TRUE(readFile(folder.file("o.chm")) == binary);
      ProcessResult stream = shell(script, {"-", "-o", "-"});
      EXPECT_EQ(stream.status, 0) << stream.describe();
      EXPECT_TRUE(stream.out == binary);
    }
    ProcessResult device = shell(std::string("cat ") + name + " | \"$@\"", {"/dev/stdin", "--emit=chimera"});
    EXPECT_EQ(device.status, 0) << device.describe();
    EXPECT_EQ(device.out, model);
  }
}

TEST_F(CompileStreams, ErrorsNameTheStandardInput) {
  write("other.json", "\n {\"model_type\": \"chimera\"}");
  ProcessResult result = shell("\"$@\" < other.json", {"-", "-o", "m.chm"});
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_EQ(result.err.rfind("error: <stdin>: ", 0), 0u) << result.err;
  EXPECT_EQ(countLines(result.err), 1) << result.err;
  result = shell("printf 'module {\\n  func.func @model(\\n}' | \"$@\"", {"-", "-o", "m.chm"});
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_EQ(result.err.rfind("error: <stdin>:2:20: ", 0), 0u) << result.err;
  expectError(shell("printf '{-# #-} module {}' | \"$@\"", {"-", "-o", "m.chm"}), 1,
              "error: <stdin>: the module has no attribute 'chimera.model'");
  for (const char *script : {"\"$@\" < /dev/null", "printf ' \\n' | \"$@\""})
    expectError(shell(script, {"-", "-o", "m.chm"}), 1,
                "error: <stdin>: is empty; give a config.json or the text of a .mlir file");
  expectError(shell("\"$@\" <&-", {"-", "-o", "m.chm"}), 1, "error: <stdin>: Bad file descriptor");
  EXPECT_FALSE(std::filesystem::exists(folder.file("m.chm")));
}

TEST_F(CompileStreams, AnOutputThatIsFullOrClosedIsAnError) {
  std::string config = write("config.json", smallConfig);
  for (const std::vector<std::string> &arguments :
       std::vector<std::vector<std::string>>{{config, "--emit=chimera"}, {config, "-o", "-"}}) {
    expectError(shell("\"$@\" > /dev/full", arguments), 1,
                "error: cannot write standard output: No space left on device");
    expectError(shell("\"$@\" >&-", arguments), 1, "error: cannot write standard output: Bad file descriptor");
  }
  expectError(shell("\"$@\" > /dev/full", {"--help"}), 1,
              "chimera-compile: cannot write standard output: No space left on device");
}

TEST_F(CompileStreams, ABinaryIsNotWrittenToATerminal) {
  write("config.json", smallConfig);
  // script(1) gives the program a terminal as its standard output.
  ProcessResult result = shell("command -v script >/dev/null || exit 77; "
                               "script -qec \"'$1' config.json -o - 2>err\" /dev/null >out; echo $?; cat err",
                               {});
  if (result.status == 77)
    GTEST_SKIP() << "there is no script(1) to make a terminal with";
  EXPECT_EQ(result.out,
            "2\nchimera-compile: -o -: the standard output is a terminal, which cannot show a binary (--help "
            "says more)\n");
}

/// Compiles and expects one line of error with status 1.
class CompileInput : public CompileTest {
protected:
  std::string errorOf(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-o", folder.file("out.chm")});
    ProcessResult result = compile(arguments);
    EXPECT_EQ(result.status, 1) << result.describe();
    EXPECT_EQ(countLines(result.err), 1) << result.err;
    EXPECT_EQ(result.err.rfind("error: ", 0), 0u) << result.err;
    EXPECT_FALSE(std::filesystem::exists(folder.file("out.chm")));
    return result.err;
  }

  std::string errorOfIR(const std::string &text) { return errorOf({write("model.mlir", text)}); }
};

TEST_F(CompileInput, HelpAndVersionSucceed) {
  EXPECT_NE(output({"--help"}).find("--max-tokens"), std::string::npos);
  EXPECT_EQ(output({"--version"}).find("chimera-compile "), 0u);
}

TEST_F(CompileInput, NamesAFileThatDoesNotExist) {
  std::string path = folder.file("none.json");
  EXPECT_EQ(errorOf({path}), "error: " + path + ": No such file or directory\n");
}

TEST_F(CompileInput, NamesAFolderWithoutConfig) {
  EXPECT_NE(errorOf({folder.path()}).find("config.json"), std::string::npos);
}

TEST_F(CompileInput, NamesWhatIsMistakenForAModel) {
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
  const std::string said = "is a Git LFS pointer, not the file itself: run 'git lfs pull'\n";
  std::string config = write("config.json", pointer), text = write("model.mlir", pointer);
  EXPECT_EQ(errorOf({config}), "error: '" + config + "': " + said);
  EXPECT_EQ(errorOf({folder.path()}), "error: '" + config + "': " + said);
  EXPECT_EQ(errorOf({text}), "error: " + text + ": " + said);
  write("config.json", "");
  EXPECT_EQ(errorOf({config}), "error: '" + config + "': is empty\n");
}

TEST_F(CompileInput, NamesAFileOfAnotherKind) {
  std::string path = write("model.txt", "");
  EXPECT_EQ(errorOf({path}), "error: " + path + ": neither a model directory nor a .json or .mlir file\n");
}

TEST_F(CompileInput, NamesTheKeyOfAWrongConfig) {
  std::string config = smallConfig;
  config.replace(config.find("20"), 2, "-3");
  EXPECT_NE(errorOf({write("config.json", config)}).find("vocab_size"), std::string::npos);
}

TEST_F(CompileInput, RefusesWhatIsNotBuilt) {
  std::string config = write("config.json", smallConfig);
  EXPECT_EQ(errorOf({config, "--target=cuda", "--emit=asm"}),
            "error: --target=cuda --emit=asm: the assembly of its kernels is PTX; use --emit=ptx\n");
  EXPECT_EQ(errorOf({config, "--target=cuda", "--emit=resources"}),
            "error: --target=cuda --emit=resources: not built yet\n");
  for (const char *target : {"--target=cuda", "--target=sim"})
    EXPECT_EQ(errorOf({config, target, "--emit=cubin"}),
              "error: --emit=cubin: not built yet; --emit=ptx writes the same kernels\n");
  EXPECT_EQ(errorOf({config, "--emit=ptx"}), "error: --emit: ptx and cubin need a GPU target, not --target=cpu\n");
  EXPECT_EQ(errorOf({config, "--emit=cubin", "--target=ref"}),
            "error: --emit: ptx and cubin need a GPU target, not --target=ref\n");
  EXPECT_EQ(errorOf({config, "--numerics=fast"}), "error: --numerics=fast: not built yet; use --numerics=invariant\n");
}

TEST_F(CompileInput, SaysWhatMemoryTrainingNeeds) {
  std::string config = write("config.json", smallConfig);
  std::string error = errorOf({config, "--phases=train", "--memory-limit=1K"});
  EXPECT_NE(error.find("needs at least "), std::string::npos) << error;
  EXPECT_NE(error.find("more than the memory limit of 1024"), std::string::npos) << error;
}

TEST_F(CompileInput, GivesThePlaceOfASyntaxError) {
  std::string error = errorOfIR("module {\n  func.func @model(\n}\n");
  EXPECT_NE(error.find("model.mlir:2:20: "), std::string::npos) << error;
}

TEST_F(CompileInput, RefusesUnknownDialects) {
  std::string error = errorOfIR("module {\n  \"other.op\"() : () -> ()\n}\n");
  EXPECT_NE(error.find("model.mlir:2:13: "), std::string::npos) << error;
}

TEST_F(CompileInput, RefusesAModuleWithoutAModel) {
  EXPECT_NE(errorOfIR("module {}\n").find("chimera.model"), std::string::npos);
  EXPECT_NE(errorOfIR("// nothing\n").find("chimera.model"), std::string::npos);
  EXPECT_NE(errorOfIR("").find("is empty; give a config.json or the text of a .mlir file"), std::string::npos);
  EXPECT_NE(errorOfIR("module attributes {chimera.model = {dtype = \"f32\"}} {}\n").find("model.mlir"),
            std::string::npos);
}

TEST_F(CompileInput, RefusesANameThatAnotherRegionDefines) {
  // %32 of one region of chimera.mix is deleted, and a later region that defines that name has a syntax error.
  std::string ir = output({write("config.json", smallConfig), "--emit=chimera"});
  size_t key = ir.find("layers.0.attn.k_proj.weight");
  ASSERT_NE(key, std::string::npos);
  size_t line = ir.rfind('\n', key);
  ir.erase(line, ir.find('\n', key) - line);
  size_t later = ir.find("= chimera.rope", ir.find("}, {", line));
  ASSERT_NE(later, std::string::npos);
  ir.replace(later, 2, "= ?");
  errorOfIR(ir);
}

TEST_F(CompileInput, NamesAnAttributeThatIsMissing) {
  std::string ir = output({write("config.json", smallConfig), "--emit=chimera"});
  ir.replace(ir.find("head_dim"), 8, "head_xyz");
  std::string error = errorOfIR(ir);
  EXPECT_NE(error.find("model.mlir:1:1: chimera.model: 'head_dim' is missing"), std::string::npos) << error;
}

TEST_F(CompileInput, RefusesBytecode) {
  EXPECT_NE(errorOfIR("ML\xefR\x05").find("bytecode"), std::string::npos);
}

TEST_F(CompileInput, RefusesDeepNesting) {
  std::string deep(100000, '(');
  EXPECT_NE(errorOfIR("module attributes {a = affine_map<(d0) -> (" + deep).find("nested too deeply"),
            std::string::npos);
  std::string lists(100000, '[');
  EXPECT_NE(errorOfIR("module attributes {a = " + lists).find("nested too deeply"), std::string::npos);
  std::string signs(100000, '-');
  EXPECT_NE(errorOfIR("module attributes {a = affine_map<(d0) -> (" + signs + "d0)>} {}").find("nested too deeply"),
            std::string::npos);
}

TEST_F(CompileInput, RefusesTheNumberOfAResultThatNoOpHas) {
  std::string error = errorOfIR("module {\n  \"a.b\"(%c#2147483647) : (i1) -> ()\n}\n");
  EXPECT_NE(error.find("model.mlir:2:11: no op has so many results"), std::string::npos) << error;
}

TEST_F(CompileInput, BracketsInStringsAndCommentsDoNotNest) {
  std::string brackets(1000, '(');
  std::string error = errorOfIR("// " + brackets + "\nmodule attributes {test.note = \"" + brackets + "\"} {}\n");
  EXPECT_NE(error.find("chimera.model"), std::string::npos) << error;
}

TEST_F(CompileInput, RefusesIRofAnotherDType) {
  std::string ir = output({write("config.json", smallConfig), "--emit=chimera", "--dtype=f64"});
  EXPECT_NE(errorOf({write("model.mlir", ir), "--dtype=bf16"}).find("the model is f64, not bf16"), std::string::npos);
}

TEST_F(CompileTest, NamesAnOutputThatCannotBeWritten) {
  std::string path = folder.file("missing/model.chm");
  ProcessResult result = compile({write("config.json", smallConfig), "-o", path});
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_EQ(result.err, "error: cannot write " + path + ": No such file or directory\n");
}

TEST_F(CompileTest, AFailureLeavesTheOldOutput) {
  std::string path = write("model.chm", "the old one");
  EXPECT_EQ(compile({write("config.json", "{}"), "-o", path}).status, 1);
  EXPECT_EQ(readFile(path), "the old one");
}

TEST_F(CompileTest, AKilledCompilerLeavesTheOldOutputAndNothingElse) {
  std::string config = write("config.json", smallConfig), path = write("model.chm", "the old one");
  std::filesystem::create_directory(folder.file("tmp"));
  int killed = 0;
  for (int attempt = 0; attempt < 24; ++attempt) {
    int signal = std::array{SIGTERM, SIGINT, SIGHUP, SIGKILL}[size_t(attempt % 4)];
    pid_t child = startProcess({"env", "TMPDIR=" + folder.file("tmp"), CHIMERA_COMPILE, config, "-o", path},
                               "/dev/null", "/dev/null");
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + 15 * attempt));
    ::kill(child, signal);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
      break; // It had ended; the moments to come are later.
    ++killed;
    EXPECT_EQ(WTERMSIG(status), signal);
    EXPECT_EQ(readFile(path), "the old one");
    EXPECT_TRUE(std::filesystem::is_empty(folder.file("tmp")));
  }
  EXPECT_GE(killed, 4);
  int entries = 0;
  for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator(folder.path()))
    ++entries;
  EXPECT_EQ(entries, 3) << "config.json, model.chm, tmp";
}

TEST_F(CompileTest, WhatIsIgnoredStaysIgnored) {
  pid_t child = startProcess({"env", "--ignore-signal=HUP", CHIMERA_COMPILE, write("config.json", smallConfig), "-o",
                              folder.file("model.chm")},
                             "/dev/null", folder.file("said"));
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ::kill(child, SIGHUP);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << readFile(folder.file("said"));
  EXPECT_TRUE(std::filesystem::exists(folder.file("model.chm")));
}

TEST_F(CompileTest, NeedsNoTemporaryFolder) {
  std::vector<std::string> command = {
      "/usr/bin/env", "TMPDIR=/nonexistent",   CHIMERA_COMPILE, write("config.json", smallConfig),
      "-o",           folder.file("model.chm")};
  ProcessResult result = runProcess(command);
  EXPECT_EQ(result.status, 0) << result.describe();
}

} // namespace
