// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/binary/StackUse.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"

namespace chimera::binary {

namespace {

/// What a frame may take beyond its reported size: the return address, saved registers, and the gap before aligned
/// data.
constexpr int64_t besideFrame = 256;

/// The depth of calls, function by function.
class CallDepth {
public:
  explicit CallDepth(const FrameSizes &frames) : frames(frames) {}

  llvm::Expected<int64_t> of(const llvm::Function &function) {
    auto [entry, isNew] = known.try_emplace(&function, inProgress);
    if (!isNew && entry->second == inProgress)
      return fault(function, "calls itself");
    if (!isNew)
      return entry->second;
    int64_t deepest = 0;
    for (const llvm::Instruction &instruction : llvm::instructions(function)) {
      auto below = ofInstruction(function, instruction);
      if (!below)
        return below.takeError();
      deepest = std::max(deepest, *below);
    }
    return known[&function] = frames.lookup(function.getName()) + besideFrame + deepest;
  }

private:
  static constexpr int64_t inProgress = -1;

  static llvm::Error fault(const llvm::Function &function, const llvm::Twine &what) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   "the kernels' use of the stack has no bound: '" + function.getName() + "' " + what);
  }

  /// What a call takes below the frame of `function`; 0 for other instructions.
  llvm::Expected<int64_t> ofInstruction(const llvm::Function &function, const llvm::Instruction &instruction) {
    if (auto *room = llvm::dyn_cast<llvm::AllocaInst>(&instruction); room && !room->isStaticAlloca())
      return fault(function, "takes room whose size it computes");
    auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction);
    if (!call || call->isInlineAsm())
      return 0;
    const llvm::Function *callee = call->getCalledFunction();
    if (!callee)
      return fault(function, "calls through a pointer");
    // Intrinsics; what else is declared only is an undefined symbol, which linking refuses.
    return callee->isDeclaration() ? 0 : of(*callee);
  }

  const FrameSizes &frames;
  llvm::DenseMap<const llvm::Function *, int64_t> known;
};

} // namespace

void requestFrameSizes(llvm::Module &module) {
  for (llvm::Function &function : module)
    if (!function.isDeclaration())
      function.addFnAttr("warn-stack-size", "0");
}

void noteFrameSize(const llvm::DiagnosticInfo &info, FrameSizes &frames) {
  if (auto *size = llvm::dyn_cast<llvm::DiagnosticInfoStackSize>(&info))
    frames[size->getFunction().getName()] = static_cast<int64_t>(size->getStackSize());
}

llvm::Expected<int64_t> stackUse(const llvm::Module &module, const FrameSizes &frames) {
  CallDepth depth(frames);
  int64_t most = 0;
  for (const llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    auto bytes = depth.of(function);
    if (!bytes)
      return bytes.takeError();
    most = std::max(most, *bytes);
  }
  return most;
}

} // namespace chimera::binary
