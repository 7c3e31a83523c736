"""From the bytes of a SageMaker request to the bytes of its answer: parse, check, act, check again."""

from local import protocol, validation
from local.api import tags, training_jobs
from local.api.actions import ACTIONS, Action, State
from local.errors import UnknownOperation
from local.jobs import regexes

ANSWERED_BY = (tags, training_jobs)
"""The modules whose actions are the API; importing them fills the table."""


def answer(state: State, operation_name: str, body: bytes) -> bytes:
    """The body of the reply to one operation.

    Raises ServiceError for what the caller did wrong, anything else for what Drydock did wrong.
    """
    perform = _action(operation_name)
    operation = protocol.operation(operation_name)
    request = protocol.parse(operation.input_shape, body)
    validation.check_request(operation.input_shape, request)
    response = protocol.wire(perform(state, request))
    validation.check_response(operation.output_shape, response)
    return protocol.serialise(response)


def warm_up() -> None:
    """Load what the first request would otherwise wait for."""
    for name in ACTIONS:
        operation = protocol.operation(name)
        for shape in (operation.input_shape, operation.output_shape):
            if shape:
                list(validation.violations(shape, {}))
    regexes.compiled("(x)")


def _action(operation_name: str) -> Action:
    if operation_name in ACTIONS:
        return ACTIONS[operation_name]
    protocol.operation(operation_name)
    raise UnknownOperation(f"{operation_name} is not supported by Drydock yet; it answers {', '.join(sorted(ACTIONS))}")
