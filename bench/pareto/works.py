# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What bench/pareto compares: contenders, how they are trained, and the contexts that they are tried at."""

from dataclasses import dataclass

import text_models
from text_contest import Cell, Recipe, Speed, Stage

# In the order of tables; dense comes first, all ratios are to it.
CONTENDERS = tuple(text_models.CONTENDERS)


@dataclass(frozen=True)
class Plan:
    """A whole comparison. `cells` are contexts at which held-out text is predicted."""

    recipe: Recipe
    contenders: tuple
    seeds: tuple
    cells: tuple
    speeds: tuple
    rounds: int


WHOLE = Plan(
    Recipe(128, (Stage(512, 16, 3000), Stage(2048, 8, 500, lr=1e-3))),
    CONTENDERS, (0, 1, 2), (Cell(512, 128), Cell(2048, 64), Cell(8192, 24), Cell(32768, 6)),
    (Speed(8192, 1), Speed(32768, 1)), 5)
QUICK = Plan(
    Recipe(64, (Stage(256, 16, 150),)), ("dense", "ssm", "hybrid-1of4", "chimera-10"), (0,),
    (Cell(512, 8), Cell(2048, 4)), (Speed(2048, 1),), 3)
