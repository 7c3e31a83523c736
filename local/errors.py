"""Errors that a SageMaker client sees: AWS's code, AWS's wording, an HTTP status; and which error is a full disk."""

# ruff: noqa: N818, the names are AWS's

import errno
import sqlite3


def disk_is_full(error: BaseException) -> bool:
    """Whether a file or SQLite had no room, on the disk or within a quota."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


class ServiceError(Exception):
    """A request that is refused with an AWS error code.

    ``code`` is what botocore shows in parentheses, ``status`` the HTTP status. botocore retries
    every 5xx, so a refusal that repeating cannot cure has a 4xx status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class ValidationException(ServiceError):
    """The request breaks a rule of the service."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class SerializationException(ServiceError):
    """The request's body cannot be read as the operation's input."""

    def __init__(self, message: str) -> None:
        super().__init__("SerializationException", message)


class UnknownOperation(ServiceError):
    """The operation does not exist, or Drydock does not answer it."""

    def __init__(self, message: str) -> None:
        super().__init__("UnknownOperationException", message)


class ResourceInUse(ServiceError):
    """The name is taken, or the resource is busy."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceInUse", message)


class ResourceNotFound(ServiceError):
    """The resource that the request names does not exist."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceNotFound", message)


class ResourceLimitExceeded(ServiceError):
    """The request asks for more than the service, or this machine, gives."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceLimitExceeded", message)
