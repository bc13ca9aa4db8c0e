from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from ratchet.errors import RatchetError
from ratchet.gateway import accounts
from ratchet.gateway.accounts import OTHER, Accounts, Used
from ratchet.recipe.endpoint import EndpointPrice


def _used(client: str = "k1", model: str = "m", status: int = 200, code: str = "", **more: object) -> Used:
    facts = {"prompt_tokens": 10, "completion_tokens": 5, "milliseconds": 1.0, "time": 0.0, "request": "r"}
    return Used(client=client, model=model, status=status, code=code, **(facts | more))  # type: ignore[arg-type]


def test_sums_by_key_and_model() -> None:
    found = Accounts(prices={"m": EndpointPrice(input=100_000, output=200_000)})
    for used in (_used(), _used(estimated=True), _used(code="backend_timeout"), _used("k2"), _used(model="n")):
        found.add(used)
    first, second, third = found.rows
    assert (first.requests, first.errors, first.estimated) == (3, 1, 1)
    assert (first.prompt_tokens, first.completion_tokens, first.cost) == (30, 15, 6.0)
    assert (second.client, second.requests) == ("k2", 1)
    assert (third.model, third.cost) == ("n", 0.0)


def test_invented_models_share_a_row() -> None:
    found = Accounts(prices={})
    for number in range(100):
        found.add(_used(model=f"invented-{number}", status=404))
    assert [(row.model, row.requests, row.errors) for row in found.rows] == [(OTHER, 100, 100)]


def test_the_rows_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "MOST", 10)
    found = Accounts(prices={})
    for number in range(100):
        found.add(_used(f"k{number}"))
    assert len(found.rows) == 11
    assert sum(row.requests for row in found.rows) == 100
    assert found.rows[-1].client == OTHER


def test_a_line_for_each_request(tmp_path: Path) -> None:
    file = tmp_path / "usage.jsonl"
    file.write_text('{"before": 1}\n')
    found = Accounts(prices={"m": EndpointPrice(input=1e5)}, file=file)
    found.add(_used(guard="passed"))
    found.close()
    before, line = (json.loads(line) for line in file.read_text().splitlines())
    assert before == {"before": 1}
    assert (line["client"], line["model"], line["cost"], line["guard"]) == ("k1", "m", 1.0, "passed")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the file that is always full is of Linux")
def test_a_full_disk_loses_lines_and_no_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    found = Accounts(prices={}, file=Path("/dev/full"))
    found.add(_used())
    found.add(_used())
    found.close()
    assert (found.lost, found.rows[0].requests) == (2, 2)
    assert len(caplog.records) == 1


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RatchetError, match="must be writable"):
        Accounts(prices={}, file=tmp_path)
