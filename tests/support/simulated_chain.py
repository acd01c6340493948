"""Background and readout on the CUDA simulator; run by test_chain.py in a process of its own.

`python simulated_chain.py OUT.npz`, with the simulator switched on.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import nbnumba
from nbnumba import kernels
from nbnumba.readout.chain import read_out
from nbnumba.readout.model import Readout
from nbnumba.readout.poisson import poisson_image_counter
from nbnumba.readout.psf import PointSpread

PLAIN: dict[str, Any] = {
    "cell": (78.0, 78.0, 38.0), "N": (3, 3, 3), "default_F": 20.0, "misset_deg": (10.0, 20.0, 30.0), "detpixels": 9,
    "pixel_mm": 9.0, "distance_mm": 80.0, "flux": 1e12, "exposure_s": 0.1, "beamsize_mm": 0.05, "oversample": 1,
}  # fmt: skip
WATER = {"amorphous": "water:0.3"}
# Each takes another way through the sum.
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "wavelengths": {"amorphous": "water:0.3 air:20", "semantics": "exact", "dispersion_percent": 4.0, "dispsteps": 2},
    "directions": WATER | {"semantics": "exact", "hdivrange_mrad": 4.0, "hdivsteps": 2, "oversample": 2},
    "sensor": WATER | {"semantics": "exact", "thickness_um": 450.0, "attenuation_depth_um": 300.0, "thicksteps": 2},
    "as nonBragg": WATER | {"semantics": "c", "dispersion_percent": 4.0, "dispsteps": 2},
    "region": WATER | {"semantics": "exact", "roi": (2, 6, 3, 7)},
    "spot list": WATER | {"shape": "gauss_abc", "N": (9, 9, 9), "spread": "continuous", "mosaic_spread_deg": 1.0},
    "beamstop": WATER | {"semantics": "exact", "beamstop_mm": 12.0},
}
MEANS = np.geomspace(1e-3, 1e5, 72).astype(np.float32).reshape(8, 9)
READOUTS = {
    "photons": Readout(),
    "all": Readout(
        flicker=0.2, calibration=0.05, dead_time=2e-7, exposure=0.1, rate_limit=4e5, gain=1.3, offset=7.0, dark=3.0,
        flicker_pixels=0.1, readout=2.5, dtype="uint16", saturation=30000, dead_pixels=2, hot_pixels=1,
    ),
    "expected": Readout(photon_noise=False, offset=-3.0, dtype="uint32"),
    "gauss": Readout(spread=PointSpread("gauss", 1.5), gain=100.0),
    "fiber": Readout(spread=PointSpread("fiber", 0.7), gain=100.0, photon_noise=False),
    "photons spread": Readout(spread=PointSpread("moffat", 1.0, 2.5, radius=3), spread_first=True, photon_noise=False),
}  # fmt: skip


def main(out: str) -> None:
    """Render and read out everything, and save it."""
    found: dict[str, Any] = {}
    for name, more in EXPERIMENTS.items():
        image = nbnumba.simulate(nbnumba.Experiment(**(PLAIN | more)), "cuda")
        found[name] = image.array
    for name, readout in READOUTS.items():
        detected = read_out(MEANS, readout, 9, 3, device=0)
        found[name] = detected.pixels
        found[f"{name} sums"] = np.array(
            [detected.photons, detected.overloads, detected.below, detected.brightness, detected.beyond, detected.left]
        )
    noise = poisson_image_counter(MEANS, 9, 0.0, image_number=3, device=0, dtype="int32")
    found["counts"], found["counts sums"] = noise.counts, np.array([noise.photons, noise.overloads])
    found |= _stays_on_the_device()
    np.savez(out, **found)


def _stays_on_the_device() -> dict[str, Any]:
    """Read an image out where it was rendered: nothing is copied there, and no other array is taken for it."""
    experiment = nbnumba.Experiment(**(PLAIN | WATER | {"semantics": "exact", "readout_noise": 2.0, "gain": 3.0}))
    renderer = nbnumba.Renderer("cuda")
    image = renderer.render(experiment)
    gpu = kernels.renderer(None, "auto")
    held, copied = gpu.holds(image.array), gpu.holds(image.array.copy())
    for slot in gpu._free:
        slot._buffers.pop("mean", None)
    pixels = image.detected(5).pixels
    uploads = sum("mean" in slot._buffers for slot in gpu._free)
    on_processor = read_out(image.array, image.experiment.readout or Readout(), 5).pixels
    other = renderer.render(experiment)
    return {
        "held": np.array([held, copied, gpu.holds(other.array), gpu.holds(image.array)]),
        "uploads": uploads,
        "stayed": pixels,
        "stayed on processor": on_processor,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
