"""Readies an AWS account for jobs, and clears it: ``aws setup`` and ``aws clean``. Both say first what they do."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from local.aws.account import Account, connect
from local.aws.bucket import Bucket
from local.aws.repository import IMAGES, PREFIX, Repository, marked
from local.aws.resource import Resource, Standing
from local.aws.role import Role
from local.cli.refusal import Refusal
from local.cli.terminal import confirm, put, put_json, say, table

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

app = typer.Typer(help="Ready an AWS account for jobs, or clear it.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def setup(
    yes: YesOption = False, as_json: Annotated[bool, typer.Option("--json", help="Print the names as JSON.")] = False
) -> None:
    """Make the bucket, the role and the repositories that jobs in AWS need. Prints them first, policy and all."""
    account = connect()
    things = resources(account)
    say(f"{account}: this is made; what is there already is set again")
    for thing in things:
        _tell(thing, thing.look(), thing.settings())
    confirm("Make these?", yes, f"nothing was made in {account}")
    for thing in things:
        thing.make()
    if as_json:
        put_json([{"kind": thing.kind, "name": thing.name, "address": thing.address} for thing in things])
    else:
        put(table(["KIND", "ADDRESS"], [[thing.kind, thing.address] for thing in things]))


@app.command()
def clean(
    yes: YesOption = False,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Also what the bucket and the repositories hold.")
    ] = False,
) -> None:
    """Remove what setup and push made in this region, and nothing else. Prints it first."""
    account = connect()
    things: list[Resource] = [*marked(account)]
    things += [thing for thing in (Bucket(account), Role(account)) if thing.look() is Standing.ours]
    held = {thing: thing.content() for thing in things}
    if not held:
        say(f"{account} holds nothing of Drydock's")
        return
    _check_data(held, delete_data)
    say(f"{account}: this is removed")
    for thing, content in held.items():
        _tell(thing, f"with {content}, which is lost" if content else "", [])
    confirm("Remove these?", yes, f"nothing was removed from {account}")
    for thing in held:
        thing.remove()
        put(f"removed {thing.kind} {thing.name}")


def resources(account: Account) -> Sequence[Resource]:
    """What ``setup`` makes; the bucket last, by which ``train --aws`` knows that all is there."""
    return [*(Repository(account, f"{PREFIX}{image}") for image in IMAGES), Role(account), Bucket(account)]


def _check_data(held: Mapping[Resource, str], delete_data: bool) -> None:
    full = [f"{thing.kind} {thing.name}: {content}" for thing, content in held.items() if content]
    if full and not delete_data:
        raise Refusal(
            f"nothing was removed, for there is something to lose ({'; '.join(full)})",
            "fetch what you need (drydock fetch JOB --aws), then drydock aws clean --delete-data",
        )


def _tell(thing: Resource, standing: str, settings: list[str]) -> None:
    say(f"  {thing.kind:<11} {thing.name}{standing and f'  ({standing})'}")
    for line in settings:
        say(f"  {'':<11} {line}")
