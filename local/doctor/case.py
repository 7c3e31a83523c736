"""What a check is given: an image, what it is for, and what it is held against."""

from collections.abc import Iterable
from dataclasses import dataclass

from local.doctor.devices import Device
from local.doctor.finding import Purpose
from local.doctor.image import Image

_SHOWN = 3


@dataclass(frozen=True)
class Case:
    image: Image
    purposes: frozenset[Purpose]
    device: Device | None = None
    platform: str = ""
    """That the user asked for, ``linux/arm64``; empty if any will do."""
    budget_bytes: int | None = None
    """The size that the user allows."""

    @property
    def verbs(self) -> list[str]:
        """With what SageMaker starts the image."""
        return [purpose.value for purpose in (Purpose.train, Purpose.serve) if purpose in self.purposes]


def some(names: Iterable[str]) -> str:
    """The first few of many names."""
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
