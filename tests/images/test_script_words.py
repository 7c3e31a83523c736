"""What ended a script is found in its standard error; no engine needed."""

from __future__ import annotations

import pytest

from containers.train.bin.script_mode import ending

TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 1, in <module>\n    main()\n'
TORCHRUN = (
    f"{TRACEBACK}torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n====\ntrain.py FAILED\n====\n"
)

SIGNALS = "Signal 15 (SIGTERM) received by PID 26\nSignal 9 (SIGKILL) received by PID 27\n"


@pytest.mark.parametrize(
    ("stderr", "cause"),
    [
        (f"{TRACEBACK}ValueError: no images\nlooked everywhere\n", "ValueError: no images"),
        (f"{TRACEBACK}KeyboardInterrupt\n", "KeyboardInterrupt"),
        (f"{TRACEBACK}cv2.error: OpenCV(4.1) bad depth\n", "cv2.error: OpenCV(4.1) bad depth"),
        (
            f"{TRACEBACK}KeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\n"
            f"{TRACEBACK}RuntimeError: no class a\n",
            "RuntimeError: no class a",
        ),
        ('  File "train.py", line 3\n    def x(\n         ^\nSyntaxError: never closed\n', "SyntaxError: never closed"),
        (
            "usage: train.py\ntrain.py: error: unrecognized arguments: --x\n",
            "train.py: error: unrecognized arguments: --x",
        ),
        (f"{TRACEBACK}ValueError: in a worker\n{TORCHRUN}", "ValueError: in a worker"),
        (
            "[rank1]: Traceback (most recent call last):\n[rank1]:   File 'train.py', line 1\n[rank1]: OSError: full\n"
            "[rank0]: Traceback (most recent call last):\n[rank0]:   File 'train.py', line 1\n"
            f"[rank0]: RuntimeError: Connection closed by peer\nW1120 17:00:00.0 27 api.py:9] closing\n{TORCHRUN}",
            "OSError: full",
        ),
        (f"{TORCHRUN}{SIGNALS}", "a worker was killed by SIGKILL"),
        ("", ""),
        ("\n====\n", ""),
    ],
)
def test_the_line_that_says_why(stderr: str, cause: str) -> None:
    assert ending.cause(stderr) == cause
