# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What bench/pareto compares: contenders, how they are trained, and the contexts that they are tried at."""

import text_models
from text_contest import Cell, Plan, Recipe, Speed, Stage

# In the order of tables; dense comes first, all ratios are to it.
CONTENDERS = tuple(text_models.CONTENDERS)

WHOLE = Plan(
    Recipe(128, (Stage(512, 16, 3000), Stage(2048, 8, 500, lr=1e-3))),
    CONTENDERS, seeds=(0, 1, 2), speeds=(Speed(8192, 1), Speed(32768, 1)), rounds=5,
    cells=(Cell(512, 128), Cell(2048, 64), Cell(8192, 24), Cell(32768, 6)))
QUICK = Plan(
    Recipe(64, (Stage(256, 16, 150),)), ("dense", "ssm", "hybrid-1of4", "chimera-10"), seeds=(0,),
    speeds=(Speed(2048, 1),), rounds=3, cells=(Cell(512, 8), Cell(2048, 4)))
