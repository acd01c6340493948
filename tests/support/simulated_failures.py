"""A GPU on the CUDA simulator whose memory is full; run by test_failures.py in a process of its own.

`python simulated_failures.py OUT.npz`, with the simulator switched on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import nbnumba
from nbnumba import kernels
from nbnumba.errors import DeviceError
from nbnumba.kernels.cuda import kernel as cuda
from nbnumba.readout.chain import read_out
from nbnumba.readout.model import Readout
from nbnumba.readout.poisson import poisson_image_counter

TWO_PANELS: dict[str, Any] = {
    "cell": (78.0, 78.0, 38.0), "N": (3, 3, 3), "hkl": "few.hkl", "misset_deg": (10.0, 20.0, 30.0), "flux": 1e12,
    "exposure_s": 0.1, "beamsize_mm": 0.05, "oversample": 1, "semantics": "exact", "amorphous": "water:0.3",
}  # fmt: skip
GEOM = """clen = 0.4
photon_energy = 12398.42
res = 2500
adu_per_photon = 1
{panels}
"""
PANEL = """p{number}/min_fs = 0
p{number}/max_fs = 4
p{number}/min_ss = {first}
p{number}/max_ss = {last}
p{number}/fs = x
p{number}/ss = y
p{number}/corner_x = 100
p{number}/corner_y = {corner}
"""
ALL = 10**9
MEANS = np.geomspace(1e-3, 1e5, 72).astype(np.float32).reshape(8, 9)
# Backend, whether the first or the second panel is the one that meets a full memory, and allocations that fail.
CASES = {
    "at the first panel": ("auto", 1, ALL),
    "at the second panel": ("auto", 2, ALL),
    "once": ("cuda", 1, 1),
    "once at the second panel": ("cuda", 2, 1),
}


class CudaAPIError(Exception):
    """What numba-cuda raises for an error of the driver."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code, self.msg = code, message


class FullMemory:
    """Lets some allocations of device memory pass and fails those that follow.

    Parameters
    ----------
    passing : int
        Allocations that succeed first.
    failing : int
        Those that fail then; all others succeed.

    Attributes
    ----------
    failing : int
        Those that are still to fail.
    asked : int
        Allocations so far.
    """

    def __init__(self, passing: int, failing: int) -> None:
        self._passing, self.failing, self.asked = passing, failing, 0
        self._make: Callable[..., Any] = cuda.cuda.device_array

    def __enter__(self) -> FullMemory:
        cuda.cuda.device_array = self._allocate
        type(cuda.cuda.current_context()).get_memory_info = lambda _: (1.2e9, 8e9)
        return self

    def __exit__(self, *exception: object) -> None:
        cuda.cuda.device_array = self._make

    def _allocate(self, *arguments: Any, **more: Any) -> Any:
        self.asked += 1
        if self.asked > self._passing and self.failing > 0:
            self.failing -= 1
            raise CudaAPIError(2, "Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")
        return self._make(*arguments, **more)


def main(out: str) -> None:
    """Render with a memory that is full at one moment or another, and save what came of it."""
    panels = [PANEL.format(number=i, first=5 * i, last=5 * i + 4, corner=-5.0 + 5.5 * i) for i in range(2)]
    Path("two.geom").write_text(GEOM.format(panels="\n".join(panels)))
    Path("few.hkl").write_text("1 0 0 10\n0 1 0 10\n")  # no pixel is near them
    experiment = nbnumba.Experiment(**TWO_PANELS, geometry="two.geom")
    found: dict[str, Any] = {}
    with FullMemory(ALL, 0) as all_of_it:
        nbnumba.simulate(experiment, "cuda")
    # The second panel takes the buffers of the first, but for the image, which stays on the device.
    passing_of = {1: all_of_it.asked // 2, 2: all_of_it.asked - 1}
    for name, (backend, panel, failing) in CASES.items():
        said: list[str] = []
        kernels._renderers.clear()
        with FullMemory(passing_of[panel], failing) as memory:
            image = nbnumba.simulate(experiment, backend, notify=said.append)
        found[name], found[f"{name} backend"], found[f"{name} said"] = image.array, image.backend, said
        found[f"{name} failures"] = failing - memory.failing
    try:
        with FullMemory(0, ALL):
            nbnumba.simulate(experiment, "cuda")
    except DeviceError as error:
        found["error"] = str(error)
    found["after the error"] = nbnumba.simulate(experiment, "cuda").array
    image = nbnumba.simulate(experiment, "cuda")
    kernels.renderer(None, "auto").close()
    kernels._renderers.clear()
    with FullMemory(3, 1) as memory:
        found["read"] = read_out(image.array, Readout(gain=3.0, readout=2.0), 5, 0, device=0).pixels
    with FullMemory(2, 1) as other:
        counts = poisson_image_counter(MEANS, 9, 0.0, image_number=3, device=0, dtype="int32")
    found["counts"], found["failures of readout"] = counts.counts, (1 - memory.failing, 1 - other.failing)
    found["photons"] = image.array
    np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
