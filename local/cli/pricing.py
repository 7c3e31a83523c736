"""What a job's wall time would have cost on AWS, from the price table ``prices.json``."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PRICES = Path(__file__).with_name("prices.json")
INSTANCE_TYPE = "ml.g4dn.xlarge"


@dataclass(frozen=True)
class Cost:
    """Price of a stretch of time; it says nothing about how long the job would take there."""

    instance_type: str
    seconds: float
    on_demand_usd: float
    spot_usd: float
    spot_saving: float
    """Assumed share off the on-demand price."""
    region: str
    date: str
    """When the prices were read."""

    def __str__(self) -> str:
        return (
            f"this wall time ({self.seconds:.0f} s) at {self.instance_type} would cost "
            f"${self.on_demand_usd:.4f} on demand, ${self.spot_usd:.4f} as spot at {self.spot_saving:.0%} off "
            f"({self.region}, table of {self.date}; no prediction of the time it would take there)"
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def cost(seconds: float, instance_type: str = INSTANCE_TYPE, prices: Mapping[str, Any] | None = None) -> Cost:
    """The price of ``seconds`` on one instance, billed by the second. KeyError for a type that the table lacks."""
    table = prices or json.loads(PRICES.read_text())
    on_demand = table["usd_per_hour"][instance_type] * seconds / 3600
    saving = table["spot_saving"]
    return Cost(instance_type, seconds, on_demand, on_demand * (1 - saving), saving, table["region"], table["date"])
