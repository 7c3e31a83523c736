"""Train `train.py` on two hosts with plain boto3; the same code runs on AWS, with your role and an image of AWS's.

eval "$(./drydock env)"
.venvs/emulator/bin/python examples/ddp/launch.py
"""

import io
import sys
import tarfile
import time
from pathlib import Path

import boto3

BUCKET, JOB, HOSTS = "factory-line-7", sys.argv[1] if len(sys.argv) > 1 else "ddp-1", 2
SCRIPT = Path(__file__).with_name("train.py")

archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w:gz") as tar:
    tar.add(SCRIPT, SCRIPT.name)
s3 = boto3.client("s3")
s3.create_bucket(Bucket=BUCKET)
s3.put_object(Bucket=BUCKET, Key=f"code/{JOB}/sourcedir.tar.gz", Body=archive.getvalue())

sagemaker = boto3.client("sagemaker")
sagemaker.create_training_job(
    TrainingJobName=JOB,
    RoleArn="arn:aws:iam::123456789012:role/SageMaker",
    AlgorithmSpecification={
        "TrainingImage": "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.8.0-cpu-py312",
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "train:loss", "Regex": "name=train:loss value=([0-9.e+-]+);"}],
    },
    HyperParameters={
        "epochs": "3",
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": f'"s3://{BUCKET}/code/{JOB}/sourcedir.tar.gz"',
        "sagemaker_torch_distributed_enabled": "true",
    },
    OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/models"},
    ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": HOSTS, "VolumeSizeInGB": 30},
    StoppingCondition={"MaxRuntimeInSeconds": 3600},
)

while (job := sagemaker.describe_training_job(TrainingJobName=JOB))["TrainingJobStatus"] == "InProgress":
    time.sleep(1)
print(job["TrainingJobStatus"], job.get("FailureReason", job["ModelArtifacts"]["S3ModelArtifacts"]))
for metric in job.get("FinalMetricDataList", []):
    print(f"  {metric['MetricName']:<12} {metric['Value']:.4f}")
