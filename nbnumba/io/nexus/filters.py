"""The filters that images in HDF5 files are compressed with."""

from __future__ import annotations

import functools
from collections.abc import Mapping


@functools.cache
def register_filters() -> None:
    """Let h5py read and write images that are compressed as detectors do it.

    Not left to the import of hdf5plugin: where HDF5_PLUGIN_PATH is set, for other programs, it registers nothing, and
    h5py cannot use what it then finds by that path.
    """
    import hdf5plugin

    hdf5plugin.register(force=True)


def image_compression() -> Mapping[str, object]:
    """Return what h5py's create_dataset takes for bitshuffle and LZ4.

    Of the filters that shrink images this is the one that all readers of NXmx know.
    """
    import hdf5plugin

    register_filters()
    compression: Mapping[str, object] = hdf5plugin.Bitshuffle(nelems=0, cname="lz4")
    return compression
