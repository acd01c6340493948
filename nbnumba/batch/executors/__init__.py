"""Where the images of a batch are rendered: in this process, in others, on Dask or MPI."""
