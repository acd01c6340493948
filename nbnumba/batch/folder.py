"""What a folder remembers of its batch: what it is, who works on it, and what has happened."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ..errors import FileError, InputError
from ..experiment.crystal_files import files_of_crystals
from ..io.atomic import reason, whole_file
from ..parameters.files import input_files
from ..parameters.settings import Settings
from ..util.messages import logger
from ..version import __version__
from .inputs import Digests, digest
from .spec import placed
from .spec_model import Spec
from .texts import files_of
from .toml_file import Where

STATE = "batch.json"
LOG = "batch.log"

_KNOWN = "remove it, and --resume finds the images of the batch without it"
_BUSY = {errno.EACCES, errno.EAGAIN}


def input_digests(spec_file: str, spec: Spec, settings: Settings) -> Digests:
    """Return the digests of all files that a batch reads.

    Parameters
    ----------
    spec_file : str
        Of which messages name the key that names a file.
    spec : Spec
    settings : Settings

    Raises
    ------
    FileError
        A file cannot be read.
    """
    of_command = {path for _, path in input_files(settings)} | set(files_of_crystals(settings))
    named: dict[str, Where] = dict.fromkeys(of_command, ("command",))
    if spec.csv_file is not None:
        named[str(Path(spec.folder) / spec.csv_file)] = "vary", "csv"
    for texts in spec.texts:
        named |= dict.fromkeys(files_of(texts, spec.folder), ("vary", "csv"))
    for key, some in spec.chosen.items():
        for text in some.values:
            named |= dict.fromkeys(files_of({key: text}, spec.folder), ("vary", key))
    digests = {}
    for path in sorted(named):
        with placed(spec_file, named[path]):
            digests[path] = digest(path)
    return digests


def identity(spec: Spec, digests: Digests) -> dict[str, Any]:
    """Return everything that the images of a batch depend on, fit for JSON; `digests` are those of its files."""
    places = ("folder", "columns", "rows", "first_row", "texts", "first_texts")  # of what counts by its content
    said = {field.name: getattr(spec, field.name) for field in fields(spec) if field.name not in places}
    said["words"] = list(spec.words)
    said["series"] = None if spec.series is None else asdict(spec.series)
    said["vary"] = {key: str(distribution) for key, distribution in spec.vary.items()}
    said["chosen"] = {key: str(choice) for key, choice in spec.chosen.items()}
    files = {_relative(path, spec.folder): found for path, found in digests.items()}
    return {"nbnumba": __version__, "spec": said, "files": files}


def fingerprint(found: dict[str, Any]) -> str:
    """Return what stands for an identity in the files of a batch."""
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return in what two identities differ."""
    lines = []
    if before.get("nbnumba") != now["nbnumba"]:
        lines.append(f"it was begun by nbnumba {before.get('nbnumba')}, this is {now['nbnumba']}")
    said, says = before.get("spec", {}), now["spec"]
    for name, was, is_now in _changed(said, says):
        lines.append(f"{'command' if name == 'words' else name} was {_short(was)}, now {_short(is_now)}")
    was, are = before.get("files", {}), now["files"]
    for name in dict.fromkeys([*was, *are]):
        if name in was and name in are and was[name] != are[name]:
            lines.append(f"{name} has other content")
        elif (name in was) != (name in are) and said.get("words") == says.get("words"):
            lines.append(f"{name} is {'new' if name in are else 'gone'}")
    return lines


def _changed(before: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, old and new value of what differs; of tables, of their entries."""
    for key in dict.fromkeys([*before, *now]):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changed(old, new)
        elif old != new:
            yield key, old, new


def read_state(folder: Path) -> dict[str, Any] | None:
    """Return the identity of the batch in a folder, None where there is none.

    Raises
    ------
    FileError
        The file cannot be read.
    InputError
        It is damaged.
    """
    path = folder / STATE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {reason(error)}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged: {error}; {_KNOWN}") from None
    if not isinstance(found, dict) or not all(isinstance(found.get(name), dict) for name in ("spec", "files")):
        raise InputError(f"{path}: damaged: it describes no batch; {_KNOWN}")
    return found


def write_state(folder: Path, found: dict[str, Any]) -> None:
    """Write the identity of a batch into its folder."""
    with whole_file(folder / STATE) as file:
        file.write(json.dumps(found, indent=1).encode())


@contextlib.contextmanager
def opened_log(folder: Path) -> Iterator[Callable[[str], None]]:
    """Open the log of a folder, to which lines are added; one process at a time may have it open.

    Yields
    ------
    callable
        Adds a line. A line that cannot be written, on a full disk, is lost.

    Raises
    ------
    InputError
        Another process works in the folder.
    FileError
        The log cannot be written.
    """
    path = folder / LOG
    try:
        file = path.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {reason(error)}") from error

    def add(line: str) -> None:
        with contextlib.suppress(OSError):
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(line.split())}\n")

    try:
        _lock(file.fileno(), folder)
        yield add
    finally:
        with contextlib.suppress(OSError):
            file.close()


def _lock(descriptor: int, folder: Path) -> None:
    """Lock the log; the lock goes with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        # Of the kind that network file systems know, and that a forked process does not inherit.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            raise InputError(f"{folder}: another nbnumba batch is at work in this folder; wait for its end") from None
        logger.warning(f"{folder}: cannot be locked ({reason(error)}); see to it that no other batch works in it")


def _relative(path: str, folder: str) -> str:
    return path.removeprefix(folder).lstrip("/") if path.startswith(folder) else path


def _short(value: object) -> str:
    text = " ".join(value) if isinstance(value, list) else json.dumps(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
