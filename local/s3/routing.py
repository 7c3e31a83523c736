"""Which S3 operation a request means, read off the HTTP bindings of botocore's S3 model."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from local.s3.errors import not_implemented
from local.s3.request import Request

SERVICE, BUCKET, OBJECT = range(3)
_LEVELS = {"/": SERVICE, "/{Bucket}": BUCKET, "/{Bucket}/{Key+}": OBJECT}


@dataclass(frozen=True)
class Route:
    """A request means ``operation`` if it has all of these; the most demanding route wins."""

    operation: OperationModel
    method: str
    level: int
    fixed: Mapping[str, str]
    """Query parameters of the URI; an empty value demands presence only."""
    query: Collection[str]
    headers: Collection[str]

    def matches(self, request: Request) -> bool:
        return (
            all(name in request.query and value in ("", request.query[name]) for name, value in self.fixed.items())
            and all(name in request.query for name in self.query)
            and all(name in request.headers for name in self.headers)
        )

    def rank(self, answered: Collection[str]) -> tuple[int, bool, bool]:
        demands = 2 * len(self.fixed) + len(self.query) + len(self.headers)
        return demands, self.operation.name in answered, not self.operation.deprecated


class Router:
    """The routes of S3's model; ``answered`` names the operations that settle a tie."""

    def __init__(self, answered: Collection[str]) -> None:
        self._answered = answered
        model = ServiceModel(Loader().load_service_model("s3", "service-2"), "s3")
        self._routes: dict[tuple[str, int], list[Route]] = {}
        for name in model.operation_names:
            route = _route(model.operation_model(name))
            if route:
                self._routes.setdefault((route.method, route.level), []).append(route)
        for routes in self._routes.values():
            routes.sort(key=lambda route: route.rank(answered), reverse=True)

    def resolve(self, request: Request) -> OperationModel:
        """The operation; S3Error NotImplemented naming it if it is not among those answered."""
        level = OBJECT if request.key else BUCKET if request.bucket else SERVICE
        routes = self._routes.get((request.method, level), [])
        operation = next((route.operation for route in routes if route.matches(request)), None)
        if operation is None:
            thing = ("the service", "a bucket", "an object")[level]
            raise not_implemented(f"{request.method} on {thing} is not an operation that Drydock's S3 implements")
        if operation.name not in self._answered:
            raise not_implemented(f"The operation {operation.name} is not implemented by Drydock's S3")
        return operation


def _route(operation: OperationModel) -> Route | None:
    path, _, query = operation.http["requestUri"].partition("?")
    if path not in _LEVELS:
        return None
    shape = operation.input_shape
    required = [shape.members[name].serialization for name in shape.required_members] if shape else []
    return Route(
        operation,
        operation.http["method"],
        _LEVELS[path],
        dict(parse_qsl(query, keep_blank_values=True)),
        [member["name"] for member in required if member.get("location") == "querystring"],
        [member["name"].lower() for member in required if member.get("location") == "header"],
    )
