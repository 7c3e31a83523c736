"""DD3xx: what the image weighs, and what it carries for nothing. Sizes are those on disk, not compressed."""

import posixpath
from collections import Counter
from collections.abc import Iterator

from local.doctor.case import Case, some
from local.doctor.finding import SERVE, Finding, Rule, Severity
from local.doctor.layer import Kind

SERVERLESS_BYTES = 10 << 30
"""What a serverless endpoint takes."""
WORTH_TELLING_BYTES = 20_000_000

TOO_LARGE = Rule(
    "DD301",
    Severity.warning,
    "larger than serverless inference takes",
    "A serverless endpoint refuses images above 10 GiB, and each new instance pulls for minutes.",
    "see the layers above: leave compilers, caches and CUDA for other machines out",
    SERVE,
)
OVER_BUDGET = Rule(
    "DD302",
    Severity.error,
    "larger than allowed",
    "The size that was given with --max-size is exceeded.",
    "see which layer grew, or allow more",
)
HIDDEN = Rule(
    "DD303",
    Severity.warning,
    "files deleted or replaced by later layers",
    "They are stored and pulled all the same.",
    "delete them in the RUN that makes them, or build in another stage and COPY the result",
)
CACHES = Rule(
    "DD304",
    Severity.warning,
    "caches of installers",
    "Nobody reads them again.",
    "use RUN --mount=type=cache, pip install --no-cache-dir, conda clean -afy, rm -rf /var/lib/apt/lists/*",
)
RULES = (TOO_LARGE, OVER_BUDGET, HIDDEN, CACHES)

_CACHES = (
    "root/.cache/pip/", "root/.cache/uv/", "root/.cache/conda/", "root/.npm/_cacache/", "root/.conda/pkgs/",
    "opt/conda/pkgs/", "opt/miniconda/pkgs/", "opt/miniconda3/pkgs/", "root/miniconda3/pkgs/", "opt/mamba/pkgs/",
    "var/lib/apt/lists/", "var/cache/apt/", "var/cache/yum/", "var/cache/dnf/", "var/cache/apk/",
)  # fmt: skip


def check(case: Case) -> Iterator[Finding]:
    size = case.image.size_bytes
    if case.budget_bytes is not None and size > case.budget_bytes:
        yield OVER_BUDGET.found(
            f"the image has {megabytes(size)}, {megabytes(case.budget_bytes)} are allowed", "layers"
        )
    if size > SERVERLESS_BYTES:
        yield TOO_LARGE.found(f"the image has {megabytes(size)}", "layers")
    yield from _hidden(case)
    yield from _caches(case)


def megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.0f} MB"


def _hidden(case: Case) -> Iterator[Finding]:
    wasted = sorted(case.image.files.wasted, key=lambda file: file.size_bytes, reverse=True)
    total = sum(file.size_bytes for file in wasted)
    if total >= WORTH_TELLING_BYTES:
        first = [
            f"/{file.path} ({megabytes(file.size_bytes)}, layer {file.layer + 1}, gone in {file.by + 1})"
            for file in wasted
        ]
        yield HIDDEN.found(f"{megabytes(total)} are deleted or replaced by later layers", some(first))


def _caches(case: Case) -> Iterator[Finding]:
    sizes: Counter[str] = Counter()
    for path, entry in case.image.files:
        folder = next((name for name in _CACHES if path.startswith(name)), None)
        if folder is None and "/.git/objects/" in f"/{path}":
            folder = path.split(".git/objects/")[0] + ".git/"
        if folder and entry.kind is Kind.file:
            sizes[posixpath.normpath(folder)] += entry.size_bytes
    total = sizes.total()
    if total >= WORTH_TELLING_BYTES:
        yield CACHES.found(
            f"{megabytes(total)} of caches", some(f"/{name} ({megabytes(size)})" for name, size in sizes.most_common())
        )
