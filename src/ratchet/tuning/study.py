"""A study: settings that are drawn, scored and remembered one trial after the other, by one worker or several."""

from __future__ import annotations

import hashlib
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from ratchet.errors import ExtraMissing, RatchetError, WorkspaceError
from ratchet.recipe.space import Range, shown
from ratchet.tuning.study_storage import Kept, Place, kept

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial, Trial

State = Literal["complete", "pruned", "failed", "left"]
Reached = Callable[[float, float], None]
"""Takes the share of a fold's training that is done, and the score so far; raises `Pruned` where the trial is to end."""
Score = Callable[[Mapping[str, Any], int, int, Reached], float]
"""The score of some settings on one fold, from the values, the number of the trial, that of the fold, and whom to tell how far
it is; higher is better."""
FAILURES = (ValueError, ArithmeticError, MemoryError, RuntimeError)
"""What ends a trial and not the study, beside a user's mistake; PyTorch's out of memory is a RuntimeError."""
POLL = 0.5
"""Seconds between two looks at the trials of other workers."""
NO_TIME = "no time was left"
SHARES = 8
"""Parts of the first fold's training after which a trial may end."""
STARTED = 5
"""Complete trials before one is pruned, and those among them that were seen as far as it."""


class Pruned(Exception):
    """A trial that ends while it is trained."""

    def __init__(self, score: float) -> None:
        super().__init__(score)
        self.score = score


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study is: its space, how much of it is tried, and where that is kept."""

    key: str
    """Names it: the same rows, space and seed are the same study, also on another machine."""
    space: Mapping[str, Range]
    whole: frozenset[str] = frozenset()
    """Keys that take whole numbers."""
    first: Mapping[str, Any] = field(default_factory=dict)
    """Values of the first trial, where they are in the space."""
    trials: int
    minutes: float = 0.0
    steps: int
    """Folds of a trial."""
    shares: int = 1
    """Parts of the first fold after which a trial is looked at; 1: it is looked at after whole folds alone."""
    pruner: Literal["median", "halving", "none"] = "median"
    seed: int
    place: Place


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One trial that ended."""

    number: int
    values: Mapping[str, Any]
    score: float | None
    """Mean over its folds; of a pruned one over those that it had, or what was last said of its first fold while that was
    trained; ``None``: it failed, or there was no time for it."""
    state: State
    seconds: float
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Studied:
    """A study that ended."""

    trials: tuple[Tried, ...]
    best: int
    """Number of the best trial; of several that are equal the first."""
    importance: Mapping[str, float]
    """Share of the scores' variance that goes with each key, by functional analysis of variance; empty: not known."""

    taken: int = 0
    """Trials of this worker that another one took over and ended, since this one was silent for too long."""

    @property
    def values(self) -> Mapping[str, Any]:
        """Those of the best trial."""
        return self.trials[self.best].values

    @property
    def score(self) -> float:
        """That of the best trial."""
        found = self.trials[self.best].score
        assert found is not None
        return found

    @property
    def counts(self) -> dict[str, int]:
        """Trials by state."""
        return {
            state: count
            for state in ("complete", "pruned", "failed", "left")
            if (count := sum(trial.state == state for trial in self.trials))
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def study(plan: Plan, score: Score, *, told: Callable[[int, float | None], None]) -> Studied:
    """Run the trials of a study that are not run yet, together with whoever else is at it.

    The draws of a trial depend on the seed, its number, and the trials that ended before (tree-structured Parzen estimator,
    Bergstra et al. 2011). A study that was killed goes on where it was: the trial that ran then runs again under its number,
    with the values it had, so that the study ends as if it had never been killed. A trial that failed is run again by the next
    run, under its number too, since its cause may be mended; where several workers are at a study, only once all have failed.

    Args:
        plan: the study.
        score: gives one number for a trial and a fold.
        told: called with the trials that ended so far and the best score.

    Raises:
        RatchetError: no trial could be scored; the message has the reason of the first.
        WorkspaceError: the journal is in use or damaged.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with kept(plan.place) as store, warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        worker = _Worker(plan, store)
        worker.run(score, told)
        return worker.ended()


class _Worker:
    """One process at a study."""

    def __init__(self, plan: Plan, store: Kept) -> None:
        import optuna

        self.plan, self.store = plan, store
        self.taken = 0
        self._failed: set[int] = set()
        """Trials of this run that failed: they wait in the journal for the next one."""
        with store.alone():
            self._forget_dead()
            made = optuna.create_study(
                study_name=plan.key, storage=store.storage, direction="maximize", load_if_exists=True
            )
            self.id = store.storage.get_study_id_from_name(plan.key)
            for number in range(len(self._trials()), plan.trials):
                made.enqueue_trial({} if number else _within(plan))
        if not store.shared:
            store.revive(self.id)
            self._forget_failures()

    def _forget_dead(self) -> None:
        """Remove a shared study of which every trial has ended and none has a score: it begins anew."""
        import optuna

        if not self.store.shared or self.plan.key not in optuna.get_all_study_names(self.store.storage):
            return
        trials = optuna.load_study(study_name=self.plan.key, storage=self.store.storage).trials
        if trials and all(one.state == optuna.trial.TrialState.FAIL for one in trials):
            optuna.delete_study(study_name=self.plan.key, storage=self.store.storage)

    def _forget_failures(self) -> None:
        """Let the trials that failed in an earlier run begin as if they had not been tried; their values stay."""
        from optuna.trial import TrialState

        for trial in self._trials():
            if trial.state == TrialState.WAITING and trial.user_attrs.get("reason"):
                place = self._place(trial.number)
                self.store.storage.set_trial_user_attr(place, "reason", "")
                self.store.storage.set_trial_user_attr(place, "seconds", 0.0)

    def run(self, score: Score, told: Callable[[int, float | None], None]) -> None:
        """Take one trial after the other until all have ended, those of other workers too."""
        from optuna.trial import TrialState

        while True:
            if self.store.shared:
                self.store.revive(self.id)
            number = self._claimed()
            if number is None:
                if not any(trial.state == TrialState.RUNNING for trial in self._trials()):
                    return
                time.sleep(POLL)
                continue
            if self._out_of_time():
                self._end(number, reason=NO_TIME)
                continue
            self._one(number, score)
            ended = [one for one in self._trials() if one.state.is_finished() or one.number in self._failed]
            scores = [one.value for one in ended if one.state == TrialState.COMPLETE and one.value is not None]
            told(len(ended), max(scores, default=None))

    def _trials(self) -> list[FrozenTrial]:
        """The trials of the plan by number; an earlier plan may have had more."""
        found = self.store.storage.get_all_trials(self.id, deepcopy=False)
        return sorted(found, key=lambda trial: trial.number)[: self.plan.trials]

    def _claimed(self) -> int | None:
        """A waiting trial that is now this worker's, the lowest number first."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        for trial in self._trials():
            if trial.state == TrialState.WAITING and trial.number not in self._failed:
                place = self._place(trial.number)
                self.store.beat(place)
                try:
                    if self.store.storage.set_trial_state_values(place, state=TrialState.RUNNING):
                        return int(trial.number)
                except UpdateFinishedTrialError:
                    continue
        return None

    def _place(self, number: int) -> int:
        return int(self.store.storage.get_trial_id_from_study_id_trial_number(self.id, number))

    def _out_of_time(self) -> bool:
        used = sum(float(trial.user_attrs.get("seconds", 0.0)) for trial in self._trials())
        return bool(self.plan.minutes) and used >= 60 * self.plan.minutes

    def _end(self, number: int, *, score: float | None = None, pruned: bool = False, reason: str = "") -> None:
        """Write how a trial ended; one that another worker took over and ended stays as it is."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        place, storage = self._place(number), self.store.storage
        state = TrialState.FAIL if score is None else TrialState.PRUNED if pruned else TrialState.COMPLETE
        try:
            if reason:
                storage.set_trial_user_attr(place, "reason", reason)
            storage.set_trial_state_values(place, state=state, values=None if score is None else [score])
        except UpdateFinishedTrialError:
            self.taken += 1

    def _one(self, number: int, score: Score) -> None:
        """Run a trial: what it raises is its end, and not the study's; a user who stops the run gives it back.

        One that raised waits for the next run, unless other workers would take it; one whose score is no number has ended.
        """
        from optuna.exceptions import UpdateFinishedTrialError

        place, begun = self._place(number), time.perf_counter()
        done, waits = False, False
        try:
            with self.store.beating(place):
                try:
                    found, pruned = self._scored(number, score)
                    reason = "" if math.isfinite(found) else f"its score is {found}"
                except (WorkspaceError, ExtraMissing, UpdateFinishedTrialError):
                    raise
                except (RatchetError, *FAILURES) as error:
                    found, pruned, reason = math.nan, False, _said(error)
                    waits = not self.store.shared
            self.store.storage.set_trial_user_attr(place, "seconds", time.perf_counter() - begun)
            if waits:
                self.store.storage.set_trial_user_attr(place, "reason", reason)
                self._failed.add(number)
            else:
                self._end(number, score=None if reason else found, pruned=pruned, reason=reason)
                done = True
        except UpdateFinishedTrialError:  # it was silent for long, and another worker took it over and ended it
            self.taken += 1
            done = True
        finally:
            if not done:
                self._give_back(place)

    def _give_back(self, place: int) -> None:
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        try:
            self.store.storage.set_trial_state_values(place, state=TrialState.WAITING)
        except UpdateFinishedTrialError:
            self.taken += 1

    def _scored(self, number: int, score: Score) -> tuple[float, bool]:
        """The mean over the folds, and whether the trial was pruned; folds scored before a kill are not scored again."""
        import optuna

        # a study keeps the trials that it saw first, so each trial has one of its own that sees all that ended before
        fresh = optuna.load_study(
            study_name=self.plan.key, storage=self.store.storage, pruner=_pruner(self.plan.pruner)
        )
        trial = optuna.trial.Trial(fresh, self._place(number))
        values = self._drawn(trial, number)
        before = self.store.storage.get_trial(self._place(number))
        scores = [float(one) for one in before.user_attrs.get("scores", ())]
        course = _Course(trial, before.intermediate_values)
        mean, shares = math.nan, self.plan.shares
        for step in range(self.plan.steps):
            if step == len(scores):
                reached = partial(course.reached, shares=shares if step == 0 else 1)
                try:
                    scores.append(float(score(values, number, step, reached)))
                except Pruned as end:
                    return end.score, True
                trial.set_user_attr("scores", scores)
            mean = math.fsum(scores[: step + 1]) / (step + 1)
            if not math.isfinite(mean):
                return mean, False
            if course.ends((step + 1) * shares, mean) and step + 1 < self.plan.steps:
                return mean, True
        return mean, False

    def _drawn(self, trial: Trial, number: int) -> dict[str, Any]:
        """The values of a trial; each key has a generator of its own, so that it matters not which were drawn before a kill."""
        from optuna.samplers import TPESampler

        found = {}
        for key, one in self.plan.space.items():
            seed = int.from_bytes(hashlib.sha256(f"{self.plan.seed}:{number}:{key}".encode()).digest()[:4])
            trial.study.sampler = TPESampler(seed=seed, constant_liar=self.store.shared)
            if one.choices:
                found[key] = _choice(one, trial.suggest_categorical(key, _as_kept(one)))
            elif key in self.plan.whole:
                low, high, step = int(one.low or 0), int(one.high or 0), int(one.step or 1)
                found[key] = trial.suggest_int(key, low, high, step=step, log=one.log)
            else:
                assert one.low is not None
                assert one.high is not None
                found[key] = trial.suggest_float(key, one.low, one.high, step=one.step, log=one.log)
        return found

    def ended(self) -> Studied:
        """The study when every trial has ended.

        Raises:
            RatchetError: none of them was scored on all folds.
        """
        trials = tuple(self._told(trial) for trial in self._trials())
        whole = [trial for trial in trials if trial.state == "complete" and trial.score is not None]
        if not whole:
            reason = next((trial.reason for trial in trials if trial.reason), "none was scored on all folds")
            raise RatchetError(
                f"At least one of the {len(trials):,} trials must end with a score but all failed, the first by: {reason}.",
                next_step="Correct the challenger's space, or what it tunes.",
            )
        best = max(whole, key=lambda trial: (trial.score, -trial.number))
        return Studied(trials=trials, best=best.number, importance=self._importance(), taken=self.taken)

    def _told(self, trial: FrozenTrial) -> Tried:
        from optuna.trial import TrialState

        reason = str(trial.user_attrs.get("reason", ""))
        states: dict[TrialState, State] = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned"}
        space = self.plan.space
        values = {key: _choice(space[key], trial.params[key]) for key in space if key in trial.params}
        return Tried(
            number=trial.number,
            values=values,
            score=trial.value if trial.state in states else None,
            state="left" if reason == NO_TIME else states.get(trial.state, "failed"),
            seconds=round(float(trial.user_attrs.get("seconds", 0.0)), 3),
            reason=reason,
        )

    def _importance(self) -> dict[str, float]:
        """Functional analysis of variance over the complete trials (Hutter, Hoos and Leyton-Brown 2014)."""
        import optuna
        from optuna.trial import TrialState

        own = optuna.create_study(direction="maximize")
        own.add_trials([trial for trial in self._trials() if trial.state == TrialState.COMPLETE])
        if len({trial.value for trial in own.trials}) < 2:
            return {}
        judge = optuna.importance.FanovaImportanceEvaluator(seed=self.plan.seed % (1 << 32))
        try:
            found = optuna.importance.get_param_importances(own, evaluator=judge)
        except (ValueError, RuntimeError):  # too few trials, or no variance
            return {}
        return {key: float(value) for key, value in found.items()}


class _Course:
    """How far a trial is, and what it scored there, those parts of it that were run before a kill among them."""

    def __init__(self, trial: Trial, known: Mapping[int, float]) -> None:
        self.trial, self._known = trial, set(known)
        self._last, self._seen = max(known, default=0), 0

    def ends(self, step: int, score: float) -> bool:
        """Tell a score; whether the trial is pruned there. After all but the last that were told before a kill it went on."""
        if step not in self._known:
            self.trial.report(score, step)
        return step >= self._last and self.trial.should_prune()

    def reached(self, share: float, score: float, *, shares: int) -> None:
        """As `Reached`: the first score from each of so many parts on counts."""
        step = math.floor(share * shares + 1e-9)
        if self._seen < step < shares and math.isfinite(score):
            self._seen = step
            if self.ends(step, score):
                raise Pruned(score)


def _as_kept(one: Range) -> list[Any]:
    """The choices as a study keeps them: what is no plain value as its JSON."""
    return [
        value if value is None or isinstance(value, bool | int | float | str) else shown(value) for value in one.choices
    ]


def _choice(one: Range, kept_as: Any) -> Any:
    """The value of the space for one that a study keeps."""
    at = _place_of(kept_as, _as_kept(one))
    return kept_as if at is None else one.choices[at]


def _place_of(value: Any, among: Sequence[Any]) -> int | None:
    """The number of an equal value; true is not 1."""
    alike = (n for n, each in enumerate(among) if each == value and isinstance(each, bool) == isinstance(value, bool))
    return next(alike, None)


def _on_grid(one: Range, value: float) -> bool:
    """Whether a range has this number."""
    if one.low is None or one.high is None or isinstance(value, bool) or not one.low <= value <= one.high:
        return False
    return one.step is None or math.isclose(math.remainder(value - one.low, one.step), 0.0, abs_tol=1e-9)


def _within(plan: Plan) -> dict[str, Any]:
    """The first trial's values that are in the space, as the study keeps them."""
    found: dict[str, Any] = {}
    for key, one in plan.space.items():
        value = plan.first.get(key)
        if one.choices:
            at = _place_of(value, one.choices)
            found |= {} if at is None else {key: _as_kept(one)[at]}
        elif isinstance(value, int | float) and _on_grid(one, value):
            found[key] = int(value) if key in plan.whole else float(value)
    return found


def _pruner(name: str) -> BasePruner:
    from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner

    if name == "halving":
        return SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    return MedianPruner(n_startup_trials=STARTED, n_min_trials=STARTED) if name == "median" else NopPruner()


def _said(error: BaseException) -> str:
    """The first line of an error."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
