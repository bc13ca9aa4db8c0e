"""Where the trials of a study are kept: a journal in the workspace, or PostgreSQL, which many workers share."""

from __future__ import annotations

import fcntl
import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from ratchet.errors import ExtraMissing, RatchetError, RecipeError, WorkspaceError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from sqlalchemy import Engine

BEAT = 5
"""Seconds between two signs of life of a worker at a trial."""
GRACE = 20
"""Seconds without one after which its trial is taken over."""
LOCK = 7_253_113
"""The number of the lock under which workers begin a study and take over trials."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where trials are kept."""

    journal: Path
    """The file, where there is no address."""
    address: str = ""
    """``postgresql://user@host/database``, without a password."""
    password: str = ""
    """Name of the environment variable that holds the password."""


class Kept:
    """An open storage; what several workers must not do at once is done under `alone`."""

    def __init__(self, storage: BaseStorage, engine: Engine | None = None) -> None:
        self.storage, self._engine = storage, engine

    @property
    def shared(self) -> bool:
        """Whether other workers may be at the same study."""
        return self._engine is not None

    def alone(self) -> AbstractContextManager[None]:
        """Keep other workers from doing the same; the server frees the lock of a worker that is killed."""
        return nullcontext() if self._engine is None else _locked(self._engine)

    def beat(self, trial: int) -> None:
        """A sign of life of a trial, before it is claimed too: a worker killed right after that is found dead all the same."""
        if self._engine is not None:
            self._any.record_heartbeat(trial)

    @contextmanager
    def beating(self, trial: int) -> Iterator[None]:
        """Signs of life while a trial runs."""
        if self._engine is None:
            yield
            return
        ended = Event()

        def go_on() -> None:
            while not ended.wait(BEAT):
                with suppress(Exception):  # a lost connection: the next beat tries again, and the loop itself will tell
                    self.beat(trial)

        thread = Thread(target=go_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def revive(self, study: int) -> None:
        """Give back to the queue the trials of workers that are dead: their numbers, and with them their settings, stay."""
        from optuna.trial import TrialState

        if self._engine is None:
            # only this process may be at the journal, so whatever runs in it was killed
            for trial in self._running(study):
                self.storage.set_trial_state_values(trial, state=TrialState.WAITING)
        elif self._any._get_stale_trial_ids(study):
            with self.alone():
                for trial in self._any._get_stale_trial_ids(study):
                    self.beat(trial)  # else the next worker would find it dead again before its new owner beats
                    self.storage.set_trial_state_values(trial, state=TrialState.WAITING)

    def _running(self, study: int) -> list[int]:
        from optuna.trial import TrialState

        found = self.storage.get_all_trials(study, deepcopy=False, states=(TrialState.RUNNING,))
        return [self.storage.get_trial_id_from_study_id_trial_number(study, trial.number) for trial in found]

    @property
    def _any(self) -> Any:
        """The storage with the heartbeats that only databases have."""
        return self.storage


@contextmanager
def kept(place: Place) -> Iterator[Kept]:
    """Open the storage.

    Raises:
        ExtraMissing: the driver of PostgreSQL is not installed.
        RecipeError: there is no password in the environment.
        RatchetError: the server cannot be reached.
        WorkspaceError: another run is at the journal, or it is damaged.
    """
    with _postgres(place) if place.address else _journal(place.journal) as found:
        yield found


@contextmanager
def _journal(path: Path) -> Iterator[Kept]:
    """The journal, for this process alone until it ends; the kernel frees the lock however it ends.

    Optuna's own lock is a file that a killed process leaves behind, which the next one waits for; and a line that a killed
    process wrote in part makes a journal unreadable once another line follows.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise WorkspaceError(
                f"{path} must be in use by one run at a time but another is at work on it.",
                next_step="Wait for it, or keep the trials in PostgreSQL: storage: postgresql://...",
            ) from None
        _cut_unfinished(handle.fileno())
        lock: Any = _Held()
        try:
            storage = JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
        except (ValueError, KeyError, AssertionError) as error:
            raise WorkspaceError(
                f"{path} must be a journal of trials but cannot be read: {error}.",
                next_step="Remove it; its trials are run again.",
            ) from error
        yield Kept(storage)


class _Held:
    """The lock that Optuna asks for at each line: the file is locked already."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        return


def _cut_unfinished(handle: int) -> None:
    """Cut off a last line that was written in part."""
    size = os.fstat(handle).st_size
    end, block = size, b""
    while end and b"\n" not in block:
        begin = max(0, end - 65_536)
        block = os.pread(handle, end - begin, begin)
        whole = begin + block.rfind(b"\n") + 1
        if b"\n" in block or not begin:
            if whole < size:
                os.ftruncate(handle, whole)
            return
        end = begin


@contextmanager
def _postgres(place: Place) -> Iterator[Kept]:
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage, get_storage

    if find_spec("psycopg") is None:
        raise ExtraMissing("psycopg", extra="postgres", why=f"The storage {place.address}")
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    secret = _secret(place.password)
    url = make_url(place.address).set(drivername="postgresql+psycopg")
    url = url.set(password=secret) if secret else url
    engine = create_engine(url, poolclass=NullPool)
    storage: RDBStorage | None = None
    try:
        with _locked(engine), warnings.catch_warnings():  # two workers must not make the tables at once
            warnings.simplefilter("ignore")
            storage = RDBStorage(
                url.render_as_string(hide_password=False),
                engine_kwargs={"pool_pre_ping": True},
                heartbeat_interval=BEAT,
                grace_period=GRACE,
            )
        yield Kept(get_storage(storage), engine)
    except (SQLAlchemyError, StorageInternalError) as error:
        said = str(error.__cause__ or error).strip().splitlines()[0]
        said = said.replace(secret, "***") if secret else said
        raise RatchetError(
            f"The storage {place.address} must be reachable but got: {said}.",
            next_step="Start the server, or correct storage and password of the challenger.",
        ) from None
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()
        engine.dispose()


def _secret(name: str) -> str:
    value = os.environ.get(name, "") if name else ""
    if name and not value:
        raise RecipeError(
            f"The environment variable {name} must hold the password of the storage but is not set.",
            next_step=f"Run: export {name}=...",
        )
    return value


@contextmanager
def _locked(engine: Engine) -> Iterator[None]:
    from sqlalchemy import text

    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        yield
