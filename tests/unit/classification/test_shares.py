"""How an epoch's images are shared out among hosts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optml.errors import Refusal
from training.hosts import Hosts

NAMES = tuple(f"algo-{number}" for number in range(1, 9))


@given(st.integers(1, 300), st.integers(1, 20), st.integers(1, 8))
def test_every_image_is_one_hosts_and_all_have_as_many_steps(samples: int, batch: int, count: int) -> None:
    samples = max(samples, count)
    order = np.random.default_rng(0).permutation(samples)
    shares = [Hosts(NAMES[:count], name).shares(order, batch) for name in NAMES[:count]]
    assert len({len(one) for one in shares}) == 1
    for step, rows in zip(zip(*shares, strict=True), np.array_split(order, len(shares[0])), strict=True):
        assert np.concatenate([own for own, _ in step]).tolist() == rows.tolist()
        assert all(1 <= len(own) <= batch + 1 for own, _ in step)
        mean = sum(weight * own.mean() for own, weight in step) / count
        assert mean == pytest.approx(rows.mean())
    assert np.concatenate(np.array_split(order, len(shares[0]))).tolist() == order.tolist()


@given(st.integers(1, 300), st.integers(1, 20))
def test_one_host_has_its_batches(samples: int, batch: int) -> None:
    shares = Hosts(NAMES[:1], "algo-1").shares(np.arange(samples), batch)
    assert len(shares) == -(-samples // batch)
    assert {weight for _, weight in shares} == {1.0}


def test_fewer_images_than_hosts_are_refused() -> None:
    with pytest.raises(Refusal, match="3 training images are too few for 4 hosts"):
        Hosts(NAMES[:4], "algo-1").steps(3, 1)
