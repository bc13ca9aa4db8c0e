"""gRPC: the answers of REST, its refusals as codes, keys, limits, streams, deadlines, cancelled calls and the end."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratchet.bundle.bundle import Bundle
from ratchet.errors import RatchetError
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.admission import Admission
from ratchet.serve.keys import add_key
from ratchet.serve.messages import Refused
from ratchet.serve.rest import build_app
from ratchet.serve.ring import Ring

grpc = pytest.importorskip("grpc", reason="the extra grpc is not installed")
health_pb2 = pytest.importorskip("grpc_health.v1.health_pb2", reason="the extra grpc is not installed")
reflection_pb2 = pytest.importorskip("grpc_reflection.v1alpha.reflection_pb2", reason="the extra grpc is not installed")

from ratchet.serve import rpc_inference, rpc_predictor  # noqa: E402
from ratchet.serve.protos import inference_pb2 as pb  # noqa: E402
from ratchet.serve.protos import predictor_pb2  # noqa: E402
from ratchet.serve.rpc import RpcServer  # noqa: E402
from ratchet.serve.rpc_calls import Asking  # noqa: E402

Model = Any  # the Lengths of conftest.py
CONFIG = ServeConfig(max_texts=3, max_text_bytes=9, workers=1, queue=2)
INFERENCE, PREDICTOR = "inference.GRPCInferenceService", "ratchet.v1.Predictor"
CODE = grpc.StatusCode
LABELS = ["坏", "好", "mixed"]


class Client:
    """Calls methods by their names; keeps the server and the application beside."""

    def __init__(self, channel: Any, app: Any, server: RpcServer) -> None:
        self.channel, self.app, self.server = channel, app, server

    def call(self, service: str, method: str, request: Any, answer: Any, **options: Any) -> Any:
        make = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=lambda one: one if isinstance(one, bytes) else one.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        return make(request, timeout=options.pop("timeout", 20), **options)

    def infer(self, request: Any, **options: Any) -> Any:
        return self.call(INFERENCE, "ModelInfer", request, pb.ModelInferResponse, **options)

    def predict(self, **fields: Any) -> Any:
        options = {name: fields.pop(name) for name in ("timeout", "metadata") if name in fields}
        request = predictor_pb2.PredictRequest(**fields)
        return self.call(PREDICTOR, "Predict", request, predictor_pb2.PredictResponse, **options)

    def stream(self, **options: Any) -> Any:
        make = self.channel.stream_stream(
            f"/{PREDICTOR}/PredictStream",
            request_serializer=lambda one: one if isinstance(one, bytes) else one.SerializeToString(),
            response_deserializer=predictor_pb2.PredictResponse.FromString,
        )
        return make(timeout=20, **options)


def beside(app: Any, config: ServeConfig = CONFIG, **options: Any) -> RpcServer:
    ring = Ring(Path(config.keys) if config.keys else None)
    return RpcServer(app, config=config, admission=Admission(ring), **options)


@asynccontextmanager
async def running(app: Any, config: ServeConfig = CONFIG) -> AsyncIterator[Client]:
    server = beside(app, config)
    async with app.router.lifespan_context(app):
        await server.start("127.0.0.1", 0)
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel:
                yield Client(channel, app, server)
        finally:
            await server.stop(0)


def ask(app: Any, question: Callable[[Client], Awaitable[Any]], config: ServeConfig = CONFIG) -> Any:
    async def run() -> Any:
        async with running(app, config) as client:
            await app.state.engine.settled.wait()
            return await question(client)

    return asyncio.run(run())


async def refused(call: Any) -> tuple[Any, str, dict[str, str]]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details(), dict(caught.value.trailing_metadata())


def tensor(data: list[bytes], **other: Any) -> pb.ModelInferRequest.InferInputTensor:
    contents = pb.InferTensorContents(bytes_contents=data)
    fields = {"name": "评论", "datatype": "BYTES", "shape": [len(data)], "contents": contents} | other
    return pb.ModelInferRequest.InferInputTensor(**fields)


def request(data: list[bytes], **other: Any) -> pb.ModelInferRequest:
    return pb.ModelInferRequest(**({"model_name": "评论", "inputs": [tensor(data)]} | other))


@pytest.fixture
def app(bundle: Bundle, model: Model) -> Any:
    return build_app(bundle.path, config=CONFIG, model=model)


def test_the_answers_are_those_of_rest(app: Any, bundle: Bundle) -> None:
    async def question(client: Client) -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as rest:
            wanted = (await rest.post("/predict", json={"texts": ["b", "好的", "a\x00"]})).json()["predictions"]
        texts = ["b", "好的", "a\x00"]
        plain = await client.predict(texts=texts, id="7")
        assert (plain.id, plain.model, plain.bundle) == ("7", "评论", bundle.sha256[:12])
        assert [
            {"label": one.label, "probability": one.probability, "probabilities": dict(one.probabilities)}
            for one in plain.predictions
        ] == wanted
        assert not plain.predictions[0].HasField("abstain")
        rows = [predictor_pb2.Row(cells={"评论": predictor_pb2.Cell(text=text)}) for text in texts]
        assert (await client.predict(rows=rows, id="7")) == plain
        raw = b"".join(len(text.encode()).to_bytes(4, "little") + text.encode() for text in texts)
        bare = tensor([], shape=[3])
        bare.ClearField("contents")
        for asked in (
            request([text.encode() for text in texts], id="7"),
            pb.ModelInferRequest(model_name="评论", id="7", inputs=[bare], raw_input_contents=[raw]),
        ):
            found = await client.infer(asked)
            label, probability, probabilities = found.outputs
            assert (found.model_name, found.model_version, found.id) == ("评论", bundle.sha256[:12], "7")
            assert [text.decode() for text in label.contents.bytes_contents] == [one["label"] for one in wanted]
            shares = np.float32([one["probability"] for one in wanted])
            np.testing.assert_array_equal(np.float32(probability.contents.fp32_contents), shares)
            assert (probabilities.name, probabilities.datatype, [*probabilities.shape]) == (
                "probabilities",
                "FP32",
                [3, 3],
            )
            assert json.loads(probabilities.parameters["labels"].string_param) == LABELS

    ask(app, question)


def test_what_is_served_is_told(app: Any, bundle: Bundle) -> None:
    version = bundle.sha256[:12]

    async def question(client: Client) -> None:
        live = await client.call(INFERENCE, "ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse)
        ready = await client.call(INFERENCE, "ServerReady", pb.ServerReadyRequest(), pb.ServerReadyResponse)
        assert (live.live, ready.ready) == (True, True)
        server = await client.call(INFERENCE, "ServerMetadata", pb.ServerMetadataRequest(), pb.ServerMetadataResponse)
        assert (server.name, [*server.extensions]) == ("ratchet", ["model_repository"])
        for asked in ("", version):
            wanted = pb.ModelMetadataRequest(name="评论", version=asked)
            found = await client.call(INFERENCE, "ModelMetadata", wanted, pb.ModelMetadataResponse)
            assert ([*found.versions], found.platform) == ([version], "ratchet_classification")
            assert [(one.name, one.datatype, [*one.shape]) for one in found.inputs] == [("评论", "BYTES", [-1])]
            assert found.outputs[2].shape == [-1, 3]
            asked_ready = pb.ModelReadyRequest(name="评论", version=asked)
            assert (await client.call(INFERENCE, "ModelReady", asked_ready, pb.ModelReadyResponse)).ready
        for name, asked in (("other", ""), ("评论", "1")):
            wanted = pb.ModelMetadataRequest(name=name, version=asked)
            code, _, _ = await refused(client.call(INFERENCE, "ModelMetadata", wanted, pb.ModelMetadataResponse))
            assert code == CODE.NOT_FOUND
        code, _, _ = await refused(client.call(INFERENCE, "Nothing", b"", pb.ServerLiveResponse))
        assert code == CODE.UNIMPLEMENTED

    ask(app, question)


REFUSED: list[tuple[Any, Any, str]] = [
    (b"\xff\xff\xff", CODE.INVALID_ARGUMENT, "must be a inference.ModelInferRequest of protocol buffers"),
    (request([b"a"], model_name="other"), CODE.NOT_FOUND, "The model must be '评论' but got 'other'."),
    (request([b"a"], model_version="1"), CODE.NOT_FOUND, "The version of '评论' must be"),
    (request([b"a"] * 4), CODE.INVALID_ARGUMENT, "at most 3 rows but got 4"),
    (request([b"a" * 10]), CODE.INVALID_ARGUMENT, "at most 9 bytes of UTF-8 but got 10"),
    (request([b" "]), CODE.INVALID_ARGUMENT, "must hold a text but is empty"),
    (request([b"\xff"]), CODE.INVALID_ARGUMENT, "must be UTF-8, but byte 0 of its text 0 is not"),
    (request([], inputs=[tensor([b"a"], datatype="FP32")]), CODE.INVALID_ARGUMENT, "must be BYTES but is 'FP32'"),
    (request([], inputs=[tensor([b"a"], datatype="FP16")]), CODE.INVALID_ARGUMENT, "must be BYTES but is 'FP16'"),
    (request([], inputs=[tensor([b"a"], shape=[2**62])]), CODE.INVALID_ARGUMENT, "at most 3 rows"),
    (request([], inputs=[tensor([b"a"], shape=[-1])]), CODE.INVALID_ARGUMENT, "must have the shape [n] or [n, 1]"),
    (request([b"a"], raw_input_contents=[b"1"]), CODE.INVALID_ARGUMENT, "must have its contents once"),
    (request([b"a"], raw_input_contents=[b"1"] * 2), CODE.INVALID_ARGUMENT, "must have 1 elements, one for each input"),
    (
        pb.ModelInferRequest(
            model_name="评论",
            inputs=[pb.ModelInferRequest.InferInputTensor(name="评论", datatype="BYTES", shape=[1])],
            raw_input_contents=[b"\xff\xff\xff\xffa"],
        ),
        CODE.INVALID_ARGUMENT,
        "but at byte 0 they end",
    ),
    (
        request([b"a"], parameters={"binary_data_output": pb.InferParameter(bool_param=True)}),
        CODE.INVALID_ARGUMENT,
        "no parameter 'binary_data_output'",
    ),
    (
        request([b"a"], outputs=[pb.ModelInferRequest.InferRequestedOutputTensor(name="value")]),
        CODE.INVALID_ARGUMENT,
        "must be of 'label', 'probability', 'probabilities' but got 'value'",
    ),
]


@pytest.mark.parametrize(("asked", "code", "message"), REFUSED)
def test_what_is_refused(app: Any, asked: Any, code: Any, message: str) -> None:
    found = ask(app, lambda client: refused(client.infer(asked)))
    assert found[0] == code
    assert message in found[1]
    assert found[2]["ratchet-error"]


def test_what_predictor_refuses(app: Any) -> None:
    cell = predictor_pb2.Cell(text="a")

    async def question(client: Client) -> list[tuple[Any, str, dict[str, str]]]:
        return [
            await refused(client.predict(texts=["a"], rows=[predictor_pb2.Row()])),
            await refused(client.predict(texts=["a"] * 4)),
            await refused(client.predict(rows=[predictor_pb2.Row(cells={"评语": cell})])),
            await refused(client.predict(rows=[predictor_pb2.Row(cells={"评论": predictor_pb2.Cell()})])),
            await refused(
                client.predict(rows=[predictor_pb2.Row(cells={"评论": predictor_pb2.Cell(number=float("nan"))})])
            ),
        ]

    found = ask(app, question)
    assert [code for code, _, _ in found] == [CODE.INVALID_ARGUMENT] * 5
    for (_, said, _), wanted in zip(
        found,
        [
            "texts or rows but has both",
            "at most 3 texts but got 4",
            "Did you mean '评论'?",
            "is empty",
            "finite numbers",
        ],
        strict=True,
    ):
        assert wanted in said


def test_large_and_compressed_messages_are_refused_before_they_are_kept(app: Any) -> None:
    limit = app.state.intake.limit

    async def question(client: Client) -> None:
        code, _, _ = await refused(client.predict(texts=["a" * limit]))
        assert code == CODE.RESOURCE_EXHAUSTED
        squeezed = {"compression": grpc.Compression.Gzip}
        code, _, _ = await refused(client.infer(request([b"a" * limit]), **squeezed))
        assert code in (CODE.UNIMPLEMENTED, CODE.INTERNAL)
        assert len((await client.predict(texts=["a"])).predictions) == 1

    ask(app, question)


def test_keys_are_asked_before_a_message_is_read(bundle: Bundle, model: Model, tmp_path: Path) -> None:
    token = add_key(tmp_path / "keys.json", "tests", scopes=("predict", "admin")).token
    config = CONFIG.model_copy(update={"keys": str(tmp_path / "keys.json")})

    async def question(client: Client) -> None:
        right = (("authorization", f"Bearer {token}"),)
        for metadata in ((), (("authorization", "Bearer no"),), (("x-api-key", ""),)):
            code, said, trailing = await refused(client.infer(request([b"a"]), metadata=metadata))
            assert (code, trailing["ratchet-error"]) == (CODE.UNAUTHENTICATED, "unauthorized")
            assert "API key is missing or wrong" in said
            large = request([b"a" * 2 * client.app.state.intake.limit])
            assert (await refused(client.infer(large, metadata=metadata)))[0] == CODE.UNAUTHENTICATED
            stream = client.stream(metadata=metadata)
            assert (await refused(stream.read()))[0] == CODE.UNAUTHENTICATED
        assert (await client.infer(request([b"a"]), metadata=right)).model_name == "评论"
        assert (await client.infer(request([b"a"]), metadata=(("x-api-key", token),))).model_name == "评论"
        check = health_pb2.HealthCheckRequest()
        await client.call("grpc.health.v1.Health", "Check", check, health_pb2.HealthCheckResponse)
        index = pb.RepositoryIndexRequest()
        assert (await refused(client.call(INFERENCE, "RepositoryIndex", index, pb.RepositoryIndexResponse)))[0] == (
            CODE.UNAUTHENTICATED
        )
        found = await client.call(INFERENCE, "RepositoryIndex", index, pb.RepositoryIndexResponse, metadata=right)
        assert [(one.name, one.state) for one in found.models] == [("评论", "READY")]
        load = pb.RepositoryModelLoadRequest(model_name="评论")
        await client.call(INFERENCE, "RepositoryModelLoad", load, pb.RepositoryModelLoadResponse, metadata=right)
        (bundle.path / "model/weights.bin").write_bytes(b"124")
        call = client.call(INFERENCE, "RepositoryModelLoad", load, pb.RepositoryModelLoadResponse, metadata=right)
        code, said, _ = await refused(call)
        assert code == CODE.FAILED_PRECONDITION
        assert "was changed" in said

    ask(build_app(bundle.path, config=config, model=model), question, config)


def test_nobody_loads_where_there_is_no_key(app: Any) -> None:
    load = pb.RepositoryModelLoadRequest(model_name="评论")
    call = lambda client: refused(client.call(INFERENCE, "RepositoryModelLoad", load, pb.RepositoryModelLoadResponse))  # noqa: E731
    assert ask(app, call)[0] == CODE.PERMISSION_DENIED


def test_a_full_queue_refuses_and_who_cancels_leaves_it(app: Any, model: Model) -> None:
    async def question(client: Client) -> None:
        before = len(model.seen)
        model.gate.clear()
        first = asyncio.ensure_future(client.predict(texts=["a"]))
        while not model.entered.acquire(blocking=False) or app.state.engine.served.scheduler.busy == 0:
            await asyncio.sleep(0.01)
        waiting = [asyncio.ensure_future(client.predict(texts=["b"])) for _ in range(2)]
        while app.state.engine.served.scheduler.waiting < 2:
            await asyncio.sleep(0.01)
        code, said, trailing = await refused(client.predict(texts=["c"]))
        assert (code, trailing["ratchet-error"], trailing["retry-after"]) == (CODE.RESOURCE_EXHAUSTED, "busy", "1")
        assert "2 requests are waiting already" in said
        waiting[0].cancel()
        while app.state.engine.served.scheduler.waiting > 1:
            await asyncio.sleep(0.01)
        late = await refused(client.predict(texts=["d"], timeout=0.2))
        assert late[0] == CODE.DEADLINE_EXCEEDED
        while app.state.engine.served.scheduler.waiting > 1:
            await asyncio.sleep(0.01)
        model.gate.set()
        assert len((await first).predictions) == len((await waiting[1]).predictions) == 1
        assert model.seen[before:] == [["a"], ["b"]]

    ask(app, question)


def test_the_deadline_of_the_server_holds_too(bundle: Bundle, model: Model) -> None:
    config = CONFIG.model_copy(update={"deadline": 0.2})

    async def question(client: Client) -> None:
        model.gate.clear()
        code, said, trailing = await refused(client.predict(texts=["a"]))
        assert (code, trailing["ratchet-error"]) == (CODE.DEADLINE_EXCEEDED, "too_late")
        assert "longer than 0.2 seconds" in said
        model.gate.set()

    ask(build_app(bundle.path, config=config, model=model), question, config)


def test_a_stream_is_answered_in_order_and_goes_on_after_a_refusal(app: Any) -> None:
    async def question(client: Client) -> None:
        stream = client.stream()
        asked = [predictor_pb2.PredictRequest(id=str(place), texts=["a" * (place % 8 + 1)]) for place in range(40)]
        asked[7] = predictor_pb2.PredictRequest(id="7", texts=["a" * 10])

        async def send() -> None:
            for one in asked:
                await stream.write(one)
            await stream.write(b"\xff\xff\xff")
            await stream.done_writing()

        sending = asyncio.ensure_future(send())
        found = [answer async for answer in stream]
        await sending
        assert [one.id for one in found] == [*map(str, range(40)), ""]
        assert [
            (place, one.refusal.status, one.refusal.type) for place, one in enumerate(found) if one.refusal.status
        ] == [
            (7, 413, "text_too_big"),
            (40, 400, "bad_message"),
        ]
        assert all(len(one.predictions) == (not one.refusal.status) for one in found)
        assert found[3].predictions[0] == (await client.predict(texts=["a" * 4])).predictions[0]

    ask(app, question)


def test_a_stream_is_not_read_faster_than_it_is_answered(app: Any, model: Model) -> None:
    async def question(client: Client) -> None:
        model.gate.clear()
        before = len(model.seen)
        stream = client.stream()
        sent = 0

        async def send() -> None:
            nonlocal sent
            for _ in range(3):
                await stream.write(predictor_pb2.PredictRequest(texts=["a"]))
                sent += 1

        sending = asyncio.ensure_future(send())
        while app.state.engine.served.scheduler.busy == 0:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert app.state.engine.served.scheduler.waiting == 0  # the second message is not even asked
        assert len(model.seen) == before
        model.gate.set()
        for _ in range(3):
            assert len((await stream.read()).predictions) == 1
        await sending
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF

    ask(app, question)


def test_a_silent_stream_is_ended(bundle: Bundle, model: Model) -> None:
    config = CONFIG.model_copy(update={"deadline": 0.3})

    async def question(client: Client) -> None:
        stream = client.stream()
        await stream.write(predictor_pb2.PredictRequest(texts=["a"]))
        assert len((await stream.read()).predictions) == 1
        code, said, _ = await refused(stream.read())
        assert code == CODE.DEADLINE_EXCEEDED
        assert "No message came for 0.3 seconds" in said
        assert len((await client.predict(texts=["a"])).predictions) == 1

    ask(build_app(bundle.path, config=config, model=model), question, config)


def test_the_end_answers_what_has_come_and_ends_streams(app: Any, model: Model) -> None:
    async def question(client: Client) -> None:
        stream = client.stream()
        await stream.write(predictor_pb2.PredictRequest(texts=["a"]))
        assert len((await stream.read()).predictions) == 1
        watch = client.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        model.gate.clear()
        asked = asyncio.ensure_future(client.predict(texts=["a"]))
        while app.state.engine.served.scheduler.busy == 0:
            await asyncio.sleep(0.01)
        app.state.engine.draining = True
        stopping = asyncio.ensure_future(client.server.stop(20))
        code, said, _ = await refused(stream.read())
        assert (code, said) == (CODE.UNAVAILABLE, "The server is about to stop.")
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert await watch.read() is grpc.aio.EOF
        model.gate.set()
        assert len((await asked).predictions) == 1
        await asyncio.wait_for(stopping, 10)
        assert (await refused(client.predict(texts=["a"], timeout=5)))[0] == CODE.UNAVAILABLE

    ask(app, question)


def test_health_before_the_model_is_there(app: Any, model: Model) -> None:
    async def run() -> None:
        model.gate.clear()
        async with running(app) as client:

            async def check(service: str) -> Any:
                asked = health_pb2.HealthCheckRequest(service=service)
                return await client.call("grpc.health.v1.Health", "Check", asked, health_pb2.HealthCheckResponse)

            kinds = health_pb2.HealthCheckResponse
            assert [(await check(name)).status for name in ("", INFERENCE, PREDICTOR)] == [kinds.NOT_SERVING] * 3
            assert (await refused(check("other")))[0] == CODE.NOT_FOUND
            code, _, trailing = await refused(client.predict(texts=["a"]))
            assert (code, trailing["ratchet-error"]) == (CODE.UNAVAILABLE, "not_ready")
            model.gate.set()
            await app.state.engine.settled.wait()
            assert (await check("")).status == kinds.SERVING

    asyncio.run(run())


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_tells_the_services(app: Any, version: str) -> None:
    async def question(client: Client) -> None:
        stream = client.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )()
        await stream.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        names = {one.name for one in (await stream.read()).list_services_response.service}
        assert names >= {INFERENCE, PREDICTOR, "grpc.health.v1.Health"}
        await stream.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=PREDICTOR))
        assert b"PredictStream" in (await stream.read()).file_descriptor_response.file_descriptor_proto[0]
        await stream.done_writing()

    ask(app, question)


def test_a_failing_model_leaks_nothing(
    app: Any, model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def question(client: Client) -> Any:
        def broken(texts: list[str]) -> None:
            raise ValueError(f"secret {texts}")

        monkeypatch.setattr(model, "predict", broken)
        return await refused(client.predict(texts=["my text"]))

    code, said, trailing = ask(app, question)
    assert (code, trailing["ratchet-error"]) == (CODE.INTERNAL, "model_failed")
    assert "secret" not in said + caplog.text
    assert "my text" not in caplog.text


WORDS = st.lists(st.one_of(st.binary(max_size=6), st.just(request([b"a"]).SerializeToString())), max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(WORDS)
def test_whatever_bytes_come_are_taken_or_refused(app: Any, words: list[bytes]) -> None:
    what, asking = app.state.repository.now, Asking(app.state.engine, intake=app.state.intake, config=CONFIG)
    for read in (partial(rpc_inference._read, asking), rpc_predictor.Predictor(asking)._read):
        status = 0
        try:
            assert len(read(b"".join(words), what).rows) <= CONFIG.max_texts
        except Refused as error:
            status = error.status
        assert status == 0 or 400 <= status < 500


CHILD = """
import os, sys, threading
import numpy as np
from ratchet.bundle.bundle import Bundle
from ratchet.recipe.sections import ServeConfig
from ratchet.serve import served_bundle
from ratchet.serve.listen import serve

bundle = Bundle.open(sys.argv[1])
gate = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), gate.set()), daemon=True).start()

class Model:
    labels = bundle.labels
    def predict(self, texts):
        if texts[0] == "hold":
            os.write(1, b"holding\\n")
            assert gate.wait(30)
        return np.full((len(texts), 3), 1 / 3, dtype=np.float32)

served_bundle.load_model = lambda *_, **__: Model()
serve(bundle.path, config=ServeConfig(port=0, grpc_port=0, workers=4))
print("ended", flush=True)
"""


def test_calls_in_flight_are_answered_after_sigterm(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RATCHET_API_KEY", raising=False)
    command = [sys.executable, "-c", CHILD, str(bundle.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8") as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            told = [child.stdout.readline() for _ in range(3)]
            found = re.fullmatch(r"gRPC listens on (127\.0\.0\.1:\d+)\.\n", told[2])
            assert found is not None
            with grpc.insecure_channel(found[1]) as channel:
                call = channel.unary_unary(
                    f"/{PREDICTOR}/Predict",
                    request_serializer=predictor_pb2.PredictRequest.SerializeToString,
                    response_deserializer=predictor_pb2.PredictResponse.FromString,
                )
                asked = [call.future(predictor_pb2.PredictRequest(texts=["hold"]), timeout=60) for _ in range(4)]
                assert [child.stdout.readline() for _ in asked] == ["holding\n"] * 4
                child.send_signal(signal.SIGTERM)
                child.stdin.write("go\n")
                child.stdin.flush()
                assert [len(each.result().predictions) for each in asked] == [1] * 4
                assert child.stdout.readline() == "ended\n"
                assert child.wait(30) == 0
        finally:
            child.kill()


def test_tls(app: Any, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(chain)]
    subprocess.run([openssl, "req", "-x509", *kind, *names, *files], check=True, capture_output=True)

    async def run() -> None:
        server = beside(app, certificate=(chain, key))
        async with app.router.lifespan_context(app):
            await app.state.engine.settled.wait()
            await server.start("127.0.0.1", 0)
            try:
                trusted = grpc.ssl_channel_credentials(chain.read_bytes())
                async with grpc.aio.secure_channel(f"localhost:{server.port}", trusted) as channel:
                    assert len((await Client(channel, app, server).predict(texts=["a"])).predictions) == 1
                async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                    code, _, _ = await refused(Client(channel, app, server).predict(texts=["a"], timeout=5))
                    assert code == CODE.UNAVAILABLE
            finally:
                await server.stop(0)

    asyncio.run(run())


def test_what_a_plug_in_answers_besides_is_json() -> None:
    response = predictor_pb2.PredictResponse()
    rpc_predictor._add(response, {"label": "a", "probability": "sure", "spans": [[0, 2]], "text": None})
    assert response.predictions[0] == predictor_pb2.Prediction(
        label="a", other={"probability": '"sure"', "spans": "[[0, 2]]"}
    )


def test_a_port_in_use_is_one_clear_line(app: Any) -> None:
    async def run() -> None:
        async with running(app) as client:
            other = beside(app)
            with pytest.raises(RatchetError, match=rf"must listen on 127\.0\.0\.1:{client.server.port} but cannot"):
                await other.start("127.0.0.1", client.server.port)

    asyncio.run(run())
