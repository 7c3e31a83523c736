"""The SageMaker SDK v2's PyTorch estimator with a script of the user's own, as the guides write it."""

import json
import sys

import boto3
import sagemaker
from sagemaker.pytorch import PyTorch

job = json.load(sys.stdin)
session = sagemaker.Session(boto3.Session(region_name="eu-west-1"), default_bucket=job["bucket"])
estimator = PyTorch(
    entry_point="hpo.py",
    source_dir=job["source"],
    framework_version="1.12",
    py_version="py38",
    role=job["role"],
    instance_count=1,
    instance_type="ml.m5.xlarge",
    hyperparameters={"epochs": 2, "learning-rate": 0.1},
    sagemaker_session=session,
)
estimator.fit({"train": job["channel"]}, logs=True, job_name=job["name"])
print("MODEL", estimator.model_data)
