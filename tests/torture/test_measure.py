"""The one switch between the short and the full measure."""

from __future__ import annotations

from tests.torture.measure import read_measure


def test_the_environment_says_how_much_is_done_and_repeats_it() -> None:
    short = read_measure({"NORTHSTAR_TORTURE_SEED": "7"})
    full = read_measure({"NORTHSTAR_TORTURE": "full", "NORTHSTAR_TORTURE_SEED": "7"})

    assert (short.kills, short.files, short.publications) == (5, 200, 5)
    assert (full.kills, full.files, full.publications) == (100, 10_000, 50)
    assert short.chance("kills").random() == full.chance("kills").random()
    assert short.chance("kills").random() != short.chance("files").random()


def test_without_a_seed_another_one_is_drawn_every_time() -> None:
    assert len({read_measure({}).seed for _ in range(5)}) > 1
