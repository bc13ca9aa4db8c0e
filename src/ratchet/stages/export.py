"""The champion as a bundle."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ratchet.bundle.bundle import Bundle, write_bundle
from ratchet.bundle.golden import Golden
from ratchet.bundle.predict import Recorded, parity, require_parity
from ratchet.bundle.reference import Reference
from ratchet.bundle.runtimes import destination_of
from ratchet.contenders.base import MODEL, Contender
from ratchet.contenders.refit import refit
from ratchet.contenders.registry import kind_of
from ratchet.contenders.rows import PartedRows
from ratchet.errors import ExtraMissing, RatchetError, WorkspaceError
from ratchet.metrics.metrics import score
from ratchet.models.checkpoints import first_line
from ratchet.models.model import features_of
from ratchet.recipe.recipe import dump_recipe
from ratchet.stages.answer import sure
from ratchet.stages.entrants import champion, family_of, training_of
from ratchet.stages.job import Job
from ratchet.stages.names import Stage
from ratchet.tasks.task import Parity
from ratchet.workspace.finished import key_of

SLOW = 4
"""Golden rows of a model that writes its answers."""


def export(job: Job, rows: PartedRows) -> Bundle:
    """Train the champion once more on all dev rows, write it as a bundle, and refuse it unless it predicts as it did."""
    with job.stage(Stage.EXPORT) as skipped:
        best = exportable(job, rows)
        served, reason = _served(job, rows, best)
        key = key_of("bundle", served.folder.name, job.recipe.export, job.recipe.answer, job.code)
        target = job.workspace.bundles / f"{best.name}-{key[:8]}"
        skipped.append(target.is_dir())
        if not target.is_dir():
            found = _proven(job, rows, served)
            _write(job, rows, best, served, found, target=target)
            job.ledger.note("exported", {"run": job.run, "bundle": target.name, "champion": best.name})
        bundle = Bundle.open(target)
    facts = bundle.manifest.model
    how = f"trained again on all {facts['refit_rows']:,} train and valid rows" if facts.get("refit_rows") else reason
    job.screen.say("export", f"{best.name}, {how}")
    if bundle.consent:
        address = facts["sends_to"]
        job.screen.say("export", f"{target} ({bundle.bytes:,} bytes); a prompt: it sends every text to {address}")
        return bundle
    job.screen.say(
        "export",
        f"{target} ({bundle.bytes:,} bytes); {facts['parity_rows']:,} valid rows predicted again: largest difference "
        f"{facts['parity_max_difference']:.1e}, {facts['parity_disagreements']} other answers",
    )
    return bundle


def exportable(job: Job, rows: PartedRows) -> Contender:
    """The champion, or, where that is answers without a model, the last contender with a model that was proven better."""
    best = champion(job, rows)
    if _can_be_exported(best):
        return best
    for challenge in reversed(job.ledger.challenges(family_of(rows))):
        folder = job.workspace.models / challenge.challenger.key
        if (
            challenge.verdict.outcome == "better"
            and folder.is_dir()
            and _can_be_exported(found := Contender.load(folder))
        ):
            break
    else:
        root = job.ledger.find(f"root:{family_of(rows)}")
        assert root is not None, "the first champion comes first"
        found = Contender.load(job.workspace.models / str(root.body["contender"]["key"]))
    job.screen.say(
        "export", f"{best.name} is the champion but has no model to export; the best contender that has is {found.name}"
    )
    return found


def _can_be_exported(contender: Contender) -> bool:
    if contender.facts.get("not_exported"):
        return False
    return not contender.learns or kind_of(contender)[0].exported


def _served(job: Job, rows: PartedRows, best: Contender) -> tuple[Contender, str]:
    """What is exported: the champion trained on all dev rows, or as it was judged, and why.

    A training that fails here, or that an alert ends, costs the rows that the judged model left out, and not the bundle.
    """
    if not job.recipe.export.refit:
        return best, "as it was judged (export.refit is false)"
    with job.screen.bar("refit") as advance:
        training = training_of(job, rows, name=best.name, kind=best.ref.kind, key=best.folder.name, advance=advance)
        try:
            whole, reason = refit(best, training)
        except (WorkspaceError, ExtraMissing):
            raise
        except (RatchetError, MemoryError, RuntimeError) as error:  # torch: out of memory, a kernel that is missing
            whole, reason = None, f"It could not be trained again on all rows: {first_line(error)}"
    return (best, f"as it was judged. {reason}") if whole is None else (whole, "")


def _proven(job: Job, rows: PartedRows, served: Contender) -> Parity:
    """How the model as it will be served predicts the valid rows, beside what was recorded when it was trained.

    Raises:
        BundleError: it predicts otherwise.
        WorkspaceError: nothing was recorded.
    """
    if destination_of(served.folder / MODEL, served.runtime) is not None:
        return Parity(max_difference=0.0, disagreements=0, n=0)  # the same prompt, before the same address
    shared, probability = served.predictions(rows, rows.parts.valid)
    if not len(shared):
        raise WorkspaceError(
            f"{served.folder} must hold predictions of valid rows but has none to compare the export with.",
            next_step=f"Remove {served.folder} and run again.",
        )
    trained = Recorded(labels=rows.labels, probability=probability)
    found = parity(trained, served.model(threads=job.recipe.threads), rows.inputs(shared), task=rows.task)
    require_parity(found, config=job.recipe.export)
    return found


def _write(job: Job, rows: PartedRows, best: Contender, served: Contender, found: Parity, *, target: Path) -> None:
    """Write the bundle of ``best``, with the model of ``served``."""
    places, roles = best.placed(rows), rows.dataset.roles
    to = destination_of(served.folder / MODEL, served.runtime)
    judged, answering = score(best.evidence(rows), job.recipe.gate.metrics[0]).to_dict(), sure(job, rows, best)
    write_bundle(
        target,
        model_folder=served.folder / MODEL,
        name=best.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        kind=best.runtime,
        labels=rows.labels,
        language=rows.language,
        text_column=roles.text,
        text_columns=roles.texts,
        features=features_of(served.model(threads=job.recipe.threads)),
        fixes=job.recipe.prepare.text,
        task=rows.task.name,
        model={
            **rows.task.facts(rows.targets.take(places), best.answers),
            **({} if answering is None else answering.facts),
            "kind": best.ref.kind,
            "bytes": served.ref.bytes,
            "judged": best.folder.name,
            "served": served.folder.name,
            **({} if to is None else {"sends_to": to.address}),
            "refit_rows": served.card["facts"].get("refit"),
            "parity_max_difference": found.max_difference,
            "parity_disagreements": found.disagreements,
            "parity_rows": found.n,
        },
        data_version=rows.parts.hash,
        recipe=dump_recipe(job.recipe),
        verdicts=[challenge.verdict.to_dict() for challenge in job.ledger.challenges(family_of(rows))],
        scores={"valid": judged, "about": "the model that was judged, on rows it had not seen"},
        environment={"python": platform.python_version(), "platform": platform.platform()},
        golden=b"" if to is not None else _golden(job, rows, served),
        reference=_reference(rows, best),
    )


def _reference(rows: PartedRows, best: Contender) -> bytes:
    """What the texts are like, and the answers to those that no model of the champion had seen when it was asked."""
    places, answers = best.predictions(rows, rows.parts.valid)
    if not len(places):
        return b""
    train = np.setdiff1d(rows.parts.train, places)
    texts = list(rows.inputs(places))
    return Reference.made(list(rows.texts(train)), texts, answers, labels=rows.labels).to_json()


def _golden(job: Job, rows: PartedRows, served: Contender) -> bytes:
    """Rows of the valid part with the answers of the model as it will be served; a few where an answer is a text."""
    most = job.recipe.export.golden
    shared, _ = served.predictions(rows, rows.parts.valid)
    if not most or not len(shared):
        return b""
    if rows.targets.kind == "texts":
        most = min(most, SLOW)
    return Golden.made(rows.inputs(shared), served.model(threads=job.recipe.threads), most=most).to_json()
