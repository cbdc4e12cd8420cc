# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sessions: the bits of chimera-run however the work is cut, forks, snapshots, memory, wrong use, threads."""
import array
import gc
import os
import pathlib
import tempfile
import threading
import unittest

import numpy as np

import chimera
import support
from support import FOLDER, binary, tokens

MODELS = ["f32", "f64"] + (["bf16"] if support.has_avx2() else [])


class Producer:
    """Something that speaks DLPack and is no array: it hands on that of an array, and counts."""

    def __init__(self, content):
        self.content = content
        self.asked = 0

    def __dlpack__(self, **_):
        self.asked += 1
        return self.content.__dlpack__()

    def __dlpack_device__(self):
        return self.content.__dlpack_device__()


class BitsTest(unittest.TestCase):
    def test_the_bits_of_chimera_run(self):
        for name in MODELS:
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                ids = tokens(70, 1)
                logits, routing = support.evaluate(name, ids, pathlib.Path(folder))
                model = chimera.Model(binary(name))
                output = model.session(threads=2).add().step(ids, "all")
                self.assertEqual(output.logits.dtype, np.float64 if name == "f64" else np.float32)
                self.assertEqual(output.logits.tobytes(), logits.tobytes())
                self.assertEqual(output.routing.dtype, np.int8)
                np.testing.assert_array_equal(output.routing, routing)

    def test_prefill_chunks_and_decode_have_equal_bits(self):
        for name in MODELS:
            model = chimera.Model(binary(name))
            ids = tokens(60, 2)
            whole = model.session(threads=1).add().step(ids, "all")
            for cuts in ([1] * 60, [7] * 8 + [4], [33, 1, 26]):
                with self.subTest(name, cuts=cuts), model.session(threads=2) as session:
                    sequence, outputs, at = session.add(), [], 0
                    for cut in cuts:
                        outputs.append(sequence.step(ids[at:at + cut], "all"))
                        at += cut
                    self.assertEqual(sequence.position, 60)
                    self.assertEqual(b"".join(output.logits.tobytes() for output in outputs), whole.logits.tobytes())
                    self.assertEqual(b"".join(output.routing.tobytes() for output in outputs), whole.routing.tobytes())

    def test_a_batch_has_the_bits_of_each_alone(self):
        model = chimera.Model(binary("f32"))
        prompts = [tokens(count, count) for count in (1, 40, 3, 17)]
        with model.session(threads=2) as session:
            together = session.step([(session.add(), prompt, "all") for prompt in prompts])
            for prompt, output in zip(prompts, together):
                alone = session.add().step(prompt, "all")
                self.assertEqual(output.logits.tobytes(), alone.logits.tobytes())
                self.assertEqual(output.routing.tobytes(), alone.routing.tobytes())

    def test_rows_that_are_wanted(self):
        session = chimera.Model(binary("f32")).session(threads=1)
        ids = tokens(9, 3)
        everything = session.add().step(ids, "all").logits
        outputs = session.step([(session.add(), ids, "none"), (session.add(), ids), (session.add(), [], "all"),
                                (session.add(), [], "last"), (session.add(), ids[:2], "all")])
        self.assertEqual([output.logits.shape for output in outputs],
                         [(0, 256), (1, 256), (0, 256), (0, 256), (2, 256)])
        self.assertEqual([output.routing.shape for output in outputs], [(9, 2), (9, 2), (0, 2), (0, 2), (2, 2)])
        self.assertEqual(outputs[1].logits.tobytes(), everything[-1].tobytes())
        self.assertEqual(outputs[4].logits.tobytes(), everything[:2].tobytes())
        self.assertIsNone(session.add().step(ids, routing=False).routing)
        self.assertEqual(session.step([]), [])

    def test_forced_modes(self):
        session = chimera.Model(binary("f32")).session(threads=1)
        ids = tokens(20, 4)
        forced = np.random.default_rng(5).integers(-1, 4, (20, 2))
        free = session.add().step(ids, "all")
        output = session.add().step(ids, "all", forced)
        self.assertTrue((output.routing[forced >= 0] == forced[forced >= 0]).all())
        self.assertNotEqual(output.logits.tobytes(), free.logits.tobytes())
        again = session.add().step(ids, "all", free.routing)
        self.assertEqual(again.logits.tobytes(), free.logits.tobytes())
        self.assertTrue((session.add().step(ids, forced=chimera.Mode.SWA).routing == 1).all())
        for wrong, error in ((np.full((20, 2), 4), ValueError), (np.zeros((19, 2), int), ValueError),
                             (np.zeros((20, 2)), TypeError), (-2, ValueError)):
            with self.assertRaises(error):
                session.add().step(ids, forced=wrong)


class TokensTest(unittest.TestCase):
    def test_forms_of_tokens(self):
        session = chimera.Model(binary("f32")).session(threads=1)
        ids = tokens(12, 6)
        expected = session.add().step(ids).logits.tobytes()
        producer = Producer(ids)
        forms = [ids.tolist(), tuple(ids.tolist()), array.array("h", ids.tolist()), producer, memoryview(ids),
                 np.repeat(ids, 2)[::2], ids.astype(">i4"), [np.int64(token) for token in ids]]
        forms += [ids.astype(kind) for kind in "bhilqBHILQ" if kind not in "b"]
        for form in forms:
            self.assertEqual(session.add().step(form).logits.tobytes(), expected, form)
        self.assertEqual(producer.asked, 1)

    def test_logits_go_out_by_dlpack_without_a_copy(self):
        logits = chimera.Model(binary("f32")).session(threads=1).add().step([1, 2], "all").logits
        other = np.from_dlpack(logits)
        self.assertTrue(np.shares_memory(logits, other))
        content = other.copy()
        del logits
        gc.collect()
        np.testing.assert_array_equal(other, content)

    def test_results_outlive_everything(self):
        output = chimera.Model(binary("f32")).session(threads=1).add().step(tokens(5, 7), "all")
        content = output.logits.tobytes()
        gc.collect()
        chimera.Model(binary("f32")).session(threads=1).add().step(tokens(50, 8), "all")
        self.assertEqual(output.logits.tobytes(), content)
        output.logits[:] = 0  # It is the caller's own.

    def test_wrong_tokens(self):
        session = chimera.Model(binary("f32")).session(threads=1)
        sequence = session.add()
        for wrong, error in (([256], ValueError), ([1, -1], ValueError), ([2**40], ValueError), ([2**70], TypeError),
                             ([1.0], TypeError), (np.zeros(3), TypeError), ([True], TypeError), ("abc", TypeError),
                             (b"abc", TypeError), ([[1, 2]], ValueError), (3, ValueError), (None, TypeError),
                             ([[1], [2, 3]], ValueError), (np.uint64([2**64 - 1]), ValueError), ([None], TypeError)):
            with self.assertRaises(error, msg=repr(wrong)):
                sequence.step(wrong)
        with self.assertRaisesRegex(ValueError, r"tokens\[1\]: 300 is not in 0 .. 255"):
            sequence.step([1, 300, 2])
        self.assertEqual(sequence.position, 0)

    def test_wrong_items(self):
        session = chimera.Model(binary("f32")).session(threads=1)
        sequence, foreign = session.add(), chimera.Model(binary("f32")).session(threads=1).add()
        for item, error in (((sequence, [1], "some"), ValueError), ((sequence,), TypeError), ((1, [1]), TypeError),
                            ((foreign, [1]), ValueError), ([sequence, [1]], TypeError),
                            ((sequence, [1], 2), ValueError)):
            with self.assertRaises(error, msg=repr(item)):
                session.step([item])
        with self.assertRaises(chimera.Error):
            session.step([(sequence, [1]), (sequence, [2])])
        self.assertEqual(sequence.position, 0)


class SequencesTest(unittest.TestCase):
    def setUp(self):
        self.model = chimera.Model(binary("f32"), threads=1)
        self.ids = tokens(50, 9)
        self.expected = self.model.session().add().step(self.ids, "all").logits

    def test_forks_go_their_own_ways(self):
        session = self.model.session()
        sequence = session.add()
        sequence.step(self.ids[:30])
        fork = sequence.fork()
        sequence.step(tokens(9, 10))
        sequence.drop()
        self.assertEqual(fork.position, 30)
        self.assertEqual(fork.step(self.ids[30:], "all").logits.tobytes(), self.expected[30:].tobytes())

    def test_snapshots_go_on_elsewhere(self):
        sequence = self.model.session().add()
        sequence.step(self.ids[:20])
        content = sequence.snapshot()
        self.assertIsInstance(content, bytes)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "here.snapshot"
            self.assertIsNone(sequence.snapshot(path))
            self.assertEqual(path.read_bytes(), content)
            self.assertEqual(os.listdir(folder), ["here.snapshot"])
            session = chimera.Model(binary("f32")).session(threads=2)
            for source in (content, bytearray(content), memoryview(content), path, str(path)):
                restored = session.restore(source)
                self.assertEqual(restored.position, 20)
                self.assertEqual(restored.step(self.ids[20:], "all").logits.tobytes(), self.expected[20:].tobytes())
            with self.assertRaises(OSError):
                sequence.snapshot(pathlib.Path(folder) / "no" / "folder")
            path.write_bytes(content[:-1])
            with self.assertRaisesRegex(chimera.Error, "here.snapshot"):
                session.restore(path)
            with self.assertRaises(FileNotFoundError):
                session.restore(pathlib.Path(folder) / "none")

    def test_snapshots_that_do_not_fit(self):
        sequence = self.model.session().add()
        sequence.step(self.ids[:20])
        content = sequence.snapshot()
        other = chimera.Model(binary("f32"), weights=FOLDER / "other").session(threads=1)
        with self.assertRaises(chimera.Error):
            other.restore(content)
        session = self.model.session()
        for at in range(0, len(content), max(1, len(content) // 50)):
            for bad in (content[:at], content[:at] + bytes([content[at] ^ 4]) + content[at + 1:]):
                with self.assertRaises(chimera.Error):
                    session.restore(bad)
        for wrong in (None, 3, ["a"]):
            with self.assertRaises(TypeError):
                session.restore(wrong)

    def test_memory(self):
        session = self.model.session()
        self.assertEqual(list(session.memory()), ["ssm", "swa", "full", "token_conv", "route"])
        sequence = session.add()
        sequence.step(self.ids, forced=chimera.Mode.FULL)
        own, fork = sequence.memory(), sequence.fork()
        self.assertGreater(own["full"].used, 0)
        self.assertLessEqual(own["full"].used, own["full"].reserved)
        self.assertEqual(fork.memory()["full"].used, own["full"].used)
        self.assertLess(session.memory()["full"].used, 2 * own["full"].used + 1)
        sequence.drop()
        fork.drop()
        self.assertEqual(session.memory()["full"].used, 0)

    def test_limits(self):
        session = self.model.session(max_sequences=2)
        held = [session.add(), session.add()]
        with self.assertRaises(chimera.Error) as caught:
            session.add()
        self.assertEqual(caught.exception.kind, "limit")
        held.pop()  # What nobody holds is dropped.
        gc.collect()
        held.append(session.add())
        with self.assertRaises(chimera.Error) as caught:
            small = self.model.session(memory_limit=1)
            small.add().step(self.ids)
        self.assertEqual(caught.exception.kind, "limit")

    def test_use_after_the_end(self):
        session = self.model.session()
        sequence, other = session.add(), session.add()
        sequence.drop()
        for use in (sequence.drop, sequence.fork, sequence.snapshot, sequence.memory, lambda: sequence.position,
                    lambda: sequence.step([1])):
            with self.assertRaisesRegex(chimera.Error, "dropped"):
                use()
        session.close()
        session.close()
        self.assertTrue(session.closed)
        for use in (session.add, session.memory, other.drop, other.fork, other.snapshot, other.memory,
                    lambda: other.position, lambda: other.step([1]), lambda: session.step([]),
                    lambda: session.restore(b"")):
            with self.assertRaisesRegex(chimera.Error, "closed"):
                use()

    def test_with_drops_and_closes(self):
        with self.model.session(max_sequences=1) as session:
            with session.add() as sequence:
                sequence.step([1])
            with session.add():
                pass
        self.assertTrue(session.closed)
        with session.model.session() as session, session.add() as sequence:
            session.close()


class ThreadsTest(unittest.TestCase):
    def test_sessions_in_threads_have_equal_bits(self):
        model = chimera.Model(binary("f32"), threads=1)
        ids = tokens(200, 11)
        expected = model.session().add().step(ids, "all").logits.tobytes()
        found = []

        def work():
            for _ in range(5):
                found.append(model.session().add().step(ids, "all").logits.tobytes() == expected)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, [True] * 20)

    def test_a_second_thread_gets_an_error_and_the_first_its_bits(self):
        model = chimera.Model(binary("f32"), threads=1)
        ids = tokens(2000, 12)
        expected = model.session().add().step(ids).logits.tobytes()
        session = model.session()
        sequence, found, errors = session.add(), [], []

        def work():
            while not found:
                try:
                    found.append(sequence.step(ids).logits.tobytes())
                except chimera.Error:  # The other thread was in.
                    pass

        thread = threading.Thread(target=work)
        thread.start()
        turns = 0
        while thread.is_alive():  # That this loop turns at all shows that a step lets other threads run.
            turns += 1
            try:
                session.memory()
            except chimera.Error as error:
                errors.append(str(error))
        thread.join()
        self.assertEqual(found, [expected])
        self.assertTrue(any("another thread" in error for error in errors), (turns, errors[:3]))

    def test_closing_during_a_step(self):
        session = chimera.Model(binary("f32"), threads=2).session()
        sequence, done = session.add(), []

        def work():
            try:
                done.append(sequence.step(tokens(2000, 13)).logits.shape)
            except chimera.Error as error:
                done.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        session.close()
        thread.join()
        self.assertTrue(done == [(1, 256)] or "closed" in done[0], done)

    def test_a_forked_child_is_told(self):
        session = chimera.Model(binary("f32"), threads=1).session()
        sequence = session.add()
        child = os.fork()
        if child == 0:
            try:
                sequence.step([1])
            except chimera.Error:
                os._exit(7)
            os._exit(1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 7)
        sequence.step([1])


if __name__ == "__main__":
    unittest.main()
