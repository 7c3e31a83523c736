"""The ``drydock`` command: its verbs, and the one place where an error becomes a message and an exit code."""

import os
import sys
from collections.abc import Sequence

import typer

from local.cli import (
    aws,
    check,
    doctor,
    failures,
    inference,
    jobs,
    lifecycle,
    new_image,
    new_program,
    push,
    shell,
    train,
)
from local.cli.refusal import BAD_INPUT, FAILED, Refusal
from local.cli.terminal import say_error
from local.installer import SetUpError

INTERRUPTED = 130

app = typer.Typer(
    name="drydock",
    help="Train, try and ship SageMaker vision jobs on this machine.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(lifecycle.up)
app.command()(lifecycle.down)
app.command()(shell.env)
app.command("exec", context_settings={"ignore_unknown_options": True})(shell.exec_)
app.command("train")(train.train)
app.command()(inference.predict)
app.command()(inference.serve)
app.command("jobs")(jobs.jobs)
app.command()(jobs.describe)
app.command()(jobs.logs)
app.command()(jobs.stop)
app.command()(jobs.fetch)
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("push")(push.push)
app.add_typer(aws.app, name="aws")
app.command()(lifecycle.reset)
app.command("new-program")(new_program.new_program)
app.command("new-image")(new_image.new_image)


def main(arguments: Sequence[str]) -> int:
    """Runs one command; returns its exit code. Expected errors are told without a traceback."""
    try:
        code = app(list(arguments) or ["--help"], prog_name="drydock", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except (Refusal, SetUpError) as error:
        say_error(error.message, error.hint)
        return getattr(error, "exit_code", FAILED)
    except typer.TyperException as error:
        say_error(error.format_message().rstrip("."), _usage_hint(arguments))
        return BAD_INPUT
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        message = failures.explained(error, in_aws=_speaks_to_aws(arguments))
        if message is None:
            raise
        say_error(*message)
        return FAILED


def _speaks_to_aws(arguments: Sequence[str]) -> bool:
    """Whether a command asks an account; else it asks the emulator."""
    return "--aws" in arguments or [*arguments[:1]] in (["aws"], ["push"])


def _usage_hint(arguments: Sequence[str]) -> str:
    verbs = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    verb = next((word for word in arguments if word in verbs), "")
    return f"drydock {verb} --help".replace("  ", " ")
