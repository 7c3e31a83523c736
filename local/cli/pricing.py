"""What a job costs on AWS, or its wall time would have cost there, from the price table ``prices.json``."""

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
    instances: int = 1

    def __str__(self) -> str:
        several = f"{self.instances} " if self.instances > 1 else ""
        return (
            f"this wall time ({self.seconds:.0f} s) at {several}{self.instance_type} would cost "
            f"${self.on_demand_usd:.4f} on demand, ${self.spot_usd:.4f} as spot at {self.spot_saving:.0%} off "
            f"({self.region}, table of {self.date}; no prediction of the time it would take there)"
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Bill:
    """What AWS asks for a job, by the table; AWS's own bill is right."""

    instance_type: str
    seconds: float
    """That are billed, of all instances."""
    usd: float | None
    """None for a type that the table lacks."""
    source: str

    def __str__(self) -> str:
        price = "price unknown" if self.usd is None else f"${self.usd:.4f} on demand ({self.source})"
        return f"{self.seconds:.0f} s billed at {self.instance_type}: {price}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def hourly(instance_type: str) -> tuple[float | None, str]:
    """On-demand price of an hour in USD, None if the table lacks the type, and what the table is of."""
    table = json.loads(PRICES.read_text())
    return table["usd_per_hour"].get(instance_type), f"{table['region']}, table of {table['date']}"


def bill(description: Mapping[str, Any]) -> Bill | None:
    """Of a job that has ended in AWS; None if it never had an instance."""
    if "BillableTimeInSeconds" not in description:
        return None
    resources, (usd, source) = description["ResourceConfig"], hourly(description["ResourceConfig"]["InstanceType"])
    seconds = description["BillableTimeInSeconds"] * resources.get("InstanceCount", 1)
    return Bill(resources["InstanceType"], seconds, None if usd is None else usd * seconds / 3600, source)


def cost(
    seconds: float, instance_type: str = INSTANCE_TYPE, prices: Mapping[str, Any] | None = None, instances: int = 1
) -> Cost:
    """The price of ``seconds`` on each instance, billed by the second. KeyError for a type that the table lacks."""
    table = prices or json.loads(PRICES.read_text())
    on_demand, saving = table["usd_per_hour"][instance_type] * seconds * instances / 3600, table["spot_saving"]
    spot = on_demand * (1 - saving)
    return Cost(instance_type, seconds, on_demand, spot, saving, table["region"], table["date"], instances)
