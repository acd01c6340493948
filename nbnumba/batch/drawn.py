"""What was drawn for one image of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..geometry.vectors import Array
from .distributions import Number


@dataclass(frozen=True, eq=False)
class Draw:
    """What was drawn for an image.

    Attributes
    ----------
    image : int
    values : dict of str to number
        By key, in the order of `distributions.KEYS`.
    rotation : (3, 3) or None
        Turns the crystal from where the command puts it.
    further_rotations : tuple of (3, 3)
        The same of the crystals after the first.
    misorientations : tuple of (3, 3)
        Turn the first crystal into those after it.
    matrix : (3, 3) or None [1/Angstrom]
        a*, b*, c* as rows, of a table.
    texts : dict of str to str
        Files and words that were chosen, by key.
    stretch : (3,) or None
        Factors of the cell's lengths.
    mosaic_seed, spectrum_seed : int or None
    noise_seed : int or None
        None: without noise.
    noise_number : int or None
        Of the image in the series of the counted generator.
    """

    image: int
    values: dict[str, Number]
    rotation: Array | None
    stretch: Array | None
    mosaic_seed: int | None
    noise_seed: int | None
    noise_number: int | None
    spectrum_seed: int | None = None
    further_rotations: tuple[Array, ...] = ()
    misorientations: tuple[Array, ...] = ()
    matrix: Array | None = None
    texts: dict[str, str] = field(default_factory=dict)
