"""Foreign files, read by libraries in a process of its own: there they may crash, never end or fill the memory.

FabIO loops for ever over some damaged files, and the HDF5 library and its decoders crash on some. Files that hold
checksums of ours are checked before and need no such care.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

_SECONDS, _BYTES_PER_SECOND = 4, 5_000_000  # of the processor, for a file of any size and more for a large one
_MEMORY, _MEMORY_PER_BYTE = 4_000_000_000, 50
_LARGEST_IMAGE = (
    1 << 28
)  # pixels of an image that is tried; a larger one is left to the reader, which looks at the memory
_SMALL = 1 << 22  # numbers; larger datasets are not read for a trial but for the images that are wanted
_HARMLESS = (AttributeError, KeyError, MemoryError, OSError, RuntimeError, TypeError, ValueError)  # for the process
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


def _in_a_child(path: str, *words: str) -> Any:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    program = [sys.executable, "-P", "-c", "from nbnumba.io.guarded import _child; _child()", path, *words]
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


def _child() -> None:
    """Do in a new process what is asked for; the last line on standard output is the answer, as JSON."""
    path, what, *words = sys.argv[1:]
    _limit(Path(path).stat().st_size)
    try:
        answer: dict[str, Any] = {"result": {"fabio": _by_fabio, "hdf5": _by_hdf5}[what](path, *words)}
    except Exception as error:
        text = str(error).strip()
        answer = {"error": (text.splitlines()[0] if text else type(error).__name__)[:200]}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    sys.stdout.flush()
    os._exit(0)


def _limit(size: int) -> None:
    """Limit the time of the processor and the memory of this process by the size of the file that it reads."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        seconds = _SECONDS + size // _BYTES_PER_SECOND
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        memory = _MEMORY + _MEMORY_PER_BYTE * size
        if soft == resource.RLIM_INFINITY or soft > memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, hard))


def _by_fabio(path: str, index: str, out: str) -> list[Any]:
    import logging
    import warnings

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    import fabio

    with fabio.open(path) as file:
        count, number = int(file.nframes), int(index)
        if number < count:
            pixels = np.asarray(file.data if number == 0 else file.get_frame(number).data)
            if pixels.dtype.kind not in "biuf":
                raise ValueError("no image of numbers")
            np.save(out, pixels, allow_pickle=False)
        return [type(file).__name__.removesuffix("Image").removesuffix("image") or "image", count]


def _by_hdf5(path: str, dataset: str, images: str) -> None:
    import h5py

    from .nexus.file import open_to_read
    from .nexus.filters import register_filters

    register_filters()
    with contextlib.suppress(*_HARMLESS), open_to_read(path) as file:
        if dataset:
            for image in json.loads(images):
                if math.prod(file[dataset].shape[1:]) <= _LARGEST_IMAGE:
                    file[dataset][image]
            return

        def visit(name: str, item: Any) -> None:
            with contextlib.suppress(*_HARMLESS):
                dict(item.attrs)
                if isinstance(item, h5py.Dataset) and item.size is not None and item.size <= _SMALL:
                    item[()]

        file.visititems(visit)
