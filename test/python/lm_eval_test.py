# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""chimera.lm_eval against plain sums over chimera-run's logits, and behind a stand-in for the harness."""
import dataclasses
import pathlib
import sys
import tempfile
import types
import unittest
from unittest import mock

import numpy as np

import chimera
import chimera.lm_eval
import support
from support import FOLDER, binary


def expected(name, before, after):
    """Log-likelihood and greediness of ids `after` behind `before`, by chimera-run."""
    ids = np.array(before + after, np.int32)
    with tempfile.TemporaryDirectory() as folder:
        logits, _ = support.evaluate(name, ids, pathlib.Path(folder))
    total, greedy = 0.0, True
    for at in range(len(before), len(ids)):
        row = logits[at - 1].astype(np.float64)
        total += row[ids[at]] - row.max() - np.log(np.exp(row - row.max()).sum())
        greedy = greedy and row.argmax() == ids[at]
    return total, greedy


class EvaluatorTest(unittest.TestCase):
    def setUp(self):
        self.evaluator = chimera.lm_eval.Evaluator(binary("f64"), FOLDER / "f64", threads=1)

    def check(self, found, wanted):
        self.assertAlmostEqual(found[0], wanted[0], delta=1e-9 * abs(wanted[0]))
        self.assertEqual(found[1], wanted[1])

    def test_loglikelihood(self):
        said = self.evaluator.model.generate(list(b"In the beginning"), 3)
        greedy = said.tokens.astype(np.uint8).tobytes()
        pairs = [("In the beginning", " was"), ("In the beginning", " were the words"), ("In the beginning ", "is"),
                 ("Other", "wise"), ("", "Alone")]
        found = self.evaluator.loglikelihood(pairs)
        for (context, continuation), result in zip(pairs, found):
            whole = list((context + continuation).encode())
            cut = len(context.rstrip().encode())
            self.check(result, expected("f64", whole[:cut] or [7], whole[cut:]))
        result = self.evaluator.loglikelihood_of_ids([(list(b"In the beginning"), list(greedy))])[0]
        self.assertTrue(result[1])
        self.check(result, expected("f64", list(b"In the beginning"), list(greedy)))
        self.assertEqual(self.evaluator.loglikelihood([("a", "")]), [(0.0, True)])

    def test_what_stands_beside_a_request_changes_no_bit(self):
        pairs = [("In the beginning", " was"), ("In the beginning", " were"), ("A", "b")]
        together = self.evaluator.loglikelihood(pairs)
        self.assertEqual([self.evaluator.loglikelihood([pair])[0] for pair in pairs], together)

    def test_long_texts(self):
        text = support.TEXT[:700]  # More than one part of logits.
        whole = self.evaluator.loglikelihood_rolling([text, "ab", ""])
        self.check((whole[0], False), (expected("f64", [7], list(text.encode()))[0], False))
        self.assertEqual(whole[2], 0)
        short = chimera.lm_eval.Evaluator(binary("f64"), max_length=300)
        ids = list(text.encode())
        windows = [([7], ids[:300]), (ids[299:300], ids[300:600]), (ids[399:600], ids[600:])]
        self.assertAlmostEqual(short.loglikelihood_rolling([text])[0],
                               sum(expected("f64", *window)[0] for window in windows), places=6)
        context = "x" * 400
        self.check(short.loglikelihood([(context, "abc")])[0], expected("f64", list(b"x" * 298), list(b"abc")))

    def test_generate_until(self):
        model = self.evaluator.model
        texts = self.evaluator.generate_until([("In the", {"until": ["e", "\n"], "max_gen_toks": 30}),
                                               ("In the", {"until": "q", "max_gen_toks": 5, "do_sample": True})])
        self.assertEqual(texts[0], model.generate(list(b"In the"), 30, stop=["e", "\n"]).text)
        self.assertEqual(texts[1], model.generate(list(b"In the"), 5, stop="q", temperature=1.0).text)

    def test_no_start(self):
        with self.assertRaisesRegex(chimera.Error, "start token"):
            chimera.lm_eval.Evaluator(binary("f32")).loglikelihood([("", "a")])


class HarnessTest(unittest.TestCase):
    """The parts of lm_eval that the adapter touches, as lm_eval 0.4 has them."""

    def modules(self):
        class LM:
            def __init__(self):
                self.cache_hook = types.SimpleNamespace(told=[])
                self.cache_hook.add_partial = lambda *what: self.cache_hook.told.append(what)

        registry = {}

        def register_model(*names):
            def decorate(made):
                registry.update({name: made for name in names})
                return made
            return decorate

        names = {"lm_eval": types.ModuleType("lm_eval"), "lm_eval.api": types.ModuleType("lm_eval.api"),
                 "lm_eval.api.model": types.ModuleType("lm_eval.api.model"),
                 "lm_eval.api.registry": types.ModuleType("lm_eval.api.registry")}
        names["lm_eval.api.model"].LM = LM
        names["lm_eval.api.registry"].register_model = register_model
        return names, registry, LM

    def test_requests_of_the_harness(self):
        @dataclasses.dataclass
        class Instance:
            arguments: tuple

            @property
            def args(self):
                return self.arguments

        names, registry, base = self.modules()
        with mock.patch.dict(sys.modules, names):
            made = chimera.lm_eval.register()
            self.assertIs(registry["chimera"], made)
            self.assertTrue(issubclass(made, base))
            model = made(model=str(binary("f64")), weights=str(FOLDER / "f64"), batch_size=1, device="cpu")
        self.assertEqual(model.loglikelihood([Instance(("In", " the"))]),
                         model.evaluator.loglikelihood([("In", " the")]))
        self.assertEqual(model.loglikelihood_rolling([Instance(("In the",))]),
                         model.evaluator.loglikelihood_rolling(["In the"]))
        settings = {"until": ["e"], "max_gen_toks": 8}
        self.assertEqual(model.generate_until([Instance(("In", settings))]),
                         model.evaluator.generate_until([("In", settings)]))
        self.assertEqual([told[0] for told in model.cache_hook.told],
                         ["loglikelihood", "loglikelihood_rolling", "generate_until"])
        self.assertEqual(settings, {"until": ["e"], "max_gen_toks": 8})

    def test_without_the_harness(self):
        with mock.patch.dict(sys.modules, {"lm_eval": None}):
            with self.assertRaisesRegex(ImportError, "pip install lm_eval"):
                chimera.lm_eval.register()


if __name__ == "__main__":
    unittest.main()
