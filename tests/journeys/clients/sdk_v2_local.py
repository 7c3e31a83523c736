"""The SageMaker SDK v2's Estimator in local mode, as a user writes it to try an image before it costs money."""

import json
import sys

import boto3
from sagemaker.estimator import Estimator
from sagemaker.local import LocalSession

job = json.load(sys.stdin)
estimator = Estimator(
    image_uri=job["image"],
    role=job["role"],
    instance_count=1,
    instance_type="local",
    output_path=job["output"],
    hyperparameters=job["hyperparameters"],
    sagemaker_session=LocalSession(boto3.Session(region_name="eu-west-1")),
)
estimator.fit({"train": job["channel"]}, job_name=job["name"])
print("MODEL", estimator.model_data)
