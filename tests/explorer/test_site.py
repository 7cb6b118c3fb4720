"""What is kept per state of the index: computed once for all that wait, never older than asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from opendepin.explorer.site import Kept


def test_one_thread_computes_for_all_that_wait() -> None:
    kept, begun, go = Kept(), Event(), Event()
    computed: list[int] = []

    def slow() -> int:
        begun.set()
        assert go.wait(10)
        computed.append(1)
        return len(computed)

    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(kept.get, "stats", lambda: 1, slow)
        assert begun.wait(10)
        others = [pool.submit(kept.get, "stats", lambda: 1, slow) for _ in range(5)]
        go.set()
        assert [each.result(10) for each in (first, *others)] == [1] * 6


def test_a_newer_index_is_computed_anew_and_no_other_answer_is_disturbed() -> None:
    kept, version = Kept(), [1]

    def get(name: str, answer: str) -> str:
        return kept.get(name, lambda: version[0], lambda: answer)

    assert get("stats", "a") == "a"
    assert get("stats", "b") == "a", "the same state, the same answer"
    assert get("map", "c") == "c"
    version[0] = 2
    assert get("stats", "d") == "d"
    assert get("map", "e") == "e"
