"""DD2xx: as whom the image runs, and what it has put where SageMaker mounts its own folders."""

import posixpath
from collections.abc import Iterator

from local.doctor.case import Case, some
from local.doctor.finding import DEVICE, SAGEMAKER, SERVE, TRAIN, Finding, Purpose, Rule, Severity
from local.doctor.layer import Kind

NOT_ROOT = Rule(
    "DD201",
    Severity.warning,
    "training as another user than root",
    "SageMaker gives /opt/ml to root: output/failure, model and checkpoints may not be writable.",
    "leave USER out of images that train; the emulator and other engines can run them as any user with --user",
    TRAIN,
)
SERVES_AS_USER = Rule(
    "DD202",
    Severity.note,
    "serving as another user than root",
    "SageMaker expects containers to run as root; files of the model that only root may read are closed to it.",
    "nothing, if the model's files can be read by all",
    SERVE,
)
DEVICE_ROOT = Rule(
    "DD203",
    Severity.warning,
    "root on a device",
    "Whoever breaks into the program is root in the container, and owns what is mounted there.",
    "write USER 65532 (any number but 0) as the last step",
    DEVICE,
)
UNKNOWN_USER = Rule(
    "DD204",
    Severity.error,
    "USER that the image does not know",
    "The container cannot start: unable to find the user.",
    "write USER as a number, or make the user before",
)
WORLD_WRITABLE = Rule(
    "DD205",
    Severity.warning,
    "files that every user may change",
    "A program that runs as another user can replace what root runs.",
    "chmod o-w, or chmod +t a folder that all may write in",
)
SETUID = Rule(
    "DD206",
    Severity.warning,
    "programs that run as their owner",
    "A program of any user becomes root through them, if they have a fault.",
    "chmod a-s those that nobody needs",
)
BAKED = Rule(
    "DD207",
    Severity.warning,
    "files in SageMaker's own folders",
    "SageMaker mounts its folders over /opt/ml: these files are hidden in AWS.",
    "keep them elsewhere in the image (/opt/program); only /opt/ml/code is left alone",
    SAGEMAKER,
)
VOLUME = Rule(
    "DD208",
    Severity.warning,
    "VOLUME in /opt/ml",
    "The engine mounts a folder of its own there, in which results stay when SageMaker collects /opt/ml.",
    "leave that VOLUME out",
    SAGEMAKER,
)
RULES = (NOT_ROOT, SERVES_AS_USER, DEVICE_ROOT, UNKNOWN_USER, WORLD_WRITABLE, SETUID, BAKED, VOLUME)

_SETUID, _STICKY, _OTHERS_WRITE = 0o6000, 0o1000, 0o002
_USUAL = {
    "chage", "chfn", "chsh", "crontab", "dbus-daemon-launch-helper", "expiry", "fusermount", "fusermount3", "gpasswd",
    "mount", "mount.nfs", "newgidmap", "newgrp", "newuidmap", "pam_extrausers_chkpwd", "passwd", "pkexec", "ssh-agent",
    "ssh-keysign", "su", "sudo", "sudoedit", "umount", "unix_chkpwd", "userhelper", "wall", "write",
}  # fmt: skip
"""Programs that distributions ship so."""
_MOUNTED = ("opt/ml/input/", "opt/ml/model/", "opt/ml/output/", "opt/ml/checkpoints/")


def check(case: Case) -> Iterator[Finding]:
    image = case.image
    yield from _user(case)
    yield from _modes(case)
    baked = [path for path, entry in image.files if path.startswith(_MOUNTED) and entry.kind is Kind.file]
    if baked:
        yield BAKED.found(
            f"{len(baked)} files lie where SageMaker mounts its folders", some(f"/{name}" for name in baked)
        )
    volumes = [path for path in image.volumes if f"{posixpath.normpath(path)}/".startswith("/opt/ml/")]
    if volumes:
        yield VOLUME.found(f"VOLUME {some(volumes)}", "VOLUME")


def _user(case: Case) -> Iterator[Finding]:
    image = case.image
    if image.runs_as_root:
        yield DEVICE_ROOT.found("the image runs as root", "USER")
    elif not _is_known(case):
        yield UNKNOWN_USER.found(f"USER is {image.user}, and /etc/passwd has no such user", "USER")
    else:
        rule = NOT_ROOT if Purpose.train in case.purposes else SERVES_AS_USER
        yield rule.found(f"the image runs as {image.user}", "USER")


def _is_known(case: Case) -> bool:
    """Whether the engine can tell the number of USER."""
    name = case.image.user.split(":")[0]
    passwd = case.image.files.find("/etc/passwd")
    text = (passwd[1].text or b"") if passwd else b""
    known = {line.split(":")[0] for line in text.decode(errors="replace").splitlines()}
    return name.isdigit() or name in known


def _modes(case: Case) -> Iterator[Finding]:
    open_to_all, setuid = [], []
    for path, entry in case.image.files:
        if entry.kind is Kind.folder and entry.mode & _OTHERS_WRITE and not entry.mode & _STICKY:
            open_to_all.append(f"/{path}/")
        elif entry.kind is Kind.file and entry.mode & _OTHERS_WRITE:
            open_to_all.append(f"/{path}")
        if entry.kind is Kind.file and entry.mode & _SETUID and posixpath.basename(path) not in _USUAL:
            setuid.append(f"/{path}")
    if open_to_all:
        yield WORLD_WRITABLE.found(f"every user may change {len(open_to_all)} files or folders", some(open_to_all))
    if setuid:
        yield SETUID.found(f"{len(setuid)} programs run as their owner whoever starts them", some(setuid))
