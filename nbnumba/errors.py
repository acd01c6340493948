"""The kinds of failure a user can meet; each prints as one line and has an exit status."""


class NbnumbaError(Exception):
    """Base of every error that is the input's or the machine's fault, not ours.

    The command line prints the message as one line on standard error and exits with `exit_status`.
    """

    exit_status = 1


class InputError(NbnumbaError, ValueError):
    """A bad option, a bad value, or a file whose content is malformed.

    The message names the option or file, the value found and what is allowed.
    """

    exit_status = 2


class IncompleteError(InputError):
    """What an image cannot do without is not given."""


class FileError(NbnumbaError, OSError):
    """A file that is missing, unreadable or cannot be written, or a full disk."""

    exit_status = 3


class DeviceError(NbnumbaError, RuntimeError):
    """A device that was asked for explicitly is not there or failed."""

    exit_status = 4


class EngineError(NbnumbaError, RuntimeError):
    """The workers of a batch, or the way to them, cannot be had or were lost."""

    exit_status = 5
