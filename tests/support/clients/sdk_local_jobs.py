"""Training jobs in the local mode of the SageMaker SDK v2, in one process since importing it takes seconds.

Each line of stdin is a CreateTrainingJob request as JSON. Each line of stdout is what came of it:
``{"error": words of the exception or null, "described": DescribeTrainingJob's reply or null, "printed": text}``.
What the SDK logs goes to stderr.
"""

import contextlib
import io
import json
import os
import sys


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # before the SDK is imported, which logs to stdout

    import boto3
    from sagemaker.local import LocalSession

    client = LocalSession(boto3.Session()).sagemaker_client
    for line in sys.stdin:
        print(json.dumps(run(client, json.loads(line)), default=str), file=answers, flush=True)


def run(client, request):
    printed, error, described = io.StringIO(), None, None
    with contextlib.redirect_stdout(printed):
        try:
            client.create_training_job(**request)
        except Exception as raised:  # noqa: BLE001 - whatever local mode raises is its answer
            error = f"{type(raised).__name__}: {raised}"
    if not error:
        described = client.describe_training_job(request["TrainingJobName"])
    return {"error": error, "described": described, "printed": printed.getvalue()}


if __name__ == "__main__":
    main()
