"""Tries a trained model: ``predict`` on images, ``serve`` as SageMaker's hosting would."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer

from local import environments
from local.cli import programs, signals
from local.cli.archives import unpack
from local.cli.collect import download, folder_of, model_uri
from local.cli.jobs import JobArgument, find_job
from local.cli.place import AwsOption, Place, open_place
from local.cli.programs import Program
from local.cli.refusal import FAILED, Refusal
from local.cli.terminal import put, say
from local.jobs import builds, frameworks
from local.jobs.backend import wanted
from local.jobs.programs import IMAGE, SCRIPT

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class Model:
    """A job's model, unpacked, and the program that made it."""

    base: Path
    """SAGEMAKER_BASE_DIR: the model lies in ``model/`` below it."""
    program: Program

    def command(self, verb: str, *arguments: str) -> list[str]:
        """The command that runs a verb of the program in its environment."""
        return [str(environments.ensure(self.program.environment, say)), str(self.program.file), verb, *arguments]

    def environ(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return inherited | {"SAGEMAKER_BASE_DIR": str(self.base), "PYTHONUNBUFFERED": "1"}


def predict(
    job: JobArgument,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…", help="Image files, or folders of them.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder for the drawn images. Default: runs/JOB/predictions.")
    ] = None,
    aws: AwsOption = False,
) -> int:
    """Predict on images: predictions as JSON on stdout, pictures with boxes or masks drawn."""
    from local.cli.pictures import draw

    photographs = find_images(images)
    model = open_model(open_place(aws), job)
    folder = (output or folder_of(job) / "predictions").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    command = model.command("predict", str(model.base / "model"), *map(str, photographs))
    taken: set[str] = set()
    with subprocess.Popen(command, env=model.environ(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            row = _prediction(line)
            if row is None:
                say(line.rstrip("\n"))
                continue
            put(line.rstrip("\n"))
            draw(Path(row["image"]), row, folder / _new_name(Path(row["image"]).name, taken))
    if process.returncode < 0:
        raise _killed(model.program, -process.returncode)
    if process.returncode == 0:
        say(f"drawn: {folder}/")
    return process.returncode


def find_images(places: list[Path]) -> list[Path]:
    """The image files named, and those below the folders named. Raises Refusal for a place without any."""
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise Refusal(f"there is no image {place}", "drydock predict JOB IMAGE…")
        below = [path for path in sorted(place.rglob("*")) if path.suffix.lower() in IMAGE_SUFFIXES]
        if place.is_dir() and not below:
            raise Refusal(f"{place} holds no images ({' '.join(sorted(IMAGE_SUFFIXES))})", "drydock predict JOB IMAGE…")
        if not place.is_dir():
            _check_image(place)
        found += below if place.is_dir() else [place]
    return found


def serve(
    job: JobArgument,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8080,
    aws: AwsOption = False,
) -> None:
    """Serve a job's model: GET /ping, POST /invocations with an image. Ctrl-C ends it."""
    model = open_model(open_place(aws), job)
    command = model.command("serve")
    chosen = port or _free_port()
    say(f"to try it: curl --data-binary @image.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:{chosen}/invocations")
    os.execve(command[0], command, model.environ() | {"SAGEMAKER_BIND_TO_PORT": str(chosen)})


def open_model(running: Place, job: str) -> Model:
    """Downloads and unpacks the job's model unless that was done before.

    Raises Refusal if the job has none, or if no program that is known here made it.
    """
    description = find_job(running, job)
    status = description["TrainingJobStatus"]
    base = running.home.root / "models" / description["TrainingJobArn"].rpartition("/")[2]
    created = description["CreationTime"].isoformat()
    mark = base / "created"
    if not (mark.is_file() and mark.read_text() == created):
        if status in {"InProgress", "Stopping"}:
            raise Refusal(f"{job} has not ended yet", f"drydock logs -f {job}{running.flag}", FAILED)
        with _emptied(base) as part:
            if not download(running.client("s3"), model_uri(description), part / "model.tar.gz"):
                raise Refusal(f"{job} has no model: it is {status}", f"drydock describe {job}{running.flag}", FAILED)
            unpack(part / "model.tar.gz", part / "model")
            (part / "model.tar.gz").unlink()
            (part / "created").write_text(created)
    return Model(base, _program_of(running, description, base / "model"))


def _check_image(file: Path) -> None:
    from PIL import Image

    try:
        if file.is_file():  # a pipe would keep us waiting
            if file.suffix.lower() not in IMAGE_SUFFIXES:
                Image.open(file).close()
            return
    except OSError:
        pass
    raise Refusal(f"{file} is not an image that can be read", "drydock predict JOB IMAGE… takes JPEG, PNG and the like")


def _prediction(line: str) -> dict[str, Any] | None:
    """What a line of ``predict`` says of one image; None for a line that is talk, or cut off in the middle."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and "image" in row else None


def _killed(program: Program, number: int) -> Refusal:
    out_of_memory = "the system does that when memory runs out; try fewer or smaller images"
    hint = out_of_memory if number == signal.SIGKILL else ""
    return Refusal(f"{program.name} was killed by {signals.name(number)}", hint, signals.exit_code(number))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of ``folder`` if nothing is raised."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _new_name(name: str, taken: set[str]) -> str:
    """The image's own name, numbered if an image of another folder has it already."""
    numbered = (f"{number}-{name}" for number in count(2))
    chosen = name if name not in taken else next(other for other in numbered if other not in taken)
    taken.add(chosen)
    return chosen


def _program_of(running: Place, description: Mapping[str, Any], model: Path) -> Program:
    """The program that the model's metadata names, else the image's tag.

    Raises Refusal, with what to type instead, for the model of a script or of an image that somebody brought.
    """
    try:
        name = str(json.loads((model / "metadata.json").read_text())["program"])
    except (OSError, ValueError, KeyError, TypeError):
        name = ""
    known = programs.read(running.programs)
    if name in known:
        return known[name]
    asked = wanted(description)
    ours = IMAGE.fullmatch(asked.image)
    if ours and ours["program"] != SCRIPT.name and not asked.script:
        return programs.find(name or ours["program"], running.programs)
    image = ours["local"] if ours else frameworks.stand_in(asked.image) or asked.image
    build = builds.command(image)
    raise Refusal(
        f"the model of {description['TrainingJobName']} is of no program of Drydock's; the image that it was trained "
        "in serves it, by its code/inference.py if a script made it",
        f"docker run --rm -p 8080:8080 -v {shlex.quote(str(model.absolute()))}:/opt/ml/model:ro {image} serve"
        + (f"; {build} makes the image" if build else ""),
    )
