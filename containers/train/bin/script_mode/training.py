"""Runs a user's training script: found, unpacked, its requirements installed, started, stopped, and its end told.

The toolkit unpacks, installs, names the command and the SM_ variables. Ours are the checks before it, the signals, and
how an end is told: exit code, standard error and /opt/ml/output/failure as programs of ours tell it (docs/contract.md).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from optml import outcomes, stopping
from optml.environment import Environment, base_dir
from optml.errors import Refusal
from optml.outcomes import Outcome
from optml.stopping import Stopped

from . import debugger, ending, interpreter, launchers, running, source, toolkit, worker
from .launchers import Launcher
from .running import End


def main() -> int:
    """Run the job's script to its end; the exit code."""
    outcomes.forget(base_dir())
    return worker.run(_run, base_dir())


def _run() -> int:
    signal.signal(signal.SIGTERM, _leave)
    job = Environment.read()
    launcher = launchers.choose(job.hyperparameters)
    brought = source.read(job.hyperparameters, job.base)
    scratch = _scratch()
    try:
        return _run_in(scratch, job, launcher, brought)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run_in(scratch: Path, job: Environment, launcher: Launcher, brought: source.Source) -> int:
    module = toolkit.load(job, scratch)
    from sagemaker_training import errors, files, logging_config, process, runner

    environment, code = module.Environment(), Path(module.code_dir)
    logging_config.configure_logger(int(environment.log_level))
    try:
        process.validate_entry_point(brought.program)
        source.fetch(brought, code)
        interpreter.lay_over(scratch / "python")
        _install(brought.program, code, scratch)
        toolkit.write_variables(environment.to_env_vars(), code)
        debugger.point_at(job.base, scratch)
        launchers.describe_cluster(job, environment.network_interface_name)
        command = runner.get(
            getattr(runner.RunnerType, launcher.value), brought.program, environment.to_cmd_args()
        )._create_command()
    except errors.ClientError as error:
        hint = f"set {source.PROGRAM} to a script in the source directory: train.py or the like"
        raise Refusal(str(error).strip(), hint) from error
    if command[0] == "torchrun":
        command = launchers.with_torchrun(command, job)
    logging_config.log_script_invocation(command, environment.to_env_vars())
    with toolkit.intermediate_output(environment):
        end = running.run(command, code, whole_group=command[0] == "/bin/sh")
        if end.code == 0:
            with contextlib.suppress(OSError):
                files.write_success_file()
        outcome = _outcome(end, brought.program, launcher)
        outcomes.tell(outcome, job.base)
    return outcome.code


def _install(program: str, code: Path, scratch: Path) -> None:
    """Install the script's requirements.txt, or the package that it is; raises Refusal with pip's own reason."""
    from sagemaker_training import entry_point, errors

    log = scratch / "pip.log"
    os.environ["PIP_LOG"] = str(log)
    try:
        entry_point.install(program, str(code))
    except (errors.InstallRequirementsError, errors.InstallModuleError) as error:
        what = "requirements.txt" if isinstance(error, errors.InstallRequirementsError) else "the package (setup.py)"
        raise interpreter.not_installed(what, code, log, error.return_code) from error
    finally:
        del os.environ["PIP_LOG"]
        sys.path[:] = [path for path in sys.path if path != str(code)]


def _outcome(end: End, program: str, launcher: Launcher) -> Outcome:
    """What the script's end means. One that was told to stop may end well or by the signal: both are a stop."""
    stopped = end.code in (0, outcomes.STOPPED) or (launcher is Launcher.TORCHRUN and "SignalException" in end.stderr)
    if stopping.stop_requested() and stopped:
        return Outcome(outcomes.STOPPED)
    if end.code == 0:
        return Outcome(0)
    killed = outcomes.of_code(end.code)
    cause = killed.message or ending.why(program, end.stdout, end.stderr)
    return Outcome(end.code, f"{cause}\n\nExecuteUserScriptError: {program} exited with code {end.code}")


def _scratch() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="script-"))
    except OSError as error:
        raise Refusal(
            f"no folder can be written for the script's code: {error}", "give the container a tmpfs on /tmp"
        ) from error


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """A stop before the script runs: nothing is to be saved."""
    raise Stopped
