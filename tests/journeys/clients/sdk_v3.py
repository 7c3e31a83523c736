"""The SageMaker SDK v3's ModelTrainer, as a user of AWS would write it."""

import json
import sys

import boto3
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.training.configs import (
    Compute,
    InputData,
    OutputDataConfig,
    StoppingCondition,
)
from sagemaker.train import ModelTrainer

job = json.load(sys.stdin)
session = Session(boto3.Session(region_name="eu-west-1"), default_bucket=job["bucket"])
trainer = ModelTrainer(
    training_image=job["image"],
    role=job["role"],
    base_job_name=job["name"],
    compute=Compute(instance_type="ml.m5.xlarge", instance_count=1, volume_size_in_gb=30),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
    output_data_config=OutputDataConfig(s3_output_path=job["output"]),
    hyperparameters=job["hyperparameters"],
    sagemaker_session=session,
)
trainer.train(input_data_config=[InputData(channel_name="train", data_source=job["channel"])], logs=True, wait=True)
print("JOB", trainer._latest_training_job.training_job_name)
