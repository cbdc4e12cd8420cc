# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tokenizers, chat templates, and texts that are continued: the tokens and texts of chimera-run."""
import json
import pathlib
import tempfile
import unittest

import numpy as np

import chimera
import support
from support import FOLDER, TEXT, binary, tokens

SETTINGS = [{}, {"temperature": 1.0, "seed": 7}, {"temperature": 0.8, "top_k": 20, "seed": 2**64 - 1},
            {"temperature": 2.5, "top_p": 0.7, "seed": 3}, {"temperature": 1.5, "top_k": 50, "top_p": 0.9, "seed": 1}]
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "In the beginning <|im_end|> was"}]


def options(settings):
    return [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]


def answers(name, lines, *more):
    """What chimera-run --jsonl answers to each line."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "lines.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        out = support.tool("run", binary(name), "--weights", FOLDER / name, "--jsonl", file, *more)
    return [json.loads(line) for line in out.splitlines()]


class TokenizerTest(unittest.TestCase):
    def setUp(self):
        self.tokenizer = chimera.Tokenizer(FOLDER / "tokenizer")

    def test_round_trip(self):
        ids = self.tokenizer.encode(TEXT)
        self.assertEqual(ids.dtype, np.int32)
        self.assertLess(len(ids), len(TEXT) / 2)
        self.assertEqual(self.tokenizer.decode(ids), TEXT)
        self.assertEqual(self.tokenizer.decode(ids.tolist()), TEXT)
        self.assertEqual(self.tokenizer.decode([]), "")
        self.assertEqual(self.tokenizer.decode([10**6, -1]), "")
        self.assertTrue((ids < self.tokenizer.vocab_size).all())

    def test_streams_give_whole_characters(self):
        text = "na\u00efve \u4e16\u754c \U0001f600!"
        stream, parts = self.tokenizer.stream(), []
        for token in self.tokenizer.encode(text):
            parts.append(stream.push(token))
        self.assertIn("", parts)
        self.assertEqual("".join(parts) + stream.flush(), text)
        cut = self.tokenizer.stream()
        for token in self.tokenizer.encode("\u4e16")[:-1]:
            self.assertEqual(cut.push(token), "")
        self.assertIn("\ufffd", cut.flush())

    def test_special_tokens(self):
        self.assertIn("<|im_end|>", self.tokenizer.special_tokens)
        end = self.tokenizer.id_of("<|im_end|>")
        self.assertEqual(self.tokenizer.token_of(end), "<|im_end|>")
        self.assertEqual(self.tokenizer.encode("<|im_end|>", parse_special=True).tolist(), [end])
        self.assertNotIn(end, self.tokenizer.encode("<|im_end|>"))
        self.assertEqual(self.tokenizer.decode([end]), "")
        self.assertEqual(self.tokenizer.decode([end], skip_special=False), "<|im_end|>")
        self.assertIsNone(self.tokenizer.id_of("no such token"))
        self.assertIsNone(self.tokenizer.token_of(10**9))

    def test_bytes(self):
        byte = chimera.Tokenizer("bytes")
        self.assertEqual(byte.encode("a\u00e9").tolist(), [97, 195, 169])
        self.assertEqual(byte.encode(b"\xff\x00").tolist(), [255, 0])
        self.assertEqual(byte.decode([97, 195, 169, 255]), "a\u00e9\ufffd")
        self.assertEqual((byte.vocab_size, byte.special_tokens), (256, []))
        stream = byte.stream()
        self.assertEqual([stream.push(195), stream.push(169), stream.flush()], ["", "\u00e9", ""])
        own = chimera.Model(binary("f64")).tokenizer  # Its start token is 7.
        self.assertEqual(own.encode("a").tolist(), [7, 97])
        self.assertEqual(own.encode("a", add_special=False).tolist(), [97])

    def test_wrong_use(self):
        for call, error in ((lambda: self.tokenizer.encode(3), TypeError),
                            (lambda: self.tokenizer.decode("a"), TypeError),
                            (lambda: self.tokenizer.decode([1.5]), TypeError),
                            (lambda: self.tokenizer.decode([2**40]), ValueError),
                            (lambda: self.tokenizer.id_of(3), TypeError),
                            (lambda: self.tokenizer.stream().push("a"), TypeError),
                            (lambda: self.tokenizer.encode("\ud800"), ValueError),
                            (lambda: chimera.Tokenizer(3), TypeError)):
            with self.assertRaises(error):
                call()
        with self.assertRaises(chimera.Error):
            self.tokenizer.encode(b"\xff")
        with self.assertRaisesRegex(chimera.Error, "nothing"):
            chimera.Tokenizer(FOLDER / "nothing")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "tokenizer.json"
            whole = (FOLDER / "tokenizer" / "tokenizer.json").read_text()
            for bad in ("", "{}", "[1]", whole[:len(whole) // 2], whole.replace('"BPE"', '"Unigram"')):
                path.write_text(bad)
                with self.assertRaises(chimera.Error, msg=bad[:20]):
                    chimera.Tokenizer(folder)

    def test_chat_template(self):
        text = self.tokenizer.apply_chat_template(MESSAGES, tokenize=False)
        self.assertTrue(text.endswith("<|im_start|>assistant\n"), text)
        ids = self.tokenizer.apply_chat_template(MESSAGES)
        end = self.tokenizer.id_of("<|im_end|>")
        self.assertEqual((ids == end).sum(), 2)  # That of the message is text.
        parsed = self.tokenizer.apply_chat_template(MESSAGES, parse_special=True)
        self.assertEqual((parsed == end).sum(), 3)
        self.assertEqual(self.tokenizer.decode(parsed, skip_special=False), text)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "own.jinja"
            path.write_text("{{ messages[1].content }}")
            self.assertEqual(self.tokenizer.apply_chat_template(MESSAGES, chat_template=path, tokenize=False),
                             MESSAGES[1]["content"])
            path.write_text("{{ raise_exception('not so') }}")
            with self.assertRaisesRegex(chimera.Error, "not so"):
                chimera.Tokenizer(FOLDER / "tokenizer").apply_chat_template(MESSAGES, chat_template=path)
        for wrong, error in (([], ValueError), ("a", TypeError), ([3], TypeError), ([{"role": "user"}], TypeError),
                             ([{"role": "user", "content": 3}], TypeError)):
            with self.assertRaises(error):
                self.tokenizer.apply_chat_template(wrong)


class GenerateTest(unittest.TestCase):
    def test_texts_of_chimera_run(self):
        for name in ("f32", "f64", "chat"):
            model = chimera.Model(binary(name))
            for settings in SETTINGS:
                with self.subTest(name, **settings):
                    said = answers(name, [{"prompt": "In the beginning", "max_new_tokens": 40, **settings}])[0]
                    # A line with a seed is sequence 0, as is the only line.
                    made = model.generate("In the beginning", 40, **settings)
                    self.assertEqual(made.tokens.tolist(), said["tokens"])
                    self.assertEqual(made.text, said["text"])
                    self.assertEqual((made.prompt_tokens, made.finish_reason),
                                     (said["prompt_tokens"], said["finish_reason"]))

    def test_tokens_of_chimera_run(self):
        ids = np.stack([tokens(20, 21), tokens(20, 22), tokens(20, 23)])
        settings = {"temperature": 1.0, "seed": 5}
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            np.save(folder / "ids.npy", ids)
            support.tool("run", binary("f32"), "--weights", FOLDER / "f32", "--tokens", folder / "ids.npy",
                         "--max-new-tokens", "30", "--output-tokens", folder / "new.npy", *options(settings))
            expected = np.load(folder / "new.npy")
        model = chimera.Model(binary("f32"))
        made = model.generate_batch(list(ids), 30, **settings)
        np.testing.assert_array_equal(np.stack([one.tokens for one in made]), expected)
        self.assertEqual(model.generate(ids[0], 30, **settings).tokens.tolist(), expected[0].tolist())

    def test_stop_and_end(self):
        model = chimera.Model(binary("f32"))
        whole = model.generate("In the", 60, temperature=1.0, seed=4)
        raw = bytes(whole.tokens.astype(np.uint8))
        stop = next(chr(byte) for byte in raw[10:] if byte < 128)
        said = answers("f32", [{"prompt": "In the", "max_new_tokens": 60, "temperature": 1.0, "seed": 4, "stop": stop}])
        cut = model.generate("In the", 60, temperature=1.0, seed=4, stop=stop)
        self.assertEqual((cut.text, cut.finish_reason, cut.tokens.tolist()),
                         (said[0]["text"], "stop", said[0]["tokens"]))
        self.assertLess(len(cut.tokens), 60)
        twice = model.generate("In the", 60, temperature=1.0, seed=4, stop=["\0\0\0", stop])
        self.assertEqual((twice.text, twice.tokens.tolist()), (cut.text, cut.tokens.tolist()))
        chat = chimera.Model(binary("chat"))
        ended = [chat.generate("In", 400, temperature=3.0, seed=seed).finish_reason for seed in range(6)]
        self.assertIn("eos", ended)

    def test_streams_are_the_whole(self):
        for name in ("f32", "chat"):
            model = chimera.Model(binary(name))
            for stop in ((), ("e", "\n")):
                whole = model.generate("In the", 50, temperature=1.5, seed=9, stop=stop)
                stream, pieces = model.generate("In the", 50, temperature=1.5, seed=9, stop=stop, stream=True), []
                while True:
                    try:
                        pieces.append(next(stream))
                    except StopIteration as end:
                        result = end.value
                        break
                self.assertEqual("".join(piece.text for piece in pieces), whole.text)
                self.assertEqual([piece.token for piece in pieces if piece.token is not None], whole.tokens.tolist())
                self.assertEqual(result.text, whole.text)

    def test_a_sequence_goes_on(self):
        model = chimera.Model(binary("f32"))
        with model.session(max_sequences=2) as session:
            sequence = session.add()
            first = sequence.generate("In the beginning", 8, temperature=1.0, seed=6)
            rest = sequence.generate(first.tokens[-1:], 8, temperature=1.0, seed=6)
            whole = session.generate("In the beginning", 16, temperature=1.0, seed=6)
            self.assertEqual(first.tokens.tolist() + rest.tokens.tolist(), whole.tokens.tolist())
            session.add()  # There is room: the other one was dropped.

    def test_nothing_new(self):
        made = chimera.Model(binary("f32")).generate("In", 0)
        self.assertEqual((made.text, made.tokens.tolist(), made.finish_reason), ("", [], "length"))
        self.assertEqual(chimera.Model(binary("f32")).generate_batch([]), [])

    def test_chat_answers_as_chimera_run(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "messages.json"
            file.write_text(json.dumps(MESSAGES))
            said = support.tool("run", binary("chat"), "--weights", FOLDER / "chat", "--messages", file,
                                "--max-new-tokens", "40", "--temperature", "1", "--seed", "3")
        made = chimera.Model(binary("chat")).chat(MESSAGES, 40, temperature=1, seed=3)
        self.assertEqual(made.text + "\n", said.decode("utf-8", "replace"))

    def test_wrong_options(self):
        model = chimera.Model(binary("f32"))
        for settings, error in (({"temperature": -1}, ValueError), ({"temperature": float("nan")}, ValueError),
                                ({"top_p": 0}, ValueError), ({"top_p": 1.5}, ValueError), ({"top_k": -1}, ValueError),
                                ({"top_k": 1.5}, TypeError), ({"seed": -1}, ValueError), ({"seed": 2**64}, ValueError),
                                ({"temperature": "1"}, TypeError), ({"stop": [""]}, ValueError),
                                ({"stop": 3}, TypeError),
                                ({"no_such_option": 1}, TypeError)):
            with self.assertRaises(error, msg=settings):
                model.generate("a", 4, **settings)
        for prompt, error in (("", ValueError), ([], ValueError), ([256], ValueError), (None, TypeError),
                              (3, ValueError)):
            with self.assertRaises(error, msg=prompt):
                model.generate(prompt, 4)
        with self.assertRaises(ValueError):
            model.generate("a", -1)
        with self.assertRaises(TypeError):
            model.generate_batch("abc")
        with self.assertRaises(chimera.Error):
            chimera.Model(binary("f32"), tokenizer=FOLDER / "nothing").generate("a", 4)

    def test_a_model_without_tokenizer(self):
        """Files of a tokenizer that is not read here: ids are good, texts are refused."""
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "model.chm").write_bytes(binary("f32").read_bytes())
            (folder / "model.safetensors").write_bytes((FOLDER / "f32" / "model.safetensors").read_bytes())
            (folder / "vocab.json").write_text("{}")
            model = chimera.Model(folder / "model.chm")
            made = model.generate([1, 2], 3)
            self.assertEqual((made.text, len(made.tokens)), (None, 3))
            for call in (lambda: model.generate("a", 3), lambda: model.generate([1], 3, stop="a")):
                with self.assertRaisesRegex(chimera.Error, "vocab.json"):
                    call()
            self.assertIsNotNone(chimera.Model(folder / "model.chm", tokenizer="bytes").generate("a", 3).text)


if __name__ == "__main__":
    unittest.main()
