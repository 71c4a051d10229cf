"""The processes of this machine, as anybody who lists them sees them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process, with the arguments that it was started with."""

    pid: int
    parent: int
    session: int
    arguments: str


def processes() -> list[Process]:
    """All of them; from `ps` where there is no `/proc`."""
    if (_PROC / "self" / "stat").exists():
        return list(_from_proc())
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,sess=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 3) for line in listed.splitlines()]
    return [
        Process(int(row[0]), int(row[1]), int(row[2], 0), row[3]) for row in rows if len(row) == 4
    ]


def _from_proc() -> Iterator[Process]:
    for folder in _PROC.glob("[0-9]*"):
        try:
            # What follows the name, which stands in brackets and may hold anything.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            arguments = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:  # ended meanwhile
            continue
        yield Process(
            int(folder.name), int(fields[1]), int(fields[3]), arguments.decode(errors="replace")
        )
