"""Owns the error tree, its stable codes, and the place of an unforeseen error; must not know how an error is printed.

    SetscrewError
    ├── UsageError          SS1xxx  wrong options, unreadable files, bad configuration
    ├── SourceError         SS2xxx  Git: fetch, ref, path
    │   └── VerifyError     SS21xx  signatures
    ├── RenderError         SS3xxx  YAML, Kustomize, Helm, limits of a render
    ├── ClusterError        SS4xxx  API server unreachable, missing rights, unknown kind
    ├── ReviewError         SS5xxx  malformed AdmissionReview (carries an HTTP status)
    ├── StoreError          SS6xxx  snapshot or state that cannot be read or written
    └── InternalError       SS9xxx  a defect of Setscrew itself

Exit statuses follow `kubectl diff`: 1 means drift or denied, so errors start at 2.
"""

from __future__ import annotations


class SetscrewError(Exception):
    """One clear line for people: what went wrong, where, why, and what to do next."""

    code = "SS0000"
    exit_status = 2

    def __init__(self, message: str, *, where: str = "", hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        if code:
            self.code = code

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return _plain(f"{place}{self.message}{advice} [{self.code}]")


def _plain(text: str) -> str:
    """Messages quote Git, renderers and servers; what a terminal would obey is escaped."""
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape", "backslashreplace").decode()
        for sign in text
    )


class UsageError(SetscrewError):
    """Wrong options, an unreadable file, a bad policy or source document."""

    code = "SS1000"


class ToolMissingError(UsageError):
    """A program that is needed (helm, kubectl, go …) cannot be found or run."""

    code = "SS1100"


class ClusterError(SetscrewError):
    """The API server cannot be reached, refuses, or does not know a kind."""

    code = "SS4000"
    exit_status = 3


class UnreachableError(ClusterError):
    """The API server does not answer: no connection, TLS failure, time-out, or no usable credentials."""

    code = "SS4001"


class ApiError(ClusterError):
    """The API server answered with an error.

    `status` is the HTTP status, `reason` the machine word of the Status object ("NotFound", "Invalid", ""), `causes`
    its details as (field, reason, message); `message` is one line and may repeat values of the object.
    """

    code = "SS4002"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        reason: str = "",
        causes: tuple[tuple[str, str, str], ...] = (),
        retry_after: float = 0.0,
        where: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status
        self.reason = reason
        self.causes = causes
        self.retry_after = retry_after


class SourceError(SetscrewError):
    """A Git source cannot be fetched or resolved."""

    code = "SS2000"
    exit_status = 4


class VerifyError(SourceError):
    """A revision that is not signed, wrongly, or by somebody who may not sign; or keys that cannot be used."""

    code = "SS2100"


class RenderError(SetscrewError):
    """Manifests that cannot be parsed or rendered, or that break a limit."""

    code = "SS3000"
    exit_status = 4


class ReviewError(SetscrewError):
    """A malformed AdmissionReview; `status` is the HTTP status the server answers with."""

    code = "SS5000"

    def __init__(self, message: str, *, status: int = 400, code: str = "") -> None:
        super().__init__(message, code=code)
        self.status = status


class StoreError(SetscrewError):
    """A snapshot or state file that is missing, damaged or of another format."""

    code = "SS6000"
    exit_status = 5


class InternalError(SetscrewError):
    """A defect of Setscrew: whatever nobody has foreseen. Its message names a place, never content."""

    code = "SS9000"
    exit_status = 70


def place(error: BaseException) -> str:
    """`ValueError in rules.py:31`: where and what, never the message, which may hold content of an object."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "unknown"
    return f"{type(error).__name__} in {where}"
