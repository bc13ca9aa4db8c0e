"""Other guards that run without a network and without a model from a hub, each as a function from a text to a score.

    pip install --no-deps --target OTHERS llm-guard==0.3.16 cisco-ai-mcp-scanner==4.8.7 yara-python==4.5.4 \\
        agentbastion==0.14.0 ai-injection-guard==0.3.0

llm-guard's scanner of injections needs a model from the hub; what it has offline for our question is its scanner of invisible
text.
"""

from __future__ import annotations

import logging
import sys
import types
from collections.abc import Callable
from pathlib import Path

Score = Callable[[str], float]


def others(folder: Path) -> dict[str, Score]:
    """Those of them that are installed in the folder."""
    sys.path.append(str(folder))
    logging.disable(logging.INFO)
    found: dict[str, Score] = {}
    for name, make in _MAKERS.items():
        try:
            found[name] = make(folder)
        except ImportError as missing:
            print(f"without {name}: {missing}", file=sys.stderr)
    return found


def _yara(folder: Path) -> Score:
    import yara

    paths = sorted((folder / "mcpscanner/data/yara_rules").glob("*.yara"))
    rules = yara.compile(filepaths={path.stem: str(path) for path in paths})
    return lambda text: float(len(rules.match(data=text.encode("utf-8", "replace"))))


def _prompt_shield(_: Path) -> Score:
    from prompt_shield import PromptScanner

    scanner = PromptScanner()
    return lambda text: float(scanner.scan(text).risk_score)


def _bastion(_: Path) -> Score:
    from agentbastion.inbound import InboundGuard

    guard = InboundGuard()
    return lambda text: float(not guard.scan(text).clean)


def _invisible(folder: Path) -> Score:
    """llm-guard's scanner by itself: its package wants torch, presidio and more before it can be imported."""
    for name in ("llm_guard", "llm_guard.input_scanners"):
        package = types.ModuleType(name)
        package.__path__ = [str(folder / name.replace(".", "/"))]
        sys.modules[name] = package
    util = types.ModuleType("llm_guard.util")
    util.get_logger = lambda *_: types.SimpleNamespace(warning=lambda *_a, **_k: None, debug=lambda *_a, **_k: None)
    sys.modules["llm_guard.util"] = util
    from llm_guard.input_scanners.invisible_text import InvisibleText

    scanner = InvisibleText()
    return lambda text: float(scanner.scan(text)[2])


_MAKERS: dict[str, Callable[[Path], Score]] = {
    "YARA rules of cisco-ai-mcp-scanner": _yara,
    "ai-injection-guard": _prompt_shield,
    "agentbastion (rules)": _bastion,
    "llm-guard InvisibleText": _invisible,
}
