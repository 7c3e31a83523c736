"""Loaded at the start of every Python under ``drydock exec``: a client that was given a hard-wired AWS address (the
SageMaker SDKs do so for STS) is given the emulator's instead.

The folder of this file is first on PYTHONPATH. Nothing is imported until the program itself imports botocore, and a
``sitecustomize`` that the program's own environment has runs as well. It runs in the user's environment, so it must
work in any Python from 3.8 on.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


class _BotocoreFinder(importlib.abc.MetaPathFinder):
    """Finds ``botocore.session`` as the others would, and patches it once it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "botocore.session":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        loader: Any = spec and spec.loader
        if loader:
            load = loader.exec_module

            def load_and_patch(module: ModuleType) -> None:
                load(module)
                _redirect(module.Session)

            loader.exec_module = load_and_patch
        return spec


def _redirect(session_class: Any) -> None:
    create = session_class.create_client

    @functools.wraps(create)
    def create_client(self: Any, *args: Any, **kwargs: Any) -> Any:
        host = urlsplit(kwargs.get("endpoint_url") or "").hostname or ""
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        if endpoint and host.endswith(AWS_DOMAINS):
            kwargs["endpoint_url"] = endpoint
        return create(self, *args, **kwargs)

    session_class.create_client = create_client


def _run_the_environments_own() -> None:
    here = Path(__file__).resolve().parent
    others = [entry for entry in sys.path if Path(entry).resolve() != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec and spec.loader:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


sys.meta_path.insert(0, _BotocoreFinder())
_run_the_environments_own()
