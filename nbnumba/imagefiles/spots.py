"""Tables of spots as files: HDF5, Parquet, or a reflection table of DIALS."""

from __future__ import annotations

import importlib.util
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..io.atomic import PathLike, whole_file
from ..io.opening import label

if TYPE_CHECKING:
    import h5py

COLUMNS = {
    "image": "",
    "h": "",
    "k": "",
    "l": "",
    "panel": "",
    "lattice": "",
    "x_px": "px",
    "y_px": "px",
    "phi_deg": "deg",
    "z_images": "",
    "photons": "",
    "peak_fast": "px",
    "peak_slow": "px",
    "peak_photons": "",
    "pixels": "",
    "partiality": "",
    "d_A": "angstrom",
    "wavelength_A": "angstrom",
}
"""Columns of a table of spots, and their units."""
WHOLE = frozenset({"image", "h", "k", "l", "panel", "lattice", "peak_fast", "peak_slow", "pixels"})

ENDINGS = (".h5", ".parquet", ".refl")
GROUP = "spots"

Table = dict[str, NDArray[np.float64] | NDArray[np.int64]]


def check_name(option: str, path: str) -> None:
    """Refuse a file of spots that cannot be written.

    Raises
    ------
    InputError
        The name has another ending, or a package is missing.
    """
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122
    if ending not in ENDINGS:
        raise InputError(f"{label(option, path)}: allowed endings: {', '.join(ENDINGS)}")
    if ending == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise InputError(f"{label(option, path)}: needs the package pyarrow; pip install pyarrow, or give an .h5 file")


def write(path: PathLike, table: Table) -> None:
    """Write a table in the format of the name's ending.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    ending = Path(path).suffix.lower()
    make = {".h5": _hdf5, ".parquet": _parquet, ".refl": _reflection_table}[ending]
    with whole_file(path) as file:
        file.write(make(table))


def write_into(file: h5py.File, table: Table) -> None:
    """Write a table into an open HDF5 file, a dataset a column."""
    group = file.create_group(GROUP)
    for name, units in COLUMNS.items():
        group.create_dataset(name, data=table[name])
        if units:
            group[name].attrs["units"] = units


def read_from(file: h5py.File) -> Table:
    """Read a table out of an open HDF5 file."""
    return {name: file[GROUP][name][()] for name in COLUMNS}


def joined(tables: Sequence[Table]) -> Table:
    """Return tables as one."""
    return {name: np.concatenate([table[name] for table in tables]) for name in COLUMNS}


def _hdf5(table: Table) -> bytes:
    import h5py

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        write_into(file, table)
    return content.getvalue()


def _parquet(table: Table) -> bytes:
    import pyarrow
    from pyarrow import parquet

    content = io.BytesIO()
    fields = [
        pyarrow.field(
            name,
            pyarrow.int64() if name in WHOLE else pyarrow.float64(),
            metadata={"units": units} if units else None,
        )
        for name, units in COLUMNS.items()
    ]
    columns = [pyarrow.array(table[name]) for name in COLUMNS]
    parquet.write_table(pyarrow.Table.from_arrays(columns, schema=pyarrow.schema(fields)), content)
    return content.getvalue()


def _reflection_table(table: Table) -> bytes:
    """Return what DIALS' flex.reflection_table.as_file writes: messages of names, types, lengths and bytes."""
    import msgspec

    count = len(table["h"])

    def vectors(*names: str) -> NDArray[np.float64]:
        return np.column_stack([table[name] for name in names]).astype("<f8")

    indices = np.column_stack([table[name] for name in "hkl"]).astype("<i4")
    columns: dict[str, tuple[str, NDArray[np.generic]]] = {
        "miller_index": ("cctbx::miller::index<>", indices),
        "id": ("int", table["lattice"].astype("<i4")),
        "panel": ("std::size_t", table["panel"].astype("<u8")),
        "flags": ("std::size_t", np.zeros(count, dtype="<u8")),
        "xyzobs.px.value": ("vec3<double>", vectors("x_px", "y_px", "z_images")),
        "xyzcal.px": ("vec3<double>", vectors("x_px", "y_px", "z_images")),
        "intensity.sum.value": ("double", table["photons"].astype("<f8")),
        "intensity.sum.variance": ("double", table["photons"].astype("<f8")),
        "partiality": ("double", table["partiality"].astype("<f8")),
        "d": ("double", table["d_A"].astype("<f8")),
        "wavelength": ("double", table["wavelength_A"].astype("<f8")),
        "peak_photons": ("double", table["peak_photons"].astype("<f8")),
        "image": ("int", table["image"].astype("<i4")),
    }
    data = {name: [kind, [count, np.ascontiguousarray(values).tobytes()]] for name, (kind, values) in columns.items()}
    content = {"identifiers": {}, "nrows": count, "data": data}
    return msgspec.msgpack.encode(["dials::af::reflection_table", 1, content])
