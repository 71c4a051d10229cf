"""Small writes that survive a kill or a power cut: a file or link is the old one or the new one."""

from __future__ import annotations

import os
import re
from pathlib import Path

# A hidden name that ends with the number of the process.
_DRAFT = re.compile(r"\..+\.[0-9]+")


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Replace a file in one step: written beside it, flushed to disk, renamed over it.

    The mode is set before the content is written, so that a secret is never readable in between.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync(path.parent)


def remove_drafts(folder: Path) -> None:
    """Remove what killed processes were about to rename, in a folder and those below it.

    A draft may hold a secret. Call it where nobody else writes.
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            if _DRAFT.fullmatch(name):
                (Path(parent) / name).unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush one file's content, or one folder's list of names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def point_link(link: Path, target: Path) -> None:
    """Make a symbolic link, or point an existing one elsewhere, in one step.

    `target` is kept as given; relative ones are relative to the link's folder, so that the folder
    can be moved or mounted elsewhere.
    """
    draft = link.with_name(f".{link.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(link)
    sync(link.parent)
