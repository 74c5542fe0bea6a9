"""The one exception whose message is meant for the person at the keyboard, and how such sentences count."""

import signal


class LsganError(Exception):
    """Something that the user can mend. `str(error)` is the whole message: what, why, and the fix."""

    exit_code = 1


class CollapsedError(LsganError):
    """A run was stopped because it had collapsed."""

    exit_code = 3  # 2 is what shells and Hydra use for a wrong command line


class NonFiniteError(LsganError):
    """A loss, a gradient, a weight or an optimizer's state became NaN or infinite."""


class TerminatedError(KeyboardInterrupt):
    """SIGTERM or another signal that asks a process to end, as Ctrl-C is KeyboardInterrupt.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__()
        self.number = number
        self.numbers = [number]  # and of those that came behind it

    @property
    def name(self) -> str:
        """SIGTERM, for example."""
        return signal.Signals(self.number).name


def counted(num: int, what: str) -> str:
    """`1 run`, `2 runs`, `1,797 images`."""
    return f"{num:,} {what}{'' if num == 1 else 's'}"
