"""The states of a training job and what clients see of them."""

import json

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from local.jobs.job import MOVES, FinalMetric, IllegalMoveError, Secondary, TrainingJob

S = Secondary
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/job"
REQUEST = {
    "TrainingJobName": "Job",
    "RoleArn": "arn:aws:iam::123456789012:role/drydock",
    "HyperParameters": {"epochs": "3"},
    "AlgorithmSpecification": {
        "TrainingImage": "drydock/train-cpu:yolo",
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*)"}],
        "EnableSageMakerMetricsTimeSeries": False,
    },
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out/"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "Tags": [{"Key": "a", "Value": "b"}],
}
WHOLE = (S.DOWNLOADING, S.TRAINING, S.UPLOADING, S.COMPLETED)


def walk(*path: Secondary) -> TrainingJob:
    job = TrainingJob(request=REQUEST, arn=ARN, created=100.0)
    for number, state in enumerate(path):
        job = job.move(state, now=110.0 + number * 10)
    return job


def test_a_completed_job_went_through_every_phase_with_awss_messages():
    transitions = walk(*WHOLE).describe()["SecondaryStatusTransitions"]
    assert [(t["Status"], t["StatusMessage"]) for t in transitions] == [
        ("Starting", "Starting the training job"),
        ("Downloading", "Downloading input data"),
        ("Training", "Training image download completed. Training in progress."),
        ("Uploading", "Uploading generated training model"),
        ("Completed", "Training job completed"),
    ]
    assert [(t["StartTime"], t["EndTime"]) for t in transitions] == [
        (100, 110),
        (110, 120),
        (120, 130),
        (130, 140),
        (140, 140),
    ]


@pytest.mark.parametrize(
    ("path", "status", "secondary"),
    [
        ((), "InProgress", "Starting"),
        ((S.PENDING,), "InProgress", "Pending"),
        ((S.DOWNLOADING, S.TRAINING), "InProgress", "Training"),
        (WHOLE, "Completed", "Completed"),
        ((S.STOPPING,), "Stopping", "Stopping"),
        ((S.DOWNLOADING, S.TRAINING, S.STOPPING, S.UPLOADING), "Stopping", "Uploading"),
        ((S.DOWNLOADING, S.TRAINING, S.STOPPING, S.UPLOADING, S.STOPPED), "Stopped", "Stopped"),
        (
            (S.DOWNLOADING, S.TRAINING, S.STOPPING, S.UPLOADING, S.MAX_RUNTIME_EXCEEDED),
            "Stopped",
            "MaxRuntimeExceeded",
        ),
        ((S.DOWNLOADING, S.FAILED), "Failed", "Failed"),
    ],
)
def test_the_primary_status_follows_from_the_way_taken(path, status, secondary):
    described = walk(*path).describe()
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == (status, secondary)


@given(st.lists(st.sampled_from(list(Secondary)), max_size=8))
def test_no_walk_leaves_the_table_and_ends_are_final(path):
    job = walk()
    for state in path:
        if state in MOVES[job.secondary_status]:
            job = job.move(state)
            assert job.terminal == (not MOVES[state])
        else:
            with pytest.raises(IllegalMoveError):
                job.move(state)


def test_every_live_state_can_fail_and_be_stopped():
    live = [state for state, moves in MOVES.items() if moves]
    assert all(S.FAILED in MOVES[state] for state in live)
    assert all(S.STOPPING in MOVES[state] for state in live if state is not S.STOPPING)


@pytest.mark.parametrize("path", [(), (S.DOWNLOADING, S.FAILED), WHOLE, (S.STOPPING, S.STOPPED)])
def test_describe_has_the_shape_of_botocores_model(path):
    model = botocore.session.get_session().get_service_model("sagemaker")
    job = walk(*path)
    for reply, shape in (
        (job.describe(), model.operation_model("DescribeTrainingJob").output_shape),
        (job.summary(), model.shape_for("TrainingJobSummary")),
    ):
        report = ParamValidator().validate(reply, shape)
        assert not report.has_errors(), report.generate_report()


def test_describe_echoes_the_request_but_for_its_tags():
    described = walk(*WHOLE).describe()
    assert {name: described[name] for name in REQUEST if name not in ("TrainingJobName", "Tags")} == {
        name: value for name, value in REQUEST.items() if name not in ("TrainingJobName", "Tags")
    }
    assert "Tags" not in described
    assert described["TrainingJobName"] == "Job"
    assert described["ModelArtifacts"] == {"S3ModelArtifacts": "s3://bucket/out/Job/output/model.tar.gz"}
    assert described["EnableManagedSpotTraining"] is False


def test_training_time_counts_from_the_download_to_the_end():
    described = walk(*WHOLE).describe()
    assert (described["TrainingStartTime"], described["TrainingEndTime"]) == (110, 140)
    assert (described["TrainingTimeInSeconds"], described["BillableTimeInSeconds"]) == (30, 30)


def test_a_job_that_never_got_an_instance_has_no_training_time():
    described = walk(S.STOPPING, S.STOPPED).describe()
    assert not {"TrainingStartTime", "TrainingEndTime", "TrainingTimeInSeconds"} & described.keys()


def test_a_failure_reason_is_cut_at_1024_characters():
    job = walk().move(S.FAILED, failure_reason="é" * 3000)
    assert job.describe()["FailureReason"] == "é" * 1024


def test_a_record_brings_the_same_job_back():
    job = walk(S.DOWNLOADING, S.TRAINING).move(
        S.FAILED, failure_reason="why", final_metrics=(FinalMetric("loss", 0.5, 123.0),)
    )
    again = TrainingJob.from_record(json.loads(json.dumps(job.to_record())))
    assert again == job
    assert again.describe() == job.describe()


def test_a_message_can_change_while_the_state_stays():
    job = walk().say("Preparing the instances for training")
    assert [t["StatusMessage"] for t in job.describe()["SecondaryStatusTransitions"]] == [
        "Preparing the instances for training"
    ]
