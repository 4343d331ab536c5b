"""What goes wrong, besides images that do not fit (TypeError, ValueError) and files that cannot be
read (OSError)."""
from typing import Any, Optional, Tuple


class Error(Exception):
    """All errors of this package."""


class LoadError(Error):
    """A file that is no compiled model, or one that this process cannot run."""


class RunError(Error):
    """A run that failed. `status` is the code of san/abi.h or san/cuda.h."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> Tuple[Any, ...]:
        return RunError, (self.args[0], self.status)


class CompileError(Error):
    """What `sanc` says, all of it. `status` is its exit status: 2 the command line is wrong, 3 the
    model or the weights, 4 the system failed, 5 a defect in sanc; None where it is not there."""

    def __init__(self, message: str, status: Optional[int] = None) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> Tuple[Any, ...]:
        return CompileError, (self.args[0], self.status)
