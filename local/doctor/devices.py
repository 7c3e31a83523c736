"""The machines that an image can be held against by name, and what their own systems have."""

from dataclasses import dataclass

from local.doctor.elf import Version


@dataclass(frozen=True)
class Device:
    name: str
    architecture: str
    system: str
    glibc: Version
    glibcxx: Version
    """Newest symbol version of its libstdc++."""


DEVICES = {
    device.name: device
    for device in (
        Device("jetpack5", "arm64", "Ubuntu 20.04 (L4T r35)", (2, 31), (3, 4, 28)),
        Device("jetpack6", "arm64", "Ubuntu 22.04 (L4T r36)", (2, 35), (3, 4, 30)),
        Device("jetpack7", "arm64", "Ubuntu 24.04 (L4T r38)", (2, 39), (3, 4, 33)),
        Device("raspberry-pi-3", "arm64", "Raspberry Pi OS 12, 64 bit", (2, 36), (3, 4, 30)),
        Device("raspberry-pi-4", "arm64", "Raspberry Pi OS 12, 64 bit", (2, 36), (3, 4, 30)),
        Device("raspberry-pi-5", "arm64", "Raspberry Pi OS 12, 64 bit", (2, 36), (3, 4, 30)),
        Device("graviton", "arm64", "Amazon Linux 2023", (2, 34), (3, 4, 29)),
    )
}

LABEL = "drydock.device"
"""The label of an image that names the device it is for, of several the oldest."""

REFUSED = {
    "jetpack4": "its Ubuntu 18.04 has Python 3.6 and glibc 2.27, for which the runtimes have no wheels any more",
}
"""Devices that are known and not served, with the reason."""
