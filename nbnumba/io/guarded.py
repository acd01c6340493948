"""Foreign files, read by libraries in a process of its own: there they may crash, never end or fill the memory.

FabIO loops for ever over some damaged files, and the HDF5 library and its decoders crash on some. Files that hold
checksums of ours are checked before and need no such care.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError, InputError
from .opening import label

_Result = TypeVar("_Result")

_STOPPED = (signal.SIGXCPU, signal.SIGKILL)  # what ends a process that takes too long


def fabio_image(path: str, index: int) -> tuple[str, int, NDArray[Any] | None]:
    """Read an image by FabIO.

    Parameters
    ----------
    path : str
    index : int
        From 0.

    Returns
    -------
    kind : str
        Of the file.
    count : int
        Of its images.
    pixels : array or None
        None where there is no image of this index.

    Raises
    ------
    InputError
        FabIO cannot read the file, crashes or does not come to an end. The message is that of FabIO.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "pixels.npy"
        kind, count = _in_a_child(path, "fabio", str(index), str(out))
        return str(kind), int(count), np.load(out, allow_pickle=False) if out.exists() else None


def try_hdf5(path: str, dataset: str | None = None, images: tuple[int, ...] = ()) -> None:
    """Let the HDF5 library read a file of others, or some images of it, to see whether it survives that.

    Raises
    ------
    InputError
        It crashes or does not come to an end. What else is wrong with the file is left to the reader.
    """
    _in_a_child(path, "hdf5", dataset or "", json.dumps(images))


def hdf5_pixels(path: str, dataset: str, index: int | None) -> NDArray[Any]:
    """Read an image of an HDF5 file of others, which is decompressed in the other process.

    Parameters
    ----------
    path, dataset : str
    index : int or None
        Along the first axis; None: all of it.

    Raises
    ------
    InputError
        The library cannot read it, crashes or does not come to an end.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "pixels.npy"
        _in_a_child(path, "pixels", dataset, json.dumps(index), str(out))
        found: NDArray[Any] = np.load(out, allow_pickle=False)
        return found


def read_apart(read: Callable[..., _Result], path: str, option: str, *arguments: int) -> _Result:
    """Return what a function makes of an HDF5 file of others, called in the other process.

    Parameters
    ----------
    read : callable
        Of a module of this package; is called with path, option and arguments.
    path, option : str
        The file, and the option that named it.
    *arguments : int

    Raises
    ------
    FileError, InputError
        What the function raises, or that the library crashes on the file or does not come to an end.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result"
        words = f"{read.__module__}:{read.__name__}", json.dumps([option, *arguments]), str(out)
        try:
            failure = _in_a_child(path, "call", *words)
        except InputError as error:
            raise InputError(f"{label(option, path)}: is damaged: the HDF5 library {error} on it") from None
        if failure is not None:
            raise {"FileError": FileError}.get(failure[0], InputError)(failure[1])
        result: _Result = pickle.loads(out.read_bytes())
        return result


def _in_a_child(path: str, *words: str) -> Any:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    program = [sys.executable, "-P", "-c", "from nbnumba.io.guarded_child import main; main()", path, *words]
    ran = subprocess.run(program, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if ran.returncode in [-number for number in _STOPPED]:
        raise InputError("does not come to an end")
    if ran.returncode < 0:
        raise InputError("crashes")
    try:
        answer = json.loads(ran.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise InputError("cannot be read") from None
    if "error" in answer:
        raise InputError(answer["error"])
    return answer["result"]
