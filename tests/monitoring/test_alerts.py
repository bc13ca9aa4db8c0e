from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from ratchet.errors import RatchetError
from ratchet.monitoring import webhook
from ratchet.monitoring.alerts import MOST, Alerts, beyond
from ratchet.recipe.watch import AlertSpec


def rule(**how: Any) -> AlertSpec:
    return AlertSpec.model_validate({"metric": "train/loss", **how})


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.mark.parametrize(
    ("how", "value", "is_beyond"),
    [
        ({"above": 1}, 1.0, False),
        ({"above": 1}, 1.1, True),
        ({"below": 1}, 1.0, False),
        ({"below": 1}, 0.9, True),
        ({"below": 1, "above": 2}, 1.5, False),
        ({"above": 1}, math.nan, True),
        ({"below": 1}, math.nan, True),
        ({"below": 1}, math.inf, True),
        ({"above": 1}, -math.inf, True),
    ],
)
def test_what_is_beyond_a_bound(how: dict[str, float], value: float, is_beyond: bool) -> None:
    assert beyond(rule(**how), value) is is_beyond


def test_a_rule_waits_for_so_many_in_a_row_and_fires_once(said: list[str]) -> None:
    alerts = Alerts([rule(above=1, times=3)], name="encoder", say=said.append)
    values = [2, 2, 0, 2, 2, 2, 2, 2, 0, 2, 2, 2]
    for step, value in enumerate(values):
        assert alerts.check(step, {"train/loss": value}) is None
        alerts.check(step, {"other": 9})  # a step without the metric is no reading of it
    assert said == [
        "alert: train/loss is 2, 3 times in a row (must be at most 1), step 6",
        "alert: train/loss is 2, 3 times in a row (must be at most 1), step 12",
    ]


def test_stop_is_a_clean_error(said: list[str]) -> None:
    alerts = Alerts([rule(above=1, below=0, action="stop")], name="", say=said.append)
    assert alerts.check(0, {"train/loss": 0.5}) is None
    stop = alerts.check(1, {"train/loss": math.nan})
    assert stop is not None
    error = stop.error()
    assert isinstance(error, RatchetError)
    assert "train/loss must be at least 0 and at most 1" in str(error)
    assert "got nan at step 2" in str(error)
    assert "checkpoint is kept" in str(error)


def test_a_rule_that_flaps_is_counted(said: list[str]) -> None:
    alerts = Alerts([rule(above=1)], name="", say=said.append)
    for step in range(40):
        alerts.check(step, {"train/loss": 2.0 * (step % 2)})
    assert len(said) == MOST
    alerts.close()
    assert said[-1] == "alert: train/loss left its bounds 20 times in all"


def test_a_rule_that_never_saw_its_metric_is_said(said: list[str]) -> None:
    alerts = Alerts([rule(above=1), rule(metric="train/lost", above=1)], name="", say=said.append)
    alerts.check(0, {"train/loss": 0})
    alerts.close()
    assert said == ["no number of this training is called train/lost, so its alert saw nothing"]


class Server:
    """A server on loopback that answers each message in one way and keeps what it got."""

    def __init__(self, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.bodies: list[Any] = []
        got = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/hook/s3cr3t?key=1"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    made: list[Server] = []
    yield made
    for server in made:
        server.http.shutdown()
        server.http.server_close()


def test_a_webhook_gets_the_alert(said: list[str], servers: list[Server]) -> None:
    servers.append(Server())
    alerts = Alerts([rule(above=1, action="webhook", url=servers[0].url)], name="encoder fold 0", say=said.append)
    alerts.check(4, {"train/loss": math.nan})
    alerts.close()
    ((path, body),) = servers[0].bodies
    assert path == "/hook/s3cr3t?key=1"
    assert body["text"] == "encoder fold 0: alert: train/loss is nan (must be at most 1), step 5"
    assert (body["metric"], body["value"], body["above"], body["below"], body["step"]) == (
        "train/loss",
        "nan",
        1,
        None,
        5,
    )
    assert len(said) == 1


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_fails_is_one_line_and_a_redirect_is_not_followed(
    said: list[str], servers: list[Server], status: int
) -> None:
    servers.append(Server())
    servers.append(Server(status=status, headers={"Location": servers[0].url}))
    alerts = Alerts([rule(above=1, action="webhook", url=servers[1].url)], name="", say=said.append)
    for step in range(4):
        alerts.check(step, {"train/loss": 2.0 * (step % 2)})
    alerts.close()
    failed = [line for line in said if line.startswith("a webhook")]
    assert failed == [f"a webhook did not reach 127.0.0.1: it answered with status {status}; the training goes on"]
    assert len(servers[1].bodies) == 2
    assert servers[0].bodies == []


def test_a_server_that_hangs_delays_nothing(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT", 0.6)
    with socket.create_server(("127.0.0.1", 0)) as server:  # it takes a connection and never says a word
        url = f"http://127.0.0.1:{server.getsockname()[1]}/s3cr3t"
        alerts = Alerts([rule(above=1, action="webhook", url=url)], name="", say=said.append)
        begun = time.monotonic()
        for step in range(2 * MOST):
            alerts.check(step, {"train/loss": 2.0 * (step % 2)})
        assert time.monotonic() - begun < 0.3
        begun = time.monotonic()
        alerts.close()
        assert time.monotonic() - begun < webhook.GRACE + 1
    failed = [line for line in said if line.startswith("a webhook")]
    assert len(failed) == 1
    assert "timed out" in failed[0]
    assert "s3cr3t" not in failed[0]


def test_a_flood_of_messages_is_cut(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "GRACE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        hooks = webhook.Webhooks(say=said.append)
        begun = time.monotonic()
        for _ in range(100):
            hooks.send(f"http://127.0.0.1:{server.getsockname()[1]}/", {"text": "x"})
        hooks.close()
        assert time.monotonic() - begun < 1
    assert len(said) == 1
    assert "too many messages" in said[0]


def test_nobody_there_is_one_line(said: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    alerts = Alerts([rule(above=1, action="webhook", url=f"http://127.0.0.1:{port}/")], name="", say=said.append)
    alerts.check(0, {"train/loss": 2})
    alerts.close()
    assert len([line for line in said if "did not reach 127.0.0.1" in line]) == 1
