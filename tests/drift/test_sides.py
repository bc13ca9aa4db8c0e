"""What a diff compares: versions and files, in the roles of the recipe or guessed ones."""

from pathlib import Path

import pytest

from ratchet.drift.sides import open_sides
from ratchet.errors import DataError
from ratchet.versions.log import record, tag
from ratchet.workspace.workspace import Workspace

ROWS = "".join(f"这是第{i}条评论,{'好' if i % 2 else '差'}\n" for i in range(30))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda handle: None)
    return Workspace(".ratchet")


def write(name: str, text: str, *, encoding: str = "utf-8") -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding=encoding)
    return name


def test_a_version_and_a_file(place: Workspace) -> None:
    write("r.csv", "内容,标签\n" + ROWS, encoding="gb18030")
    version = record(["r.csv"], workspace=place)
    tag("初版", version, workspace=place)
    write("r.csv", "内容,标签\n新的一行评论,好\n", encoding="gb18030")
    sides = open_sides("初版", "r.csv", workspace=place)
    assert sides.names == ("初版", "r.csv")
    assert (len(sides.a), len(sides.b), sides.test) == (30, 1, None)
    assert (sides.a.roles.text, sides.a.roles.label) == ("内容", "标签")
    assert sides.guess is not None
    assert sides.a.files == ("r.csv",)
    assert open_sides(version.id[:6], "latest", workspace=place).names == (version.id[:6], f"latest ({version.id[:8]})")


def test_several_files_a_folder_and_the_test_part(place: Workspace) -> None:
    write("d/a.csv", "text,label\n" + ROWS)
    write("d/b.csv", "text,label\n" + ROWS)
    write("more.csv", "text,label\nx,好\n")
    write("t.csv", "text,label\ny,差\n")
    record(["d", "more.csv"], test_sources=["t.csv"], workspace=place, message="1")
    first = open_sides("latest", "more.csv", workspace=place)
    assert (len(first.a), len(first.b)) == (61, 1)
    assert first.test is not None
    assert first.test.texts == ["y"]
    old = record(["d", "more.csv"], test_sources=["t.csv"], workspace=place)
    write("t.csv", "text,label\nz,差\n")
    record(["d", "more.csv"], test_sources=["t.csv"], workspace=place)
    both = open_sides(old.id, "latest", workspace=place)
    assert "cannot be compared" in both.notes[0]
    assert both.test is not None
    assert both.test.texts == ["z"]


def test_the_roles_of_the_recipe_where_they_fit(place: Workspace) -> None:
    write("ratchet.yaml", "data: {text: body, label: kind, missing: [无]}\n")
    write("a.csv", "body,kind,text\n" + "很长的一段评论,无,x\n" * 3)
    write("b.csv", "text,label\n" + ROWS)
    fits = open_sides("a.csv", "a.csv", workspace=place)
    assert fits.guess is None
    assert (fits.a.roles.text, fits.a.roles.label) == ("body", "kind")
    assert fits.a.table.column("kind").null_count == 0, "a class may be called 无"
    write("ratchet.yaml", "data: {text: body, label: kind, no_label: [无]}\n")
    assert open_sides("a.csv", "a.csv", workspace=place).a.table.column("kind").null_count == 3
    assert open_sides("b.csv", "b.csv", workspace=place).a.roles.text == "text"
    assert open_sides("a.csv", "a.csv", workspace=place, given={"text": "text"}).a.roles.text == "text"


def test_an_encoding_that_must_be_named(place: Workspace) -> None:
    write("a.csv", "text,label\nun café très bon,p\nune journée à oublier,n\n", encoding="latin-1")
    with pytest.raises(DataError, match="UTF-8"):
        open_sides("a.csv", "a.csv", workspace=place)
    assert "café" in open_sides("a.csv", "a.csv", workspace=place, encoding="latin-1").a.texts[0]


def test_standard_input(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.csv", "text,label\n" + ROWS)
    record(["a.csv"], workspace=place)
    monkeypatch.setattr("ratchet.tables.read.stdin_bytes", lambda: b"text,label\nfrom a pipe,p\n")
    assert open_sides("latest", "-", workspace=place).b.texts == ["from a pipe"]


@pytest.mark.parametrize(
    ("name", "recorded", "problem"),
    [
        ("nothing.csv", True, "does not exist"),
        ("nothing", True, "must be a tag"),
        ("nothing", False, "has no version yet"),
        ("nothing.csv", False, "nothing.csv does not exist"),
    ],
)
def test_what_is_neither_a_version_nor_a_file(place: Workspace, name: str, recorded: bool, problem: str) -> None:
    write("a.csv", "text,label\n" + ROWS)
    if recorded:
        record(["a.csv"], workspace=place)
    with pytest.raises(DataError, match=problem):
        open_sides("a.csv", name, workspace=place)


def test_classes_that_are_called_none_stay(place: Workspace) -> None:
    for name in ("a.csv", "b.csv"):
        write(name, "text,label\n" + "很好的一段评论,none\n很差的一段评论,spam\n" * 5)
    sides = open_sides("a.csv", "b.csv", workspace=place)
    assert set(sides.a.labels) == set(sides.b.labels) == {"none", "spam"}
