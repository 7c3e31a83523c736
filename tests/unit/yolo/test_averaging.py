"""How far back the averaged weights look."""

from __future__ import annotations

import pytest

from training.averaging import EPOCHS, SHARE, averaging


def looks_back(batches: int, updates: int) -> float:
    """Updates that the average covers, from its decay."""
    return 1 / (1 - averaging(batches)(updates))


def test_the_first_updates_are_taken_as_they_are() -> None:
    assert averaging(7)(0) == 0
    assert looks_back(7, 1) < 1.1


@pytest.mark.parametrize("batches", [1, 7, 1000])
def test_later_it_covers_some_epochs(batches: int) -> None:
    assert looks_back(batches, 10**6) == pytest.approx(EPOCHS * batches)


def test_in_a_short_run_it_covers_a_part_of_it() -> None:
    assert 1 / (1 - averaging(40, SHARE * 12)(10**6)) == pytest.approx(1.5 * 40)
    assert 1 / (1 - averaging(40, SHARE * 300)(10**6)) == pytest.approx(EPOCHS * 40)


def test_a_run_of_one_batch_keeps_the_last_weights() -> None:
    assert averaging(1, SHARE)(10) == 0


def test_on_a_large_set_it_covers_what_ultralytics_covers() -> None:
    assert looks_back(100_000, 10**7) == pytest.approx(10_000)


def test_it_never_takes_the_weights_back() -> None:
    decays = [averaging(7)(updates) for updates in range(500)]
    assert decays == sorted(decays)
