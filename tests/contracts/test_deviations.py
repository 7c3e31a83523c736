"""The table of deviations is true: each row has its case, and the SDK's line that it quotes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contracts import test_program_given, test_program_gives_back
from tests.contracts.deviations import SDK_LOCAL, SDK_V3_LOCAL, Deviation

CASES = {
    name
    for module in (test_program_given, test_program_gives_back)
    for name, function in vars(module).items()
    if name.startswith("test_") and "platform" in inspect.signature(function).parameters
}


def test_thirty_cases_and_more_run_everywhere_without_an_override() -> None:
    assert SDK_LOCAL.keys() <= CASES
    assert len(CASES - SDK_LOCAL.keys()) >= 30


@pytest.mark.sdk
@pytest.mark.parametrize("row", [*SDK_LOCAL.values(), SDK_V3_LOCAL], ids=[*SDK_LOCAL, "sdk-v3"])
def test_the_quoted_line_stands_in_the_sdk(sdk: Callable[[str], Path], row: Deviation) -> None:
    (file,) = sdk(row.environment).parents[1].glob(f"lib/python3.*/site-packages/sagemaker/{row.file}")
    assert file.read_text().splitlines()[row.line - 1].strip().startswith(row.code)
