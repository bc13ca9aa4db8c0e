"""Every reader, fed damaged files in bounded memory: it reads them or says in one line why not."""

from __future__ import annotations

import gzip
import io
import json
import resource
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratchet.compare.files import compare_files
from ratchet.compare.question import Question
from ratchet.errors import RatchetError
from ratchet.recipe.yaml import read_yaml
from ratchet.tables.read import read_table

pytestmark = pytest.mark.slow
MEMORY = 3 << 30
ROWS = [{"text": f'第 {i} 行 row, "{i}"', "label": "ab"[i % 2], "n": i, "prediction": "a"} for i in range(40)]
TABLE = pa.Table.from_pylist(ROWS)


def _csv(mark: str) -> bytes:
    head = mark.join(ROWS[0])
    return "\n".join([head, *(f'"第 {i} 行""{mark}"{mark}{"ab"[i % 2]}{mark}{i}{mark}a' for i in range(40))]).encode()


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(TABLE, sink, row_group_size=16)
    return sink.getvalue()


def _arrow(file: bool) -> bytes:
    sink = io.BytesIO()
    new = pa.ipc.new_file if file else pa.ipc.new_stream
    with new(sink, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=10)
    return sink.getvalue()


def _xlsx(method: int) -> bytes:
    sink = io.BytesIO()
    cells = "".join(
        f'<row r="{i}"><c r="A{i}" t="s"><v>{i % 3}</v></c><c r="B{i}" t="str"><v>b</v></c><c r="C{i}" s="1"><v>4{i}.5</v>'
        "</c></row>"
        for i in range(1, 40)
    )
    relation = '<Relationship Id="{0}" Type="x/{1}" Target="{2}"/>'
    parts = {
        "_rels/.rels": f"<Relationships>{relation.format('r', 'officeDocument', 'xl/workbook.xml')}</Relationships>",
        "xl/workbook.xml": '<workbook><sheets><sheet name="One" id="s"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": "<Relationships>"
        + relation.format("s", "worksheet", "s.xml")
        + relation.format("t", "sharedStrings", "t.xml")
        + relation.format("u", "styles", "u.xml")
        + "</Relationships>",
        "xl/s.xml": f"<worksheet><sheetData>{cells}</sheetData></worksheet>",
        "xl/t.xml": "<sst><si><t>好</t></si><si><t>text</t></si><si><r><t>a</t></r></si></sst>",
        "xl/u.xml": '<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
    }
    with zipfile.ZipFile(sink, "w", method) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return sink.getvalue()


SOUND = {
    "a.csv": _csv(","),
    "b.csv": _csv(";"),
    "a.tsv": _csv("\t"),
    "a.txt": _csv("|"),
    "gbk.csv": _csv(",").decode().encode("gb18030"),
    "wide.csv": _csv(",").decode().encode("utf-16"),
    "a.csv.gz": gzip.compress(_csv(","), mtime=0),
    "a.jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS).encode(),
    "a.json": json.dumps({"data": ROWS, "n": [1, {"a": None}]}, ensure_ascii=False).encode(),
    "a.parquet": _parquet(),
    "file.arrow": _arrow(True),
    "stream.arrow": _arrow(False),
    "stored.xlsx": _xlsx(zipfile.ZIP_STORED),
    "packed.xlsx": _xlsx(zipfile.ZIP_DEFLATED),
}
WORDS = (
    '"',
    ",",
    "{",
    "]",
    "null",
    "1e999",
    "<c>",
    '<c r="ZZZZ1">',
    "</row>",
    "<!DOCTYPE a>",
    "&a;",
    "sep=;",
    r"\ud800",
)
CODES = ([0], [9], [10], [13], [255], [254, 255])
PIECES = st.sampled_from([*map(str.encode, WORDS), *map(bytes, CODES), b"[" * 2_000, b"9" * 6_000])


@st.composite
def damage(draw: st.DrawFn, sound: bytes) -> bytes:
    """A sound file with a few bytes changed, cut, doubled or put in."""
    data = bytearray(sound)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from(["byte", "cut", "drop", "double", "piece", "number"]))
        if kind == "byte":
            data[place : place + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == "cut":
            del data[place:]
        elif kind == "drop":
            del data[place : place + draw(st.integers(1, 40))]
        elif kind == "double":
            data[place:place] = data[place : place + draw(st.integers(1, 200))] * draw(st.integers(1, 4))
        elif kind == "number":
            data[place : place + 4] = draw(st.integers(0, 2**32 - 1)).to_bytes(4, "little")
        else:
            data[place:place] = draw(PIECES)
    return bytes(data)


def one_line(error: RatchetError) -> None:
    """Fails unless the error is one line of a length that people read."""
    assert "\n" not in str(error)
    assert len(str(error)) < 2_000, str(error)[:300]


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    """At most 3 GiB more than now: what wants more gets a MemoryError instead of the machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def tried(path: Path) -> bool:
    """Whether it was read; anything but a table or one line fails the test."""
    try:
        found = read_table(path, name=path.name)
    except RatchetError as error:
        one_line(error)
        return False
    assert found.table.num_rows
    assert all(str(kind) == "string" for kind in found.table.schema.types)
    found.table.validate(full=True)
    return True


@pytest.mark.parametrize("name", SOUND)
def test_damaged_tables(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(SOUND[name])
    assert tried(tmp_path / name)

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @given(damage(SOUND[name]))
    def each(data: bytes) -> None:
        (tmp_path / name).write_bytes(data)
        tried(tmp_path / name)

    each()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(set(SOUND) - {"a.csv"})), st.data())
def test_any_content_under_any_name(tmp_path: Path, name: str, data: st.DataObject) -> None:
    other = data.draw(st.sampled_from(sorted(SOUND)))
    (tmp_path / name).write_bytes(data.draw(damage(SOUND[other])))
    tried(tmp_path / name)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damaged_folders(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "set"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    state = json.dumps({"_data_files": [{"filename": "data.arrow"}]}).encode()
    info = json.dumps({"features": {"label": {"names": ["a", "b"], "_type": "ClassLabel"}}}).encode()
    readme = b"---\nconfigs:\n- config_name: one\n  data_files:\n  - split: train\n    path: a.csv\n---\n"
    files = {"state.json": state, "dataset_info.json": info, "data.arrow": _arrow(False), "README.md": readme}
    files["a.csv"] = SOUND["a.csv"]
    damaged = data.draw(st.sampled_from(sorted(files)))
    for name in data.draw(st.lists(st.sampled_from(sorted(files)), unique=True, min_size=1)):
        (folder / name).write_bytes(data.draw(damage(files[name])) if name == damaged else files[name])
    tried(folder)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["a.csv", "a.jsonl", "a.parquet", "packed.xlsx"]), st.data())
def test_damaged_predictions(tmp_path: Path, name: str, data: st.DataObject) -> None:
    (tmp_path / f"one.{name}").write_bytes(SOUND[name])
    (tmp_path / f"two.{name}").write_bytes(data.draw(damage(SOUND[name])))
    try:
        compare_files(str(tmp_path / f"one.{name}"), str(tmp_path / f"two.{name}"), Question(metrics=("accuracy",)))
    except RatchetError as error:
        one_line(error)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(damage(b"name: a\ndata: {files: [a.csv], text: text}\nx: &a [1, 2, *a]\nsplit:\n  test: 0.15\n"))
def test_damaged_recipes(data: bytes) -> None:
    try:
        read_yaml(data.decode("utf-8", "replace"), name="a recipe")
    except RatchetError as error:
        one_line(error)
