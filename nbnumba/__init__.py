"""X-ray diffraction images of nanocrystals, pixel by pixel, on an absolute scale.

`Experiment` says what is simulated, `simulate` or a `Renderer` draws it, and the `Image` has the photons and writes
files; a `Dataset` has the images of a batch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

__all__ = [
    "Dataset",
    "DeviceError",
    "Experiment",
    "FileError",
    "Image",
    "InputError",
    "Renderer",
    "WorkerError",
    "__version__",
    "series",
    "simulate",
]

if TYPE_CHECKING:
    from .batch.dataset import Dataset
    from .batch.python import series
    from .errors import DeviceError, FileError, InputError, WorkerError
    from .experiment.model import Experiment
    from .render.image import Image
    from .render.renderer import Renderer, simulate

_PLACES = {
    "Experiment": "api",
    "Image": "render.image",
    "Renderer": "render.renderer",
    "simulate": "render.renderer",
    "Dataset": "batch.dataset",
    "series": "batch.python",
    "DeviceError": "errors",
    "FileError": "errors",
    "InputError": "errors",
    "WorkerError": "errors",
}


def __getattr__(name: str) -> Any:
    """Import what is public when it is first used, so that `import nbnumba` is quick."""
    if name in _PLACES:
        return getattr(import_module(f".{_PLACES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
