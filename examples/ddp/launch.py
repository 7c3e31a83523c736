"""Train train.py on two hosts with plain boto3: the same calls work on AWS.

Usage, after `eval "$(./drydock env)"`: python examples/ddp/launch.py [JOB]
"""

import io
import sys
import tarfile
from pathlib import Path

import boto3

BUCKET = "factory-line-8"
ROLE = "arn:aws:iam::123456789012:role/drydock"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.8.0-cpu-py312"


def main(job: str = "ddp-1") -> None:
    s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
    s3.create_bucket(Bucket=BUCKET)
    source = io.BytesIO()
    with tarfile.open(fileobj=source, mode="w:gz") as tar:
        tar.add(Path(__file__).with_name("train.py"), "train.py")
    s3.put_object(Bucket=BUCKET, Key=f"{job}/sourcedir.tar.gz", Body=source.getvalue())

    sagemaker.create_training_job(
        TrainingJobName=job,
        RoleArn=ROLE,
        AlgorithmSpecification={
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "train:loss", "Regex": r"name=train:loss value=(\S+);"}],
        },
        HyperParameters={
            "epochs": "3",
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": f"s3://{BUCKET}/{job}/sourcedir.tar.gz",
            "sagemaker_torch_distributed_enabled": "true",
        },
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/models"},
        ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
    )
    waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
    waiter.wait(TrainingJobName=job, WaiterConfig={"Delay": 2, "MaxAttempts": 300})

    ended = sagemaker.describe_training_job(TrainingJobName=job)
    print(ended["TrainingJobStatus"], ended["ModelArtifacts"]["S3ModelArtifacts"])
    for metric in ended["FinalMetricDataList"]:
        print(f"  {metric['MetricName']} {metric['Value']:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
