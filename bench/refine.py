"""`python -m bench.refine`: stills with known truth, refined one by one on one core."""

from __future__ import annotations

import argparse
import time

import numpy as np

import nbnumba
from nbnumba.refine.fit import refine
from nbnumba.render.linearize import Linearization

from . import stills


def main() -> None:
    """Refine stills, and print how far from the truth and how costly that was."""
    parser = argparse.ArgumentParser(prog="python -m bench.refine", description=__doc__)
    parser.add_argument("--count", type=int, default=200, metavar="N", help="stills (default 200)")
    parser.add_argument("--pixels", type=int, default=256, metavar="N", help="along an edge (default 256)")
    asked = parser.parse_args()
    refine(stills.make(10**6, asked.pixels).fit)  # compiles
    z, ratios, evaluations, sigmas, seconds, converged = [], [], [], [], [], 0
    for seed in range(asked.count):
        still = stills.make(seed, asked.pixels)
        start = time.process_time()
        found = refine(still.fit)
        seconds.append((time.process_time() - start) / found.evaluations)
        converged += found.converged
        evaluations.append(found.evaluations)
        sigmas.append(found.sigma_z)
        off = found.values - still.truth
        z.append(off / found.errors)
        three = [found.parameters.names.index(f"misset_{axis}") for axis in "xyz"]
        ratios.append(np.linalg.norm(off[three]) / np.sqrt(np.sum(found.errors[three] ** 2)))
    table = np.array(z)
    print(f"{asked.count} stills of {asked.pixels} x {asked.pixels} pixels, {len(table[0])} parameters")
    print(f"converged: {converged}")
    print(f"{'(refined - truth)/error':>24s} {'mean':>6s} {'deviation':>10s}")
    for name, mean, deviation in zip(still.parameters.names, table.mean(axis=0), table.std(axis=0), strict=True):
        print(f"{name:>24s} {mean:6.2f} {deviation:10.2f}")
    print(f"median misset over its error: {np.median(ratios):.2f}")
    print(f"sigmaZ: {np.mean(sigmas):.4f}, {min(sigmas):.3f} to {max(sigmas):.3f}")
    print(f"evaluations: median {np.median(evaluations):g}, at most {max(evaluations)}")
    print(f"processor time of an evaluation: median {1e3 * np.median(seconds):.1f} ms")
    _costs(asked.pixels)


def _costs(pixels: int) -> None:
    """Print what derivatives cost beside the image alone."""
    still = stills.make(0, pixels)
    experiment = still.parameters.experiment
    flat = nbnumba.Experiment(
        cell=(79.1, 79.1, 37.9, 90, 90, 90), misset_deg=(10, 20, 30), default_F=90, N=(25, 22, 18), shape="square",
        mosaic_spread_deg=0.1, mosaic_domains=30, wavelength_A=1.3, distance_mm=120, pixel_mm=0.35, detpixels=pixels,
        oversample=1,
    )  # fmt: skip
    for name, one in (("Gaussian spots in closed form", experiment), ("parallelepiped, 30 domains", flat)):
        parameters = one.parameters("misset", "cell", "N", "mosaic_spread", "scale")

        def image(one: nbnumba.Experiment = one) -> None:
            nbnumba.simulate(one, "cpu", threads=1)

        def forward(parameters: nbnumba.gradients.parameters.Parameters = parameters) -> None:
            Linearization(parameters, None, 1).jacobian()

        def backward(parameters: nbnumba.gradients.parameters.Parameters = parameters) -> None:
            linear = Linearization(parameters, None, 1)
            linear.vjp(np.ones(linear.shape))

        alone, with_all, gradient = (_fastest(work) for work in (image, forward, backward))
        print(
            f"{name}: image {1e3 * alone:.1f} ms; with its derivatives by {len(parameters)} parameters "
            f"{1e3 * with_all:.1f} ms, {with_all / alone:.1f} times; backward {1e3 * gradient:.1f} ms, "
            f"{gradient / alone:.1f} times"
        )


def _fastest(work: object) -> float:
    """Least processor time of a few runs [s]."""
    assert callable(work)
    found = []
    for _ in range(5):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


if __name__ == "__main__":
    main()
