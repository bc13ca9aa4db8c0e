"""Which encoding a file's bytes are in, and the same bytes as UTF-8."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator

from ratchet.errors import DataError
from ratchet.forms import COMMON_HAN, ENCODINGS, HANGUL, HEAD_BYTES, KANA, Ranges, encoding_called

_BLOCK = 1 << 24
_SAMPLE_LINES = 2000
_FOREIGN = re.compile(r"[^\W\d_\x00-\x7f]+")


def to_utf8(data: bytes, *, encoding: str, name: str) -> tuple[bytes, str]:
    """The bytes as UTF-8 without byte-order mark, and the encoding they were in.

    ``auto`` takes a byte-order mark's word, else UTF-8 where every byte agrees, else GB18030 where every byte agrees and
    most characters are common Chinese ones. Latin-1, which fits any bytes, must be asked for.

    Raises:
        DataError: the bytes are not in that encoding, or lines of two encodings are mixed; names the first wrong line
            and byte.
    """
    wanted = "auto" if encoding.lower() == "auto" else encoding_called(encoding)
    if wanted is None:
        raise DataError(
            f"data.encoding must be one of auto, {', '.join(ENCODINGS)} but got {encoding!r}.",
            next_step=f"Convert {name} to UTF-8, or name its encoding.",
        )
    if wanted == "auto":
        wanted = _detected(data, name=name)
    try:
        if wanted == "utf-8":
            for _ in _decoded(data, wanted):
                pass
        else:
            codec = byte_order(data) if wanted == "utf-16" else ENCODINGS[wanted]
            data = b"".join(block.encode() for block in _decoded(data, codec))
    except UnicodeError:
        raise _not_in(data, wanted, name=name) from None
    while data.startswith(codecs.BOM_UTF8):  # two of them where a program wrote a second one before the first
        data = data.removeprefix(codecs.BOM_UTF8)
    return data, wanted


def whole_lines(head: bytes, *, encoding: str) -> tuple[bytes, bool]:
    """The beginning of a file up to the end of its last whole line, and whether there is one.

    Without one, a last character that may be cut is left out.
    """
    named = encoding_called(encoding) if encoding.lower() != "auto" else None
    if named == "utf-16" or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        order = byte_order(head)
        little = order == "utf-16-le" or (order == "utf-16" and head.startswith(codecs.BOM_UTF16_LE))
        mark = b"\n\0" if little else b"\0\n"
        end = head.rfind(mark)
        while end > 0 and end % 2:
            end = head.rfind(mark, 0, end + 1)
        return (head[: end + 2], True) if end >= 0 else (head[: len(head) // 2 * 2], False)
    end = head.rfind(b"\n") + 1
    if end:
        return head[:end], True
    first_bytes = (n for n in range(1, 4) if n <= len(head) and head[-n] >= 0xC0)  # of a character in UTF-8
    cut = next(first_bytes, 0)
    return (head[: len(head) - cut], False) if len(head) >= HEAD_BYTES else (head, True)


def _detected(data: bytes, *, name: str) -> str:
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise DataError(f"{name} must be text in another encoding but is UTF-32.", next_step="Save it as UTF-8.")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if any(start.count(0) > len(start) // 4 for start in (data[:16], data[:4096])):
        raise DataError(
            f"{name} must be text but every other byte is NUL, as in UTF-16 without a byte-order mark.",
            next_step="Set data.encoding to utf-16 (--set data.encoding=utf-16), or save the file as UTF-8.",
        )
    try:
        for _ in _decoded(data, "utf-8"):
            pass
    except UnicodeError:
        return _judged_by_line(data, name=name)
    return "utf-8"


def byte_order(data: bytes) -> str:
    """Which UTF-16 it is; where no mark says so, zeros are mostly the high bytes of ASCII characters."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-16-be" if data[::2].count(0) > data[1::2].count(0) else "utf-16-le"


def _judged_by_line(data: bytes, *, name: str) -> str:
    """GB18030, or an error: the bytes as a whole are not UTF-8."""
    utf8, other = 0, 0
    first_utf8 = first_other = b""
    line_utf8 = line_other = 0
    sample = bytearray()
    for number, line in enumerate(io.BytesIO(data), 1):
        if line.isascii():
            continue
        if _is(line, "utf-8"):
            utf8 += 1
            if not line_utf8 and _chinese_in_utf8(line):
                first_utf8, line_utf8 = line, number
        else:
            other += 1
            if not line_other:
                first_other, line_other = line, number
            if other <= _SAMPLE_LINES:
                sample += line
    if utf8 > other:
        raise _mixed(name, number=line_other, line=first_other, offset=_first_bad(first_other, "utf-8"), rest="UTF-8")
    east = _east_of_chinese(bytes(sample))
    if east or not _common_chinese(bytes(sample)):
        raise _not_in(data, "utf-8", name=name, meant=east or _other_reading(bytes(sample)))
    if line_utf8:
        offset = next(i for i, byte in enumerate(first_utf8) if byte > 127)
        raise _mixed(name, number=line_utf8, line=first_utf8, offset=offset, rest="GB18030")
    return "gb18030"


def _mixed(name: str, *, number: int, line: bytes, offset: int, rest: str) -> DataError:
    return DataError(
        f"{name} must be in one encoding but line {number} is not {rest} like most of the file: "
        f"byte 0x{line[offset]:02X} at position {offset + 1} of the line.",
        next_step="Save the whole file as UTF-8.",
    )


def _east_of_chinese(data: bytes) -> str:
    """``euc-kr`` or ``euc-jp`` where bytes that are Chinese in GB18030 as well are surely Korean or Japanese; else empty.

    Different characters count, since a label that is on every row says little.

    The syllables of Korean have the first bytes B0 to C8, where hardly more than half of the frequent Chinese characters
    are; kana are at the same place in GB2312 and in EUC-JP, and no Chinese text is full of them.
    """
    for encoding, script, least, count in (("euc-kr", HANGUL, 0.95, 20), ("euc-jp", KANA, 0.2, 8)):
        text = data.decode(ENCODINGS[encoding], "replace")
        foreign = {character for character in text if character.isalpha() and not character.isascii()}
        of_script = sum(_within(character, script) for character in foreign)
        if text.count("\ufffd") <= 0.01 * len(text) and of_script >= max(count, least * len(foreign)):
            return encoding
    return ""


def _other_reading(data: bytes) -> str:
    """An encoding in which these bytes read well, though they may be in another; empty where there is none."""
    for encoding in ("shift-jis", "big5", "windows-1251", "windows-1252"):
        try:
            text = data.decode(ENCODINGS[encoding])
        except UnicodeError:
            continue
        foreign = [character for character in text if not character.isascii()]
        if encoding == "shift-jis":
            usual, least = sum(_within(character, KANA) for character in foreign), 0.2
        elif encoding == "big5":
            usual, least = sum(map(_is_usual_big5, foreign)), 0.7
        else:
            # A Cyrillic word has no ASCII letter in it, a Western one has few that are not.
            alone = sum(len(word) <= 2 for word in _FOREIGN.findall(text))
            usual, least = sum(map(str.isalpha, foreign)), 0.7
            if (alone > 0.5 * len(_FOREIGN.findall(text))) != (encoding == "windows-1252"):
                continue
        if usual >= least * len(foreign):
            return encoding
    return ""


def _within(character: str, script: Ranges) -> bool:
    return any(first <= ord(character) <= last for first, last in script)


def _is_usual_big5(character: str) -> bool:
    """Punctuation or one of the 5,401 frequent characters, whose first byte is A1-A3 or A4-C6."""
    code = character.encode("big5hkscs", "ignore")
    return len(code) == 2 and 0xA1 <= code[0] <= 0xC6


def _not_in(data: bytes, encoding: str, *, name: str, meant: str = "") -> DataError:
    asked = {"utf-8": "UTF-8", "gb18030": "GB18030", "utf-16": "UTF-16"}.get(encoding, encoding)
    step = f"Save the file as UTF-8, or name its encoding in data.encoding ({', '.join(ENCODINGS)})."
    if meant:
        step = f"It reads like {meant}: if it is, say so with --set data.encoding={meant}; else save it as UTF-8."
    encoding = ENCODINGS[encoding]
    if encoding == "utf-16":
        return DataError(f"{name} must be {asked} but its bytes are not.", next_step=step)
    for number, line in enumerate(io.BytesIO(data), 1):
        if not _is(line, encoding):
            offset = _first_bad(line, encoding)
            return DataError(
                f"{name} must be {asked} but line {number} is not: "
                f"byte 0x{line[offset]:02X} at position {offset + 1} of the line.",
                next_step=step,
            )
    return DataError(f"{name} must be {asked} but its last character is cut off.", next_step=step)


def _decoded(data: bytes, encoding: str) -> Iterator[str]:
    """The text block by block, so that a large file is never held as one string."""
    decoder = codecs.getincrementaldecoder(encoding)()
    view = memoryview(data)
    for start in range(0, len(data), _BLOCK):
        yield decoder.decode(view[start : start + _BLOCK], final=start + _BLOCK >= len(data))


def _is(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeError:
        return False
    return True


def _first_bad(line: bytes, encoding: str) -> int:
    try:
        line.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _chinese_in_utf8(line: bytes) -> bool:
    """Two Chinese characters in UTF-8: GB18030 text hardly ever looks like that by chance."""
    return sum(_within(character, COMMON_HAN) for character in line.decode()) >= 2


def _common_chinese(data: bytes) -> bool:
    """Whether bytes that are not UTF-8 read as GB18030 give mostly common characters, as Chinese text does.

    A few bytes that are none in GB18030 do not judge the whole: reading it then names the line that they are on.

    GB18030 accepts the bytes of many languages. Real Chinese text in it is rich in the punctuation and the 3,755 frequent
    characters whose first byte is A1-A3 or B0-D7 with the second from A1; private-use characters do not occur.
    """
    text = data.decode("gb18030", "replace")
    if text.count("\ufffd") > 0.01 * len(text):
        return False
    foreign = [character for character in text if not character.isascii()]
    private = sum("\ue000" <= character <= "\uf8ff" for character in foreign)
    common = 0
    for character in foreign:
        code = character.encode("gb18030")
        common += len(code) == 2 and (0xA1 <= code[0] <= 0xA3 or 0xB0 <= code[0] <= 0xD7) and code[1] >= 0xA1
    return common >= 0.4 * len(foreign) and private <= 0.01 * len(foreign)
