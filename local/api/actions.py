"""Which function answers which SageMaker operation: the ``@action`` marker and what a function is given."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from local.jobs.runner import Runner
    from local.store import Store

ACCOUNT = "123456789012"

Request: TypeAlias = dict[str, Any]
Response: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class State:
    """What an action may read and change, and for whom it acts."""

    store: "Store"
    runner: "Runner"
    region: str = "us-east-1"
    account: str = ACCOUNT
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held by an action that reads and then writes what it read."""

    def arn(self, kind: str, name: str) -> str:
        """ARN of a resource; SageMaker lower-cases the name in it."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name.lower()}"


Action: TypeAlias = Callable[[State, Request], Response]

ACTIONS: dict[str, Action] = {}


def action(operation: str) -> Callable[[Action], Action]:
    """Mark a function as the answer to an operation; it is given only requests that the model allows."""

    def mark(function: Action) -> Action:
        ACTIONS[operation] = function
        return function

    return mark
