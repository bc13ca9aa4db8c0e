"""Ask an endpoint: many prompts at once, each paid for once, and whatever happens either a reply or a reason."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from threading import Event, Lock
from typing import TYPE_CHECKING

from ratchet.checks.chat import tokens
from ratchet.endpoint.cache import Cache, key
from ratchet.endpoint.completion import PAID, Completion, complaint, completion
from ratchet.endpoint.key import EndpointError, Key
from ratchet.endpoint.prompt import Prompt
from ratchet.endpoint.purse import Purse
from ratchet.endpoint.reply import Asked, Reply
from ratchet.endpoint.wire import NO_CONNECTION, Lost, Response, client, post
from ratchet.forms import json_bytes
from ratchet.recipe.endpoint import EndpointPrice, EndpointSpec
from ratchet.screen import Advance

if TYPE_CHECKING:
    import httpx

LIMIT, NOT_ASKED = "limit", "not asked"
STREAK = 20
"""So many rows lost one after another, all for the endpoint's reasons, and the others are not asked."""
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_NOT_SO = (400, 422)
"""What servers say to a parameter that they do not know."""
_OF_THE_ROW = (400, 413, 422)
_AROUND_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Clock:
    """How time passes: ``now`` in seconds, never back; ``wait`` for seconds, or until the event is set."""

    now: Callable[[], float] = time.monotonic
    wait: Callable[[Event, float], object] = Event.wait


def ask(
    prompts: Sequence[Prompt],
    *,
    spec: EndpointSpec,
    cache: Cache,
    labels: Sequence[str] = (),
    purse: Purse | None = None,
    advance: Advance | None = None,
    clock: Clock | None = None,
) -> Asked:
    """Get the reply to each prompt, from the cache or from the endpoint.

    The first prompt is sent alone: a wrong key or a server that takes no response format costs one request. Equal prompts
    are sent once. A reply counts only when the cache has it, so a run that was killed goes on where it was.

    Args:
        prompts: one a row; those with a reason are not sent.
        spec: how to ask.
        cache: replies so far.
        labels: the answers that there are; used where ``spec.structured``.
        purse: what may be spent; absent: ``spec.limit``, for this call alone.
        advance: called with rows done, all rows and a few words.
        clock: for tests.

    Raises:
        EndpointError: no model, no key, or the endpoint does not take it; nothing more is sent then.
        ExtraMissing: httpx is not installed.
        WorkspaceError: a reply could not be stored.
    """
    if not spec.model.strip():
        raise EndpointError(
            "model must name a model of the endpoint but is empty.", next_step="Set model in the recipe."
        )
    secret = Key.from_environment(spec.key)
    run = _Run(spec, labels, cache=cache, secret=secret, purse=purse or Purse(spec.limit), clock=clock or Clock())
    return run.all(prompts, advance=advance or _nowhere)


@dataclass(frozen=True, kw_only=True)
class _Try:
    """What came of one request: a reply, or what to do without one."""

    found: Completion | None = None
    reason: str = ""
    again: bool = False
    after: float | None = None
    status: int = 0


class _Run:
    """One call of `ask`: what its threads share."""

    def __init__(
        self, spec: EndpointSpec, labels: Sequence[str], *, cache: Cache, secret: Key, purse: Purse, clock: Clock
    ) -> None:
        self._spec, self._cache, self._secret, self._purse, self._clock = spec, cache, secret, purse, clock
        self._url = spec.url.rstrip("/")
        self._plain: dict[str, object] = {"temperature": spec.temperature, "max_tokens": spec.max_tokens}
        self._format = response_format(labels) if spec.structured and labels else None
        self._format_known: bool | None = None
        self._lock, self._stop = Lock(), Event()
        self._streak = 0
        self._unreachable = False
        self._why_stopped = ""

    def all(self, prompts: Sequence[Prompt], *, advance: Advance) -> Asked:
        """Ask them all."""
        before = self._purse.spent, self._purse.unsure, self._purse.requests
        replies = {row: Reply(text=None, reason=prompt.reason) for row, prompt in enumerate(prompts) if prompt.reason}
        rows: dict[str, list[int]] = {}
        for row, prompt in enumerate(prompts):
            if row not in replies:
                rows.setdefault(self._key(prompt), []).append(row)
        todo = []
        for name, same in rows.items():
            stored = self._cache.get(name)
            if stored is None:
                todo.append((name, prompts[same[0]]))
            else:
                replies.update(dict.fromkeys(same, stored))

        def done(name: str, reply: Reply) -> None:
            first, *copies = rows[name]
            replies[first] = reply
            bought = reply.text is not None or reply.reason in PAID
            replies.update(dict.fromkeys(copies, replace(reply, cached=bought, attempts=0)))
            words = f"{len(replies):,} of {len(prompts):,} rows, {self._purse.requests:,} requests"
            paid = f", {self._purse.spent:,.4g} spent" if self._purse.spent else ""
            advance(len(replies), len(prompts), words + paid)

        if todo:
            self._send(todo, done)
        ordered = tuple(replies[row] for row in range(len(prompts)))
        return Asked(
            replies=ordered,
            spent=self._purse.spent - before[0],
            unsure=self._purse.unsure - before[1],
            requests=self._purse.requests - before[2],
            notes=(*self._cache.notes, *_notes(ordered, wanted=self._format is not None)),
        )

    def _key(self, prompt: Prompt) -> str:
        """Of the request as it is wanted: a server that refuses the response format is not asked for it again."""
        wanted = self._plain if self._format is None else {**self._plain, "response_format": self._format}
        return key(url=self._url, model=self._spec.model, messages=prompt.messages, parameters=wanted)

    def _send(self, todo: Sequence[tuple[str, Prompt]], done: Callable[[str, Reply], None]) -> None:
        spec = self._spec
        waiting = iter(todo)
        with ExitStack() as stack:
            wire = stack.enter_context(
                client(headers=self._secret.headers, timeout=spec.timeout, connections=spec.concurrency)
            )
            self._work(wire, iter([next(waiting)]), done)
            if self._unreachable:
                self._give_up(f"{NOT_ASKED}: {NO_CONNECTION}")
            pool = stack.enter_context(ThreadPoolExecutor(spec.concurrency, thread_name_prefix="endpoint"))
            threads = [pool.submit(self._work, wire, waiting, done) for _ in range(spec.concurrency)]
            try:
                for thread in threads:
                    thread.result()
            finally:  # also where a person stops it: no thread sends another request
                self._stop.set()

    def _work(
        self, wire: httpx.Client, waiting: Iterator[tuple[str, Prompt]], done: Callable[[str, Reply], None]
    ) -> None:
        """Take one prompt after another, until there are none or a thread has failed."""
        while True:
            with self._lock:
                name, prompt = next(waiting, ("", None))
            if prompt is None:
                return
            try:
                reply = self._reply(wire, name, prompt)
            except BaseException:
                self._stop.set()
                raise
            with self._lock:
                done(name, reply)

    def _reply(self, wire: httpx.Client, name: str, prompt: Prompt) -> Reply:
        worst = worst_case(prompt, price=self._spec.price, max_tokens=self._spec.max_tokens)
        structured = self._format is not None and self._format_known is not False
        attempts = tries = 0
        reason = ""
        first = self._clock.now()
        while not self._stop.is_set():
            if not self._purse.take(worst):
                reason = LIMIT
                break
            attempts += 1
            begun = self._clock.now()
            tried = self._try(wire, prompt, structured=structured, worst=worst)
            if tried.found is not None:
                seconds = self._clock.now() - begun
                return self._bought(
                    name, prompt, tried.found, seconds=seconds, attempts=attempts, structured=structured
                )
            reason = tried.reason
            if structured and tried.status in _NOT_SO and self._format_known is None:
                structured = False  # if it is taken without, the format was what the server refused
                continue
            if not tried.again or tries == self._spec.retries:
                self._unreachable = reason == NO_CONNECTION
                self._lost(reason, counts=tried.status not in _OF_THE_ROW)
                break
            self._clock.wait(self._stop, pause(tries, after=tried.after))
            tries += 1
        if not attempts and self._stop.is_set():
            reason = self._why_stopped or f"{NOT_ASKED}: the run was stopped"
        return Reply(text=None, reason=reason, attempts=attempts, seconds=self._clock.now() - first)

    def _try(self, wire: httpx.Client, prompt: Prompt, *, structured: bool, worst: float) -> _Try:
        """Send one request, and settle what it cost."""
        paid: float | None = None
        try:
            sent = self._body(prompt, structured=structured)
            url = f"{self._url}/chat/completions"
            got = post(wire, url, sent, timeout=self._spec.timeout, now=self._clock.now)
            if isinstance(got, Lost):
                paid = None if got.sent else 0.0
                return _Try(reason=got.reason, again=got.again)
            if 300 <= got.status < 500:
                paid = 0.0
            tried = self._understood(got)
            if tried.found is not None:
                paid = cost(_counted(tried.found, prompt), price=self._spec.price)
            return tried
        finally:
            self._purse.settle(worst, paid=paid)

    def _understood(self, got: Response) -> _Try:
        status = got.status
        if 200 <= status < 300:
            found = completion(got.body, content_type=got.content_type, hide=self._secret.hide)
            return _Try(found=found, status=status) if found.bought else _Try(reason=found.reason, status=status)
        if status in (401, 403):
            self._stop.set()
            raise EndpointError(
                f"The endpoint {self._url} must accept the key but refused it (status {status}).",
                next_step=f"Set the environment variable {self._spec.key} to a key of this endpoint."
                if self._spec.key
                else "Name the environment variable that holds a key of this endpoint in key.",
            )
        if 300 <= status < 400:
            return _Try(reason=f"redirected (status {status}), which is not followed", status=status)
        said = complaint(got.body, hide=self._secret.hide)
        again = status in (408, 429) or status >= 500
        return _Try(
            reason=f"status {status}" + (f": {said}" if said else ""), again=again, after=got.after, status=status
        )

    def _bought(
        self, name: str, prompt: Prompt, found: Completion, *, seconds: float, attempts: int, structured: bool
    ) -> Reply:
        """The reply, once the cache has it."""
        if self._format is not None and self._format_known is None:
            self._format_known = structured
        counted = _counted(found, prompt)
        reply = Reply(
            text=found.text,
            reason=found.reason,
            prompt_tokens=counted[0],
            completion_tokens=counted[1],
            cost=cost(counted, price=self._spec.price),
            seconds=seconds,
            model=found.model,
            attempts=attempts,
            structured=structured,
        )
        self._cache.put(name, reply)
        self._streak = 0
        return reply

    def _lost(self, reason: str, *, counts: bool) -> None:
        """Count the rows that were lost one after another; a server that is gone is not asked a thousand times."""
        with self._lock:
            self._streak += counts
            if self._streak >= STREAK:
                self._give_up(f"{NOT_ASKED}: {STREAK} rows before it were lost ({reason})")

    def _give_up(self, reason: str) -> None:
        """No further row is asked about, for this reason."""
        self._why_stopped = reason
        self._stop.set()

    def _body(self, prompt: Prompt, *, structured: bool) -> bytes:
        body = {"model": self._spec.model, "messages": list(prompt.messages), **self._plain, "stream": False}
        return json_bytes({**body, "response_format": self._format} if structured else body)


def require_all(asked: Asked, *, spec: EndpointSpec) -> None:
    """Refuse replies of which some are missing because nobody asked: they would count as wrong answers.

    Raises:
        EndpointError: a limit was reached, or the endpoint is out of order; what was paid for is kept.
    """
    reasons = [reply.reason for reply in asked.replies if reply.text is None]
    limited, unasked = reasons.count(LIMIT), [reason for reason in reasons if reason.startswith(NOT_ASKED)]
    if limited:
        raise EndpointError(
            f"{spec.url} must be asked about all {len(asked.replies):,} rows but {limited:,} are left and limit is reached "
            f"({asked.requests:,} requests, {asked.spent + asked.unsure:,.4g} spent in this run).",
            next_step="Raise limit and run again: replies are kept, and none is paid twice.",
        )
    if unasked:
        raise EndpointError(
            f"{spec.url} must be asked about all {len(asked.replies):,} rows but {len(unasked):,} were {unasked[0]}.",
            next_step="Run again when the endpoint is in order: replies are kept, and none is paid twice.",
        )
    if asked.replies and not any(reply.text is not None or reply.reason in PAID for reply in asked.replies):
        raise EndpointError(
            f"{spec.url} must answer but answered none of {len(asked.replies):,} rows; the first: {reasons[0]}.",
            next_step="Run again when the endpoint is in order.",
        )


def response_format(labels: Sequence[str]) -> dict[str, object]:
    """The response format that leaves no answer but one of the labels."""
    schema = {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": list(labels)}},
        "required": ["label"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def cost(counted: tuple[int, int], *, price: EndpointPrice) -> float:
    """What so many tokens of prompt and of answer cost."""
    of_prompt, of_answer = counted
    return (of_prompt * price.input + of_answer * price.output) / 1e6


def worst_case(prompt: Prompt, *, price: EndpointPrice, max_tokens: int) -> float:
    """The most a request can cost: a token for each byte of the prompt, which no tokenizer exceeds, and the longest answer."""
    size = sum(len(message["content"].encode("utf-8", "surrogatepass")) + _AROUND_BYTES for message in prompt.messages)
    return cost((size, max_tokens), price=price)


def pause(tries: int, *, after: float | None) -> float:
    """Seconds before the next try: twice as long each time, half of it random (so that threads do not come back together),
    at least what the server asks for, and never over a minute.
    """
    own = min(_FIRST_WAIT * 2.0**tries, _LONGEST_WAIT) * random.uniform(0.5, 1.0)
    return min(max(own, after or 0.0), _LONGEST_WAIT)


def _counted(found: Completion, prompt: Prompt) -> tuple[int, int]:
    """Tokens of prompt and answer; estimated where the endpoint does not tell."""
    of_prompt = prompt.tokens if found.prompt_tokens is None else found.prompt_tokens
    of_answer = tokens(found.text or "") if found.completion_tokens is None else found.completion_tokens
    return of_prompt, of_answer


def _notes(replies: Sequence[Reply], *, wanted: bool) -> Iterator[str]:
    answered = [reply for reply in replies if reply.text is not None]
    plain = sum(not reply.structured for reply in answered)
    if wanted and plain:
        yield f"{plain:,} of {len(answered):,} replies were asked for without response_format, which the endpoint refuses."
    models = list(dict.fromkeys(reply.model for reply in replies if reply.model))
    if len(models) > 1:
        yield f"The endpoint changed its model from {models[0]!r} to {models[1]!r}: the rows were not all answered by one."


def _nowhere(done: int, total: int, words: str) -> None:
    del done, total, words
