"""What came of asking: a reply for each row, and all of them together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The answer to one prompt, or why there is none.

    ``cost`` is what it cost when it was bought, so it does not depend on the cache; ``seconds`` is how long the request
    that brought it took, or all requests of a row without an answer. ``attempts`` counts the requests of this run: 0 where
    it was ``cached``, which copies of a prompt in the same run are too. ``structured``: asked with a response format.
    """

    text: str | None
    reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    model: str = ""
    cached: bool = False
    attempts: int = 0
    structured: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """All replies, in the order of the prompts.

    ``spent`` and ``requests`` are of this run alone. ``unsure`` is the most that attempts without a usable answer (a timeout,
    half a body) may have cost besides; limits count it. ``notes`` are sentences for people.
    """

    replies: tuple[Reply, ...]
    spent: float
    unsure: float
    requests: int
    notes: tuple[str, ...]

    @property
    def cost(self) -> float:
        """What all rows' replies cost when they were bought; copies of a prompt count each, as they would in production."""
        return sum(reply.cost for reply in self.replies)

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts."""
        return sum(reply.prompt_tokens for reply in self.replies)

    @property
    def completion_tokens(self) -> int:
        """Tokens of all answers."""
        return sum(reply.completion_tokens for reply in self.replies)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that answered by their own account, in the order in which they first did."""
        return tuple(dict.fromkeys(reply.model for reply in self.replies if reply.model))

    @property
    def failures(self) -> dict[int, str]:
        """Why a row has no answer, by its position."""
        return {row: reply.reason for row, reply in enumerate(self.replies) if reply.text is None}

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows failed for each reason, most first."""
        return dict(Counter(self.failures.values()).most_common())
