"""Groups and quantities of NeXus files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py


def quantity(group: h5py.Group, name: str, value: Any, units: str) -> h5py.Dataset:
    """Write a quantity with its unit."""
    group[name] = value
    group[name].attrs["units"] = units
    return group[name]


def new_group(parent: h5py.Group, path: str, kind: str) -> h5py.Group:
    """Create a group of a NeXus class."""
    made = parent.create_group(path)
    made.attrs["NX_class"] = kind
    return made
