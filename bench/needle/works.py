# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What bench/needle compares: contenders, how they are trained, and the haystacks that they are asked about."""

from dataclasses import dataclass

import contest
import text_contest
from text_contest import Cell, Recipe, Speed, Stage

# In the order of tables; dense comes first, all ratios are to it. They are those of bench/common/text_models.py.
CONTENDERS = ("dense", "ssm", "window", "hybrid-2of4", "hybrid-1of4", "chimera-10")
DEPTHS = tuple(i / 10 for i in range(11))


@dataclass(frozen=True)
class Haystacks(contest.Context):
    """Haystacks of one length: so many questions at each depth, and so many facts in each haystack."""

    questions: int
    facts: int

    def __str__(self):
        return f"haystacks of {self.seq}"


@dataclass(frozen=True)
class Plan(text_contest.Plan):
    """Of haystacks too."""

    haystacks: tuple


LENGTHS = (1024, 2048, 4096, 8192, 16384, 32768)
# Recall is learnt where facts are near and few, and where most sequences have some; then the distance grows.
WHOLE = Plan(
    Recipe(128, (Stage(128, 64, 1500, rows=0.8, facts=2), Stage(512, 32, 2000, rows=0.5, facts=4),
                 Stage(2048, 8, 500, lr=1e-3, rows=0.5, facts=8))),
    CONTENDERS, seeds=(0, 1, 2), speeds=(Speed(32768, 1),), rounds=5,
    cells=(Cell(512, 128), Cell(2048, 32), Cell(8192, 16), Cell(32768, 6)),
    haystacks=tuple(Haystacks(seq, 20, 4) for seq in LENGTHS))
QUICK = Plan(
    Recipe(64, (Stage(128, 32, 800, rows=0.8, facts=2),)), ("dense", "chimera-10"), seeds=(0,),
    speeds=(Speed(1024, 1),), rounds=3, cells=(Cell(512, 8), Cell(1024, 8)),
    haystacks=(Haystacks(256, 4, 2), Haystacks(1024, 4, 4)))
