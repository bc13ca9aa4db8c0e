"""What the gateway adds to a request: latency at 500 requests a second, CPU time, memory.

Run: python benchmarks/gateway.py [rounds] [seconds]; prints a table and writes benchmarks/results/gateway.json.

A fast backend, the gateway and the load each have a process. The load is open: requests leave at fixed times whether or not
answers have come, and a latency counts from when its request was due (Tene 2015, "How not to measure latency"), so a stall
counts for all that wait behind it. Direct and through the gateway take turns; added is the difference of the quantiles of a
round, and the figures are medians over rounds. All processes share this machine's cores, so the load and the backend take time
from the gateway: on 2 cores the figures are upper bounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from run_all import machine

RATE = 500
WORDS = "tell me about the weather in Lyon in the spring, and what to wear for a walk by the river " * 4
CHUNK = {
    "id": "1",
    "object": "chat.completion.chunk",
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "word "}}],
}

BACKEND = """
import asyncio, json, sys

answer = json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "It is mild. " * 20}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 90, "completion_tokens": 80, "total_tokens": 170}}).encode()
whole = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(answer) + answer
events = b"data: " + sys.argv[1].encode() + b"\\n\\n"
head = b"HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n"
piece = b"%x\\r\\n" % len(events) + events + b"\\r\\n"
end = b"e\\r\\ndata: [DONE]\\n\\n\\r\\n0\\r\\n\\r\\n"

class Answer(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.got = transport, b""

    def data_received(self, data):
        self.got += data
        at = self.got.find(b"\\r\\n\\r\\n")
        if at < 0:
            return
        lower = self.got[:at].lower()
        size = int(lower.split(b"content-length:")[1].split(b"\\r\\n")[0]) if b"content-length:" in lower else 0
        if len(self.got) < at + 4 + size:
            return
        body, self.got = self.got[at + 4 :], b""
        if b'"stream":true' in body:
            self.transport.write(head)
            self.write(20)
        else:
            self.transport.write(whole)

    def write(self, left):
        self.transport.write(piece if left else end)
        if left:
            asyncio.get_running_loop().call_later(0.02, self.write, left - 1)

async def main():
    server = await asyncio.get_running_loop().create_server(Answer, "127.0.0.1", 0)
    print("http://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def body(*, stream: bool) -> bytes:
    """A request."""
    asked = {"model": "m", "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": WORDS}]}
    return json.dumps({**asked, "stream": True} if stream else asked, separators=(",", ":")).encode()


class Client(asyncio.Protocol):
    """One connection of the load."""

    done: asyncio.Future[float]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.got, self.first, self.end = transport, b"", 0.0, b""

    def data_received(self, data: bytes) -> None:
        """The future has the time of the first byte of the body, once all of it is there."""
        self.got += data
        at = self.got.find(b"\r\n\r\n")
        if at < 0:
            return
        now = asyncio.get_running_loop().time()
        self.first = self.first or (now if len(self.got) > at + 4 else 0.0)
        found = re.search(rb"content-length: (\d+)", self.got[:at])
        whole = self.got.endswith(b"0\r\n\r\n") if found is None else len(self.got) >= at + 4 + int(found[1])
        if whole:
            right = self.got.startswith(b"HTTP/1.1 200") and (found or self.got.count(b"data: ") == 21)
            if right:
                self.done.set_result(self.first)
            else:
                self.done.set_exception(RuntimeError(f"the machine cannot keep up: {self.got[:300]!r}"))
            self.got, self.first = b"", 0.0


async def load(port: int, *, rate: float, seconds: float, stream: bool) -> list[float]:
    """Milliseconds from when each request was due until the first byte of its answer's body."""
    loop = asyncio.get_running_loop()
    asked = body(stream=stream)
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(asked)}\r\n\r\n".encode() + asked
    idle: list[Client] = []
    latencies: list[float] = []

    async def one(due: float) -> None:
        client = idle.pop() if idle else (await loop.create_connection(Client, "127.0.0.1", port))[1]
        client.done = loop.create_future()
        client.transport.write(request)
        latencies.append(1000 * (await client.done - due))
        idle.append(client)

    start, tasks = loop.time() + 0.05, []
    for number in range(int(rate * seconds)):
        due = start + number / rate
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    for client in idle:
        client.transport.close()
    return sorted(latencies)


def cpu_seconds(pid: int) -> float:
    """That a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int, key: str = "VmRSS") -> float:
    """Megabytes that a process holds."""
    found = re.search(rf"{key}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


@contextmanager
def started(*command: str) -> Iterator[tuple[int, int]]:
    """A process that says where it listens: its port and its id."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:(\d+)", child.stdout.readline())
            assert found is not None
            yield int(found[1]), child.pid
        finally:
            child.terminate()


def measure(port: int, pid: int, *, rate: float, seconds: float, stream: bool) -> dict[str, float]:
    """Latency and CPU time of one round."""
    before = cpu_seconds(pid)
    found = asyncio.run(load(port, rate=rate, seconds=seconds, stream=stream))
    used = cpu_seconds(pid) - before
    quantiles = {f"p{share:g}_ms": found[int(len(found) * share / 100)] for share in (50, 99)}
    return {**quantiles, "cpu_ms": 1000 * used / len(found)}


def compare(
    direct: tuple[int, int], gateway: tuple[int, int], *, rounds: int, rate: float, seconds: float, stream: bool
) -> dict[str, float]:
    """Medians of what the gateway adds, and of what it uses."""
    found = []
    for _ in range(rounds):
        plain = measure(*direct, rate=rate, seconds=seconds, stream=stream)
        through = measure(*gateway, rate=rate, seconds=seconds, stream=stream)
        found.append(
            {
                "direct_p50_ms": plain["p50_ms"],
                "direct_p99_ms": plain["p99_ms"],
                "added_p50_ms": through["p50_ms"] - plain["p50_ms"],
                "added_p99_ms": through["p99_ms"] - plain["p99_ms"],
                "cpu_ms_a_request": through["cpu_ms"],
            }
        )
    return {key: round(statistics.median(one[key] for one in found), 3) for key in found[0]}


def main() -> None:
    """Measure whole answers and streams, and write the figures."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 6.0
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        backend = stack.enter_context(started("-c", BACKEND, json.dumps(CHUNK)))
        given = ("--backend", f"http://127.0.0.1:{backend[0]}/v1", "--port", "0", "--usage", f"{folder}/usage.jsonl")
        gateway = stack.enter_context(started("-m", "ratchet", "gateway", *given))
        asyncio.run(load(gateway[0], rate=RATE, seconds=2, stream=False))  # warm up
        asyncio.run(load(backend[0], rate=RATE, seconds=1, stream=False))
        whole = compare(backend, gateway, rounds=rounds, rate=RATE, seconds=seconds, stream=False)
        streams = compare(backend, gateway, rounds=rounds, rate=50, seconds=seconds, stream=True)
        memory = {"rss_mb": round(resident(gateway[1]), 1), "peak_rss_mb": round(resident(gateway[1], "VmHWM"), 1)}
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python benchmarks/gateway.py",
        "machine": machine(),
        "rounds": rounds,
        "seconds_a_round": seconds,
        "whole_answers_500_a_second": whole,
        "streams_of_21_events_50_a_second": streams,
        **memory,
    }
    for name, value in result.items():
        print(f"{name:34}", value)
    target = Path(__file__).parent / "results" / "gateway.json"
    target.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
