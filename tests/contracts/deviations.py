"""Where the local mode of the SageMaker SDK v2 does other than SageMaker: one row for each case that it does not keep.

A row quotes the SDK's line that is the reason; ``test_deviations.py`` looks whether it still stands there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    what: str
    file: str
    """Below the package ``sagemaker`` of the environment."""
    line: int
    code: str
    """The beginning of that line."""
    environment: str = "sdk-v2"
    """Of tests/environments."""

    def __str__(self) -> str:
        return f"{self.what} (sagemaker/{self.file}:{self.line}: {self.code})"


def _ignored(members: str) -> Deviation:
    only_these = 'hyperparameters = kwargs["HyperParameters"] if "HyperParameters" in kwargs else {}'
    return Deviation(f"{members} is accepted and ignored", "local/local_session.py", 214, only_these)


SDK_LOCAL: dict[str, Deviation] = {
    "test_a_channel_says_how_it_is_distributed_and_wrapped": Deviation(
        "inputdataconfig.json has the input mode and the content type alone",
        "local/image.py", 537, 'json_input_data_config[channel_name] = {"TrainingInputMode": "File"}',
    ),
    "test_beside_a_channel_lies_the_manifest_of_its_objects": Deviation(
        "a channel is a mounted folder, without a manifest",
        "local/image.py", 579, "volumes.append(_Volume(data_source.get_root_dir(), channel=channel_name))",
    ),
    "test_the_host_is_named_as_in_sagemaker": Deviation(
        "hosts have a random suffix, since all jobs share one network",
        "local/image.py", 132, '"{}-{}-{}".format(CONTAINER_PREFIX, i, suffix)',
    ),
    "test_the_instance_type_is_told": Deviation(
        "the instance type is the word local", "local/image.py", 531, '"current_instance_type": self.instance_type,'
    ),
    "test_the_hosts_are_told_in_groups": Deviation(
        "resourceconfig.json has no instance groups", "local/image.py", 527, "resource_config = {"
    ),
    "test_the_arn_of_the_job_is_a_variable": Deviation(
        "TRAINING_JOB_ARN is not set", "local/image.py", 290, "training_env_vars = {"
    ),
    "test_a_dollar_in_a_variable_stays_one": Deviation(
        "docker compose replaces what begins with a dollar in the file, which is written without escaping it",
        "local/image.py", 774, "yaml_content = yaml.dump(content, default_flow_style=False)",
    ),
    "test_network_isolation_takes_the_keys_away": _ignored("EnableNetworkIsolation"),
    "test_checkpoints_have_a_folder_and_a_setting": _ignored("CheckpointConfig"),
    "test_checkpoints_go_on_in_the_next_job": _ignored("CheckpointConfig"),
    "test_a_job_that_runs_too_long_is_stopped": _ignored("StoppingCondition"),
    "test_exit_code_130_is_a_failure_too": Deviation(
        "130 counts as success", "local/image.py", 1029, "if exit_code not in [0, 130]:"
    ),
    "test_the_failure_file_is_the_reason": Deviation(
        "output/failure is not read; the exception names the exit code of docker compose",
        "local/image.py", 1030, 'raise RuntimeError(f"Failed to run: {process.args}. Process exited with code:',
    ),
    "test_bytes_that_are_no_text_cost_no_other_line": Deviation(
        "a line that is not UTF-8 ends the job with UnicodeDecodeError",
        "local/image.py", 1025, 'stdout = process.stdout.readline().decode("utf-8")',
    ),
    "test_the_streams_are_no_terminal": Deviation(
        "the container has a terminal, so programs colour and rewrite their lines",
        "local/image.py", 843, '"tty": True,',
    ),
    "test_the_output_is_what_lies_in_the_data_folder_of_the_output": Deviation(
        "output.tar.gz has the whole of /opt/ml/output, with data/ before the names",
        "local/image.py", 423, "sagemaker.local.utils.recursive_copy(host_dir, output_artifacts)",
    ),
}  # fmt: skip

SDK_V3_LOCAL = Deviation(
    "the local container mode of v3 never says `train`, so an image runs what its own ENTRYPOINT and CMD say",
    "train/local/local_container.py", 455, "if self.container_entrypoint:", "sdk-v3",
)  # fmt: skip
"""Why that mode is none of the suite's platforms."""
