// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The optimizer: what lives on between steps (masters, moments, gradients) and how a step changes it, in place.

#ifndef CHIMERA_DIALECT_IR_OPTIMIZER_OPS_TD
#define CHIMERA_DIALECT_IR_OPTIMIZER_OPS_TD

include "dialect/IR/ModelOps.td"

def StateKind : I32EnumAttr<"StateKind", "what training keeps of a parameter", [
    I32EnumAttrCase<"Master", 0, "master">, I32EnumAttrCase<"Gradient", 1, "gradient">, I32EnumAttrCase<"Total", 2, "total">,
    I32EnumAttrCase<"Moment1", 3, "moment1">, I32EnumAttrCase<"Moment2", 4, "moment2">]> {
  let cppNamespace = "::chimera::ir";
  let genSpecializedAttr = 0;
}
def StateKindAttr : EnumAttr<ChimeraDialect, StateKind, "state_kind">;

def TrainingStateOp : Chimera_Op<"training_state", [Pure]> {
  let summary = "a buffer that training keeps for a parameter";
  let description = [{
    The master, the gradient, the total of several runs' gradients, or a moment of the parameter `name`; of the parameter's shape, in
    the accumulators' type. The op names the buffer; the ops that use it read it or change it in place.

    Example:
    ```mlir
    %m = chimera.training_state moment1 "norm.weight" : tensor<64xf32>
    ```
  }];
  let arguments = (ins StateKindAttr:$kind, StrAttr:$name);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$kind $name attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def SquaredNormOp : Chimera_Op<"squared_norm"> {
  let summary = "sum of the squares of all gradients";
  let description = [{
    f64 [1]: blocks of 4096 elements are summed in order, then added one by one, gradient after gradient.

    Example:
    ```mlir
    %n = chimera.squared_norm %g0, %g1 : (tensor<64xf32>, tensor<64x4xf32>) -> tensor<1xf64>
    ```
  }];
  let arguments = (ins Arg<Variadic<AnyStaticShapeTensor>, "", [MemRead]>:$gradients);
  let results = (outs WeightVector:$result);
  let assemblyFormat = "$gradients attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def AdamWOp : Chimera_Op<"adamw", [AllTypesMatch<["gradient", "master", "moment1", "moment2"]>]> {
  let summary = "AdamW with clipping by the global norm, in place";
  let description = [{
    Loshchilov and Hutter 2019. With n = sqrt(norm), f = n > clip ? clip / n : 1, g = f * gradient:

        m = b1 m + (1 - b1) g;   v = b2 v + (1 - b2) g^2;   w = w (1 - lr decay) - lr (m / c1) / (sqrt(v / c2) + eps)

    decay only with `decays`; lr is hyper's rate of routers with `router`. Numbers come from hyper (lr, betas, eps, decay, corrections, clip).
    master, moment1 and moment2 are overwritten.

    Example:
    ```mlir
    chimera.adamw %g, %w, %m, %v norm %n hyper %hyper {decays} : tensor<64x64xf32>, tensor<1xf64>, tensor<16xf64>
    ```
  }];
  let arguments = (ins Arg<AnyStaticShapeTensor, "", [MemRead]>:$gradient,
                       Arg<AnyStaticShapeTensor, "", [MemRead, MemWrite]>:$master,
                       Arg<AnyStaticShapeTensor, "", [MemRead, MemWrite]>:$moment1,
                       Arg<AnyStaticShapeTensor, "", [MemRead, MemWrite]>:$moment2, WeightVector:$norm, WeightVector:$hyper, UnitAttr:$decays, UnitAttr:$router);
  let assemblyFormat = [{
    $gradient `,` $master `,` $moment1 `,` $moment2 `norm` $norm `hyper` $hyper attr-dict `:` type($gradient) `,` type($norm) `,` type($hyper)
  }];
  let hasVerifier = 1;
}

def AccumulateOp : Chimera_Op<"accumulate", [AllTypesMatch<["gradient", "total"]>]> {
  let summary = "adds a run's gradient to the step's, in place";
  let description = [{
    `total = gradient = total + gradient`.

    Example:
    ```mlir
    chimera.accumulate %g, %t : tensor<64x64xf32>
    ```
  }];
  let arguments = (ins Arg<AnyStaticShapeTensor, "", [MemRead, MemWrite]>:$gradient,
                       Arg<AnyStaticShapeTensor, "", [MemRead, MemWrite]>:$total);
  let assemblyFormat = "$gradient `,` $total attr-dict `:` type($gradient)";
  let hasVerifier = 1;
}

#endif // CHIMERA_DIALECT_IR_OPTIMIZER_OPS_TD
