from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from tests.tuning.study_worker import plan

from ratchet.errors import MetricFailed, RatchetError, WorkspaceError
from ratchet.monitoring.alerts import Stopped
from ratchet.tuning.study import Reached, Studied, _Worker, study
from ratchet.tuning.study_storage import Place, kept

WORKER = Path(__file__).with_name("study_worker.py")


def worker(folder: Path, name: str, *, wait: float = 0.0, trials: int = 50, address: str = "") -> subprocess.Popen[str]:
    """Begin a worker; its journal and the list of what it scored lie in the folder."""
    arguments = [str(folder / "journal.log"), address, str(folder / "scored.txt"), str(wait), str(trials)]
    source = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([source, *sys.path])}
    with (folder / f"{name}.txt").open("w") as out:
        return subprocess.Popen([sys.executable, str(WORKER), *arguments], stdout=out, text=True, env=environment)


def found(folder: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((folder / f"{name}.txt").read_text()))


def scored(folder: Path) -> list[str]:
    path = folder / "scored.txt"
    return path.read_text().splitlines() if path.is_file() else []


def until(folder: Path, count: int) -> None:
    end = time.monotonic() + 60
    while len(scored(folder)) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_study_killed_twice_ends_as_one_that_never_was(tmp_path: Path) -> None:
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    for folder in (quiet, killed):
        folder.mkdir()
    assert worker(quiet, "one").wait(120) == 0
    for number, count in enumerate((20, 60)):
        process = worker(killed, f"killed-{number}", wait=0.02)
        until(killed, count)
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
        with (killed / "journal.log").open("ab") as file:
            file.write(b'{"op_code":6,"worker_id":"cut in the mid')  # a line that a killed process wrote in part
    assert worker(killed, "last").wait(120) == 0
    assert found(killed, "last") == found(quiet, "one")
    assert len(found(killed, "last")["trials"]) == 50
    ended = [trial for trial in found(killed, "last")["trials"] if trial["state"] == "pruned"]
    folds = Counter(int(line.split()[1]) for line in scored(quiet))
    assert any(folds[trial["number"]] == 0 for trial in ended), "some ended in the midst of their first fold"
    assert len({line.split()[0] for line in scored(killed)}) == 3, "three processes were at it"
    again = Counter(line.split(" ", 1)[1] for line in scored(killed))
    assert sum(again.values()) - len(again) <= 2, "of what was scored, a kill costs one fold at most"


def values(numbers: list[float | Exception], *, pruner: str = "none", **more: Any) -> Any:
    """A score that is the number of the trial's place in a list, or raises it."""

    def score(settings: object, number: int, step: int, reached: Reached) -> float:
        one = numbers[number]
        if isinstance(one, Exception):
            raise one
        return one

    return score


def nothing(done: int, best: float | None) -> None:
    return


@pytest.mark.parametrize(
    "error",
    [ValueError("bad"), MemoryError("bad"), RuntimeError("bad\nmore"), ZeroDivisionError("bad"), RatchetError("bad")],
)
def test_a_trial_that_fails_is_a_failed_trial(tmp_path: Path, error: Exception) -> None:
    numbers: list[float | Exception] = [0.2, error, float("nan"), 0.4, 0.4]
    one = study(plan(Place(journal=tmp_path / "j.log"), trials=5, pruner="none"), values(numbers), told=nothing)
    assert [trial.state for trial in one.trials] == ["complete", "failed", "failed", "complete", "complete"]
    assert (one.trials[1].reason, one.trials[2].reason) == ("bad", "its score is nan")
    assert (one.best, one.score) == (3, pytest.approx(0.4)), "of equal trials the first"
    assert one.counts == {"complete": 3, "failed": 2}
    assert one.trials[0].values == {"x": 1.0, "n": 2, "c": None}, "the first are the settings as they were"
    assert all(type(trial.values["n"]) is int and trial.values["c"] in ("a", None, [1, 2]) for trial in one.trials)


def test_a_study_without_any_score_says_why(tmp_path: Path) -> None:
    place = Place(journal=tmp_path / "j.log")
    with pytest.raises(
        RatchetError, match="one of the 2 trials must end with a score but all failed, the first by: no"
    ):
        study(plan(place, trials=2), values([ValueError("no"), ValueError("other")]), told=nothing)


@pytest.mark.parametrize("error", [MetricFailed("bad"), Stopped("bad"), MemoryError("bad"), RuntimeError("bad")])
def test_what_failed_is_tried_again_by_the_next_run(tmp_path: Path, error: Exception) -> None:
    place = Place(journal=tmp_path / "j.log")
    with pytest.raises(RatchetError, match="all failed, the first by: bad"):
        study(plan(place, trials=3), values([error] * 3), told=nothing)
    mended: list[float | Exception] = [0.1, error, 0.3]
    one = study(plan(place, trials=3), values(mended), told=nothing)
    assert [trial.state for trial in one.trials] == ["complete", "failed", "complete"]
    counts: list[tuple[int, float | None]] = []
    two = study(plan(place, trials=3), values([9.0, 0.2, 9.0]), told=lambda done, best: counts.append((done, best)))
    assert [trial.score for trial in two.trials] == pytest.approx([0.1, 0.2, 0.3]), "what has a score is not run again"
    assert [trial.values for trial in two.trials[::2]] == [trial.values for trial in one.trials[::2]]
    assert two.trials[1].values == one.trials[1].values
    assert two.trials[1].reason == ""
    assert counts == [(3, pytest.approx(0.3))]


def test_the_minutes_of_what_failed_before_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, now = Place(journal=tmp_path / "j.log"), [0.0]
    monkeypatch.setattr("ratchet.tuning.study.time.perf_counter", lambda: now[0])

    def fails(*_: object) -> float:
        now[0] += 45
        raise MemoryError

    with pytest.raises(RatchetError, match="all failed"):
        study(plan(place, trials=2, minutes=1), fails, told=nothing)
    assert study(plan(place, trials=2, minutes=1), values([0.1, 0.2]), told=nothing).counts == {"complete": 2}


def test_an_error_of_ours_gives_the_trial_back(tmp_path: Path) -> None:
    place = Place(journal=tmp_path / "j.log")
    with pytest.raises(KeyError):
        study(plan(place, trials=2), values([0.1, KeyError("ours")]), told=nothing)  # type: ignore[list-item]
    assert study(plan(place, trials=2), values([9.0, 0.3]), told=nothing).score == pytest.approx(0.3), "0 was done"


def curves(settings: object, number: int, step: int, reached: Reached) -> float:
    """Each trial has a level of its own and 4 or 8 epochs; in later folds nobody heeds them."""
    level, epochs = 0.1 * (number * 7 % 11), 4 if number % 2 else 8
    for epoch in range(1, epochs + 1):
        reached(epoch / epochs, level - 0.5 / epoch if step == 0 else -9.0)
    return level


def test_a_trial_below_the_median_ends_in_the_midst_of_its_first_fold(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []

    def score(settings: object, number: int, step: int, reached: Reached) -> float:
        found = curves(settings, number, step, reached)
        calls.append((number, step))
        return found

    one = study(plan(Place(journal=tmp_path / "j.log"), trials=24), score, told=nothing)
    pruned = [trial for trial in one.trials if trial.state == "pruned"]
    early = [trial for trial in pruned if (trial.number, 0) not in calls]
    assert early
    assert all(trial.number >= 5 for trial in pruned), "the first ones are looked at whole"
    for trial in early:
        level, epochs = 0.1 * (trial.number * 7 % 11), 4 if trial.number % 2 else 8
        assert trial.score in [level - 0.5 / epoch for epoch in range(1, epochs)]
    whole = [trial for trial in one.trials if trial.state == "complete"]
    assert all([(trial.number, step) in calls for step in range(3)] == [True] * 3 for trial in whole)
    assert one.score == max(0.1 * (number * 7 % 11) for number in range(24))
    kept_up = study(plan(Place(journal=tmp_path / "k.log"), trials=24, key="none", pruner="none"), curves, told=nothing)
    assert kept_up.counts == {"complete": 24}


def test_trials_are_compared_at_the_same_share_of_their_own_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import optuna

    reported: list[tuple[int, int, float]] = []
    report = optuna.trial.Trial.report

    def noted(self: Any, value: float, step: int) -> None:
        reported.append((self.number, step, value))
        report(self, value, step)

    monkeypatch.setattr(optuna.trial.Trial, "report", noted)

    def score(settings: object, number: int, step: int, reached: Reached) -> float:
        epochs = (2, 3, 16)[number]
        for epoch in range(1, epochs + 1):
            reached(epoch / epochs, float(epoch))
        return 100.0

    study(plan(Place(journal=tmp_path / "j.log"), trials=3), score, told=nothing)
    of = [[(step, value) for number, step, value in reported if number == one and step < 8] for one in range(3)]
    assert of[0] == [(4, 1.0)]
    assert of[1] == [(2, 1.0), (5, 2.0)]
    assert of[2] == [(step, 2.0 * step) for step in range(1, 8)], "of each eighth the first epoch"
    assert [step for number, step, _ in reported if number == 0 and step >= 8] == [8, 16, 24]


@pytest.mark.parametrize("where", ["should_prune", "report"])
@pytest.mark.parametrize("call", [30, 45, 58, 59, 60, 61, 75])
def test_a_study_killed_between_two_epochs_ends_as_one_that_never_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, call: int
) -> None:
    import optuna

    def told(one: Studied) -> list[object]:
        return [(t.number, dict(t.values), t.score, t.state) for t in one.trials]

    quiet = study(plan(Place(journal=tmp_path / "quiet.log"), trials=16), curves, told=nothing)
    assert quiet.counts["pruned"] > 2
    plain, calls = getattr(optuna.trial.Trial, where), [0]

    def dies(self: Any, *given: Any) -> Any:
        calls[0] += 1
        if calls[0] == call:  # no study knows this error: the trial stays as a kill leaves it, to be run again
            raise KeyError("killed")
        return plain(self, *given)

    monkeypatch.setattr(optuna.trial.Trial, where, dies)
    place = Place(journal=tmp_path / "killed.log")
    with pytest.raises(KeyError):
        study(plan(place, trials=16), curves, told=nothing)
    again = study(plan(place, trials=16), curves, told=nothing)
    assert told(again) == told(quiet)


def test_more_trials_go_on_from_those_that_there_are(tmp_path: Path) -> None:
    place = Place(journal=tmp_path / "j.log")
    first = study(plan(place, trials=3, pruner="none"), values([0.5, 0.1, 0.1]), told=nothing)
    more = study(plan(place, trials=5, pruner="none"), values([9.0, 9.0, 9.0, 0.2, 0.9]), told=nothing)
    assert (first.trials, more.best) == (more.trials[:3], 4)
    fewer = study(plan(place, trials=3, pruner="none"), values([]), told=nothing)
    assert fewer == first


def test_no_further_trial_begins_when_the_minutes_are_over(tmp_path: Path) -> None:
    def slow(settings: object, number: int, step: int, reached: Reached) -> float:
        time.sleep(0.02)
        return float(number)

    place = Place(journal=tmp_path / "j.log")
    one = study(plan(place, trials=30, minutes=0.2 / 60, pruner="none"), slow, told=nothing)
    assert 2 <= one.counts["complete"] < 30
    assert one.counts["left"] == 30 - one.counts["complete"]
    assert one.best == one.counts["complete"] - 1


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_a_bad_trial_ends_early(tmp_path: Path, pruner: str) -> None:
    steps: list[tuple[int, int]] = []

    def score(settings: object, number: int, step: int, reached: Reached) -> float:
        steps.append((number, step))
        return -1.0 if number == 9 else 1.0 + number / 100

    one = study(plan(Place(journal=tmp_path / "j.log"), trials=10, pruner=pruner), score, told=nothing)
    assert one.trials[9].state == "pruned"
    assert one.trials[9].score == -1.0
    assert (9, 1) not in steps


def test_importance_is_of_the_key_that_matters(tmp_path: Path) -> None:
    def score(settings: Any, number: int, step: int, reached: Reached) -> float:
        return float(settings["n"])

    one = study(plan(Place(journal=tmp_path / "j.log"), trials=20, pruner="none"), score, told=nothing)
    assert next(iter(one.importance)) == "n"
    assert one.importance["n"] > 0.9
    assert one.values["n"] == 5


def test_later_trials_learn_from_earlier_ones(tmp_path: Path) -> None:
    def score(settings: Any, number: int, step: int, reached: Reached) -> float:
        return -float((math.log(settings["x"]) - 1) ** 2) - float(settings["n"])

    one = study(plan(Place(journal=tmp_path / "j.log"), trials=40, pruner="none"), score, told=nothing)
    scores = [trial.score or 0.0 for trial in one.trials]
    assert fmean(scores[25:]) > fmean(scores[1:10]) + 1
    again = study(plan(Place(journal=tmp_path / "k.log"), trials=40, pruner="none"), score, told=nothing)
    assert [trial.values for trial in again.trials] == [trial.values for trial in one.trials]


def test_a_journal_is_one_runs(tmp_path: Path) -> None:
    place = Place(journal=tmp_path / "j.log")
    with kept(place), pytest.raises(WorkspaceError, match="in use by one run at a time"), kept(place):
        pass


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "j.log").write_bytes(b"no json\nno json\n")
    with (
        pytest.raises(WorkspaceError, match="must be a journal of trials but cannot be read"),
        kept(Place(journal=tmp_path / "j.log")),
    ):
        pass


def test_a_record_of_it_is_plain(tmp_path: Path) -> None:
    one = study(plan(Place(journal=tmp_path / "j.log"), trials=2), values([0.1, 0.2]), told=nothing)
    assert isinstance(one, Studied)
    assert json.loads(json.dumps(one.to_dict()))["best"] == 1


@pytest.mark.parametrize("when", ["in the score", "in the last fold", "at the end", "given back"])
def test_a_trial_that_another_worker_ended_is_survived_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    from optuna.trial import TrialState

    place = Place(journal=tmp_path / "journal.log")
    workers: list[_Worker] = []
    run = _Worker.run

    def noted(self: _Worker, *how: Any) -> None:
        workers.append(self)
        run(self, *how)

    monkeypatch.setattr(_Worker, "run", noted)

    def end(number: int) -> None:
        worker = workers[0]
        worker.store.storage.set_trial_state_values(worker._place(number), state=TrialState.FAIL)

    def score(values: Any, number: int, step: int, reached: Reached) -> float:
        if number == 1 and when == "given back":
            end(number)
            raise WorkspaceError("the disk is full")
        if number == 1 and step == (2 if when == "in the last fold" else 0):
            end(number)
            if when == "at the end":
                raise ValueError("this is written too late")
        return float(values["n"])

    if when == "given back":
        with pytest.raises(WorkspaceError, match="the disk is full"):
            study(plan(place, trials=4), score, told=lambda done, best: None)
        assert workers[0].taken == 1
        return
    found = study(plan(place, trials=4), score, told=lambda done, best: None)
    assert found.taken == 1
    assert found.counts == {"complete": 3, "failed": 1}
    assert found.to_dict()["taken"] == 1
