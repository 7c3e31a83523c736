#!/usr/bin/python3
"""`serve`, `predict`, `bench` and `verify` of a runtime image: the verb is the name that it is started by."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, os.environ.get("DRYDOCK_PROGRAMS", "/opt/program"))

from runtime import RUNTIME

RUNTIME.main([Path(sys.argv[0]).name, *sys.argv[1:]])
