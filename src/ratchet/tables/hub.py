"""A data set of the Hugging Face hub: asked for only when its id is named, kept in the library's own cache."""

from __future__ import annotations

import re
from pathlib import Path

from ratchet.errors import DataError, ExtraMissing
from ratchet.offline import allow_hub

# A path swallows one of two slashes, and joins the id to a folder.
HUB = re.compile(r"(?:^|/)hf:/{1,2}(?P<id>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[^#]+))?(?:#(?P<part>.+))?/?$")
_PATTERNS = ("*.parquet", "*.csv", "*.csv.gz", "*.tsv", "*.jsonl", "*.jsonl.gz", "*.ndjson", "README.md")


def hub_name(found: re.Match[str]) -> str:
    """What messages call a match of ``HUB``."""
    return f"hf://{found['id']}" + (f"@{found['revision']}" if found["revision"] else "")


def download(repository: str, *, revision: str = "", name: str) -> Path:
    """The folder with a data set's tables, from the hub or from the cache of an earlier download; no code of it is run.

    Args:
        repository: ``owner/name``.
        revision: a branch, tag or commit; the main branch when empty.
        name: what messages call it.

    Raises:
        ExtraMissing: ``huggingface_hub`` is not installed.
        DataError: the hub does not answer and the cache has no copy, or there is no such data set.
    """
    allow_hub()
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
            OfflineModeIsEnabled,
        )
        from huggingface_hub.utils.tqdm import disable_progress_bars
    except ImportError:
        raise ExtraMissing("huggingface_hub", extra="hub", why=f"Reading {name}") from None
    disable_progress_bars()
    patterns = list(_PATTERNS)
    try:
        return Path(
            snapshot_download(repository, repo_type="dataset", revision=revision or None, allow_patterns=patterns)
        )
    except HFValidationError as problem:
        raise DataError(
            f"A hub id must be hf://owner/name but got {name}: {_line(problem)}", next_step="Check the id."
        ) from None
    except (LocalEntryNotFoundError, OfflineModeIsEnabled):
        raise _unreachable(repository, name) from None
    except HfHubHTTPError as problem:
        raise DataError(
            f"{name} must be a data set that the Hugging Face hub gives out but the answer was: {_line(problem)}",
            next_step="Check the id; for a private or gated one set HF_TOKEN.",
        ) from None
    except OSError as problem:
        raise DataError(
            f"{name} could not be downloaded: {_line(problem)}",
            next_step=f"Try again, or fetch it elsewhere with {_by_hand(repository)} and name DIR.",
        ) from None


def _unreachable(repository: str, name: str) -> DataError:
    return DataError(
        f"{name} must be on the Hugging Face hub or in its cache, but the hub cannot be reached and there is no copy.",
        next_step="Go online (HF_HUB_OFFLINE must not be 1), or fetch it elsewhere with "
        f"{_by_hand(repository)} and name DIR.",
    )


def _by_hand(repository: str) -> str:
    return f"`hf download --repo-type dataset {repository} --local-dir DIR`"


def _line(problem: Exception) -> str:
    text = str(problem).strip().splitlines()
    return (text[0][:200] if text else type(problem).__name__).rstrip(".") + "."
