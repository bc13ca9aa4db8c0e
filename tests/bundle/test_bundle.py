"""Bundles: whole or absent, the same bytes twice, and no file missing, changed, extra or outside."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.errors import BundleError

CREATED = "2026-11-24T08:00:00Z"


def write(folder: Path, *, created: str = CREATED, **facts: Any) -> Bundle:
    model = folder / "model"
    (model / "deep").mkdir(parents=True, exist_ok=True)
    (model / "weights.bin").write_bytes(bytes(range(256)) * 10)
    (model / "deep" / "词表.txt").write_text("好\n坏\n", encoding="utf-8")
    given: dict[str, Any] = {"name": "评论", "kind": "linear", "labels": ("坏", "好"), **facts}
    return write_bundle(folder / "bundle", model_folder=model, created=created, **given)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write(tmp_path, scores={"accuracy": {"value": 0.85}}, verdicts=[{"challenger": "a", "outcome": "not_worse"}])


def test_a_bundle_says_what_it_is(bundle: Bundle) -> None:
    again = Bundle.open(str(bundle.path))
    assert again.manifest == bundle.manifest
    assert (again.name, again.kind, again.labels) == ("评论", "linear", ("坏", "好"))
    assert [entry.path for entry in again.manifest.files] == ["README.md", "model/deep/词表.txt", "model/weights.bin"]
    assert (
        again.bytes
        == sum(path.stat().st_size for path in again.path.rglob("*") if path.is_file())
        - (again.path / "manifest.json").stat().st_size
    )
    assert (again.model_folder / "weights.bin").stat().st_size == 2560
    card = (again.path / "README.md").read_text(encoding="utf-8")
    assert "# 评论" in card
    assert "a: not worse" in card


def test_the_same_facts_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name) for name in ("one", "two"))
    later = write(tmp_path / "three", created="2027-01-01T00:00:00Z")
    contents = [
        {path.relative_to(each.path): path.read_bytes() for path in each.path.rglob("*") if path.is_file()}
        for each in (first, second, later)
    ]
    assert contents[0] == contents[1]
    assert [path for path in contents[0] if contents[0][path] != contents[2][path]] == [Path("manifest.json")]
    assert first.sha256 == second.sha256 == later.sha256
    assert len(first.sha256) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"fixes": ["html"]},
        {"labels": ["好", "坏"]},
        {"scores": {"accuracy": {"value": 0.99}}},
        {"name": "other"},
        {"text_column": "other"},
        {"kind": "onnx"},
    ],
)
def test_a_changed_manifest_is_another_bundle(bundle: Bundle, change: dict[str, Any]) -> None:
    before = bundle.sha256
    path = bundle.path / "manifest.json"
    facts = json.loads(path.read_bytes()) | change
    path.write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
    assert Bundle.open(bundle.path).sha256 != before


def test_other_files_give_another_hash(tmp_path: Path) -> None:
    first = write(tmp_path)
    (tmp_path / "model" / "more.bin").write_bytes(b"1")
    second = write_bundle(
        tmp_path / "bundle", model_folder=tmp_path / "model", name="评论", created=CREATED, kind="linear", labels=("a",)
    )
    assert first.sha256 != second.sha256
    assert Bundle.open(first.path).labels == ("a",)  # the old one was replaced


def _manifest(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    facts = json.loads(path.read_text(encoding="utf-8"))
    change(facts)
    path.write_text(json.dumps(facts), encoding="utf-8")


def _file(index: int, **fields: Any) -> Callable[[dict[str, Any]], object]:
    return lambda facts: facts["files"][index].update(fields)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda b: (b / "model/weights.bin").unlink(), "lacks the file 'model/weights.bin'"),
    "changed": (
        lambda b: (b / "model/weights.bin").write_bytes(b"x" * 2560),
        "'model/weights.bin' of the bundle .* was changed",
    ),
    "cut": (lambda b: (b / "model/weights.bin").write_bytes(b"x"), "must have 2560 bytes but has 1"),
    "extra": (lambda b: (b / "model/evil.py").write_bytes(b""), "has the extra file 'model/evil.py'"),
    "card": (lambda b: (b / "README.md").write_bytes(b"# other\n"), "'README.md'"),
    "link": (
        lambda b: ((b / "model/weights.bin").unlink(), (b / "model/weights.bin").symlink_to("/etc/hostname")),
        "'model/weights.bin' in .* is a link",
    ),
    "linked folder": (lambda b: (b / "model/more").symlink_to("/etc"), "'model/more' in .* is a link"),
    "pipe": (lambda b: os.mkfifo(b / "model/pipe"), "'model/pipe' in .* is a link or a device"),
    "no manifest": (lambda b: (b / "manifest.json").unlink(), "must hold a manifest.json but has none"),
    "linked manifest": (
        lambda b: ((b / "manifest.json").rename(b.parent / "m"), (b / "manifest.json").symlink_to(b.parent / "m")),
        "must hold a manifest.json",
    ),
    "not JSON": (lambda b: (b / "manifest.json").write_text("{"), "must be JSON in UTF-8"),
    "not UTF-8": (lambda b: (b / "manifest.json").write_bytes(b'{"name": "\xff"}'), "must be JSON in UTF-8"),
    "too deep": (lambda b: (b / "manifest.json").write_text("[" * 200_000), "must be JSON in UTF-8"),
    "too big": (lambda b: (b / "manifest.json").write_text(" " * 17_000_000), "at most 16777216 bytes"),
    "a list": (lambda b: (b / "manifest.json").write_text("[]"), "must have format 1 but has None"),
    "newer": (lambda b: _manifest(b / "manifest.json", lambda m: m.update(format=2)), "must have format 1 but has 2"),
    "boolean": (lambda b: _manifest(b / "manifest.json", lambda m: m.update(format=True)), "must have format 1 but"),
    "no labels": (lambda b: _manifest(b / "manifest.json", lambda m: m.pop("labels")), "not usable at 'labels'"),
    "strange key": (lambda b: _manifest(b / "manifest.json", lambda m: m.update(run="rm")), "not usable at 'run'"),
    "half a pair": (lambda b: _manifest(b / "manifest.json", lambda m: m.update(name="\ud800")), "not usable"),
    "twice": (lambda b: _manifest(b / "manifest.json", lambda m: m["files"].append(m["files"][0])), "a file twice"),
    **{
        f"path {path!r}": (
            lambda b, path=path: _manifest(b / "manifest.json", _file(2, path=path)),
            "leaves the bundle",
        )
        for path in (
            "../out",
            "/etc/passwd",
            "model/../../out",
            "model//weights.bin",
            "./x",
            "",
            "a\\b",
            "C:/x",
            "a\0",
            "..",
            "manifest.json",
        )
    },
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_bundle_is_refused(bundle: Bundle, case: str) -> None:
    damage, message = DAMAGE[case]
    damage(bundle.path)
    with pytest.raises(BundleError, match=message) as caught:
        Bundle.open(bundle.path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="must be a folder but there is none"):
        Bundle.open(tmp_path / "none")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BundleError, match="must be a folder"):
        Bundle.open(tmp_path / "file")


def test_a_link_to_a_whole_bundle_is_fine(bundle: Bundle) -> None:
    latest = bundle.path.parent / "latest"
    latest.symlink_to(bundle.path)
    assert Bundle.open(latest).sha256 == bundle.sha256


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"scores": {"accuracy": float("nan")}}, "must be finite JSON values"),
        ({"model": {"folder": Path("x")}}, "must be finite JSON values"),
        ({"name": "\ud800"}, "must be finite JSON values"),
    ],
)
def test_facts_that_are_not_json_are_refused_and_nothing_is_written(
    tmp_path: Path, facts: dict[str, Any], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        write(tmp_path, **facts)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("case", ["none", "empty", "link"])
def test_an_unusable_model_folder_leaves_the_old_bundle(bundle: Bundle, tmp_path: Path, case: str) -> None:
    folder = tmp_path / "other"
    if case != "none":
        folder.mkdir()
    if case == "link":
        (folder / "weights.bin").symlink_to(bundle.path / "model/weights.bin")
    with pytest.raises(BundleError, match=r"model folder|regular files"):
        write_bundle(bundle.path, model_folder=folder, name="x", created=CREATED, kind="onnx", labels=("a", "b"))
    assert Bundle.open(bundle.path) == replace(bundle, path=bundle.path)
    assert sorted(path.name for path in tmp_path.iterdir() if path != folder) == ["bundle", "model"]


BEFORE = {
    "format": 1,
    "name": "评论",
    "created": "2026-11-24T08:00:00Z",
    "ratchet": "0.1.0",
    "task": "classification",
    "kind": "linear",
    "labels": ["坏", "好"],
    "language": "mixed",
    "text_column": "评论",
    "license": "",
    "model": {},
    "data_version": "",
    "recipe": "",
    "verdicts": [],
    "scores": {},
    "environment": {},
    "files": [
        {
            "path": "model/weights.bin",
            "bytes": 3,
            "sha256": "a665a45920422f9d417e4867efdc4fb8a04a1f3fff1fa07e998e86f7f7a27ae3",
        }
    ],
}
"""The manifest of a bundle from before rows had several texts or features."""


def before(folder: Path, **more: Any) -> Bundle:
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "weights.bin").write_bytes(b"123")
    (folder / "manifest.json").write_text(json.dumps(BEFORE | more), encoding="utf-8")
    return Bundle.open(folder)


def test_a_bundle_from_before_is_the_same_bundle(tmp_path: Path) -> None:
    old = before(tmp_path / "old")
    assert (old.manifest.text_columns, old.manifest.features) == ((), {})
    assert old.sha256 == "1e4dfd7bc75110944d0e723afcea12a33d520984ecb9dd76f21a0887d7c9c22c"
    assert before(tmp_path / "empty", text_columns=[], features={}).sha256 == old.sha256


def test_several_texts_and_features_are_of_the_identity(tmp_path: Path) -> None:
    made = [
        before(tmp_path / str(number), **more).sha256
        for number, more in enumerate(
            [
                {},
                {"text_columns": ["a", "b"]},
                {"text_columns": ["b", "a"]},
                {"features": {"price": "number"}},
                {"features": {"price": "category"}},
            ]
        )
    ]
    assert len(set(made)) == 5


def test_what_is_not_there_is_not_written(tmp_path: Path, bundle: Bundle) -> None:
    plain = json.loads((bundle.path / "manifest.json").read_bytes())
    assert not {"text_columns", "features"} & plain.keys()  # an older version opens it
    made = write_bundle(
        tmp_path / "more",
        model_folder=bundle.model_folder,
        name="more",
        created="",
        kind="linear",
        labels=("a", "b"),
        text_columns=("title", "body"),
        features={"price": "number", "shop": "category"},
    )
    assert made.manifest.text_columns == ("title", "body")
    assert dict(made.manifest.features) == {"price": "number", "shop": "category"}
