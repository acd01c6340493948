"""Draws docs/detectors.png: a crystal, water, air and ice rings on a Pilatus 6M and on an Eiger 9M."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import nbnumba

EDGE = 500  # pixels of the picture, along slow, or a few more
PLAIN = {
    "cell": (78.0, 78.0, 38.0), "misset_deg": (17.0, 31.0, 50.0), "N": (2500, 2500, 5000), "default_F": 150.0,
    "shape": "gauss_abc", "spread": "continuous", "mosaic_spread_deg": 0.2, "spot_cutoff_photons": 0.01, "B_factor_A2": 25.0,
    "flux": 4e12,
    "exposure_s": 0.1, "beamsize_mm": 0.05, "wavelength_A": 1.0, "oversample": 1, "thickness_um": 0.0,
    "amorphous": "water:0.03 air:2 icerings:0.001", "beamstop_mm": 5.0, "osc_deg": 0.5, "phisteps": 20,
}  # fmt: skip


def shot(name: str, distance_mm: float, title: str) -> Image.Image:
    """Return a picture of a detector: dark where photons are, white gaps."""
    experiment = nbnumba.Experiment(detector_preset=name, distance_mm=distance_mm, **PLAIN)  # type: ignore[arg-type]
    image = nbnumba.simulate(experiment)
    counts = image.detected(1).pixels.astype(np.float64)
    mask = experiment.detector.panels[0].mask
    assert mask is not None
    counts[~mask] = np.nan
    step = max(counts.shape) // EDGE
    rows, columns = (size // step * step for size in counts.shape)
    blocks = counts[:rows, :columns].reshape(rows // step, step, columns // step, step)
    gaps = np.isnan(blocks).mean(axis=(1, 3)) > 0.4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # blocks of gaps alone
        # The mean, which shows rings, and of what stands far above it the largest, which shows spots.
        mean, largest = np.nanmean(blocks, axis=(1, 3)), np.nanmax(blocks, axis=(1, 3))
    shown = np.where(gaps, np.nan, np.where(largest > 2.0 * mean + 10.0 * np.sqrt(mean) + 5.0, largest, mean))
    gray = 255.0 * (1.0 - np.clip(shown / (5.0 * np.nanmedian(mean)), 0.0, 1.0) ** 0.8)
    picture = Image.fromarray(np.where(np.isfinite(gray), gray, 255.0).astype(np.uint8))
    framed = Image.new("L", (picture.width + 2, picture.height + 24), 255)
    framed.paste(picture, (1, 23))
    draw = ImageDraw.Draw(framed)
    draw.rectangle((0, 22, framed.width - 1, framed.height - 1), outline=120)
    draw.text((4, 5), title, fill=0)
    return framed


def main() -> None:
    """Draw both and put them side by side."""
    both = [shot("pilatus6m", 250.0, "Pilatus 6M, 250 mm"), shot("eiger9m", 140.0, "Eiger 9M, 140 mm")]
    wide = Image.new("L", (sum(one.width for one in both) + 16, max(one.height for one in both)), 255)
    wide.paste(both[0], (0, 0))
    wide.paste(both[1], (both[0].width + 16, 0))
    wide.save(Path(__file__).parent / "detectors.png", optimize=True)


if __name__ == "__main__":
    main()
