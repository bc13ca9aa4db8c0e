"""CPU time of the serving stack alone: a null model behind /predict, without and with all that can be asked for (a key with a
rate, the audit log), against the least that uvicorn and msgspec need. Metrics are always on.

Run: python benchmarks/serve_stack.py [requests]; prints a table and writes benchmarks/results/serve_stack.json.
Each stack runs in its own process; the figure is that process's CPU milliseconds a request at 32 connections, the
median of three interleaved rounds. Wall time depends on the client, which shares the machine, and is not a claim.
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
import time
from datetime import UTC, datetime
from pathlib import Path

from run_all import machine

CONNECTIONS = 32
ROUNDS = 3
BODY = json.dumps({"text": "a very good place, we shall come again"}).encode()
TOKEN = f"rk_0123abcd_{'s' * 43}"
REQUEST = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n"
    b"Content-Length: %d\r\n\r\n" % (TOKEN.encode(), len(BODY)) + BODY
)

RATCHET = """
import sys
from pathlib import Path
import numpy as np
from ratchet.bundle.bundle import write_bundle
from ratchet.recipe.sections import ServeConfig
from ratchet.serve import served_bundle
from ratchet.serve.listen import serve

class Null:
    labels = ("a", "b")
    answer = np.array([[0.25, 0.75]], dtype=np.float32)
    def predict(self, texts):
        return np.repeat(self.answer, len(texts), axis=0)

folder = Path(sys.argv[1])
(folder / "model").mkdir()
(folder / "model" / "w.bin").write_bytes(b"0")
write_bundle(folder / "bundle", model_folder=folder / "model", name="null", created="", kind="linear", labels=("a", "b"))
served_bundle.load_model = lambda *_, **__: Null()
EXTRAS
serve(folder / "bundle", config=ServeConfig(port=0, **extras))
"""

KEYED = """
import hashlib, json
secret = {"sha256": hashlib.sha256(b"s" * 43).hexdigest()}
key = {"id": "0123abcd", "name": "a", "secrets": [secret], "scopes": ["predict"], "rate": 1e6, "burst": 1000000}
keys = folder / "keys.json"
keys.touch(mode=0o600)
keys.write_text(json.dumps({"keys": [{**key, "created": "2026-01-01T00:00:00Z"}]}))
extras = {"keys": str(keys), "audit": str(folder / "audit.jsonl")}
"""

RAW = """
import socket
import msgspec, uvicorn

class Ask(msgspec.Struct):
    text: str

decode, encode = msgspec.json.Decoder(Ask).decode, msgspec.json.encode

async def app(scope, receive, send):
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    decode(body)
    answer = encode({"predictions": [{"label": "b", "probability": 0.75, "probabilities": {"a": 0.25, "b": 0.75}}]})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listener.bind(("127.0.0.1", 0))
listener.listen(512)
print("http://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, ws="none")).run([listener])
"""


async def _connection(port: int, requests: int, seconds: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(requests):
        start = time.perf_counter()
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        found = re.search(rb"content-length: (\d+)", head)
        assert found is not None
        await reader.readexactly(int(found[1]))
        seconds.append(time.perf_counter() - start)
    writer.close()


async def _load(port: int, requests: int) -> list[float]:
    seconds: list[float] = []
    await asyncio.gather(*(_connection(port, requests // CONNECTIONS, seconds) for _ in range(CONNECTIONS)))
    return seconds


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(code: str, requests: int) -> dict[str, float]:
    """CPU milliseconds a request and the latencies of one stack, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", code, folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
            try:
                assert child.stdout is not None
                found = re.search(r"http://127\.0\.0\.1:(\d+)", child.stdout.readline())
                assert found is not None
                port = int(found[1])
                asyncio.run(_load(port, CONNECTIONS * 8))  # warm up
                before = _cpu(child.pid)
                start = time.perf_counter()
                seconds = sorted(asyncio.run(_load(port, requests)))
                wall = time.perf_counter() - start
                cpu = _cpu(child.pid) - before
            finally:
                child.terminate()
    return {
        "cpu_ms": 1000 * cpu / len(seconds),
        "requests_per_second": len(seconds) / wall,
        "p50_ms": 1000 * seconds[len(seconds) // 2],
        "p99_ms": 1000 * seconds[int(len(seconds) * 0.99)],
    }


def main() -> None:
    """Measure both stacks in turn and write the medians."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 6400
    stacks = {
        "raw ASGI + msgspec": RAW,
        "ratchet serve": RATCHET.replace("EXTRAS", "extras = {}"),
        "with key, rate, audit": RATCHET.replace("EXTRAS", KEYED),
    }
    rounds = [{name: measure(code, requests) for name, code in stacks.items()} for _ in range(ROUNDS)]
    medians = {
        name: {key: round(statistics.median(each[name][key] for each in rounds), 3) for key in rounds[0][name]}
        for name in stacks
    }
    for name, figures in medians.items():
        print(f"{name:22}", "  ".join(f"{key} {value:g}" for key, value in figures.items()))
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python benchmarks/serve_stack.py",
        "machine": machine(),
        "requests": requests,
        "connections": CONNECTIONS,
        "median_of": ROUNDS,
        "stacks": medians,
    }
    target = Path(__file__).parent / "results" / "serve_stack.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
