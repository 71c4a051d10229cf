"""Tells of a full disk in one sentence, whoever of the many who write here found it so."""

from __future__ import annotations

import errno
import shutil

from orchestration.errors import DiskFullError, behind
from orchestration.settings import Settings

_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# DuckDB, SQLite and dbt tell it in words only.
_WORDS = (
    "no space left on device",
    "disk quota exceeded",
    "file too large",
    "database or disk is full",
    "disk i/o error",
    "failed to offload data block",
)
_MEBIBYTE = 2**20


def disk_full(error: BaseException, settings: Settings) -> DiskFullError | None:
    """The error that tells of a full disk, if that is what lies behind an error."""
    if not any(_is_of_a_full_disk(one) for one in behind(error)):
        return None
    free = shutil.disk_usage(settings.data).free / _MEBIBYTE
    return DiskFullError(
        f"The disk of {settings.data} is full ({free:,.0f} MiB are left), or its files may not "
        "grow any further (a quota, or `ulimit -f`). The published file is as it was. Make room, "
        "or move the data with NORTHSTAR_DATA_DIR, and run again."
    )


def words_of_a_full_disk(text: str) -> str | None:
    """The words in a text that tell of a full disk, in lower case; none if there are none."""
    folded = text.lower()
    return next((words for words in _WORDS if words in folded), None)


def _is_of_a_full_disk(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return True
    return words_of_a_full_disk(str(error)) is not None
