"""The SageMaker SDK v2's ordinary Estimator, as a user of AWS would write it."""

import json
import sys

import boto3
import sagemaker
from sagemaker.estimator import Estimator

job = json.load(sys.stdin)
session = sagemaker.Session(boto3.Session(region_name="eu-west-1"), default_bucket=job["bucket"])
estimator = Estimator(
    image_uri=job["image"],
    role=job["role"],
    instance_count=1,
    instance_type="ml.m5.xlarge",
    volume_size=30,
    max_run=600,
    output_path=job["output"],
    hyperparameters=job["hyperparameters"],
    metric_definitions=job["metric_definitions"],
    tags=[{"Key": "line", "Value": "7"}],
    sagemaker_session=session,
)
estimator.fit({"train": job["channel"]}, logs=True, job_name=job["name"])
print("MODEL", estimator.model_data)
