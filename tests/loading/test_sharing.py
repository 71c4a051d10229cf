"""Work is cut into runs: nothing is left out, and no run is too long."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier, Lock

from hypothesis import given
from hypothesis import strategies as st

from orchestration.loading.scratch import _tagged
from orchestration.loading.sharing import cut, map_shares

LINES = st.lists(st.sampled_from([b"{}", b'{"a":1}', b"{", b"}", b"", b"5", b"{}\r", b'{"\xff"}']))


@given(st.lists(st.integers(0, 2**21)))
def test_runs_hold_every_item_in_its_order_and_no_more_than_they_may(sizes: list[int]) -> None:
    found = list(cut(sizes, int, most_items=64, most_bytes=2**20))

    assert [size for share in found for size in share] == sizes
    for share in found:
        assert 0 < len(share) <= 64
        assert len(share) == 1 or sum(share) <= 2**20
    # None could have taken in the first of the next.
    for share, following in pairwise(found):
        assert len(share) == 64 or sum(share) + following[0] > 2**20


@given(st.lists(st.integers(0, 2**21)))
def test_threads_give_back_every_item_in_its_order(sizes: list[int]) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(map_shares(pool, list, sizes, size=int))

    assert [size for share in found for size in share] == sizes


def test_small_things_are_worked_on_by_one_thread_at_a_time() -> None:
    busy = Lock()

    def work(share: Sequence[int]) -> bool:
        was_free = busy.acquire(blocking=False)
        if was_free:
            sum(range(10_000))
            busy.release()
        return was_free

    with ThreadPoolExecutor(4) as pool:
        assert all(map_shares(pool, work, [1] * 64 * 200, size=int))


def test_large_things_are_worked_on_side_by_side() -> None:
    together = Barrier(2, timeout=10)

    def work(share: Sequence[int]) -> int:
        return together.wait() + len(share)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(map_shares(pool, work, [2**21, 2**21], size=int)) == [1, 2]


@given(LINES, st.booleans())
def test_lines_are_tagged_if_all_of_them_are_plainly_objects(
    lines: list[bytes], ends_with_newline: bool
) -> None:
    content = b"\n".join(lines) + (b"\n" if lines and ends_with_newline else b"")

    pieces = _tagged(content, b"TAG")

    given_lines = content.removesuffix(b"\n").split(b"\n")
    if all(len(line) > 1 and line[:1] == b"{" and line[-1:] == b"}" for line in given_lines):
        assert pieces is not None
        assert b"".join(pieces) == b"".join(b"TAG" + line[1:] + b"\n" for line in given_lines)
        assert len(pieces) // 2 == len(given_lines)
    else:
        assert pieces is None
