"""What happens to the photons of an image on their way to numbers in a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Readout:
    """The readout of a detector; each part is None as long as it is not simulated.

    Attributes
    ----------
    gain : float or None [counts/photon]
    psf : object or None
        Spread of a photon's signal over the pixels around it.
    noise : object or None
        Noise that the electronics add.
    gaps : object or None
        Pixels without signal.
    """

    gain: float | None = None
    psf: object | None = None
    noise: object | None = None
    gaps: object | None = None
