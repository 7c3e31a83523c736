"""Pages of a listing: an opaque NextToken that says after which element the next page begins.

The token holds the sort key of the last element shown, so elements that come or go between two
pages shift nothing.
"""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from local.errors import ValidationException

T = TypeVar("T")


def page(
    elements: Sequence[T],
    key: Callable[[T], Any],
    size: int,
    token: str | None,
    *,
    order: str = "",
    descending: bool = False,
) -> tuple[list[T], dict[str, str]]:
    """The elements after the token in the order of their unique ``key``, and ``{"NextToken": …}`` if more follow.

    ``order`` names the order; a token of another order is refused.
    """
    ordered = sorted(elements, key=key, reverse=descending)
    if token:
        last = _decode(token, order)
        try:
            ordered = [e for e in ordered if (key(e) < last if descending else key(e) > last)]
        except TypeError:
            raise _invalid() from None
    shown = ordered[:size]
    return shown, {"NextToken": _encode(key(shown[-1]), order)} if len(ordered) > size else {}


def _encode(key: Any, order: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([order, key]).encode()).decode()


def _decode(token: str, order: str) -> Any:
    try:
        made_for, key = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError, RecursionError):
        raise _invalid() from None
    if made_for != order:
        raise _invalid()
    return tuple(key) if isinstance(key, list) else key


def _invalid() -> ValidationException:
    return ValidationException(
        "Invalid NextToken. Use the token of the previous reply, with the same SortBy and SortOrder"
    )
