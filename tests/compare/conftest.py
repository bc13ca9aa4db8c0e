from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., str]


@pytest.fixture
def table(tmp_path: Path) -> Write:
    """Writes a CSV of rows that are mappings, and returns its path."""

    def write(name: str, rows: Sequence[Mapping[str, object]]) -> str:
        path = tmp_path / name
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([[*rows[0]], *(row.values() for row in rows)])
        return str(path)

    return write


@pytest.fixture
def lm_eval(tmp_path: Path) -> Write:
    """Writes samples of lm-evaluation-harness: texts, references, answers and a score of each."""

    def write(name: str, rows: Sequence[tuple[str, str, str, float]]) -> str:
        samples = [
            {
                "doc_id": n,
                "doc": {"question": asked},
                "target": target,
                "arguments": [[asked, {}]],
                "resps": [[said]],
                "filtered_resps": [said],
                "filter": "none",
                "metrics": ["acc"],
                "acc": score,
            }
            for n, (asked, target, said, score) in enumerate(rows)
        ]
        path = tmp_path / name
        path.write_text("".join(json.dumps(sample) + "\n" for sample in samples), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def inspect(tmp_path: Path) -> Write:
    """Writes a log of Inspect: texts, references, and the answers of each epoch; C where they are equal."""

    def write(name: str, rows: Sequence[tuple[str, str, Sequence[str]]]) -> str:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as package:
            package.writestr("header.json", json.dumps({"version": 2, "status": "success", "eval": {"model": "m"}}))
            for n, (asked, target, answers) in enumerate(rows):
                for epoch, said in enumerate(answers, 1):
                    sample = {
                        "id": n,
                        "epoch": epoch,
                        "input": asked,
                        "target": target,
                        "output": {"completion": said},
                        "scores": {"match": {"value": "C" if said == target else "I"}},
                    }
                    package.writestr(f"samples/{n}_epoch_{epoch}.json", json.dumps(sample))
        return str(path)

    return write


@pytest.fixture
def promptfoo(tmp_path: Path) -> Write:
    """Writes results of promptfoo: texts and answers, no references."""

    def write(name: str, rows: Sequence[tuple[str, str]]) -> str:
        results: list[dict[str, Any]] = [
            {
                "promptIdx": 0,
                "testIdx": n,
                "provider": {"id": "p"},
                "prompt": {"raw": asked, "label": "p"},
                "vars": {"question": asked},
                "response": {"output": said},
                "cost": 0.002,
            }
            for n, (asked, said) in enumerate(rows)
        ]
        path = tmp_path / name
        path.write_text(json.dumps({"results": {"results": results, "stats": {}, "prompts": []}}), encoding="utf-8")
        return str(path)

    return write
