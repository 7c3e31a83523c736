"""docs/doctor.md: every finding, from the rules themselves."""

from collections.abc import Iterator

from local.doctor.devices import DEVICES, REFUSED
from local.doctor.elf import dotted
from local.doctor.examination import RULES
from local.doctor.finding import Rule

_GROUPS = {
    "DD1": "How it starts",
    "DD2": "Users and files",
    "DD3": "Size",
    "DD4": "Secrets",
    "DD5": "Labels",
    "DD6": "Architecture and libraries",
    "DD7": "Training, run",
    "DD8": "Serving, run",
}

_HEAD = """\
# drydock doctor

What SageMaker or a device will hold against an image, and how to mend it. Written by `make golden`; do not edit.

```
drydock doctor IMAGE                                      what it offers of train and serve, looked at and run
drydock doctor image.tar --for serve --json               a tar of docker save, or an OCI layout; needs no engine
drydock doctor IMAGE --device jetpack5                    held against a device
drydock doctor IMAGE --data train=photos --hp epochs=50   trains on it, read-only, and is stopped
drydock doctor IMAGE --model model.tar.gz                 serves it, read-only
```

**Exit code** 0: no error (with `--strict`: no warning either). 1: there is one. 2: no such image, or a wrong option.
`--ignore CODE` leaves a finding out, `--max-size GB` makes one of an image that has grown, `--static` runs nothing. In
CI:

```yaml
- run: ./drydock doctor image.tar --for train --strict --max-size 7 --json > doctor.json
```

**What it cannot know is a note, never an error.** It runs an image without network, data and model unless given,
as root, as user 54321 and on a read-only root file system, each for `--timeout` seconds at most; containers are removed
whatever happens. Images of another architecture than the machine's are not run. SIGTERM is tried on training that runs,
and given `--grace` seconds (SageMaker: 120). Secrets are looked for in files up to 256 KB outside package folders, in
every layer, deleted ones too. Sizes are those on disk. Layers packed with zstd need Python 3.14 or `backports.zstd`.

An image of the engine is read where Docker keeps it if you may read that (root, overlay2), in seconds; else the engine
saves it first, which takes minutes for several GB.

`--for other` looks at what holds for any image."""


def page() -> str:
    """The page's Markdown."""
    return "\n".join([_HEAD, *_findings(), *_devices(), ""])


def _findings() -> Iterator[str]:
    for prefix, title in _GROUPS.items():
        yield f"\n## {title}\n"
        yield "| code | severity | finding | matters for | what happens | remedy |"
        yield "|---|---|---|---|---|---|"
        yield from (_row(rule) for code, rule in RULES.items() if code.startswith(prefix))


def _row(rule: Rule) -> str:
    purposes = ", ".join(sorted(rule.purposes))
    cells = (
        rule.code,
        rule.severity,
        rule.title,
        "any" if "other" in rule.purposes else purposes,
        rule.why,
        rule.remedy,
    )
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _devices() -> Iterator[str]:
    yield "\n## Devices\n"
    yield "`--device NAME` asks for its architecture, and that nothing outside the image's own distribution is compiled"
    yield "for a newer glibc or libstdc++ than its system has: copied out, or built FROM its base, it would not load."
    yield "An image whose label `drydock.device` names one is held against it, unless `--device`, `--for` or"
    yield "`--platform` is given.\n"
    yield "| device | architecture | system | glibc | GLIBCXX |"
    yield "|---|---|---|---|---|"
    for device in DEVICES.values():
        yield (
            f"| {device.name} | {device.architecture} | {device.system} | {dotted(device.glibc)} "
            f"| {dotted(device.glibcxx)} |"
        )
    for name, reason in REFUSED.items():
        yield f"\n`{name}` is refused: {reason}."
