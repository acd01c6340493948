"""X-ray diffraction images of nanocrystals, pixel by pixel, on an absolute scale.

`Experiment` says what is simulated, `simulate` or a `Renderer` draws it, and the `Image` has the photons and writes
files.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["DeviceError", "Experiment", "FileError", "Image", "InputError", "Renderer", "__version__", "simulate"]

if TYPE_CHECKING:
    from .api import Experiment
    from .errors import DeviceError, FileError, InputError
    from .image import Image
    from .rendering import Renderer, simulate

_PLACES = {
    "Experiment": "api",
    "Image": "image",
    "Renderer": "rendering",
    "simulate": "rendering",
    "DeviceError": "errors",
    "FileError": "errors",
    "InputError": "errors",
}


def __getattr__(name: str) -> Any:
    """Import what is public when it is first used, so that `import nbnumba` is quick."""
    if name in _PLACES:
        return getattr(import_module(f".{_PLACES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
