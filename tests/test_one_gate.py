"""Only gate/verdict.py makes a Verdict, and only gate/ledger.py records one or says who the champion is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ratchet

SOURCE = Path(ratchet.__file__).parent
KINDS = {"challenge", "champion-root", "round"}


def breaches(tree: ast.AST, name: str) -> list[str]:
    """What in the file goes round the gate."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="Verdict" | "Round") | ast.Attribute(attr="Verdict" | "Round")) if (
                name != "gate/verdict.py"
            ):
                found.append(f"line {node.lineno} builds a Verdict")
            case ast.ClassDef(bases=[*bases]) if any(
                "Verdict" in ast.dump(base) or "'Round'" in ast.dump(base) for base in bases
            ):
                found.append(f"line {node.lineno} derives a class from Verdict")
            case ast.Call(func=ast.Attribute(attr="__new__" | "__setattr__")) if "Verdict" in ast.dump(node):
                found.append(f"line {node.lineno} builds a Verdict")
            case ast.Call(
                func=ast.Name(id="replace") | ast.Attribute(attr="replace"), args=[ast.Name(id="verdict"), *_]
            ):
                found.append(f"line {node.lineno} changes a Verdict")
            case ast.ImportFrom(names=names) | ast.Import(names=names) if name != "gate/verdict.py":
                found += [f"line {node.lineno} imports the seal" for alias in names if alias.name == "_SEAL"]
            case ast.Attribute(attr="_SEAL" | "_chain" | "_replay" | "_admit") if name not in (
                "gate/verdict.py",
                "gate/ledger.py",
            ):
                found.append(f"line {node.lineno} reaches into the gate")
            case ast.Call(func=ast.Attribute(attr="append" | "note"), args=[ast.Constant(value=str(kind)), *_]) if (
                kind in KINDS and name != "gate/ledger.py"
            ):
                found.append(f"line {node.lineno} records a {kind}")
    if name not in ("gate/ledger.py", "gate/hash_chain.py", "gate/legacy.py") and "ratchet.gate.hash_chain" in imported(
        tree
    ):
        found.append("imports ratchet.gate.hash_chain")
    return found


def imported(tree: ast.AST) -> set[str]:
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            modules |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    return modules


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_goes_round_the_gate(path: Path) -> None:
    name = path.name if path.parent == SOURCE else str(path.relative_to(SOURCE))
    assert breaches(ast.parse(path.read_bytes()), name) == []


@pytest.mark.parametrize(
    "code",
    [
        "Verdict(challenger='b')",
        "verdict.Verdict(challenger='b')",
        "Round(winner='b')",
        "ledger.append('round', {})",
        "class Mine(Verdict): pass",
        "object.__new__(Verdict)",
        "dataclasses.replace(verdict, promotes=True)",
        "from ratchet.gate.verdict import _SEAL",
        "ratchet.gate.verdict._SEAL",
        "from ratchet.gate.hash_chain import Chain",
        "from ratchet.gate import hash_chain",
        "import ratchet.gate.hash_chain",
        "ledger._chain.append('x', {})",
        "ledger.append('challenge', {})",
        "ledger.note('champion-root', {})",
    ],
)
def test_the_gate_sees_each_way_round(code: str) -> None:
    assert breaches(ast.parse(code), "pipeline.py")
