"""Train, watch and read a job with plain boto3: the same calls work on AWS, with an image that lies in ECR.

Usage, after `eval "$(./drydock env)"`: python examples/train_with_boto3.py FOLDER [EPOCHS]
"""

import sys
from pathlib import Path

import boto3

BUCKET = "factory-line-7"
ROLE = "arn:aws:iam::123456789012:role/drydock"


def main(folder: str, epochs: str = "2") -> None:
    s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
    s3.create_bucket(Bucket=BUCKET)
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            s3.upload_file(str(path), BUCKET, f"cookies/{path.relative_to(folder)}")

    sagemaker.create_training_job(
        TrainingJobName="cookies-1",
        RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": "drydock/train-cpu:yolo", "TrainingInputMode": "File"},
        HyperParameters={"task": "segment", "epochs": epochs, "img-size": "160"},
        InputDataConfig=[
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/cookies/"}},
            }
        ],
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/models"},
        ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
    )
    waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
    waiter.wait(TrainingJobName="cookies-1", WaiterConfig={"Delay": 2, "MaxAttempts": 300})

    job = sagemaker.describe_training_job(TrainingJobName="cookies-1")
    print(job["TrainingJobStatus"], job["ModelArtifacts"]["S3ModelArtifacts"])
    for transition in job["SecondaryStatusTransitions"]:
        print(f"  {transition['Status']:12} {transition['StatusMessage']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
