"""A check-up: what ran and for how long, and how a check that broke is told to a CI server."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from ratchet.check_report.junit import junit
from ratchet.check_report.sarif import sarif
from ratchet.checks import registry
from ratchet.checks.registry import CHECKS, Check
from ratchet.checkup.checkup import check_up
from ratchet.checkup.target import Target, open_target
from ratchet.errors import RatchetError


@pytest.fixture
def target(tmp_path: Path) -> Target:
    path = tmp_path / "t.csv"
    texts = [f"评论{i % 20}号房间" for i in range(40)]
    path.write_text("text,label\n" + "".join(f"{t},{'ab'[i % 2]}\n" for i, t in enumerate(texts)), encoding="utf-8")
    return open_target(path)


def test_steps_and_counts(target: Target) -> None:
    heard: list[tuple[str, int, int]] = []
    found = check_up(target, cost="pairs", progress=lambda *one: heard.append(one))
    skipped = {step.check.id for step in found.steps if step.skipped}
    assert skipped == {check.id for check in CHECKS if check.cost == "model"}
    assert len(heard) == len(found.steps) - len(skipped)
    assert 0 < sum(step.seconds for step in found.steps) <= found.seconds
    assert found.counts["error"] >= 1
    assert found.fails("error")
    assert found.fails("note")
    given = [finding for step in found.steps for finding in found.of(step.check)]
    assert sorted(map(id, given)) == sorted(map(id, found.findings))  # every finding belongs to one check


def test_only_names_checks_and_findings(target: Target) -> None:
    found = check_up(target, only=["duplicates.exact"])
    assert [finding.id for finding in found.findings] == ["duplicates.exact"]
    assert [step.check.id for step in found.steps if not step.skipped] == ["duplicates"]
    assert not check_up(target, only=["balance.imbalance"]).fails("note")
    with pytest.raises(RatchetError, match=r"Did you mean 'labels\.noise'\?"):
        check_up(target, only=["labels.noize"])


def test_a_check_that_broke_is_an_error_of_its_case(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(context: object) -> Iterator[registry.Finding]:
        raise RatchetError("It broke \x00 in the middle.")
        yield  # makes it a generator

    bad = Check(id="broken", title="Broken", cost="cheap", gives=("broken.thing",), run=broken)
    monkeypatch.setattr(registry, "CHECKS", (bad,))
    found = check_up(target)
    root = ET.fromstring(junit(found, least="error"))
    (case,) = root[0]
    error = case.find("error")
    assert root.get("errors") == "1"
    assert case.find("failure") is None
    assert error is not None
    assert r"It broke \u0000 in" in error.get("message", "")
    (result,) = sarif(found)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 1}
