// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Types: ragged row sets, and the parts of the multi-mode cache.

#ifndef CHIMERA_DIALECT_IR_TYPES_TD
#define CHIMERA_DIALECT_IR_TYPES_TD

include "dialect/IR/ChimeraBase.td"
include "dialect/IR/ChimeraInterfaces.td"

class Chimera_Type<string name, string typeMnemonic, list<Trait> traits = []>
    : TypeDef<ChimeraDialect, name, traits> {
  let mnemonic = typeMnemonic;
}

def RowsType : Chimera_Type<"Rows", "rows"> {
  let summary = "a ragged subset of the step's rows";
  let description = [{
    For each sequence of the step, an ascending list of its rows; for each row, its sequence and its position in it. The
    whole batch is one such value, the slice of a mode another. At run time it is five arrays: row indices, where each
    sequence's part starts, and the batch's positions, sequence numbers and cache slots.

    Example: `!chimera.rows`
  }];
}

def CountsType : Chimera_Type<"Counts", "counts",
    [DeclareTypeInterfaceMethods<CacheTypeInterface>]> {
  let summary = "how many tokens of each sequence were admitted to each mode of a layer";
  let description = [{
    One i64 a mode (n_m of the causal capacity), in the order of the layer's modes.

    Example: `!chimera.counts<modes = 4>`
  }];
  let parameters = (ins "int64_t":$modes);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def TailType : Chimera_Type<"Tail", "tail",
    [DeclareTypeInterfaceMethods<CacheTypeInterface>]> {
  let summary = "the last rows that a causal convolution saw";
  let description = [{
    `rows` x `channels` elements a sequence, the newest row last. All zeros at the start, which is the zero padding of a causal
    convolution with `rows + 1` taps.

    Example: `!chimera.tail<rows = 3, channels = 64, element = f32>`
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$channels, "::mlir::Type":$element);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def StateType : Chimera_Type<"State", "state",
    [DeclareTypeInterfaceMethods<CacheTypeInterface>]> {
  let summary = "a recurrent state";
  let description = [{
    `heads` x `dim` x `size` elements a sequence. Mamba-2: heads, head size, state size. A linear time-invariant state of size N
    has one head of dim 1.

    Example: `!chimera.state<heads = 24, dim = 64, size = 128, element = f32>`
  }];
  let parameters = (ins "int64_t":$heads, "int64_t":$dim, "int64_t":$size, "::mlir::Type":$element);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def RingType : Chimera_Type<"Ring", "ring",
    [DeclareTypeInterfaceMethods<CacheTypeInterface>,
     KeyValueTypeInterface]> {
  let summary = "the last `window` key/value entries of a sequence";
  let description = [{
    Entry e (counted from 0 over the life of the sequence) is at place e mod `window`; the count of entries ever written is part of
    the cache. `weights` is the type of the write weights (ln p) kept beside each entry, or `none`. `room` is the entries that
    there is memory for, at least `window`, if a target wants more than that; it may place entries as it likes.

    Example: `!chimera.ring<window = 512, heads = 4, dim = 64, element = bf16, weights = none>`
  }];
  let parameters = (ins "int64_t":$window, "int64_t":$heads, "int64_t":$dim, "::mlir::Type":$element,
                        "::mlir::Type":$weights, DefaultValuedParameter<"int64_t", "0">:$room);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def ListType : Chimera_Type<"List", "list",
    [DeclareTypeInterfaceMethods<CacheTypeInterface>,
     KeyValueTypeInterface]> {
  let summary = "a growing list of key/value entries, in pages";
  let description = [{
    Entries in the order in which they were listed, in pages of 64; the length is part of the cache. `weights` as in
    `!chimera.ring`.

    Example: `!chimera.list<heads = 4, dim = 64, element = bf16, weights = f32>`
  }];
  let parameters = (ins "int64_t":$heads, "int64_t":$dim, "::mlir::Type":$element, "::mlir::Type":$weights);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def PackedType : Chimera_Type<"Packed", "packed"> {
  let summary = "weights as a kernel reads them";
  let description = [{
    Weight matrices of equal inputs, stacked and cut into panels when they are loaded: what `chimera.pack` makes. The op has the
    layout.

    Example: `!chimera.packed`
  }];
}

def AnyCache : Type<CPred<"::mlir::isa<::chimera::ir::CacheTypeInterface>($_self)">, "a cache">;
def KeyValueCache : Type<CPred<"::mlir::isa<::chimera::ir::KeyValueTypeInterface>($_self)">,
                         "a ring or list of keys and values">;

#endif // CHIMERA_DIALECT_IR_TYPES_TD
