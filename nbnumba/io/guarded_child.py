"""What `guarded` starts in a process of its own: one file of another maker is read."""

from __future__ import annotations

import contextlib
import json
import math
import os
import pickle
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileError, NbnumbaError

_SECONDS, _BYTES_PER_SECOND = 4, 5_000_000  # of the processor, for a file of any size and more for a large one
_MEMORY, _MEMORY_PER_BYTE = 4_000_000_000, 50
# Pixels of an image that is tried; a larger one is left to the reader, which looks at the memory.
_LARGEST_IMAGE = 1 << 28
# FabIO fills up what a file lacks. No format that it reads unpacks to so many bytes for each of the file, but for files
# in a wrapper of their own.
_UNPACKED, _UNPACKED_AT_LEAST = 1100, 1 << 24
_WRAPPERS = (".gz", ".bz2", ".xz", ".lzma", ".zst")
_SMALL = 1 << 22  # numbers; larger datasets are not read for a trial but for the images that are wanted
_HARMLESS = (AttributeError, KeyError, MemoryError, OSError, RuntimeError, TypeError, ValueError)  # for the process


def main() -> None:
    """Do in a new process what is asked for; the last line on standard output is the answer, as JSON."""
    path, what, *words = sys.argv[1:]
    _limit(Path(path).stat().st_size)
    try:
        tasks: dict[str, Callable[..., Any]] = {"fabio": _by_fabio, "hdf5": _by_hdf5, "pixels": _pixels, "call": _call}
        answer: dict[str, Any] = {"result": tasks[what](path, *words)}
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
            held = Path(path).stat().st_size
            if pixels.nbytes > max(_UNPACKED_AT_LEAST, _UNPACKED * held) and not path.endswith(_WRAPPERS):
                raise ValueError(f"states an image of {pixels.nbytes} bytes, and holds {held}")
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


def _pixels(path: str, dataset: str, index: str, out: str) -> None:
    from .nexus.file import open_to_read
    from .nexus.filters import register_filters

    register_filters()
    which = json.loads(index)
    with open_to_read(path) as file:
        pixels = file[dataset][()] if which is None else file[dataset][which]
    np.save(out, pixels, allow_pickle=False)


def _call(path: str, what: str, arguments: str, out: str) -> tuple[str, str] | None:
    """Keep what a function returns; return the kind and the text of its error, or None."""
    module, _, name = what.partition(":")
    try:
        found = getattr(import_module(module), name)(path, *json.loads(arguments))
    except NbnumbaError as error:
        return FileError.__name__ if isinstance(error, FileError) else "", str(error)
    Path(out).write_bytes(pickle.dumps(found))
    return None
