from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.tuning.study_worker import plan
from tests.tuning.test_study import found, nothing, scored, until, values, worker

from ratchet.errors import RatchetError, RecipeError
from ratchet.tuning.study import Reached, study
from ratchet.tuning.study_storage import Place, kept

SECRET = "SDx-" + secrets.token_hex(8)
PLACES = ("/usr/lib/postgresql/15/bin", "/usr/local/bin", "/usr/bin")


def program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([*PLACES, os.environ.get("PATH", "")]))


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The address of a real server of this test's own, on a socket in a folder; its password is in the environment."""
    if find_spec("psycopg") is None:
        pytest.skip("the driver psycopg is not installed")
    initdb, server = program("initdb"), program("postgres")
    if initdb is None or server is None:
        pytest.skip("PostgreSQL is not installed")
    before: list[str] = []
    if os.geteuid() == 0:  # it refuses to run as root
        runuser = program("runuser")
        if runuser is None or not any(user.pw_name == "postgres" for user in pwd.getpwall()):
            pytest.skip("PostgreSQL refuses to run as root, and there is no user postgres to run it as")
        before = [runuser, "-u", "postgres", "--"]
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if before:
        shutil.chown(folder, "postgres")
    folder.chmod(0o755)
    word = folder / "password"
    word.write_text(SECRET)
    word.chmod(0o644)
    data = str(folder / "data")
    made = [*before, initdb, "-D", data, "-U", "tuner", f"--pwfile={word}", "--auth=scram-sha-256", "--no-sync"]
    subprocess.run(made, check=True, capture_output=True)
    word.unlink()
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*before, server, "-D", data, *options], stdout=log, stderr=log)
    try:
        end = time.monotonic() + 30
        while not (folder / ".s.PGSQL.5432").exists() or "ready to accept" not in (folder / "log").read_text():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.05)
        os.environ["STUDY_PASSWORD"] = SECRET
        yield f"postgresql://tuner@/postgres?host={folder}"
    finally:
        os.environ.pop("STUDY_PASSWORD", None)
        running = folder / "data" / "postmaster.pid"
        if running.is_file():  # else it ended by itself
            os.kill(int(running.read_text().splitlines()[0]), signal.SIGINT)
        process.wait(30)
        shutil.rmtree(folder)


def test_two_workers_share_one_study(postgres: str, tmp_path: Path) -> None:
    both = [worker(tmp_path, name, wait=0.02, trials=24, address=postgres) for name in ("one", "two")]
    assert [process.wait(120) for process in both] == [0, 0]
    one, two = found(tmp_path, "one"), found(tmp_path, "two")
    assert one == two, "both end with the same trials, and so with the same best"
    assert [trial["number"] for trial in one["trials"]] == list(range(24)), "exactly as many as were asked for"
    assert all(trial["state"] in ("complete", "pruned", "failed") for trial in one["trials"])
    lines = [line.split() for line in scored(tmp_path)]
    assert len({process for process, _, _ in lines}) == 2, "both worked"
    assert max(Counter((number, step) for _, number, step in lines).values()) == 1, "none did the other's work"


def test_the_trial_of_a_worker_that_died_is_taken_over(postgres: str, tmp_path: Path) -> None:
    with kept(Place(journal=tmp_path, address=postgres, password="STUDY_PASSWORD")) as store:
        import optuna

        for known in optuna.get_all_study_names(store.storage):
            optuna.delete_study(study_name=known, storage=store.storage)
    dies = worker(tmp_path, "dies", wait=0.1, trials=16, address=postgres)
    until(tmp_path, 4)
    dies.send_signal(signal.SIGKILL)
    assert dies.wait(30) == -signal.SIGKILL
    goes_on = [worker(tmp_path, name, trials=16, address=postgres) for name in ("one", "two")]
    assert [process.wait(120) for process in goes_on] == [0, 0]
    one = found(tmp_path, "one")
    assert one == found(tmp_path, "two")
    assert len(one["trials"]) == 16
    again = Counter(line.split(" ", 1)[1] for line in scored(tmp_path))
    assert sum(again.values()) - len(again) <= 1, "of what was scored, a kill costs one fold at most"


def test_the_password_is_in_the_environment_and_nowhere_else(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(journal=tmp_path / "j", address=postgres, password="STUDY_PASSWORD")
    one = study(plan(place, trials=2, key="secret"), values([0.1, 0.2]), told=nothing)
    assert SECRET not in str(one) + repr(place)
    monkeypatch.setenv("STUDY_PASSWORD", "SDx-another")
    with pytest.raises(RatchetError, match=r"must be reachable but got: .*password authentication failed") as caught:
        study(plan(place, trials=2, key="secret"), values([0.1, 0.2]), told=nothing)
    assert "SDx-another" not in str(caught.value)
    monkeypatch.delenv("STUDY_PASSWORD")
    with pytest.raises(RecipeError, match="The environment variable STUDY_PASSWORD must hold the password"):
        study(plan(place, trials=2, key="secret"), values([0.1, 0.2]), told=nothing)


def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    if find_spec("psycopg") is None:
        pytest.skip("the driver psycopg is not installed")
    place = Place(journal=tmp_path / "j", address=f"postgresql://me@/db?host={tmp_path}")
    with pytest.raises(RatchetError, match=r"The storage postgresql://me@/db.* must be reachable but got: "):
        study(plan(place, trials=2), values([0.1, 0.2]), told=nothing)


def test_a_shared_study_in_which_all_failed_begins_anew(postgres: str, tmp_path: Path) -> None:
    wanted = plan(Place(journal=tmp_path, address=postgres, password="STUDY_PASSWORD"), trials=2, key="dead")
    asked: list[int] = []

    def fails(values: object, number: int, step: int, reached: Reached) -> float:
        asked.append(number)
        raise MemoryError("out of memory")

    for _ in range(2):
        with pytest.raises(RatchetError, match="all failed, the first by: out of memory"):
            study(wanted, fails, told=lambda done, best: None)
    assert asked == [0, 1, 0, 1]
    found = study(wanted, lambda values, number, step, reached: float(number), told=lambda done, best: None)
    assert [trial.score for trial in found.trials] == [0, 1]
    again = study(wanted, fails, told=lambda done, best: None)
    assert again.trials == found.trials, "what has scores stays"
