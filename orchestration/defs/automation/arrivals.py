"""When arriving files start a rebuild: a pure decision from what the sensor sees and remembers.

The cursor holds identities of batches (one digest over paths, sizes and times of files, and over
the settings that change figures), never a clock: a file that is copied with an old date, or arrives
while a run is going on, is not missed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import Enum

MAX_ATTEMPTS = 3


class Outcome(Enum):
    """What became of the run that was asked for last."""

    UNKNOWN = "unknown"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Memory:
    """What the sensor remembers from tick to tick; digests are those of batches.

    Attributes:
        seen: of the tick before.
        done: of the last batch whose run succeeded.
        asked: of the batch that a run was asked for and that is not done.
        attempt: how often a run was asked for it.
    """

    seen: str | None = None
    done: str | None = None
    asked: str | None = None
    attempt: int = 0

    @property
    def run_key(self) -> str | None:
        """The key of the run that was asked for last: a new one for every attempt."""
        return f"{self.asked}-{self.attempt}" if self.asked else None

    def to_cursor(self) -> str:
        """As Dagster keeps it."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_cursor(cursor: str | None) -> Memory:
        """From what Dagster kept; nothing yet is an empty memory."""
        return Memory(**json.loads(cursor)) if cursor else Memory()


@dataclass(frozen=True)
class Decision:
    """What a tick does: ask for the run of `memory`'s batch, or skip and say why."""

    memory: Memory
    skip_reason: str | None = None

    @property
    def asks_for_a_run(self) -> bool:
        """Whether a run is asked for, under `memory.run_key`."""
        return self.skip_reason is None


def decide(
    memory: Memory,
    digest: str | None,
    *,
    is_published: bool,
    outcome: Outcome,
    run: str = "its run",
) -> Decision:
    """Decide what a tick does.

    Args:
        memory: of the tick before.
        digest: of the landing folder and the settings; null when it holds no file.
        is_published: the published file was made from just these files and settings.
        outcome: of the run with `memory.run_key`; ignored when there is none.
        run: how to name that run.
    """
    before, memory = memory.seen, replace(memory, seen=digest)
    if memory.asked is not None:
        if outcome is Outcome.RUNNING:
            return Decision(memory, f"{run} is still at work on the last batch of files.")
        if outcome is Outcome.SUCCEEDED:
            memory = replace(memory, done=memory.asked, asked=None, attempt=0)
    if digest is None:
        return Decision(memory, "The landing folder holds no files.")
    if is_published:
        memory = replace(memory, done=digest, asked=None, attempt=0)
        return Decision(memory, "All files of the landing folder are in the published file.")
    if digest == memory.done:
        return Decision(memory, "Nothing has arrived or changed since the last successful run.")
    if digest != before:
        return Decision(
            memory, "Files have arrived or changed; waiting until the folder is quiet for a tick."
        )
    if digest != memory.asked:
        return Decision(replace(memory, asked=digest, attempt=1))
    if outcome is Outcome.UNKNOWN:
        # The daemon may have stopped between writing the cursor and launching: the same key again.
        return Decision(memory)
    if memory.attempt < MAX_ATTEMPTS:
        return Decision(replace(memory, attempt=memory.attempt + 1))
    return Decision(
        memory,
        f"These files failed {MAX_ATTEMPTS} times, the last time in {run}: see why in its log. "
        "The next file that arrives or changes starts a new attempt; `make run` tries at once.",
    )
