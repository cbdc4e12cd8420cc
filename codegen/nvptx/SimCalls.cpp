// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nvptx/SimLowering.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace chimera::nvptx {

namespace {

constexpr StringLiteral gpuPrefix = "llvm.nvvm.";
constexpr StringLiteral tidName = "llvm.nvvm.read.ptx.sreg.tid.x", ctaidName = "llvm.nvvm.read.ptx.sreg.ctaid.x",
                        ntidName = "llvm.nvvm.read.ptx.sreg.ntid.x";

/// One kernel on its way from a thread's code to a function over thread blocks.
class Caller {
public:
  Caller(Function &kernel, int64_t threads, std::string &error)
      : module(*kernel.getParent()), kernel(kernel), threads(threads), error(error), builder(module.getContext()) {}

  bool rewrite() {
    if (!check())
      return false;
    makeThread();
    replaceRegisters();
    makeEntry();
    return true;
  }

private:
  bool refuse(const Twine &what) {
    error = ("kernel '" + kernel.getName() + "' has " + what + ", which a binary for sim cannot hold").str();
    return false;
  }

  /// Whether all of the kernel is something that a thread does by itself.
  bool check() {
    for (Instruction &instruction : instructions(kernel)) {
      auto *call = dyn_cast<CallInst>(&instruction);
      if (!call)
        continue;
      if (call->isInlineAsm())
        return refuse("inline PTX");
      StringRef callee = call->getCalledFunction() ? call->getCalledFunction()->getName() : "a call through a pointer";
      if (!call->getCalledFunction() || (callee.starts_with(gpuPrefix) && !isRegister(callee)))
        return refuse(callee);
    }
    if (kernel.arg_size() != 1 || kernel.getArg(0)->getType() != builder.getPtrTy())
      return refuse("other parameters than one struct by value");
    return true;
  }

  /// Moves the kernel's code to a function that is told which thread it is.
  void makeThread() {
    name = kernel.getName().str();
    Type *i32 = builder.getInt32Ty();
    auto *type = FunctionType::get(builder.getVoidTy(), {builder.getPtrTy(), i32, i32}, /*isVarArg=*/false);
    thread = Function::Create(type, GlobalValue::InternalLinkage, name + "_thread", module);
    thread->splice(thread->begin(), &kernel);
    kernel.getArg(0)->replaceAllUsesWith(thread->getArg(0));
    // What the GPU's metadata promise (ranges of registers, unchanging memory) goes with the GPU.
    for (Instruction &instruction : instructions(*thread))
      instruction.dropUnknownNonDebugMetadata();
    kernel.eraseFromParent();
  }

  static bool isRegister(StringRef intrinsic) {
    return intrinsic == tidName || intrinsic == ctaidName || intrinsic == ntidName;
  }

  /// Puts the thread's place where it is asked for.
  void replaceRegisters() {
    for (Instruction &instruction : make_early_inc_range(instructions(*thread))) {
      auto *call = dyn_cast<CallInst>(&instruction);
      StringRef callee = call ? call->getCalledFunction()->getName() : "";
      if (!isRegister(callee))
        continue;
      Value *value = callee == tidName     ? thread->getArg(1)
                     : callee == ctaidName ? thread->getArg(2)
                                           : static_cast<Value *>(builder.getInt32(threads));
      call->replaceAllUsesWith(value);
      call->eraseFromParent();
    }
  }

  /// Begins for (i = from; i < to; ++i); what is built next is its body. Gives i.
  PHINode *beginLoop(Value *from, Value *to, const Twine &label, BasicBlock *&header) {
    LLVMContext &context = module.getContext();
    BasicBlock *before = builder.GetInsertBlock();
    header = BasicBlock::Create(context, label, entry);
    BasicBlock *body = BasicBlock::Create(context, label + ".body", entry),
               *exit = BasicBlock::Create(context, label + ".exit", entry);
    builder.CreateBr(header);
    builder.SetInsertPoint(header);
    PHINode *index = builder.CreatePHI(from->getType(), 2);
    index->addIncoming(from, before);
    builder.CreateCondBr(builder.CreateICmpSLT(index, to), body, exit);
    builder.SetInsertPoint(body);
    return index;
  }

  /// Ends it; what is built next comes after it.
  void endLoop(PHINode *index, BasicBlock *header) {
    index->addIncoming(builder.CreateAdd(index, ConstantInt::get(index->getType(), 1)), builder.GetInsertBlock());
    builder.CreateBr(header);
    builder.SetInsertPoint(cast<BranchInst>(header->getTerminator())->getSuccessor(1));
  }

  /// void name(ptr buffers, ptr args, i64 begin, i64 end): every thread of every block.
  void makeEntry() {
    Type *pointer = builder.getPtrTy(), *i64 = builder.getInt64Ty();
    auto *type = FunctionType::get(builder.getVoidTy(), {pointer, pointer, i64, i64}, /*isVarArg=*/false);
    entry = Function::Create(type, GlobalValue::ExternalLinkage, name, module);
    builder.SetInsertPoint(BasicBlock::Create(module.getContext(), "entry", entry));
    BasicBlock *blocks = nullptr, *lanes = nullptr;
    PHINode *block = beginLoop(entry->getArg(2), entry->getArg(3), "block", blocks);
    Value *blockIndex = builder.CreateTrunc(block, builder.getInt32Ty());
    PHINode *lane = beginLoop(builder.getInt32(0), builder.getInt32(threads), "thread", lanes);
    builder.CreateCall(thread, {entry->getArg(0), lane, blockIndex});
    endLoop(lane, lanes);
    endLoop(block, blocks);
    builder.CreateRetVoid();
  }

  Module &module;
  Function &kernel;
  int64_t threads;
  std::string &error;
  IRBuilder<> builder;
  std::string name;
  Function *thread = nullptr, *entry = nullptr;
};

} // namespace

bool lowerToCalls(Module &device, ArrayRef<SimCall> kernels, std::string &error) {
  constexpr unsigned genericSpace = 0;
  for (const GlobalVariable &variable : device.globals())
    if (variable.getAddressSpace() != genericSpace) {
      error = ("'" + variable.getName() + "' is memory that threads share, which a binary for sim cannot hold").str();
      return false;
    }
  if (NamedMDNode *annotations = device.getNamedMetadata("nvvm.annotations"))
    annotations->eraseFromParent();
  for (const SimCall &call : kernels) {
    Function *kernel = device.getFunction(call.kernel);
    if (!kernel || kernel->isDeclaration()) {
      error = "there is no kernel '" + call.kernel + "'";
      return false;
    }
    if (!Caller(*kernel, call.threads, error).rewrite())
      return false;
  }
  return true;
}

} // namespace chimera::nvptx
