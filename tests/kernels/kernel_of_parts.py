"""A kernel whose parts call parts; prints what it makes of 1 and 2, and how often it was compiled."""

import numpy as np

from nbnumba.kernels import jit


@jit.physics
def _twice(x):
    return x + x


@jit.inner
def _scale(values):
    for i in range(values.shape[0]):
        values[i] = _twice(_twice(values[i]))


@jit.kernel
def _kernel(values):
    _scale(values)


if __name__ == "__main__":
    values = np.array([1.0, 2.0])
    _kernel(values)
    print(*values, sum(_kernel.stats.cache_misses.values()))
