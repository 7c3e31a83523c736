"""The weights that ship with Drydock, and the recipes that write them."""

from __future__ import annotations

import importlib
import re

import pytest

from optml import hyperparameters
from starter import RECIPES
from tests.support.emulator import ROOT

WEIGHTS = ROOT / "entrypoints" / "weights"


def test_every_file_has_its_recipe_and_every_recipe_its_file() -> None:
    files = {path.name: path.stat().st_size for path in WEIGHTS.iterdir()}
    assert files.keys() == {recipe.file for recipe in RECIPES.values()}
    assert sum(files.values()) <= 25e6


@pytest.mark.parametrize("program", RECIPES)
def test_a_recipe_asks_for_what_its_program_has(program: str) -> None:
    known = importlib.import_module(RECIPES[program].program or program).PROGRAM
    hyperparameters.parse(known.hyperparameters, {**RECIPES[program].settings, "pretrained": "none"})


def test_make_help_names_the_programs_that_have_one() -> None:
    line = re.search(r"^starter-weights: .* PROGRAM=(\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert line
    assert set(line[1].split("|")) == RECIPES.keys()
