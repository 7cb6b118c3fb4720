"""How the outputs' maxima are cut into the loops of the verifier contract."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.verifier import Run, runs


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_runs_spell_the_maxima(maxima: list[int]) -> None:
    spelled = [each for run in runs(maxima) for _ in range(run.times) for each in run.pattern]
    assert spelled == maxima


def test_the_demos_layout_is_two_runs() -> None:
    assert runs(assemble(CLEAN_AIR).maxima) == (
        Run((256, 256, 268_435_200, 1_048_575, 1_048_575), 13),
        Run((256,), 70),
    )
