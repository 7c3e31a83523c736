"""Puts a real registry behind moto's ECR, which has none: its token and its addresses lead to ``$DRYDOCK_REGISTRY``.

Images are pushed with that token and pulled by those addresses, as with AWS; repositories, their settings and tags
are moto's. moto does not see what was pushed.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from local.routing import scope

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

URL = re.compile(r"https?://[^/\s]+/?")
_HOST = rb"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com"


class Registry:
    """A WSGI application that gives ECR's replies these addresses; all others pass through."""

    def __init__(self, neighbours: "WSGIApplication", url: str) -> None:
        """``url``: ``http://127.0.0.1:5000``; ValueError for what is none."""
        if not URL.fullmatch(url):
            raise ValueError(f"DRYDOCK_REGISTRY is {url!r}, which is not of the form http://127.0.0.1:5000")
        self._neighbours = neighbours
        self._url = url.rstrip("/").encode()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if scope(environ).service != "ecr":
            return self._neighbours(environ, start_response)
        began: list[Any] = []
        body = b"".join(self._neighbours(environ, lambda *begin: began.extend(begin)))  # type: ignore[arg-type]
        body = re.sub(b"https://" + _HOST, self._url, body)
        body = re.sub(_HOST, self._url.partition(b"://")[2], body)
        headers = [(name, value) for name, value in began[1] if name.lower() != "content-length"]
        start_response(began[0], [*headers, ("Content-Length", str(len(body)))])
        return [body]
