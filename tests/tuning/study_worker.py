"""One worker at a study, as a process of its own that a test may kill; prints what it found."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path

from ratchet.recipe.space import Range
from ratchet.tuning import study_storage
from ratchet.tuning.study import SHARES, Plan, Reached, study
from ratchet.tuning.study_storage import Place

SPACE = {"x": Range(low=0.01, high=10, log=True), "n": Range(low=1, high=5), "c": Range(choices=("a", None, [1, 2]))}


def plan(place: Place, *, trials: int = 50, key: str = "study", **more: object) -> Plan:
    return Plan(
        key=key,
        space=SPACE,
        whole=frozenset({"n"}),
        first={"x": 1.0, "n": 2, "c": None},
        trials=trials,
        steps=3,
        shares=SHARES,
        seed=3,
        place=place,
        **more,  # type: ignore[arg-type]
    )


def main(journal: str, address: str, log: str, wait: str, trials: str) -> None:
    def score(values: dict[str, object], number: int, step: int, reached: Reached) -> float:
        if number == 7:
            raise RuntimeError("CUDA out of memory")
        x, n = values["x"], values["n"]
        assert isinstance(x, float)
        assert isinstance(n, int)
        value = -((math.log(x) - 1) ** 2) - n / 7 + (values["c"] is None)
        for epoch in range(1, 2 * n + 1):  # trials have other numbers of epochs
            time.sleep(float(wait) / (2 * n))
            reached(epoch / (2 * n), value - 1 / epoch)
        with Path(log).open("a") as file:
            file.write(f"{os.getpid()} {number} {step}\n")
        return value + 0.01 * step

    study_storage.BEAT, study_storage.GRACE = 1, 3
    place = Place(journal=Path(journal), address=address, password="STUDY_PASSWORD" if address else "")
    found = study(plan(place, trials=int(trials)), score, told=lambda done, best: None)  # type: ignore[arg-type]
    trials_of = [{key: value for key, value in vars(one).items() if key != "seconds"} for one in found.trials]
    print(json.dumps({"best": found.best, "trials": trials_of, "importance": dict(found.importance)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
