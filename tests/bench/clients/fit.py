"""Seconds from ``fit()`` in the SageMaker SDK v2's local mode to the program's first line, once for each line of stdin.

A line is ``{"image": …, "channel": …, "output": …}``; the answer on stdout is a number.
"""

import contextlib
import io
import json
import os
import sys
import time


class FirstLine(io.StringIO):
    """Notes when the program is first heard."""

    at = None

    def write(self, text):
        if self.at is None and "  | " in text:
            self.at = time.time()
        return super().write(text)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # before the SDK is imported, which logs to stdout

    import boto3
    from sagemaker.estimator import Estimator
    from sagemaker.local import LocalSession

    session = LocalSession(boto3.Session())
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        estimator = Estimator(
            image_uri=job["image"], role="arn:aws:iam::123456789012:role/drydock", instance_count=1,
            instance_type="local", output_path=job["output"], sagemaker_session=session,
        )  # fmt: skip
        with contextlib.redirect_stdout(FirstLine()) as heard:
            started = time.time()
            estimator.fit({"train": job["channel"]})
        print(heard.at - started, file=answers, flush=True)


if __name__ == "__main__":
    main()
