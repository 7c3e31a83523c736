"""Where a Keras program computes, with how many threads, and that it gives the same bits every time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from optml.errors import Refusal
from training.run import Compute


def prepare(device: str, threads: int, seed: int | None = None) -> Compute:
    """What the hyperparameter `device` (auto, cpu, cuda) comes to; fixes threads and, with a seed, all randomness.

    TensorFlow takes no notice of OMP_NUM_THREADS and of a container's share of the processors, so it is told. Before
    anything is computed: later the numbers of threads stand. Refuses `cuda` where there is none.
    """
    found = tf.config.list_physical_devices("GPU")
    if device == "cuda" and not found:
        raise Refusal(
            "device=cuda, but this machine has no GPU that TensorFlow can use", "use device=auto or device=cpu"
        )
    with contextlib.suppress(RuntimeError):  # a program that loads its model again is told the same
        if device == "cpu":
            tf.config.set_visible_devices([], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for gpu in found if device != "cpu" else ():
            tf.config.experimental.set_memory_growth(gpu, enable=True)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(0 if seed is None else seed % 2**32)
    return Compute("cuda" if found and device != "cpu" else "cpu", half=False)


@contextlib.contextmanager
def memory_checked(batch_size: int, img_size: int) -> Iterator[None]:
    """TensorFlow's error that memory ran out becomes a Refusal that says which batch to take."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise Refusal(
            f"out of memory with batch-size={batch_size} and img-size={img_size}",
            f"use batch-size={max(1, batch_size // 2)}",
        ) from error
