"""Headers of NumPy files, which may state more than the file holds."""

from __future__ import annotations

import math
import os
from typing import IO

import numpy as np

_LENGTH_AT, _LENGTH_BYTES = 8, 4  # of the header, in versions after the first


def check_header(file: IO[bytes]) -> None:
    """Read what a NumPy file says of its array, from its beginning; NumPy takes memory for all that is stated.

    Raises
    ------
    ValueError
        The file is shorter than that; other exceptions of NumPy for a malformed header.
    """
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        stated = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if stated > size - _LENGTH_AT - _LENGTH_BYTES:
            raise ValueError(f"a header of {stated} bytes is stated, which is more than the file holds")
        file.seek(_LENGTH_AT)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if min(shape, default=1) < 0:
        raise ValueError(f"the header states the shape {shape}")
    if math.prod(shape) * dtype.itemsize > size - file.tell():
        raise ValueError(f"the header states shape {shape} of {dtype}, which is more than the file holds")
    file.seek(0)
