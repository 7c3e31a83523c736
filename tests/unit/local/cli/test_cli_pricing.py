import json

import pytest

from local.cli import pricing

TABLE = {"usd_per_hour": {"ml.x": 1.5}, "spot_saving": 0.5, "region": "r", "date": "2026-01-01"}


def test_an_hour_costs_the_price_of_an_hour_and_spot_is_less() -> None:
    cost = pricing.cost(3600, "ml.x", TABLE)

    assert cost.on_demand_usd == pytest.approx(1.5)
    assert cost.spot_usd == pytest.approx(0.75)


def test_time_is_billed_by_the_second() -> None:
    assert pricing.cost(1, "ml.x", TABLE).on_demand_usd == pytest.approx(1.5 / 3600)


def test_several_instances_cost_several_times_as_much() -> None:
    assert pricing.cost(3600, "ml.x", TABLE, instances=3).on_demand_usd == pytest.approx(4.5)


def test_the_words_say_what_it_is_and_what_it_is_not() -> None:
    words = str(pricing.cost(90, "ml.x", TABLE))

    assert "this wall time (90 s) at ml.x would cost" in words
    assert "2026-01-01" in words
    assert "no prediction" in words


def test_the_table_that_ships_has_its_date_region_and_source() -> None:
    table = json.loads(pricing.PRICES.read_text())

    assert pricing.cost(3600).on_demand_usd == pytest.approx(table["usd_per_hour"]["ml.g4dn.xlarge"])
    assert all(table[key] for key in ("date", "region", "source", "spot_note"))


def test_a_bill_counts_the_billed_seconds_of_every_instance() -> None:
    job = {"BillableTimeInSeconds": 90, "ResourceConfig": {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 2}}

    bill = pricing.bill(job)

    assert bill
    assert bill.usd == pytest.approx(0.7364 * 180 / 3600)
    assert str(bill).startswith("180 s billed at ml.g4dn.xlarge: $0.0368 on demand (us-east-1, table of ")


def test_a_bill_of_an_unknown_price_says_so_and_a_job_without_an_instance_has_none() -> None:
    unknown = {"BillableTimeInSeconds": 90, "ResourceConfig": {"InstanceType": "ml.p9.xlarge", "InstanceCount": 1}}

    assert str(pricing.bill(unknown)) == "90 s billed at ml.p9.xlarge: price unknown"
    assert pricing.bill({"ResourceConfig": {}}) is None
