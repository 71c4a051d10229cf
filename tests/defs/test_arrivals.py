"""When arriving files start a rebuild."""

from __future__ import annotations

from orchestration.defs.automation.arrivals import (
    MAX_ATTEMPTS,
    Decision,
    Memory,
    Outcome,
    decide,
)


def tick(
    memory: Memory,
    digest: str | None,
    outcome: Outcome = Outcome.UNKNOWN,
    *,
    is_published: bool = False,
) -> Decision:
    return decide(memory, digest, is_published=is_published, outcome=outcome, run="run 7")


def test_a_quiet_folder_starts_one_run() -> None:
    first = tick(Memory(), "a")
    second = tick(first.memory, "a")

    assert not first.asks_for_a_run
    assert second.asks_for_a_run
    assert second.memory == Memory(seen="a", asked="a", attempt=1)
    assert second.memory.run_key == "a-1"


def test_a_folder_that_keeps_changing_is_waited_for() -> None:
    memory = Memory()
    for digest in ("a", "b", "c", "d"):
        decision = tick(memory, digest)
        assert not decision.asks_for_a_run
        memory = decision.memory
    assert tick(memory, "d").asks_for_a_run


def test_a_batch_is_done_only_when_its_run_succeeded() -> None:
    asked = Memory(seen="a", asked="a", attempt=1)

    running = tick(asked, "a", Outcome.RUNNING)
    succeeded = tick(running.memory, "a", Outcome.SUCCEEDED)

    assert running.skip_reason == "run 7 is still at work on the last batch of files."
    assert running.memory.done is None
    assert succeeded.memory == Memory(seen="a", done="a")
    assert not tick(succeeded.memory, "a").asks_for_a_run


def test_files_that_arrive_during_a_run_start_the_next_one() -> None:
    asked = Memory(seen="a", asked="a", attempt=1)

    running = tick(asked, "b", Outcome.RUNNING)
    succeeded = tick(running.memory, "b", Outcome.SUCCEEDED)

    assert succeeded.asks_for_a_run
    assert succeeded.memory == Memory(seen="b", done="a", asked="b", attempt=1)


def test_a_failed_batch_is_tried_again_under_a_new_key_and_then_given_up() -> None:
    memory = Memory(seen="a", asked="a", attempt=1)
    keys = [memory.run_key]
    while (decision := tick(memory, "a", Outcome.FAILED)).asks_for_a_run:
        memory = decision.memory
        keys.append(memory.run_key)

    assert keys == ["a-1", "a-2", "a-3"]
    assert len(keys) == MAX_ATTEMPTS
    assert decision.skip_reason is not None
    assert "failed 3 times" in decision.skip_reason
    assert "run 7" in decision.skip_reason
    assert decision.memory.done is None


def test_a_batch_that_was_given_up_is_tried_again_when_a_file_changes() -> None:
    given_up = Memory(seen="a", asked="a", attempt=MAX_ATTEMPTS)

    changed = tick(given_up, "b", Outcome.FAILED)
    quiet = tick(changed.memory, "b", Outcome.FAILED)

    assert not changed.asks_for_a_run
    assert quiet.asks_for_a_run
    assert quiet.memory == Memory(seen="b", asked="b", attempt=1)


def test_a_run_that_was_never_launched_is_asked_for_under_the_same_key() -> None:
    asked = Memory(seen="a", asked="a", attempt=2)

    decision = tick(asked, "a", Outcome.UNKNOWN)

    assert decision.asks_for_a_run
    assert decision.memory.run_key == "a-2"


def test_files_that_somebody_else_published_are_done() -> None:
    failed = Memory(seen="a", asked="a", attempt=2)

    decision = tick(failed, "a", Outcome.FAILED, is_published=True)

    assert decision.memory == Memory(seen="a", done="a")
    assert not decision.asks_for_a_run


def test_an_empty_folder_starts_nothing() -> None:
    decision = tick(tick(Memory(), None).memory, None)

    assert decision.skip_reason == "The landing folder holds no files."


def test_the_cursor_keeps_the_memory() -> None:
    memory = Memory(seen="a", done="b", asked="c", attempt=2)

    assert Memory.from_cursor(memory.to_cursor()) == memory
    assert Memory.from_cursor(None) == Memory()
