"""Back-translation: through models, programs and endpoints; what is kept, what is dropped, and when it is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.augment.conftest import train_marian
from tests.endpoint.conftest import Server, Stage

from ratchet.augment.augmenter import Making
from ratchet.augment.kept import FILE
from ratchet.augment.source import Source
from ratchet.augment.translate import Translate
from ratchet.augment.translator_command import CommandTranslator
from ratchet.augment.translator_model import ModelTranslator, drawn
from ratchet.endpoint.cache import Cache
from ratchet.endpoint.key import EndpointError
from ratchet.endpoint.purse import Purse
from ratchet.errors import RatchetError
from ratchet.models.checkpoints import TRANSLATOR, locate
from ratchet.recipe.augment import TranslateSpec
from ratchet.text.joined import SEPARATOR

Rows = Callable[..., Source]
ENGLISH = [
    f"the {noun} was {mood}" for noun in ("room", "hotel", "food", "bed") for mood in ("clean", "dirty", "tidy", "bad")
]
MEANING = {"tidy": "clean", "filthy": "dirty", "poor": "bad", "fine": "good"}
LANGUAGES = ("English", "Chinese")


def by_models(translators: tuple[Path, Path], **keys: object) -> TranslateSpec:
    forward, backward = map(str, translators)
    return TranslateSpec.model_validate({"forward": forward, "backward": backward, "languages": LANGUAGES, **keys})


def meaning(text: str) -> str:
    return " ".join(MEANING.get(word, word) for word in text.split())


def test_texts_come_back_in_other_words_with_the_same_meaning(translators: tuple[Path, Path], source: Rows) -> None:
    made = Translate().drafts(
        by_models(translators, temperature=1.0, copies=3), source(ENGLISH), Making(seed=1, threads=1)
    )
    pairs = [(text, ENGLISH[parent]) for text, parent in zip(made.texts, made.parent.tolist(), strict=True) if text]
    assert len(pairs) > 0.8 * 3 * len(ENGLISH)
    assert sum(meaning(new) == meaning(old) for new, old in pairs) > 0.8 * len(pairs)
    assert sum(new != old for new, old in pairs) > 0.2 * len(pairs)
    assert str(translators[0]) in str(made.facts["model"])


def test_without_drawing_the_same_comes_back_whatever_the_seed(translators: tuple[Path, Path], source: Rows) -> None:
    spec = by_models(translators, temperature=0, beams=2)
    first = Translate().drafts(spec, source(ENGLISH), Making(seed=1, threads=1))
    second = Translate().drafts(spec, source(ENGLISH), Making(seed=2, threads=1))
    assert first.texts == second.texts
    drawn = [
        Translate().drafts(by_models(translators, temperature=1.5), source(ENGLISH), Making(seed=seed, threads=1))
        for seed in (1, 1, 2)
    ]
    assert drawn[0].texts == drawn[1].texts != drawn[2].texts


def test_what_is_drawn_for_a_text_does_not_depend_on_the_others(translators: tuple[Path, Path], source: Rows) -> None:
    spec = by_models(translators, temperature=1.0)
    together = Translate().drafts(spec, source(ENGLISH), Making(seed=3, threads=1))
    alone = Translate().drafts(spec, source(ENGLISH[5:6]), Making(seed=3, threads=1))
    assert alone.texts[0] == together.texts[5]


def test_lines_parts_and_what_has_no_letter_stay_in_place(translators: tuple[Path, Path], source: Rows) -> None:
    text = SEPARATOR.join(["the room was clean\n  12 ☺\nthe bed was dirty", "", "the food was bad"])
    made = Translate().drafts(by_models(translators, temperature=0), source([text, "12"], columns=3), Making(seed=1))
    assert made.texts[0] is not None
    first, second, third = made.texts[0].split(SEPARATOR)
    lines = first.split("\n")
    assert lines[1] == "  12 ☺"
    assert [meaning(line) for line in lines[::2]] == ["the room was clean", "the bed was dirty"]
    assert (second, meaning(third)) == ("", "the food was bad")
    assert made.texts[1] is None
    assert made.failed == {}


def test_a_text_beyond_the_limit_goes_by_sentences_or_is_left(
    translators: tuple[Path, Path], source: Rows, tmp_path: Path
) -> None:
    spec = by_models(translators, temperature=0, max_tokens=9)
    with Cache(tmp_path / "c") as cache:
        by = ModelTranslator(
            source=locate(str(translators[1]), language="zh", wanted=TRANSLATOR),
            spec=spec,
            into="English",
            prefix=None,
            seed=1,
            threads=1,
            cache=cache,
        )
        _, tokenizer = by._model()
        for text in (
            "the room was clean. the bed was dirty! was it? the food was bad",
            "这个房间真干净。这个床很脏！食物很差",
        ):
            groups = by._groups(text, tokenizer, most=9)
            assert len(groups) > 1
            assert max(len(tokenizer.encode(group)) for group in groups) <= 9
            assert "".join(groups).replace(" ", "") == text.replace(" ", "")
            assert by._groups(text, tokenizer, most=64) == [text]
        found = by.translate(["这个房间真干净。这个床真很脏。" * 2], copy=0, advance=lambda *_: None)
        (reply,) = found.values()
        assert reply.text is not None
        assert reply.text.count("the ") >= 2
    endless = " ".join(["the room was clean"] * 6)
    made = Translate().drafts(spec, source([endless, *ENGLISH]), Making(seed=1))
    assert made.texts[0] is None
    assert made.failed == {0: "too_long"}


def test_what_was_translated_is_kept(
    translators: tuple[Path, Path], source: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = by_models(translators)
    some = Translate().drafts(spec, source(ENGLISH[:8]), Making(seed=1, cache=tmp_path))
    worked: list[str] = []
    work = ModelTranslator._work

    def counted(self: ModelTranslator, todo: list[str], *, copy: int) -> Any:
        worked.extend(todo)
        return work(self, todo, copy=copy)

    monkeypatch.setattr(ModelTranslator, "_work", counted)
    every = Translate().drafts(spec, source(ENGLISH[::-1]), Making(seed=1, cache=tmp_path))
    assert [*every.texts][::-1][:8] == [*some.texts]
    assert not {*worked} & {*ENGLISH[:8]}
    monkeypatch.setattr(ModelTranslator, "_model", None)
    again = Translate().drafts(spec, source(ENGLISH), Making(seed=1, cache=tmp_path))
    assert [*again.texts] == [*every.texts][::-1]


def test_pickled_weights_and_other_kinds_are_refused(
    translators: tuple[Path, Path], mask_model: Path, source: Rows, tmp_path: Path
) -> None:
    other = tmp_path / "pickled"
    other.mkdir()
    for path in translators[0].iterdir():
        if path.suffix != ".safetensors":
            (other / path.name).write_bytes(path.read_bytes())
    (other / "pytorch_model.bin").write_bytes(b"\x80\x04N.")
    with pytest.raises(RatchetError, match=r"must hold model\.safetensors"):
        Translate().drafts(by_models((other, translators[1])), source(ENGLISH), Making(seed=1))
    with pytest.raises(RatchetError, match="must be a translator of the Marian kind but its model_type is 'bert'"):
        Translate().drafts(by_models((mask_model, translators[1])), source(ENGLISH), Making(seed=1))


def test_a_translator_that_answers_in_the_wrong_language_is_refused(
    translators: tuple[Path, Path], source: Rows
) -> None:
    back = translators[1]
    with pytest.raises(RatchetError, match=r"forward must translate but 1\d of 16 .* are useless \(.*language"):
        Translate().drafts(by_models((back, back), temperature=0), source(ENGLISH), Making(seed=1))


FAKE = """
    import sys, time
    mode = sys.argv[1]
    for line in sys.stdin:
        line = line.rstrip("\\n")
        if mode == "count":
            open(sys.argv[2].removeprefix("--seen="), "a").write(line + "\\n")
        if mode == "slow":
            time.sleep(60)
        if mode == "fail":
            sys.exit("no such pair")
        if mode == "drop" and "hotel" in line:
            continue
        if mode == "empty" and "room" in line:
            line = ""
        if mode == "loop" and "room" in line:
            line = "la la la la la la"
        if mode == "russian" and "room" in line:
            line = "комната была чистой"
        print(line.replace("was", "is") if mode != "back" else line.replace("the", "this"))
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., list[str]]:
    script = tmp_path / "translate.py"
    script.write_text(textwrap.dedent(FAKE), encoding="utf-8")
    return lambda *mode: [sys.executable, str(script), *mode]


Program = Callable[..., list[str]]


def by_programs(there: list[str], back: list[str], **keys: object) -> TranslateSpec:
    return TranslateSpec.model_validate({"command": there, "command_back": back, **keys})


def test_a_program_translates_line_by_line(program: Program, source: Rows, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    spec = by_programs(program("count", f"--seen={seen}"), program("back"))
    texts = [*ENGLISH, "the room\nwas $(touch x); `ls` | 'a'", "12", ENGLISH[0]]
    made = Translate().drafts(spec, source(texts), Making(seed=1, cache=tmp_path))
    assert made.texts[0] == made.texts[-1] == "this room is clean"
    assert made.texts[len(ENGLISH)] == "this room\nis $(touch x); `ls` | 'a'"
    assert made.texts[-2] is None
    assert sorted(seen.read_text().splitlines()) == sorted([*ENGLISH, "the room", "was $(touch x); `ls` | 'a'"])
    again = Translate().drafts(spec, source(texts), Making(seed=2, cache=tmp_path))
    assert again.texts == made.texts
    assert len(seen.read_text().splitlines()) == len(ENGLISH) + 2


def test_an_empty_line_is_not_kept_and_an_edited_program_is_another_one(
    program: Program, source: Rows, tmp_path: Path
) -> None:
    script = tmp_path / "translate.py"
    bad = by_programs(program("broken"), program("back"))
    whole = script.read_text(encoding="utf-8")
    named = Translate().named_by(bad)
    script.write_text("import os, sys\nfor _ in sys.stdin: print(os.environ.get('SAYS', ''))\n", encoding="utf-8")
    assert Translate().named_by(bad) != named
    with pytest.raises(RatchetError, match="are useless"):
        Translate().drafts(bad, source(ENGLISH), Making(seed=1, cache=tmp_path))
    os.environ["SAYS"] = "the room is well"
    try:
        again = Translate().drafts(bad, source(ENGLISH), Making(seed=1, cache=tmp_path))
    finally:
        del os.environ["SAYS"]
    assert set(again.texts) == {"the room is well"}, "what was empty is asked again"
    script.write_text(whole, encoding="utf-8")
    other = Translate().drafts(bad, source(ENGLISH), Making(seed=1, cache=tmp_path))
    assert other.texts[0] == "this room is clean", "the program was mended, and what it wrote before is not taken"


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("fail", "must end with exit code 0 but .* ended with 1: no such pair"),
        ("drop", "must write a line for each of the 16 texts but .* wrote 12"),
        ("slow", "must translate 16 texts within 1 seconds"),
    ],
)
def test_a_program_that_fails_is_an_error(program: Program, source: Rows, mode: str, says: str) -> None:
    with pytest.raises(RatchetError, match=f"^command {says}"):
        Translate().drafts(by_programs(program(mode), program("back"), timeout=1), source(ENGLISH), Making(seed=1))


def test_a_program_that_is_not_there_is_an_error(program: Program, source: Rows) -> None:
    with pytest.raises(RatchetError, match="command_back must begin with a program that can be run but got 'no-such'"):
        Translate().drafts(by_programs(program("plain"), ["no-such"]), source(ENGLISH), Making(seed=1))


@pytest.mark.parametrize(("mode", "reason"), [("empty", "empty"), ("loop", "repeats"), ("russian", "language")])
def test_useless_translations_are_dropped_with_their_reason(
    program: Program, source: Rows, mode: str, reason: str
) -> None:
    there = by_programs(program(mode), program("back"), languages=("English", "German"))
    made = Translate().drafts(there, source(ENGLISH), Making(seed=1))
    rooms = [place for place, text in enumerate(ENGLISH) if "room" in text]
    assert made.failed == dict.fromkeys(rooms, reason)
    assert sum(text is not None for text in made.texts) == len(ENGLISH) - len(rooms)
    back = by_programs(program("plain"), program(mode))
    assert Translate().drafts(back, source(ENGLISH), Making(seed=1)).failed == made.failed
    with pytest.raises(
        RatchetError, match=f"command must translate but 4 of 5 .* \\(4 {reason}\\); the first: 'the room"
    ):
        Translate().drafts(there, source([*ENGLISH[:5]]), Making(seed=1))


def test_what_a_refusal_shows_is_masked(program: Program, source: Rows) -> None:
    texts = [f"room {number} of jane.roe@example.com \x1b[31mwas bad" for number in range(5)]
    with pytest.raises(RatchetError, match="the first: 'room 0 of ") as refused:
        Translate().drafts(by_programs(program("empty"), program("back")), source(texts), Making(seed=1))
    assert "jane.roe" not in refused.value.problem
    assert "\x1b" not in refused.value.problem


def test_a_kill_loses_a_batch_at_most(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys, time
            from pathlib import Path
            from ratchet.augment.kept import made_once, opened
            from ratchet.endpoint.reply import Reply

            folder, pause = Path(sys.argv[1]), float(sys.argv[2])

            def work(todo):
                for first in range(0, len(todo), 4):
                    batch = todo[first : first + 4]
                    with (folder / "worked").open("a") as file:
                        file.writelines(text + "\\n" for text in batch)
                    time.sleep(pause)
                    yield {text: Reply(text=text.upper()) for text in batch}

            with opened(folder) as cache:
                found = made_once([f"t{n}" for n in range(40)], work, by={"a": 1}, cache=cache,
                                  advance=lambda *_: None, about="")
            assert all(reply.text == text.upper() for text, reply in found.items())
            print(len(found))
            """
        ),
        encoding="utf-8",
    )
    asked = [sys.executable, str(script), str(tmp_path)]
    killed = subprocess.Popen([*asked, "0.3"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    worked = tmp_path / "worked"
    while not worked.exists() or len(worked.read_text().split()) < 12:
        assert killed.poll() is None
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    done = subprocess.run([*asked, "0"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "40"
    times = worked.read_text().split()
    assert 40 <= len(times) <= 44
    with Cache(tmp_path / FILE) as cache:
        assert len(cache) == 40


def test_two_processes_may_share_what_is_kept(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys, time
            from pathlib import Path
            from ratchet.augment.kept import made_once, opened
            from ratchet.endpoint.reply import Reply

            def work(todo):
                for text in todo:
                    time.sleep(0.005)
                    yield {text: Reply(text=text.upper())}

            with opened(Path(sys.argv[1])) as cache:
                for first in range(0, 60, 10):
                    texts = [f"t{n}" for n in range(first, first + 10)]
                    found = made_once(texts, work, by={}, cache=cache, advance=lambda *_: None, about="")
                    assert {text: reply.text for text, reply in found.items()} == {text: text.upper() for text in texts}
            print("done")
            """
        ),
        encoding="utf-8",
    )
    asked = [sys.executable, str(script), str(tmp_path)]
    both = [subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in both] == ["done", "done"]
    with Cache(tmp_path / FILE) as cache:
        assert len(cache) == 60


def test_tokens_are_drawn_with_their_probabilities() -> None:
    import torch

    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0, -torch.inf]]).repeat(4000, 1)
    draw = drawn(range(4000), temperature=2.0, top_k=3)
    left = draw(torch.zeros((4000, 1), dtype=torch.long), logits)
    assert torch.equal((left == 0).sum(1), torch.ones(4000, dtype=torch.long))
    assert torch.isneginf(left).sum() == 4 * 4000
    shares = (left == 0).double().mean(0)
    wanted = torch.softmax(torch.tensor([1.0, 0.5, 0.0]).double(), 0)
    # Three standard errors of a share of 4,000 draws are at most .024.
    torch.testing.assert_close(shares[:3], wanted, atol=0.024, rtol=0)
    assert shares[3:].sum() == 0


@pytest.mark.parametrize("family", ["bart", "t5"])
def test_other_families_are_read(translators: tuple[Path, Path], tmp_path: Path, family: str) -> None:
    import torch
    from transformers import (
        AutoTokenizer,
        BartConfig,
        BartForConditionalGeneration,
        T5Config,
        T5ForConditionalGeneration,
    )

    tokenizer = AutoTokenizer.from_pretrained(translators[0])
    torch.manual_seed(0)
    tokens = {"vocab_size": len(tokenizer), "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
    if family == "bart":
        sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "d_model": 32}
        heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 48}
        BartForConditionalGeneration(BartConfig(**tokens, **sizes, **heads)).save_pretrained(tmp_path / "m")
    else:
        T5ForConditionalGeneration(
            T5Config(**tokens, d_model=32, d_kv=16, d_ff=32, num_layers=1, num_heads=2)
        ).save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    with Cache(tmp_path / "c") as cache:
        by = ModelTranslator(
            source=locate(str(tmp_path / "m"), language="en", wanted=TRANSLATOR),
            spec=TranslateSpec(),
            into="",
            prefix=None,
            seed=1,
            threads=1,
            cache=cache,
        )
        found = by.translate(ENGLISH[:3], copy=0, advance=lambda *_: None)
    assert sorted(found) == sorted(ENGLISH[:3])
    assert all(reply.text is not None or reply.reason == "endless" for reply in found.values())


def translates(stage: Stage) -> None:
    """Swaps two words, and fails at first."""
    text = stage.asked.split("---\n")[1].removesuffix("\n")
    chinese = "into Chinese" in stage.asked
    written = "这个房间" + "真" * (len(text) % 3) + "好" if chinese else "this room is good"
    if stage.number == 1:
        stage.json(429, {}, Retry_After="0")
    else:
        stage.answer(written)


def test_an_endpoint_translates_and_says_where_texts_go(server: Server, source: Rows, tmp_path: Path) -> None:
    server.play = translates
    url, asked = server.url, server.requests
    spec = TranslateSpec.model_validate({"endpoint": {"url": url, "model": "m"}})
    assert str(Translate().sends_to(spec)) == url
    assert Translate().sends_to(TranslateSpec()) is None
    texts = ["the room\nwas clean", "the bed was bad"]
    made = Translate().drafts(spec, source(texts), Making(seed=1, cache=tmp_path))
    assert [*made.texts] == ["this room is good"] * 2
    assert made.facts["requests"] == len(asked) <= 5
    Translate().drafts(spec, source(texts), Making(seed=1, cache=tmp_path))
    assert len(asked) <= 5
    limited = TranslateSpec.model_validate({"endpoint": {"url": url, "model": "m", "limit": {"requests": 0}}})
    with pytest.raises(EndpointError, match="limit is reached"):
        Translate().drafts(limited, source(["the food was cold"]), Making(seed=1, cache=tmp_path))


def test_a_limit_holds_for_all_folds_together_and_a_higher_one_goes_on(
    server: Server, source: Rows, tmp_path: Path
) -> None:
    server.play = lambda stage: stage.answer("这个房间真好" if "into Chinese" in stage.asked else "this room is good")

    def spec(**limit: int) -> TranslateSpec:
        asked = {"url": server.url, "model": "m", "retries": 0, "timeout": 5, "concurrency": 1, "limit": limit}
        return TranslateSpec.model_validate({"endpoint": asked})

    purses: dict[str, Purse] = {}
    for fold in range(4):
        seen = [text for row, text in enumerate(ENGLISH) if row % 4 != fold]
        with pytest.raises(EndpointError, match="limit is reached"):
            Translate().drafts(spec(requests=3), source(seen), Making(seed=1, cache=tmp_path, purses=purses))
    assert len(server.requests) == 3
    Translate().drafts(spec(requests=100), source(ENGLISH), Making(seed=1, cache=tmp_path))
    assert len(server.requests) == len(set(server.asked)) == len(ENGLISH) + 1
    assert Translate().named_by(spec(requests=100)) == Translate().named_by(spec(requests=3))
    other = spec().model_copy(update={"languages": ("English", "French")})
    assert Translate().named_by(other) != Translate().named_by(spec())


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"command": ["a"]}, "command_back must name"),
        ({"command_back": ["a"]}, "command must name"),
        ({"command": ["a"], "command_back": ["b"], "forward": "x", "backward": "y"}, "forward must be the only way"),
        ({"forward": "x"}, "backward must name"),
        ({"copies": 2, "temperature": 0}, "copies must be 1"),
        ({"copies": 2, "command": ["a"], "command_back": ["b"]}, "copies must be 1"),
        ({"beams": 2}, "beams must be 1"),
        ({"endpoint": {}, "temperature": 0}, "temperature must be left out where an endpoint translates"),
        ({"command": ["a"], "command_back": ["b"], "top_k": 3}, "top_k must be left out where a command translates"),
        ({"endpoint": {"prompt": "{{ text }}"}}, "endpoint must not have prompt"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(keys: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        TranslateSpec.model_validate(keys)


def test_commands_have_no_shell_between(source: Rows, tmp_path: Path) -> None:
    with Cache(tmp_path / "c") as cache:
        by = CommandTranslator(command=("cat", "-"), key="command", timeout=9, cache=cache)
        found = by.translate(["$HOME", "a\x85b"], copy=0, advance=lambda *_: None)
    assert {text: reply.text for text, reply in found.items()} == {"$HOME": "$HOME", "a\x85b": "a b"}


@pytest.mark.slow
def test_real_strings_go_through_a_tokenizer_of_pieces(source: Rows, tmp_path: Path) -> None:
    """Django's Chinese catalogue by a Marian with its own tokenizer, as opus-mt has it: learnt, saved, loaded, both ways."""
    pytest.importorskip("sentencepiece")
    pairs = catalogue()
    forward = with_pieces(tmp_path / "en-zh", pairs, steps=500)
    backward = with_pieces(tmp_path / "zh-en", [(right, left) for left, right in pairs], steps=500)
    texts = [english for english, _ in pairs]
    made = Translate().drafts(
        by_models((forward, backward), temperature=0), source(texts), Making(seed=1, threads=2, cache=tmp_path)
    )
    # Learnt by heart: most strings come back as they were, and those that do not are strings all the same.
    same = sum(new == old for new, old in zip(made.texts, texts, strict=True))
    lost = sum(text is None for text in made.texts)
    assert same > 0.5 * len(texts)
    assert lost < 0.1 * len(texts)


def catalogue() -> list[tuple[str, str]]:
    """Short strings of Django and their translations into Chinese, each English one once."""
    import gettext

    django = pytest.importorskip("django")
    path = Path(django.__file__).parent / "conf" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.mo"
    with path.open("rb") as file:
        strings = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    plain = [
        (english, chinese)
        for english, chinese in strings.items()
        if isinstance(english, str) and 4 <= len(english) <= 60 and "%" not in english + chinese and "\n" not in english
    ]
    return [(english, chinese) for english, chinese in plain if any("一" <= one <= "鿿" for one in chinese)]


def with_pieces(folder: Path, pairs: list[tuple[str, str]], *, steps: int) -> Path:
    """A Marian trained on the pairs, with a vocabulary of SentencePiece for each side."""
    import warnings

    import sentencepiece
    from transformers import MarianTokenizer

    folder.mkdir()
    vocabulary = {"</s>": 0, "<unk>": 1}
    for name, texts in (("source", [left for left, _ in pairs]), ("target", [right for _, right in pairs])):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_prefix=str(folder / name),
            vocab_size=1200,
            hard_vocab_limit=False,
            character_coverage=1.0,
            minloglevel=2,
        )
        (folder / f"{name}.model").rename(folder / f"{name}.spm")
        (folder / f"{name}.vocab").unlink()
        pieces = sentencepiece.SentencePieceProcessor(str(folder / f"{name}.spm"))
        for number in range(pieces.get_piece_size()):
            vocabulary.setdefault(pieces.id_to_piece(number), len(vocabulary))
    vocabulary["<pad>"] = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tokenizer = MarianTokenizer.from_pretrained(folder)
    return train_marian(folder, pairs, tokenizer, entries=len(vocabulary), steps=steps, width=128, batch=64, lr=3e-3)


def test_a_secret_in_the_arguments_of_a_program_is_not_shown(program: Program, source: Rows) -> None:
    there = program("plain", "--api-key=SECRET")
    made = Translate().drafts(by_programs(there, program("back")), source(ENGLISH), Making(seed=1))
    assert "translate.py" in str(made.facts["model"])
    assert "SECRET" not in str(made.facts)
    with pytest.raises(RatchetError, match="ended with 1") as refused:
        Translate().drafts(by_programs(program("fail", "--api-key=SECRET"), there), source(ENGLISH), Making(seed=1))
    assert "SECRET" not in str(refused.value)


def test_how_fast_it_translates_names_no_other_challenger() -> None:
    named = [Translate().named_by(TranslateSpec(**keys)) for keys in ({}, {"timeout": 9.0}, {"batch_tokens": 64})]
    assert named[0] == named[1] == named[2]
    assert Translate().named_by(TranslateSpec(max_tokens=64)) != named[0]
