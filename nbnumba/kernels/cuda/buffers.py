"""Memory of a GPU that is kept from image to image."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..scene import same


class Resident(NamedTuple):
    """An array on the device."""

    host: NDArray[Any]
    device: Any
    ready: Any  # event after its upload
    power: int  # of two, by which it was divided


class DeviceImage:
    """An image on the device, and the array of the host that it was copied to.

    Parameters
    ----------
    host : (n_slow, n_fast) float32
        Not changed in place as long as it lives; the image is found by it, and does not keep it alive.
    device : device array of its shape
    """

    def __init__(self, host: NDArray[np.float32], device: Any) -> None:
        self.device = device
        self._owner = weakref.ref(_owner(host))
        self._place = _place(host)

    def is_of(self, host: NDArray[np.float32]) -> bool:
        """Tell whether an array of the host is, or views, what the image was copied to."""
        return self._owner() is _owner(host) and self._place == _place(host)


def _owner(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array that owns the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _place(array: NDArray[Any]) -> tuple[Any, ...]:
    return array.ctypes.data, array.shape, array.strides, array.dtype


class Slot:
    """What one image in flight needs: a stream, and buffers that are kept from image to image."""

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        self._buffers: dict[str, Any] = {}
        self._kept: dict[str, NDArray[Any]] = {}
        self.stream = cuda.stream()

    def device(self, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return a buffer on the device; its contents are whatever was there."""
        return self._buffer(name, shape, dtype, self._cuda.device_array)

    def pinned(self, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return a buffer in pinned memory of the host."""
        return self._buffer(f"{name} pinned", shape, dtype, self._cuda.pinned_array)

    def upload(self, name: str, array: NDArray[Any]) -> Any:
        """Copy an array to the device by way of pinned memory."""
        staged = self.pinned(name, array.shape, array.dtype)
        staged[...] = array
        device = self.device(name, array.shape, array.dtype)
        device.copy_to_device(staged, stream=self.stream)
        return device

    def keep(self, name: str, array: NDArray[Any]) -> Any:
        """Have an array on the device, and copy it unless it is the one that was copied last."""
        if name not in self._kept or not same(self._kept[name], array):
            self._kept.pop(name, None)
            self.upload(name, array)
            self._kept[name] = array
        return self.device(name, array.shape, array.dtype)

    def give_up(self, name: str) -> Any:
        """Return a buffer on the device that is not kept any longer."""
        return self._buffers.pop(name)

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: Any, make: Callable[..., Any]) -> Any:
        known = self._buffers.get(name)
        if known is None or tuple(known.shape) != shape or known.dtype != np.dtype(dtype):
            self._buffers.pop(name, None)  # first, as both may not fit
            known = self._buffers[name] = make(shape, dtype=dtype)
        return known
