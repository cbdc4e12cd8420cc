// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs: kernel launches, first on tensors (call), then on slices of the arena (program, launch).

#ifndef CHIMERA_DIALECT_IR_PROGRAM_OPS_TD
#define CHIMERA_DIALECT_IR_PROGRAM_OPS_TD

include "dialect/IR/ModelOps.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def GridAttr : AttrDef<ChimeraDialect, "Grid"> {
  let mnemonic = "grid";
  let summary = "how many blocks a launch has";
  let description = [{
    ceil((tokens * N + seqs * S + outputs * R + constant) / divisor), with N rows, S sequences and R rows of logits in the
    step.

    Example: `#chimera.grid<tokens = 8, seqs = 0, outputs = 0, constant = 0, divisor = 1>`
  }];
  let parameters = (ins "int64_t":$tokens, "int64_t":$seqs, "int64_t":$outputs, "int64_t":$constant,
                        "int64_t":$divisor);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def BufferAttr : AttrDef<ChimeraDialect, "Buffer"> {
  let mnemonic = "buffer";
  let summary = "one buffer of a launch";
  let description = [{
    `arena`: `bytes` bytes at `index` of the arena. `param`, `packed`, `pool`, `table`: the `index`-th parameter, packed
    weights, slot pool or page table. `grad`, `total`, `moment1`, `moment2`: what training keeps of the `index`-th parameter.
    `pages`: the pool of pages. `step`: the step array `name`.

    Example: `#chimera.buffer<arena, 4096, 256, "">`
  }];
  let parameters = (ins "::chimera::ir::BufferKind":$kind, "int64_t":$index, "int64_t":$bytes,
                        StringRefParameter<"the step array">:$name);
  let assemblyFormat = "`<` $kind `,` $index `,` $bytes `,` $name `>`";
}
def BufferArrayAttr : TypedArrayAttrBase<BufferAttr, "buffers">;

def CallOp : Chimera_Op<"call", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
                                 DeclareOpInterfaceMethods<CacheOpInterface>]> {
  let summary = "one launch of a kernel, on values";
  let description = [{
    Launches `kernel` with the buffers of `inputs` and `results` in the order of `order`, which numbers the inputs and
    then the results. A rows value stands for its five arrays, a cache for its pools. `starts` lists values of which only the
    array of S + 1 starts is meant: a rows input that stands for it alone, a tensor result that is one; of a
    list, only its lengths. The last results are the new versions
    of the `updated` inputs, in order, and have no buffers of their own: a cache is brought up to date, a tensor overwritten, in place. `op` names the op that this launch came from, `layer` its layer (-1:
    none); `constants` follow the step's symbols in the kernel's arguments.

    Caches, and what training keeps of parameters (`chimera.training_state`), outlive the step: a call reads those among its inputs and
    writes those that it updates. A call that only makes tensors has no effects, and may be removed.

    Example:
    ```mlir
    %y = chimera.call @chimera_add_f32_64(%rows, %a, %b) grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
        {op = "chimera.add", layer = 0 : i64, order = array<i64: 0, 1, 2, 3>, starts = array<i64: 0>} : (!chimera.rows, tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyType>:$inputs, GridAttr:$grid, StrAttr:$op,
                       I64Attr:$layer, DenseI64ArrayAttr:$order, DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$updated,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$constants,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$starts);
  let results = (outs Variadic<AnyType>:$results);
  let assemblyFormat = [{
    $kernel `(` $inputs `)` `grid` $grid attr-dict `:` functional-type($inputs, $results)
  }];
  let hasVerifier = 1;
}

def PackOp : Chimera_Op<"pack", [Pure]> {
  let summary = "weights in panels";
  let description = [{
    The rows of `inputs`, all [N_i, K], stacked and laid out in panels of `panel` rows: in a panel, k in groups of `group`, and for each group
    the panel's rows of `group` neighbours; padded with zeros to whole panels and groups. `interleaved`: two inputs of equal shape, panel 2p
    is panel p of the first, 2p + 1 of the second. `format` is `f32`, `bf16`, or, with a power of two for each row and 32
    neighbours of k, `i8` (a signed byte per weight) or `i4` (four bits per weight, in groups of 8): see docs/model-binary.md. Weights are packed when they are loaded.

    Example:
    ```mlir
    %w = chimera.pack %wq, %wk {format = "bf16", panel = 48 : i64, group = 2 : i64} : tensor<64x64xbf16>, tensor<32x64xbf16>
    ```
  }];
  let arguments = (ins Variadic<WeightMatrix>:$inputs, StrAttr:$format, I64Attr:$panel, I64Attr:$group, UnitAttr:$interleaved);
  let results = (outs PackedType:$result);
  let assemblyFormat = "$inputs attr-dict `:` type($inputs)";
  let hasVerifier = 1;
}

def SliceRowsOp : Chimera_Op<"slice_rows", [Pure]> {
  let summary = "a rows value from its arrays";
  let description = [{
    The rows whose indices are `index[start[s]] .. index[start[s + 1] - 1]` for sequence s of `batch`: what `chimera.dispatch` and
    `chimera.dispatch_experts` give, once their arrays are values. index i32 [N], or [N, K] where a row may be in K slices, start i32 [S + 1].

    Example:
    ```mlir
    %ssm = chimera.slice_rows %index, %start of %rows : tensor<?xi32>, tensor<?xi32>
    ```
  }];
  let arguments = (ins IndexArray:$index, IndexVector:$start, RowsType:$batch);
  let results = (outs RowsType:$result);
  let assemblyFormat = "$index `,` $start `of` $batch attr-dict `:` type($index) `,` type($start)";
}

def ProgramOp : Chimera_Op<"program", [Symbol, IsolatedFromAbove, NoTerminator, SingleBlock]> {
  let summary = "the launch table of one phase";
  let description = [{
    The launches of a phase, in order, on an arena of `arena_bytes`. `logits` and `routing` are where the results of a step of inference
    are, as (offset, bytes); a training program has `results` by name instead. `exchange` are slices, as offset and bytes by turns, that
    are summed over ranks, with the gradients, before launch `exchange_before`. At most `max_tokens` rows and `max_seqs` sequences a step.

    Example:
    ```mlir
    chimera.program @decode arena 8192 limits 64, 64 logits [0, 4096] routing [4096, 64] {
      chimera.launch @chimera_add_f32_64 ...
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$arena_bytes, I64Attr:$max_tokens, I64Attr:$max_seqs,
                       OptionalAttr<DenseI64ArrayAttr>:$logits, OptionalAttr<DenseI64ArrayAttr>:$routing,
                       OptionalAttr<DictionaryAttr>:$results, OptionalAttr<DenseI64ArrayAttr>:$exchange,
                       OptionalAttr<I64Attr>:$exchange_before);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `arena` $arena_bytes `limits` $max_tokens `,` $max_seqs (`logits` $logits^)? (`routing` $routing^)?
    (`results` $results^)? (`exchange` $exchange^ `before` $exchange_before)? attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
}

def LaunchOp : Chimera_Op<"launch", [HasParent<"ProgramOp">]> {
  let summary = "one launch of a kernel, on memory";
  let description = [{
    Runs `kernel` over the blocks of `grid`; `constants` follow the step's symbols in its arguments. `count` is the number of
    a buffer that is an array of S + 1 starts: the launch has start[S] - start[0] rows, which may take the place of the step's
    in the grid.

    Example:
    ```mlir
    chimera.launch @chimera_silu_f32_64 grid <tokens = 1, seqs = 0, outputs = 0, constant = 0, divisor = 1>
        [#chimera.buffer<step, 0, 0, "seq_start">, #chimera.buffer<arena, 0, 256, "">, #chimera.buffer<arena, 256, 256, "">]
        {op = "chimera.activate", layer = 0 : i64}
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, GridAttr:$grid, BufferArrayAttr:$buffers, StrAttr:$op, I64Attr:$layer,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$constants, OptionalAttr<I64Attr>:$count);
  let assemblyFormat = "$kernel `grid` $grid $buffers attr-dict";
  let hasVerifier = 1;
}

#endif // CHIMERA_DIALECT_IR_PROGRAM_OPS_TD
