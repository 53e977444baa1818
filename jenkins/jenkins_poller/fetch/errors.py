"""The errors of requests to a controller. Every message says what to do, on one line."""

from __future__ import annotations

_LONGEST = 1000
_CUT = " … "


def one_line(text: str, most: int = _LONGEST) -> str:
    """Return a text on one line, without characters that a terminal obeys or cannot show.

    ``most``: its most characters; of a longer text, the beginning and the end.
    """
    if len(text) > most:
        half = (most - len(_CUT)) // 2
        text = f"{text[:half]}{_CUT}{text[-half:]}"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))


class ApiError(Exception):
    """The controller did not give the requested answer. The message says what to do.

    ``kind``: the type of error in one word: an HTTP status, or redirect, no_json, timeout, connection, certificate.
    """

    kind = ""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class Passing(ApiError):
    """A temporary error: the controller is unreachable, starting or overloaded, or the connection broke.

    ``retry_after``: seconds to wait, if the controller named them.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(Passing):
    """The controller itself does not answer: there is no connection, or it is starting or overloaded."""


class Malformed(ApiError):
    """The answer is not what it should be: no JSON, another thing than was asked for, or too large."""


class LoginRefused(ApiError):
    """401: the login is wrong."""


class Forbidden(ApiError):
    """403: the user has no permission, or there is no login."""


class Untrusted(ApiError):
    """The controller's certificate is not trusted, or the file of trusted certificates is unusable."""


class NotFound(ApiError):
    """404: the path does not exist, or the user may not see it."""


# What fails because of the controller, not because of one answer. It ends a poll.
FATAL = (Unreachable, LoginRefused, Untrusted)
