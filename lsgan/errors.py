"""The one exception whose message is meant for the person at the keyboard."""


class LsganError(Exception):
    """Something that the user can mend. `str(error)` is the whole message: what, why, and the fix."""


class TerminatedError(KeyboardInterrupt):
    """SIGTERM, as Ctrl-C is KeyboardInterrupt."""
