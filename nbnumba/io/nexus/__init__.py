"""HDF5 files after NXmx."""
