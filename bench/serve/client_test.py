# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the clients against a server made here, whose parts come at known times."""

import asyncio
import json
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import client  # noqa: E402

PAUSE = 0.02


def event(data):
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


PARTS = [event({"choices": [{"text": ""}]}), event({"choices": [{"text": "a"}]}), event({"choices": [{"text": "b"}]}),
         event({"choices": [{"text": "c"}]})
         + event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}), event(b"[DONE]")]


class FakeServer:
    """Answers each request with these parts, one after a pause each."""

    def __init__(self, parts, status="200 OK"):
        self.parts, self.status, self.asked = parts, status, []

    async def serve(self, reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b"":
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            self.asked.append((head, json.loads(await reader.readexactly(length))))
            if self.status != "200 OK":
                writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: 6\r\n\r\nbroken".encode())
                continue
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for part in self.parts:
                await asyncio.sleep(PAUSE)
                writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            writer.write(b"0\r\n\r\n")

    async def seen(self, work):
        async def quiet(reader, writer):
            try:
                await self.serve(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()
        async with await asyncio.start_server(quiet, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await client.load(client.Server(f"http://127.0.0.1:{port}", "secret"), "/v1/completions", work)


class Clients(unittest.TestCase):
    def test_times_and_tokens_are_those_of_the_parts(self):
        fake = FakeServer(PARTS)
        seen = asyncio.run(fake.seen([[{"prompt": "x"}] * 2] * 3))
        self.assertEqual((seen.answers, seen.tokens, seen.prompt_tokens), (6, 18, 42))
        self.assertEqual((len(seen.first), len(seen.between)), (6, 12))
        self.assertGreaterEqual(min(seen.first), 2 * PAUSE * 0.9, "the first part has no text")
        self.assertGreaterEqual(min(seen.between), PAUSE * 0.5)
        self.assertGreaterEqual(seen.seconds, 2 * len(PARTS) * PAUSE * 0.9)
        head, body = fake.asked[0]
        self.assertIn(b"Authorization: Bearer secret", head)
        self.assertEqual(body, {"prompt": "x", "stream": True, "stream_options": {"include_usage": True}})

    def test_parts_may_be_cut_anywhere(self):
        whole = b"".join(PARTS)
        seen = asyncio.run(FakeServer([whole[i:i + 9] for i in range(0, len(whole), 9)]).seen([[{}]]))
        self.assertEqual((seen.answers, seen.tokens, len(seen.first), len(seen.between)), (1, 3, 1, 2))

    def test_refusals_and_errors_are_errors(self):
        with self.assertRaisesRegex(RuntimeError, "status 429: broken"):
            asyncio.run(FakeServer([], "429 Too Many Requests").seen([[{}]]))
        with self.assertRaisesRegex(RuntimeError, "breaks off: no memory"):
            asyncio.run(FakeServer([event({"error": {"message": "no memory"}})]).seen([[{}]]))
        with self.assertRaisesRegex(ValueError, "no address"):
            client.Server("127.0.0.1:8080")


class Numbers(unittest.TestCase):
    def test_quantiles_are_values(self):
        values = list(range(100, 0, -1))
        self.assertEqual([client.quantile(values, share) for share in (0.5, 0.99, 1, 0)], [50, 99, 100, 1])
        self.assertEqual(client.quantile([3], 0.99), 3)
        self.assertIsNone(client.quantile([], 0.5))

    def test_metrics_are_read(self):
        self.assertEqual(client.metrics_of("# HELP a b\n# TYPE a counter\na 3\nb{c=\"d e\"} 0.5\n"),
                         {"a": 3, "b{c=\"d e\"}": 0.5})


if __name__ == "__main__":
    unittest.main()
