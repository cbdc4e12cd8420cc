// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nvptx/SimLowering.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/ReplaceConstant.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace chimera::nvptx {

namespace {

constexpr unsigned globalSpace = 1, sharedSpace = 3, genericSpace = 0;

/// The simulator's function for an intrinsic; empty when it has none.
StringRef functionOfIntrinsic(StringRef name) {
  return StringSwitch<StringRef>(name)
      .Case("llvm.nvvm.read.ptx.sreg.tid.x", "chimera_sim_tid")
      .Case("llvm.nvvm.read.ptx.sreg.ntid.x", "chimera_sim_ntid")
      .Case("llvm.nvvm.read.ptx.sreg.ctaid.x", "chimera_sim_ctaid")
      .Case("llvm.nvvm.read.ptx.sreg.nctaid.x", "chimera_sim_nctaid")
      .Case("llvm.nvvm.read.ptx.sreg.laneid", "chimera_sim_laneid")
      .Case("llvm.nvvm.barrier0", "chimera_sim_barrier")
      .Case("llvm.nvvm.bar.warp.sync", "chimera_sim_warp_sync")
      .Case("llvm.nvvm.shfl.sync.bfly.i32", "chimera_sim_shuffle_xor")
      .Case("llvm.nvvm.shfl.sync.up.i32", "chimera_sim_shuffle_up")
      .Case("llvm.nvvm.shfl.sync.idx.i32", "chimera_sim_shuffle_index")
      .Case("llvm.nvvm.shfl.sync.bfly.f32", "chimera_sim_shuffle_xor_f32")
      .Case("llvm.nvvm.shfl.sync.up.f32", "chimera_sim_shuffle_up_f32")
      .Case("llvm.nvvm.shfl.sync.idx.f32", "chimera_sim_shuffle_index_f32")
      .Case("llvm.nvvm.vote.ballot.sync", "chimera_sim_ballot")
      .Case("llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3", "chimera_sim_ldmatrix_x4")
      .Case("llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3", "chimera_sim_ldmatrix_x4_trans")
      .Case("llvm.nvvm.mma.m16n8k16.row.col.bf16", "chimera_sim_mma_bf16")
      .Case("llvm.nvvm.cp.async.cg.shared.global.16", "chimera_sim_cp_async_16")
      .Case("llvm.nvvm.cp.async.cg.shared.global.16.s", "chimera_sim_cp_async_16_fill")
      .Case("llvm.nvvm.cp.async.commit.group", "chimera_sim_cp_async_commit")
      .Case("llvm.nvvm.cp.async.wait.group", "chimera_sim_cp_async_wait_group")
      .Case("llvm.nvvm.cp.async.wait.all", "chimera_sim_cp_async_wait_all")
      .Default("");
}

/// The simulator's function for a piece of inline PTX, which must be one instruction with its operands in order.
StringRef functionOfPtx(StringRef text) {
  return StringSwitch<StringRef>(text)
      .Case("fence.acq_rel.gpu;", "chimera_sim_fence")
      .Case("atom.relaxed.gpu.global.inc.u32 $0, [$1], $2;", "chimera_sim_atomic_inc")
      .Default("");
}

class Rewriter {
public:
  Rewriter(Module &module, std::string &error) : module(module), error(error), builder(module.getContext()) {}
  int64_t placeShared(Function &kernel);
  bool rewriteCalls(Function &kernel);
  void announceAccesses(Function &kernel);
  void makeEntry(Function &kernel, StringRef name);

private:
  FunctionCallee runtime(StringRef name, Type *result, ArrayRef<Type *> params) {
    return module.getOrInsertFunction(name, FunctionType::get(result, params, /*isVarArg=*/false));
  }
  bool rewriteCall(CallInst &call, Function &kernel);
  void replaceCall(CallInst &call, StringRef name, Function &kernel);
  void announce(Instruction &before, Value *pointer, Value *bytes, bool isWrite);
  Value *bytesOf(Type *type) { return builder.getInt64(module.getDataLayout().getTypeStoreSize(type)); }

  Module &module;
  std::string &error;
  IRBuilder<> builder;
};

/// Gives every shared variable its place; those of no size share the one after all others.
int64_t Rewriter::placeShared(Function &kernel) {
  SmallVector<GlobalVariable *> variables;
  for (GlobalVariable &variable : module.globals())
    if (variable.getAddressSpace() == sharedSpace)
      variables.push_back(&variable);
  SmallVector<Constant *> constants(variables.begin(), variables.end());
  convertUsersOfConstantsToInstructions(constants);
  builder.SetInsertPoint(&*kernel.getEntryBlock().getFirstInsertionPt());
  Value *base = builder.CreateCall(runtime("chimera_sim_shared_base", builder.getPtrTy(), {}));
  int64_t total = 0;
  auto sized = [&](GlobalVariable *v) { return module.getDataLayout().getTypeAllocSize(v->getValueType()) != 0; };
  llvm::partition(variables, sized);
  for (GlobalVariable *variable : variables) {
    total = alignTo(total, variable->getAlign().valueOrOne());
    Value *place = builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), base, total);
    variable->replaceAllUsesWith(builder.CreateAddrSpaceCast(place, variable->getType()));
    total += module.getDataLayout().getTypeAllocSize(variable->getValueType());
    variable->eraseFromParent();
  }
  return total;
}

void Rewriter::replaceCall(CallInst &call, StringRef name, Function &kernel) {
  builder.SetInsertPoint(&call);
  SmallVector<Value *> args;
  SmallVector<Type *> types;
  auto *results = dyn_cast<StructType>(call.getType());
  AllocaInst *out = nullptr;
  if (results) {
    IRBuilder<> entry(&*kernel.getEntryBlock().getFirstInsertionPt());
    out = entry.CreateAlloca(results);
    args.push_back(out);
  }
  for (Value *arg : call.args()) {
    if (arg->getType()->isPointerTy())
      arg = builder.CreateAddrSpaceCast(arg, builder.getPtrTy());
    else if (arg->getType()->isIntegerTy(1))
      arg = builder.CreateZExt(arg, builder.getInt32Ty());
    args.push_back(arg);
  }
  for (Value *arg : args)
    types.push_back(arg->getType());
  Value *result = builder.CreateCall(runtime(name, results ? builder.getVoidTy() : call.getType(), types), args);
  if (results)
    result = builder.CreateLoad(results, out);
  if (!call.getType()->isVoidTy())
    call.replaceAllUsesWith(result);
  call.eraseFromParent();
}

bool Rewriter::rewriteCall(CallInst &call, Function &kernel) {
  if (auto *text = dyn_cast<InlineAsm>(call.getCalledOperand())) {
    StringRef name = functionOfPtx(text->getAsmString());
    if (name.empty()) {
      error = "the simulator does not know the PTX '" + text->getAsmString() + "'";
      return false;
    }
    replaceCall(call, name, kernel);
    return true;
  }
  Function *callee = call.getCalledFunction();
  if (!callee || !callee->getName().starts_with("llvm.nvvm."))
    return true;
  StringRef name = functionOfIntrinsic(callee->getName());
  if (name.empty()) {
    error = ("the simulator does not know " + callee->getName()).str();
    return false;
  }
  replaceCall(call, name, kernel);
  return true;
}

bool Rewriter::rewriteCalls(Function &kernel) {
  SmallVector<CallInst *> calls;
  for (Instruction &instruction : instructions(kernel))
    if (auto *call = dyn_cast<CallInst>(&instruction))
      calls.push_back(call);
  return llvm::all_of(calls, [&](CallInst *call) { return rewriteCall(*call, kernel); });
}

void Rewriter::announce(Instruction &before, Value *pointer, Value *bytes, bool isWrite) {
  unsigned space = pointer->getType()->getPointerAddressSpace();
  const Value *object = getUnderlyingObject(pointer, /*MaxLookup=*/0);
  if (space != sharedSpace && (isa<AllocaInst>(object) || isa<GlobalVariable>(object)))
    return; // the thread's own memory, and constants
  if (space != globalSpace && space != sharedSpace && space != genericSpace)
    return;
  builder.SetInsertPoint(&before);
  StringRef name = space == sharedSpace ? "chimera_sim_access_shared" : "chimera_sim_access_global";
  auto function = runtime(name, builder.getVoidTy(), {builder.getPtrTy(), builder.getInt64Ty(), builder.getInt32Ty()});
  builder.CreateCall(function,
                     {builder.CreateAddrSpaceCast(pointer, builder.getPtrTy()), bytes, builder.getInt32(isWrite)});
}

void Rewriter::announceAccesses(Function &kernel) {
  SmallVector<Instruction *> accesses;
  for (Instruction &instruction : instructions(kernel))
    if (isa<LoadInst, StoreInst, AtomicRMWInst, AtomicCmpXchgInst, MemIntrinsic>(instruction))
      accesses.push_back(&instruction);
  for (Instruction *access : accesses) {
    if (auto *load = dyn_cast<LoadInst>(access))
      announce(*load, load->getPointerOperand(), bytesOf(load->getType()), false);
    else if (auto *store = dyn_cast<StoreInst>(access))
      announce(*store, store->getPointerOperand(), bytesOf(store->getValueOperand()->getType()), true);
    else if (auto *atomic = dyn_cast<AtomicRMWInst>(access))
      announce(*atomic, atomic->getPointerOperand(), bytesOf(atomic->getType()), true);
    else if (auto *exchange = dyn_cast<AtomicCmpXchgInst>(access))
      announce(*exchange, exchange->getPointerOperand(), bytesOf(exchange->getNewValOperand()->getType()), true);
    else if (auto *memory = dyn_cast<MemIntrinsic>(access)) {
      announce(*memory, memory->getRawDest(), memory->getLength(), true);
      if (auto *transfer = dyn_cast<MemTransferInst>(memory))
        announce(*transfer, transfer->getRawSource(), transfer->getLength(), false);
    }
  }
}

/// void entry(ptr params): loads the arguments from where params points and calls the kernel.
void Rewriter::makeEntry(Function &kernel, StringRef name) {
  auto *type = FunctionType::get(builder.getVoidTy(), {builder.getPtrTy()}, /*isVarArg=*/false);
  Function *entry = Function::Create(type, Function::ExternalLinkage, name, module);
  builder.SetInsertPoint(BasicBlock::Create(module.getContext(), "entry", entry));
  SmallVector<Value *> args;
  for (Argument &argument : kernel.args()) {
    Value *slot = builder.CreateConstInBoundsGEP1_64(builder.getPtrTy(), entry->getArg(0), argument.getArgNo());
    args.push_back(builder.CreateLoad(argument.getType(), builder.CreateLoad(builder.getPtrTy(), slot)));
  }
  builder.CreateCall(&kernel, args);
  builder.CreateRetVoid();
}

/// What the GPU's attributes and metadata promise does not hold for code that calls the simulator.
void dropPromises(Function &kernel) {
  kernel.setAttributes(AttributeList());
  kernel.setCallingConv(CallingConv::C);
  kernel.setLinkage(GlobalValue::InternalLinkage);
  for (Instruction &instruction : instructions(kernel))
    instruction.dropUnknownNonDebugMetadata();
}

} // namespace

SimModule lowerForSimulator(const Module &device, StringRef kernelName, StringRef hostTriple,
                            const DataLayout &hostLayout, std::string &error) {
  SimModule result;
  auto module = CloneModule(device);
  Function *kernel = module->getFunction(kernelName);
  if (!kernel || kernel->isDeclaration()) {
    error = ("the module has no kernel " + kernelName).str();
    return result;
  }
  for (Function &other : make_early_inc_range(*module))
    if (&other != kernel && !other.isDeclaration() && other.use_empty())
      other.eraseFromParent();
  if (NamedMDNode *annotations = module->getNamedMetadata("nvvm.annotations"))
    annotations->eraseFromParent();
  module->setTargetTriple(hostTriple);
  module->setDataLayout(hostLayout);
  dropPromises(*kernel);
  Rewriter rewriter(*module, error);
  rewriter.announceAccesses(*kernel);
  if (!rewriter.rewriteCalls(*kernel))
    return result;
  result.sharedBytes = rewriter.placeShared(*kernel);
  result.entry = (kernelName + ".thread").str();
  rewriter.makeEntry(*kernel, result.entry);
  raw_string_ostream os(error);
  if (verifyModule(*module, &os))
    return result;
  result.module = std::move(module);
  return result;
}

} // namespace chimera::nvptx
