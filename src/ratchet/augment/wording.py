"""How a generator is asked for new texts, in the language of the table."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from ratchet.recipe.augment import GenerateSpec
from ratchet.tasks.label_lists import listed
from ratchet.text.joined import parted
from ratchet.text.language import Language

_WRITE = {
    "en": 'Texts of the kind "{label}":\n{examples}\n\nWrite {new} of the same kind: same language, style and '
    "length, other details. Do not repeat what stands above. {form}",
    "zh": "“{label}”类的文本：\n{examples}\n\n请再写{count}条同类的新文本："
    "语言、风格和长度相同，细节不同，不要重复上面的文本。{form}",
}
_PARAPHRASE = {
    "en": 'A text of the kind "{label}":\n{examples}\n\nWrite {new} that say the same in other words: same language, '
    "same meaning, other wording. {form}",
    "zh": "一条“{label}”类的文本：\n{examples}\n\n请换{count}种说法：语言和意思不变，措辞不同。{form}",
}
_LINES = {
    "en": "One text a line, numbered from 1., and nothing else.",
    "zh": "每行一条，从1.开始编号，不要写别的。",
}
_JSON = {
    "en": "One text a line, as JSON like the above, and nothing else.",
    "zh": "每行一条，和上面一样用JSON，不要写别的。",
}
_AGAIN = {
    "en": "\nThis is request {number} about the same text: answer otherwise than before.",
    "zh": "\n这是对同一文本的第{number}次请求：答案要和以前不同。",
}
_PLACE = re.compile(r"\{(label|examples|count|form|new)\}")


def asking(
    texts: Sequence[str],
    label: str,
    *,
    spec: GenerateSpec,
    language: Language,
    count: int,
    again: int,
    columns: int = 1,
) -> tuple[str, str]:
    """The prompt of one request, and what it says around the texts that it shows.

    Args:
        texts: what is shown, of one label.
        label: as it is shown.
        spec: the mode, and a template of one's own.
        language: of the table.
        count: new texts that are asked for.
        again: requests before this one that began with the same text; the endpoint's cache would give the same answer.
        columns: texts of a row; several are shown and asked for as a JSON list.
    """
    tongue = "zh" if language == "zh" else "en"
    lists = columns > 1 or any(len(text.splitlines()) > 1 for text in texts)
    shown = "\n".join(_shown(texts, columns=columns, lists=lists))
    values = {
        "label": label,
        "examples": shown,
        "count": str(count),
        "new": f"{count} new text" + ("s" if count > 1 else ""),
        "form": (_JSON if lists else _LINES)[tongue],
    }
    template = spec.prompt or (_PARAPHRASE if spec.mode == "paraphrase" else _WRITE)[tongue]
    template += _AGAIN[tongue].format(number=again + 1) if again else ""
    around = {**values, "examples": ""}
    return _PLACE.sub(lambda place: values[place[1]], template), _PLACE.sub(lambda place: around[place[1]], template)


def _shown(texts: Sequence[str], *, columns: int, lists: bool) -> list[str]:
    if not lists:
        return [f"{number}. {text.strip()}" for number, text in enumerate(texts, 1)]
    return [json.dumps(parted(text) if columns > 1 else text, ensure_ascii=False) for text in texts]


def label_shown(cell: str, names: Mapping[str, str]) -> str:
    """What a label is called: what ``names`` says, else as it is; several labels with a comma between them.

    >>> label_shown('["1", "food"]', {"1": "complaint"}), label_shown("4.5", {})
    ('complaint, food', '4.5')
    """
    if cell in names:
        return names[cell]
    several = listed(cell)
    if several is not None:
        return ", ".join(names.get(one, one) for one in several) or "-"
    return cell or "-"
