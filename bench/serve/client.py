# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Many clients of a server with OpenAI's API at once, each of which waits for its answer before it asks again, and what
they see: when the first part of an answer comes, and when each next one."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Seen:
    """Of all answers together; times in seconds."""
    answers: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    seconds: float = 0.0
    first: list = field(default_factory=list)  # from the request to the first part of its text
    between: list = field(default_factory=list)  # from one part to the next


def quantile(values, share):
    """The smallest value that at least this share of the values does not exceed; None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))] if ordered else None


def metrics_of(text):
    """The numbers of a page in Prometheus' text format, by name with labels."""
    numbers = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            numbers[name] = float(value)
    return numbers


class Server:
    """Where to ask, and with which key."""

    def __init__(self, url, key=None):
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"'{url}' is no address as http://127.0.0.1:8080")
        self.host, self.port, self.key = parts.hostname, parts.port or 80, key

    def head(self, method, path, length=None):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        if self.key:
            lines.append(f"Authorization: Bearer {self.key}")
        if length is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {length}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def get(self, path):
        """The text at a path; None where there is none."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(self.head("GET", path).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return body.decode() if head.split(b" ", 2)[1:2] == [b"200"] else None


async def status_and_headers(reader):
    """The status of an answer, and its headers with small letters."""
    status = int((await reader.readline()).split(b" ", 2)[1])
    headers = {}
    while (line := await reader.readline()) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode().partition(":")
        headers[name.strip().lower()] = value.strip()
    return status, headers


async def chunks(reader):
    """The parts of a body that is sent in chunks."""
    while size := int((await reader.readline()).split(b";")[0], 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readline()


def has_text(event):
    """Whether an event of a stream brings text."""
    return any(choice.get("text") or (choice.get("delta") or {}).get("content") for choice in event.get("choices", []))


async def ask(server, streams, path, request, seen):
    """Sends a request on the connection `streams` and reads the answer as it comes."""
    reader, writer = streams
    body = json.dumps({**request, "stream": True, "stream_options": {"include_usage": True}}).encode()
    begin = last = time.perf_counter()
    writer.write(server.head("POST", path, len(body)) + body)
    status, headers = await status_and_headers(reader)
    if status != 200:
        text = await reader.read(int(headers.get("content-length", 1000)))
        raise RuntimeError(f"the server answers with status {status}: {text.decode(errors='replace')[:300]}")
    rest, begun = b"", False
    async for chunk in chunks(reader):
        now = time.perf_counter()
        *events, rest = (rest + chunk).split(b"\n\n")
        for data in events:
            if data == b"data: [DONE]":
                continue
            event = json.loads(data[6:])
            if event.get("usage"):
                seen.tokens += event["usage"]["completion_tokens"]
                seen.prompt_tokens += event["usage"]["prompt_tokens"]
            if "error" in event:
                raise RuntimeError(f"the server breaks off: {event['error']['message']}")
            if has_text(event):
                (seen.between if begun else seen.first).append(now - (last if begun else begin))
                last, begun = now, True
    seen.answers += 1


async def client(server, path, requests, seen):
    """One client: its requests one after the other, on one connection."""
    streams = await asyncio.open_connection(server.host, server.port)
    try:
        for request in requests:
            await ask(server, streams, path, request, seen)
    finally:
        streams[1].close()


async def load(server, path, work):
    """What as many clients see as `work` has lists of requests."""
    seen = Seen()
    begin = time.perf_counter()
    await asyncio.gather(*(client(server, path, requests, seen) for requests in work))
    seen.seconds = time.perf_counter() - begin
    return seen
