// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-compile/Options.h"
#include "codegen/cpu/Isa.h"
#include "tools/chimera-compile/Target.h"
#include "tools/support/ByteCount.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

namespace cl = llvm::cl;

namespace chimera::compile {

namespace {

/// Offsets in the arena and the runtime's row ids are far from their limits at these sizes.
constexpr int64_t mostTokens = 1 << 16;
constexpr int64_t mostSeqs = 1 << 14;

struct EmitName {
  llvm::StringLiteral name;
  Emit emit;
};

constexpr EmitName emitNames[] = {
    {"chimera", Emit::Chimera}, {"dispatched", Emit::Dispatched}, {"fused", Emit::Fused},   {"kernels", Emit::Kernels},
    {"llvm", Emit::LLVM},       {"asm", Emit::Assembly},          {"ptx", Emit::PTX},       {"cubin", Emit::Cubin},
    {"memory", Emit::Memory},   {"resources", Emit::Resources},   {"binary", Emit::Binary},
};

/// The options as strings: what they may be is checked here, so that every misuse reads alike.
struct CommandLine {
  cl::OptionCategory category{"chimera-compile options"};
  cl::list<std::string> inputs{cl::Positional, cl::desc("MODEL_DIR | config.json | file.mlir | - (standard input)"),
                               cl::cat(category)};
  cl::opt<std::string> output{"o", cl::desc("Where to write (- is standard output; needed for a binary)"),
                              cl::value_desc("file"), cl::cat(category)};
  cl::opt<std::string> target{
      "target",
      cl::desc("The machine: cpu (the default), ref (plain loops), cuda (NVIDIA GPUs) or sim (the GPU kernels, "
               "on the CPU)"),
      cl::value_desc("name"), cl::init("cpu"), cl::cat(category)};
  cl::opt<std::string> mcpu{"mcpu",
                            cl::desc("The cpu target's ISAs, one or several in one binary: native (the default: the "
                                     "best of this machine), avx2, avx512, avx512-bf16, amx-bf16"),
                            cl::value_desc("list"), cl::init("native"), cl::cat(category)};
  cl::opt<std::string> weights{"weights",
                               cl::desc("How the cpu target keeps matrices: same (the default: in the model's dtype), "
                                        "int8 or int4"),
                               cl::value_desc("form"), cl::init("same"), cl::cat(category)};
  cl::opt<std::string> dtype{"dtype", cl::desc("The model's numbers: f32 (the default), bf16 or f64"),
                             cl::value_desc("name"), cl::cat(category)};
  cl::opt<std::string> phases{"phases", cl::desc("What the binary can do: infer (the default), train, or both"),
                              cl::value_desc("list"), cl::init("infer"), cl::cat(category)};
  cl::opt<std::string> numerics{
      "numerics", cl::desc("invariant (the default): equal bits however the work is cut; fast (not built yet)"),
      cl::value_desc("name"), cl::init("invariant"), cl::cat(category)};
  cl::opt<std::string> maxTokens{"max-tokens", cl::desc("The most tokens of one step (1024)"), cl::value_desc("n"),
                                 cl::init("1024"), cl::cat(category)};
  cl::opt<std::string> maxSeqs{"max-seqs",
                               cl::desc("The most sequences of one step (64, or max-tokens if that is less)"),
                               cl::value_desc("n"), cl::init("64"), cl::cat(category)};
  cl::opt<std::string> memoryLimit{
      "memory-limit",
      cl::desc("The most memory for the activations of a training run: a number of bytes, or of K, M or G (1024); what "
               "does not fit is computed again"),
      cl::value_desc("n"), cl::cat(category)};
  cl::opt<std::string> dropModes{
      "drop-modes",
      cl::desc("Leave out of each layer the modes that its tokens do not take, by a routing that chimera-run "
               "wrote; a token that would take one takes the next of full, swa, ssm, identity"),
      cl::value_desc("file.npy"), cl::cat(category)};
  cl::opt<std::string> dropShare{
      "drop-share", cl::desc("The greatest share of a layer's tokens that --drop-modes takes for none (0)"),
      cl::value_desc("share"), cl::init("0"), cl::cat(category)};
  cl::opt<bool> explain{
      "explain", cl::desc("Compile nothing: print how each key of the config is understood, and what lies beside it"),
      cl::cat(category)};
  cl::opt<std::string> emit{
      "emit",
      cl::desc("What to write: chimera, dispatched, fused or kernels (IR at that level), llvm, asm, "
               "ptx, cubin (code), memory, resources (reports), binary (the default)"),
      cl::value_desc("level"), cl::init("binary"), cl::cat(category)};
};

llvm::Error misuse(const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), what);
}

llvm::Error checkName(llvm::StringRef option, llvm::StringRef value, llvm::ArrayRef<llvm::StringRef> names) {
  if (llvm::is_contained(names, value))
    return llvm::Error::success();
  return misuse("--" + option + ": '" + value + "' is none of " + llvm::join(names, ", "));
}

llvm::Expected<int64_t> checkNumber(llvm::StringRef option, llvm::StringRef value, int64_t most) {
  int64_t number = 0;
  if (value.getAsInteger(10, number) || number < 1 || number > most)
    return misuse("--" + option + ": '" + value + "' is not a whole number from 1 to " + llvm::Twine(most));
  return number;
}

llvm::Error checkPhases(llvm::StringRef list, std::vector<std::string> &phases) {
  llvm::SmallVector<llvm::StringRef> names;
  list.split(names, ',');
  for (llvm::StringRef name : names) {
    if (llvm::Error error = checkName("phases", name, {"infer", "train"}))
      return error;
    if (llvm::is_contained(phases, name))
      return misuse("--phases: '" + name + "' twice");
    phases.push_back(name.str());
  }
  return llvm::Error::success();
}

/// Whether --emit shows the code of one ISA.
bool showsCode(Emit emit) {
  return emit == Emit::Kernels || emit == Emit::LLVM || emit == Emit::Assembly || emit == Emit::Memory ||
         emit == Emit::Resources;
}

llvm::Error checkCpu(const CommandLine &line, Options &options) {
  for (const cl::opt<std::string> *option : {&line.mcpu, &line.weights})
    if (option->getNumOccurrences() && options.target != "cpu")
      return misuse("--" + option->ArgStr + " is for --target=cpu");
  llvm::SmallVector<llvm::StringRef> names;
  llvm::StringRef(line.mcpu).split(names, ',');
  std::vector<llvm::StringRef> known = {"native"};
  for (const cpu::Isa &isa : llvm::reverse(cpu::allIsas()))
    known.push_back(isa.name);
  for (llvm::StringRef name : names) {
    if (llvm::Error error = checkName("mcpu", name, known))
      return error;
    if (llvm::is_contained(options.cpus, name))
      return misuse("--mcpu: '" + name + "' twice");
    options.cpus.push_back(name.str());
  }
  if (options.cpus.size() > 1 && showsCode(options.emit))
    return misuse("--emit: this level is of one ISA: give --mcpu one name");
  if (llvm::Error error = checkName("weights", line.weights, {"same", "int8", "int4"}))
    return error;
  options.weights = line.weights;
  if (options.weights != "same" && options.dtype == "f64")
    return misuse("--weights=" + options.weights + " is for f32 and bf16 models");
  return llvm::Error::success();
}

llvm::Expected<Emit> checkEmit(llvm::StringRef value) {
  std::vector<llvm::StringRef> names;
  for (const EmitName &entry : emitNames) {
    if (entry.name == value)
      return entry.emit;
    names.push_back(entry.name);
  }
  return checkName("emit", value, names);
}

llvm::Error checkLimits(const CommandLine &line, Options &options) {
  auto maxTokens = checkNumber("max-tokens", line.maxTokens, mostTokens);
  if (!maxTokens)
    return maxTokens.takeError();
  auto maxSeqs = checkNumber("max-seqs", line.maxSeqs, mostSeqs);
  if (!maxSeqs)
    return maxSeqs.takeError();
  if (line.maxSeqs.getNumOccurrences() && *maxSeqs > *maxTokens)
    return misuse("--max-seqs: " + llvm::Twine(*maxSeqs) + " is more than --max-tokens, " + llvm::Twine(*maxTokens));
  options.maxTokens = *maxTokens;
  options.maxSeqs = std::min(*maxSeqs, *maxTokens);
  return llvm::Error::success();
}

llvm::Error checkDropping(const CommandLine &line, Options &options) {
  if (line.dropShare.getNumOccurrences() && !line.dropModes.getNumOccurrences())
    return misuse("--drop-share is for --drop-modes");
  if (llvm::StringRef(line.dropShare).getAsDouble(options.dropShare) || !(options.dropShare >= 0) ||
      options.dropShare >= 1)
    return misuse("--drop-share: '" + line.dropShare + "' is not a number from 0 to below 1");
  if (!line.dropModes.getNumOccurrences())
    return llvm::Error::success();
  if (llvm::is_contained(options.phases, "train"))
    return misuse("--drop-modes is for --phases=infer: what is dropped cannot be trained");
  options.dropModes = line.dropModes;
  return llvm::Error::success();
}

llvm::Expected<Options> check(const CommandLine &line) {
  Options options;
  if (line.inputs.size() != 1)
    return misuse(line.inputs.empty() ? "no model: give a model directory, a config.json or a .mlir file"
                                      : "more than one model: '" + line.inputs[0] + "' and '" + line.inputs[1] + "'");
  options.readsStandardInput = line.inputs[0] == "-";
  options.input = options.readsStandardInput ? "<stdin>" : line.inputs[0];
  options.output = line.output;
  options.target = line.target;
  if (llvm::Error error = checkName("target", options.target, targetNames()))
    return error;
  if (line.dtype.getNumOccurrences()) {
    options.dtype = line.dtype;
    if (llvm::Error error = checkName("dtype", *options.dtype, {"f32", "bf16", "f64"}))
      return error;
  }
  if (llvm::Error error = checkPhases(line.phases, options.phases))
    return error;
  if (line.memoryLimit.getNumOccurrences()) {
    io::Result<int64_t> bytes = tools::parseByteCount("--memory-limit", line.memoryLimit.getValue());
    if (!bytes)
      return misuse(bytes.error().message);
    if (!llvm::is_contained(options.phases, "train"))
      return misuse("--memory-limit is for --phases=train");
    options.memoryLimit = *bytes;
  }
  if (llvm::Error error = checkDropping(line, options))
    return error;
  options.numerics = line.numerics;
  if (llvm::Error error = checkName("numerics", options.numerics, {"invariant", "fast"}))
    return error;
  if (llvm::Error error = checkLimits(line, options))
    return error;
  auto emit = checkEmit(line.emit);
  if (!emit)
    return emit.takeError();
  options.emit = *emit;
  if (llvm::Error error = checkCpu(line, options))
    return error;
  bool writesText = options.emit != Emit::Binary && options.emit != Emit::Cubin;
  options.explain = line.explain;
  if (options.explain && (line.output.getNumOccurrences() || line.emit.getNumOccurrences()))
    return misuse("--explain prints to the standard output and compiles nothing: leave -o and --emit out");
  if (options.explain)
    return options;
  if (options.output.empty() && !writesText)
    return misuse("no output: give -o model.chm");
  if (options.output == "-" && !writesText && llvm::sys::Process::StandardOutIsDisplayed())
    return misuse("-o -: the standard output is a terminal, which cannot show a binary");
  return options;
}

/// Accepts no options but ours and the ones that explain them. LLVM's libraries have hundreds more, for which
/// chimera-opt is the place, and their parser says what is wrong in words of its own.
llvm::Error checkArguments(llvm::ArrayRef<char *> arguments, cl::OptionCategory &category) {
  const llvm::StringRef explaining[] = {"help", "help-list", "help-hidden", "help-list-hidden", "version"};
  llvm::StringMap<cl::Option *> &known = cl::getRegisteredOptions();
  for (size_t i = 0; i < arguments.size(); ++i) {
    llvm::StringRef argument = arguments[i];
    if (argument == "--")
      break;
    if (!argument.starts_with("-") || argument == "-")
      continue;
    auto [name, value] = argument.drop_front(argument.starts_with("--") ? 2 : 1).split('=');
    if (llvm::is_contained(explaining, name) && !argument.contains('='))
      continue;
    cl::Option *option = known.lookup(name);
    if (!option || !llvm::is_contained(option->Categories, &category))
      return misuse("unknown option '" + argument + "'");
    if (argument.contains('=') || name == "explain")
      continue;
    if (++i == arguments.size())
      return misuse("'" + argument + "' needs a value");
  }
  return llvm::Error::success();
}

/// The first line of what LLVM's parser printed, without the program's name.
std::string firstComplaint(llvm::StringRef text) {
  llvm::StringRef line = text.split('\n').first.split(": ").second.trim();
  return line.empty() ? "wrong command line" : line.str();
}

} // namespace

llvm::Expected<Options> parseCommandLine(int argc, char **argv) {
  // Lives as long as the parser that knows its options.
  static CommandLine line;
  if (llvm::Error error = checkArguments({argv + 1, argv + argc}, line.category))
    return error;
  cl::HideUnrelatedOptions(line.category);
  cl::SetVersionPrinter([](llvm::raw_ostream &out) { out << "chimera-compile " CHIMERA_VERSION "\n"; });
  std::string complaints;
  llvm::raw_string_ostream stream(complaints);
  bool parsed = cl::ParseCommandLineOptions(argc, argv, "compiles a routed model into a model binary\n", &stream);
  // The linker registers an option of this name for itself when it runs.
  line.mcpu.removeArgument();
  if (!parsed)
    return misuse(firstComplaint(complaints));
  return check(line);
}

} // namespace chimera::compile
