"""Where the emulator keeps its state: every path below the home folder has its name here."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The folder that holds everything the emulator remembers."""

    root: Path

    @classmethod
    def default(cls) -> "Home":
        """``$DRYDOCK_HOME``, or ``.drydock`` beside the Makefile of this checkout."""
        chosen = os.environ.get("DRYDOCK_HOME")
        root = Path(chosen).expanduser() if chosen else Path(__file__).resolve().parent.parent / ".drydock"
        return cls(root.absolute())

    @property
    def state_db(self) -> Path:
        """SQLite file with the records of jobs and tags."""
        return self.root / "state.db"

    @property
    def s3(self) -> Path:
        """Folder of the object store."""
        return self.root / "s3"

    @property
    def training_jobs(self) -> Path:
        """Folder with one folder for each training job."""
        return self.root / "training-jobs"

    @property
    def server_file(self) -> Path:
        """JSON with ``pid``, ``port``, ``url``, ``home``, ``started``, ``programs``, ``backend``.

        It exists while a server answers, and after one that was killed.
        """
        return self.root / "emulator.json"

    @property
    def server_log(self) -> Path:
        """Log of a server that runs in the background."""
        return self.root / "emulator.log"

    @property
    def lock_file(self) -> Path:
        """Locked by the one server that may use this home."""
        return self.root / "emulator.lock"
