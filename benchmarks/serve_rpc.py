"""gRPC beside REST: throughput, CPU of the server, and latency of one bundle that is served by both at once.

Run: python benchmarks/serve_rpc.py [requests] [rounds]; prints tables and writes benchmarks/results/serve_rpc.json. Needs
the extra grpc.

A server in a process of its own (a null model, then a linear model) is asked by this process over one interface after
the other, in turn, in several rounds; the figures are medians of the rounds. CPU is that of the server's process. The
client shares the machine: requests are written beforehand and answers are not parsed, on either side.
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
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import grpc
from run_all import machine

from ratchet.serve.protos import inference_pb2, predictor_pb2

TEXT = "a very good place, we shall come again"
CONNECTIONS = (1, 32)
ROWS = 32

SERVER = """
import sys
from pathlib import Path
import numpy as np
from ratchet.bundle.bundle import write_bundle
from ratchet.models.linear_fit import fit_linear
from ratchet.recipe.sections import LinearFeatures, LinearSpec, ServeConfig
from ratchet.serve import served_bundle
from ratchet.serve.listen import serve

class Null:
    labels = ("a", "b")
    answer = np.array([[0.25, 0.75]], dtype=np.float32)
    def predict(self, texts):
        return np.repeat(self.answer, len(texts), axis=0)

folder, kind = Path(sys.argv[1]), sys.argv[2]
if kind == "null":
    (folder / "model").mkdir()
    (folder / "model" / "w.bin").write_bytes(b"0")
    served_bundle.load_model = lambda *_, **__: Null()
else:
    texts = [f"{word} {place} number {n}" for n in range(200) for word, place in (("good", "hotel"), ("bad", "food"))]
    spec = LinearSpec(name="m", features=(LinearFeatures(unit="char", low=1, high=3),))
    fit_linear(texts, ["b", "a"] * 200, spec=spec, seed=1).save(folder / "model")
write_bundle(folder / "bundle", model_folder=folder / "model", name="m", created="", kind="linear", labels=("a", "b"))
serve(folder / "bundle", config=ServeConfig(port=0, grpc_port=0))
"""

BARE = """
import asyncio, grpc
async def echo(request, context):
    return request
class Echo(grpc.GenericRpcHandler):
    handler = grpc.unary_unary_rpc_method_handler(echo)
    def service(self, call):
        return self.handler
async def main():
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"http://127.0.0.1:0\\n\\ngRPC listens on 127.0.0.1:{port}.", flush=True)
    await server.wait_for_termination()
asyncio.run(main())
"""

One = Callable[[], Awaitable[object]]


def _post(path: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json")
    return "\r\n".join((*lines, f"Content-Length: {len(content)}", "", "")).encode() + content


def _tensor(rows: int) -> dict[str, object]:
    return {"name": "text", "shape": [rows], "datatype": "BYTES"}


def _messages(rows: int) -> dict[str, bytes]:
    """What is sent over each interface."""
    texts = [TEXT] * rows
    contents = inference_pb2.InferTensorContents(bytes_contents=[text.encode() for text in texts])
    tensor = inference_pb2.ModelInferRequest.InferInputTensor(contents=contents, **_tensor(rows))
    predict = predictor_pb2.PredictRequest(texts=texts).SerializeToString()
    return {
        "REST /predict": _post("/predict", {"texts": texts}),
        "REST /v2 infer": _post("/v2/models/m/infer", {"inputs": [_tensor(rows) | {"data": texts}]}),
        "gRPC Predict": predict,
        "gRPC ModelInfer": inference_pb2.ModelInferRequest(model_name="m", inputs=[tensor]).SerializeToString(),
        "gRPC PredictStream": predict,
    }


PATHS = {
    "gRPC Predict": "/ratchet.v1.Predictor/Predict",
    "gRPC ModelInfer": "/inference.GRPCInferenceService/ModelInfer",
    "gRPC PredictStream": "/ratchet.v1.Predictor/PredictStream",
    "bare grpc.aio": "/bare/Echo",
}


async def _rest(port: int, message: bytes) -> tuple[One, Callable[[], Awaitable[object]]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def one() -> None:
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        found = re.search(rb"content-length: (\d+)", head)
        assert found is not None
        await reader.readexactly(int(found[1]))

    async def close() -> None:
        writer.close()

    return one, close


async def _rpc(port: int, message: bytes, name: str) -> tuple[One, Callable[[], Awaitable[object]]]:
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)])
    if name != "gRPC PredictStream":
        call = channel.unary_unary(PATHS[name])
        return lambda: call(message), channel.close
    stream = channel.stream_stream(PATHS[name])()

    async def one() -> None:
        await stream.write(message)
        assert await stream.read() is not grpc.aio.EOF

    return one, channel.close


async def _load(ports: tuple[int, int], name: str, message: bytes, *, connections: int, requests: int) -> list[float]:
    """Seconds of each request, of so many connections at once."""
    make = [
        _rest(ports[0], message) if name.startswith("REST") else _rpc(ports[1], message, name)
        for _ in range(connections)
    ]
    clients, seconds = [await one for one in make], []

    async def ask(one: One) -> None:
        for _ in range(requests // connections):
            start = time.perf_counter()
            await one()
            seconds.append(time.perf_counter() - start)

    await asyncio.gather(*(ask(one) for one, _ in clients))
    for _, close in clients:
        await close()
    return seconds


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _measured(
    child: subprocess.Popen[str], ports: tuple[int, int], name: str, message: bytes, *, connections: int, requests: int
) -> dict[str, float]:
    asyncio.run(_load(ports, name, message, connections=connections, requests=4 * connections))
    before, start = _cpu(child.pid), time.perf_counter()
    seconds = sorted(asyncio.run(_load(ports, name, message, connections=connections, requests=requests)))
    wall = time.perf_counter() - start
    return {
        "cpu_ms": 1000 * (_cpu(child.pid) - before) / len(seconds),
        "requests_per_second": len(seconds) / wall,
        "p50_ms": 1000 * seconds[len(seconds) // 2],
        "p99_ms": 1000 * seconds[int(len(seconds) * 0.99)],
    }


def measure(code: str, kind: str, *, requests: int, rounds: int, rows: int = 1) -> dict[str, dict[str, float]]:
    """Medians over the rounds, by interface and number of connections."""
    messages = {"bare grpc.aio": b"x" * 100} if code is BARE else _messages(rows)
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", code, folder, kind]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
            try:
                assert child.stdout is not None
                told = "".join(child.stdout.readline() for _ in range(3))
                ports = (_port(r"http://127\.0\.0\.1:(\d+)", told), _port(r"gRPC listens on 127\.0\.0\.1:(\d+)", told))
                for _ in range(rounds):
                    for connections in CONNECTIONS:
                        for name, message in messages.items():
                            one = _measured(child, ports, name, message, connections=connections, requests=requests)
                            found.setdefault(f"{name}, c = {connections}", []).append(one)
            finally:
                child.terminate()
    return {
        name: {key: round(statistics.median(each[key] for each in ones), 3) for key in ones[0]}
        for name, ones in found.items()
    }


def _port(pattern: str, told: str) -> int:
    found = re.search(pattern, told)
    assert found is not None, told
    return int(found[1])


def _table(figures: dict[str, dict[str, float]]) -> str:
    lines = ["| interface | CPU ms a request | requests / s | p50 ms | p99 ms |", "|---|---|---|---|---|"]
    for name, one in figures.items():
        cells = (f"{one[key]:.3g}" if key != "requests_per_second" else f"{one[key]:,.0f}" for key in one)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 3200
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    size = {"requests": requests, "rounds": rounds}
    found = {
        "a null model, one text": measure(SERVER, "null", **size),
        "a linear model, one text": measure(SERVER, "linear", **size),
        f"a null model, {ROWS} texts": measure(SERVER, "null", requests=requests // 4, rounds=rounds, rows=ROWS),
        "grpc.aio without Ratchet: an echo of 100 bytes": measure(BARE, "", **size),
    }
    today, command = datetime.now(UTC).date().isoformat(), f"python benchmarks/serve_rpc.py {requests} {rounds}"
    result = {"date": today, "command": command, "machine": machine(), "rounds": rounds, "figures": found}
    target = Path(__file__).parent / "results" / "serve_rpc.json"
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for title, figures in found.items():
        print(f"\n## {title}\n\n{_table(figures)}")


if __name__ == "__main__":
    main()
