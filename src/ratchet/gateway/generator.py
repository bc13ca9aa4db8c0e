"""A generator of our own as a backend: one answer after another in a thread, told while it is written."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.bundle.predict import Mending
from ratchet.gateway.backend import Call
from ratchet.gateway.conversation import Wanted, wanted_of
from ratchet.gateway.refusal import Refusal, busy
from ratchet.gateway.wording import Wording
from ratchet.gateway.words import Words
from ratchet.generators.generated import DecoderModel
from ratchet.models.model import Predictor
from ratchet.tables.conversations import Turn

logger = logging.getLogger("ratchet.serve")

JSON, EVENTS = "application/json", "text/event-stream; charset=utf-8"


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """A generator in memory, by the name that answers call it; ``mended`` gives a text as those that it was trained on."""

    name: str
    model: DecoderModel
    mended: Callable[[str], str] = str


def loaded(predictor: Predictor, *, name: str) -> Loaded | None:
    """A model that was loaded from a bundle, if it writes answers."""
    model, mended = (predictor.model, predictor.fixed) if isinstance(predictor, Mending) else (predictor, str)
    if not isinstance(model, DecoderModel) or model.choices:
        return None
    return Loaded(name=name, model=model, mended=mended)


class Generator:
    """Answers with a model of our own. It writes one answer at a time, in a thread; others wait.

    Args:
        current: the model that is served now; ``None``: there is none yet.
        queue: requests that may wait; further ones get status 429.
        seconds: for all of an exchange, waiting included.
    """

    def __init__(self, current: Callable[[], Loaded | None], *, queue: int, seconds: float) -> None:
        self._current, self._queue, self._seconds = current, queue, seconds
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ratchet-generate")
        self._pending = 0

    async def open(self, call: Call) -> Whole | Writing:
        """Begin an answer.

        Raises:
            Refusal: 400 where the model cannot do what is asked, 429 where too many wait, 503 where there is no model.
        """
        found = self._current()
        if found is None:
            raise busy("The model is not ready; try again in a second.", status=503, code="not_ready")
        if call.path == "/models":
            return Whole(Wording.listed(found.name))
        chat = call.path == "/chat/completions"
        wanted = wanted_of(call.body, chat=chat)
        if self._pending > self._queue:
            raise busy(f"{self._pending} requests are waiting for the model already; try again in a second.")
        wording = Wording(chat=chat, model=found.name, request_id=call.request_id)
        writing = Writing(wanted, wording, stream=call.asked.stream, until=time.monotonic() + self._seconds)
        self._pending += 1
        asyncio.wrap_future(self._pool.submit(_write, writing, found)).add_done_callback(self._leave)
        return writing

    async def ready(self) -> bool:
        """Whether there is a model."""
        return self._current() is not None

    async def close(self) -> None:
        """Write nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _leave(self, _: asyncio.Future[None]) -> None:
        self._pending -= 1


def _write(writing: Writing, found: Loaded) -> None:
    try:
        writing.write(found.model, mended=found.mended)
    except Exception as error:  # noqa: BLE001  whatever a model raises is told to its client, and not what it says
        place = traceback.extract_tb(error.__traceback__)[-1]
        logger.error("the generator failed: %s at %s:%s", type(error).__name__, place.filename, place.lineno)
        writing.tell(Refusal(500, "model_failed", "The model failed on this request; the server's log has the reason."))


class Whole:
    """An answer that is there."""

    status, streamed, content_type, retry_after, cut = 200, False, JSON, "", False

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body."""
        yield self._body

    def close(self) -> None:
        """Nothing is held."""


class Writing:
    """An answer that is being written in a thread, and read in the loop."""

    status, retry_after, cut = 200, "", False

    def __init__(self, wanted: Wanted, wording: Wording, *, stream: bool, until: float) -> None:
        self.streamed, self.content_type = stream, EVENTS if stream else JSON
        self._wanted, self._wording, self._until = wanted, wording, until
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[str | Refusal | None] = asyncio.Queue()
        self._left = threading.Event()

    def is_over(self) -> bool:
        """Whether nobody waits any more, or for too long."""
        return self._left.is_set() or time.monotonic() > self._until

    def tell(self, piece: str | Refusal | None) -> None:
        """From the thread to the loop: a piece of the text, an error, or that it was all."""
        if not self._left.is_set():
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    def write(self, model: DecoderModel, *, mended: Callable[[str], str]) -> None:
        """Write the answer; runs in the thread."""
        wanted, tokens = self._wanted, model.decoder.tokens
        prompt = self._prompt(model, mended=mended)
        words = Words(tokens, stops=wanted.stops, stripped=bool(wanted.turns))
        most = min(tokens.max_new_tokens if wanted.tokens is None else wanted.tokens, tokens.max_new_tokens)

        def enough(ids: object) -> bool:
            assert isinstance(ids, list)
            if piece := words.more(ids):
                self.tell(piece)
            return words.stopped or self.is_over()

        ids = model.decoder.write(prompt, new_tokens=most, sampling=wanted.sampling, enough=enough) if most else []
        if piece := words.rest(ids):
            self.tell(piece)
        late = not self._left.is_set() and time.monotonic() > self._until and not words.stopped
        self._wording.ended(
            prompt_tokens=len(prompt), completion_tokens=len(ids), cut=len(ids) >= most and not words.stopped
        )
        self.tell(Refusal(504, "too_late", "The answer took too long.") if late else None)

    def _prompt(self, model: DecoderModel, *, mended: Callable[[str], str]) -> npt.NDArray[np.int64]:
        wanted, tokens = self._wanted, model.decoder.tokens
        if wanted.turns:
            spoken = [Turn(one.role, mended(one.text) if one.role == "user" else one.text) for one in wanted.turns]
            return tokens.prompt(model.conversation(spoken))
        return tokens.document(wanted.prompt)[-tokens.room :]

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it is written: events, or one piece of JSON at the end."""
        wording, text = self._wording, ""
        if self.streamed:
            yield wording.begun()
        while (piece := await self._next()) is not None:
            if isinstance(piece, Refusal):
                raise piece
            text += piece
            if self.streamed:
                yield wording.piece(piece)
        yield wording.end(counted=self._wanted.counted) if self.streamed else wording.whole(text)

    async def _next(self) -> str | Refusal | None:
        try:
            async with asyncio.timeout(max(self._until - time.monotonic(), 0) + 1):
                return await self._pieces.get()
        except TimeoutError:
            raise Refusal(504, "too_late", "The answer took too long.") from None

    def close(self) -> None:
        """Nobody waits: the thread stops at its next token."""
        self._left.set()
