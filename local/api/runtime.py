"""Names of the operations of SageMaker's other APIs (runtime, metrics, edge, …), which go by path, not by target."""

import re
from functools import cache

_SERVICES = (
    "sagemaker-runtime",
    "sagemaker-metrics",
    "sagemaker-edge",
    "sagemaker-featurestore-runtime",
    "sagemaker-a2i-runtime",
    "sagemaker-geospatial",
)


def operation_at(method: str, path: str) -> str:
    """``InvokeEndpoint`` for ``POST /endpoints/x/invocations``; method and path themselves if no API has them."""
    for verb, pattern, name in _routes():
        if verb == method and pattern.fullmatch(path):
            return name
    return f"{method} {path}"


@cache
def _routes() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    import botocore.session

    session = botocore.session.get_session()
    known = set(session.get_available_services())
    routes = []
    for service in (name for name in _SERVICES if name in known):
        model = session.get_service_model(service)
        for name in model.operation_names:
            http = model.operation_model(name).http
            template = "".join(
                "[^/]+" if part.startswith("{") else re.escape(part)
                for part in re.split(r"(\{[^}]*\})", http["requestUri"].partition("?")[0])
            )
            routes.append((http["method"], re.compile(template), name))
    return tuple(routes)
