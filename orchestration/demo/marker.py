"""The marker of demo exports: which files of a landing folder the demo wrote, and what is true."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestration.demo.truth import Truth
from orchestration.digests import digest_of_file
from orchestration.durable import write_file
from orchestration.errors import LandingError

MARKER_NAME = ".northstar-demo.json"
# Files are written here first, so that a run that is killed leaves no half of a demo behind.
DRAFT_NAME = ".northstar-demo.draft"
# What file managers leave behind belongs to nobody.
_LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".gitkeep"})


class Marker(BaseModel):
    """What the marker file holds.

    Attributes:
        files: path in the landing folder to the SHA-256 of the bytes written there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    learners: int
    months: int
    files: dict[str, str]
    truth: Truth


def read_marker(landing: Path) -> Marker | None:
    """The marker of a landing folder, null where the demo has not written.

    Raises:
        LandingError: the marker cannot be read, or names files outside of the folder.
    """
    path = landing / MARKER_NAME
    try:
        marker = Marker.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        kind = type(error).__name__
        raise LandingError(
            f"{path}: this marker of demo exports cannot be read ({kind}). Delete it and the demo "
            "files beside it by hand, or move your own exports to a new landing folder."
        ) from error
    for name in marker.files:
        parts = PurePosixPath(name).parts
        if PurePosixPath(name).is_absolute() or ".." in parts or "\\" in name:
            raise LandingError(
                f"{path}: names a file outside of the landing folder. The demo did not write this "
                "marker; delete it by hand."
            )
    return marker


def write_marker(folder: Path, marker: Marker) -> None:
    """Write the marker into a folder, in one step."""
    content = json.dumps(marker.model_dump(mode="json"), ensure_ascii=False, indent=1)
    write_file(folder / MARKER_NAME, f"{content}\n".encode(), 0o644)


def foreign_files(landing: Path) -> list[Path]:
    """Files of the landing folder that the demo did not write, or that were changed since.

    Returns:
        Absolute paths, sorted; none without a marker, for then there is no demo to mix with.

    Raises:
        LandingError: the marker cannot be read.
    """
    marker = read_marker(landing)
    if marker is None:
        return []
    return [
        landing / name
        for name in files_below(landing)
        if name != MARKER_NAME
        and not _is_draft(name)
        and marker.files.get(name) != digest_of_file(landing / name)
    ]


def remove_demo(landing: Path) -> list[Path]:
    """Remove the files that the demo wrote and nobody has changed, and the marker.

    Everything else stays, and so does the landing folder itself; folders that are empty then go.

    Returns:
        The files of the folder that stay.

    Raises:
        LandingError: the marker cannot be read.
    """
    marker = read_marker(landing)
    shutil.rmtree(landing / DRAFT_NAME, ignore_errors=True)
    if marker is not None:
        folders: set[Path] = set()
        for name, expected in marker.files.items():
            path = landing / name
            folders.update(list(path.parents)[: len(PurePosixPath(name).parts) - 1])
            if path.is_file() and not path.is_symlink() and digest_of_file(path) == expected:
                path.unlink()
        for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
            if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
                folder.rmdir()
        (landing / MARKER_NAME).unlink()
    return [landing / name for name in files_below(landing)]


def is_vacant(landing: Path) -> bool:
    """Whether a demo may be written: the folder is absent, or holds no file of anybody's.

    What a killed run of the demo left behind does not count: the next one clears it away.

    Raises:
        LandingError: the marker cannot be read.
    """
    if is_unfinished(landing) and read_marker(landing) is not None:
        return not foreign_files(landing)
    return not any(not _is_draft(name) for name in files_below(landing))


def is_unfinished(landing: Path) -> bool:
    """Whether a run of the demo was killed before all of its files were in place."""
    return (landing / DRAFT_NAME).exists()


def files_below(folder: Path) -> list[str]:
    """Paths of all files below a folder, relative to it, sorted; litter is passed over."""
    return sorted(
        (Path(parent) / name).relative_to(folder).as_posix()
        for parent, _, names in os.walk(folder)
        for name in names
        if name not in _LITTER
    )


def _is_draft(name: str) -> bool:
    return name.startswith(f"{DRAFT_NAME}/")
