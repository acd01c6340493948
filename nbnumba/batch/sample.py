"""The experiment of one image, drawn from the seed and the image's number alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ..crystal.lattice import cell_of_vectors, upright_reciprocal
from ..errors import InputError, NbnumbaError
from ..experiment.model import ExperimentRecord
from ..experiment.resolve import resolve
from ..geometry.vectors import Array, random_rotation
from ..parameters.parser import parse
from ..util.messages import muted
from .distributions import KEYS, Number
from .reference import Base
from .spec import Spec

Value = TypeVar("Value")

MOST_TRIES = 100
MAX_SEED = 2**31 - 1  # of generators as C has them

# Options that say where the crystal comes from and how it lies; -A_matrix says all of it.
_CRYSTAL = {"-mat", "-cell", "-misset", "-misset_seed", "-A_matrix"}

# Fields of Settings that each option sets.
_FIELDS: dict[str, tuple[str, ...]] = {
    "-energy": ("wavelength",),
    "-distance": ("distance", "distance_given"),
    "-beam_center_fast": ("beam_fast",),
    "-beam_center_slow": ("beam_slow",),
    "-N": ("Na", "Nb", "Nc"),
    "-Na": ("Na",),
    "-Nb": ("Nb",),
    "-Nc": ("Nc",),
    "-samplesize": ("sample_x", "sample_y", "sample_z"),
    "-sample_x": ("sample_x",),
    "-sample_y": ("sample_y",),
    "-sample_z": ("sample_z",),
    "-mosaic": ("mosaic_spread",),
    "-mosaic_seed": ("mosaic_seed",),
    "-fluence": ("fluence",),
    "-flux": ("flux",),
    "-water": ("water_size",),
    "-A_matrix": ("reciprocal_A",),
}

# What would overrule an option, and the word that takes that away.
_OVERRULED = {
    "-N": ("-samplesize", "0"),
    "-Na": ("-sample_x", "0"),
    "-Nb": ("-sample_y", "0"),
    "-Nc": ("-sample_z", "0"),
    "-fluence": ("-flux", "0"),
}


@dataclass(frozen=True, eq=False)
class Draw:
    """What was drawn for an image.

    Attributes
    ----------
    image : int
    values : dict of str to number
        By key, in the order of `vary.KEYS`.
    rotation : (3, 3) or None
        Turns the crystal from where the command puts it.
    stretch : (3,) or None
        Factors of the cell's lengths.
    mosaic_seed : int or None
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


def generator(seed: int, image: int, what: str) -> np.random.Generator:
    """Return the random numbers of one quantity of one image; no other draw has a part in them."""
    name = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(image, name))))


def draw(spec: Spec, base: Base, image: int) -> Draw:
    """Draw the values of an image.

    Raises
    ------
    InputError
        When a key draws impossible values a hundred times in a row.
    """

    def numbers(what: str) -> np.random.Generator:
        return generator(spec.seed, image, what)

    row = spec.row(image)
    values = {key: row[key] if key in row else draw_value(spec, key, image) for key in spec.keys}
    stretch = None
    if "cell_jitter_percent" in values:
        stretch = _stretch(float(values["cell_jitter_percent"]), numbers("cell"), image)
    rotation = random_rotation(numbers("orientation")) if spec.random_orientation else None
    settings = base.command.settings
    mosaic = "mosaic_spread_deg" in spec.keys or (settings.crystal.mosaic_spread or 0.0) > 0.0
    own_domains = mosaic and "-mosaic_seed" not in base.command.used
    noise_seed = noise_number = None
    if spec.noise and spec.noise_rng == "counter":
        noise_seed, noise_number = spec.seed, image
    elif spec.noise:
        noise_seed = int(numbers("noise").integers(1, MAX_SEED, endpoint=True))
    return Draw(
        image=image,
        values=values,
        rotation=rotation,
        stretch=stretch,
        mosaic_seed=int(numbers("mosaic").integers(1, MAX_SEED, endpoint=True)) if own_domains else None,
        noise_seed=noise_seed,
        noise_number=noise_number,
    )


def draw_value(spec: Spec, key: str, image: int) -> Number:
    """Draw the value of a key until one is possible.

    Raises
    ------
    InputError
        When a hundred in a row are not.
    """
    what = f"{key} = {spec.vary[key]}"
    numbers = generator(spec.seed, image, key)
    return _possible(spec.vary[key].draw, KEYS[key].takes, KEYS[key].allowed.text, numbers, what, image)


def _possible(
    draw: Callable[[np.random.Generator], Value],
    takes: Callable[[Value], bool],
    allowed: str,
    numbers: np.random.Generator,
    what: str,
    image: int,
) -> Value:
    """Draw until something is possible, `MOST_TRIES` times at most."""
    for _ in range(MOST_TRIES):
        value = draw(numbers)
        if takes(value):
            return value
    raise InputError(
        f"image {image}: {what} drew {MOST_TRIES} impossible values in a row, the last of them {value}; "
        f"allowed: numbers {allowed}"
    )


def _stretch(percent: float, numbers: np.random.Generator, image: int) -> Array:
    """Draw the factors of the cell's lengths; its angles stay, so that it closes as before."""
    return _possible(
        lambda source: 1.0 + percent / 100.0 * source.standard_normal(3),
        lambda factors: bool(np.all(factors > 0.01)),
        "above 0.01 as factors of the lengths",
        numbers,
        f"cell_jitter_percent = {percent:g}",
        image,
    )


def image_experiment(base: Base, draw: Draw) -> ExperimentRecord:
    """Work out the experiment of an image.

    Raises
    ------
    InputError
        When the values together make no experiment, such as a beam centre that the panel's rotation keeps it from.
    """
    changes = changed_words(base, draw)
    settings = base.settings.changed(**changed_fields(changes))
    try:
        with muted():
            return resolve(settings, reflections=base.experiment.reflections)
    except NbnumbaError as error:
        raise type(error)(f"image {draw.image}: {error}") from None


def changed_words(base: Base, draw: Draw) -> list[tuple[str, ...]]:
    """Return the options that make the image out of the command, each with its values."""
    changes: list[tuple[str, ...]] = []
    for key, value in draw.values.items():
        option = KEYS[key].option
        if option:
            changes.append((option, repr(value)))
            if option in _OVERRULED:
                changes.append(_OVERRULED[option])
    if draw.mosaic_seed is not None:
        changes.append(("-mosaic_seed", str(draw.mosaic_seed)))
    vectors = reciprocal_vectors(base, draw)
    if vectors is not None:
        changes.append(("-A_matrix", *(repr(float(number)) for number in vectors.reshape(-1))))
    return changes


def changed_fields(changes: list[tuple[str, ...]]) -> dict[str, Any]:
    """Return the fields of Settings that options set, converted as the command line converts them."""
    values = dict(parse([word for change in changes for word in change]).settings.items())
    fields: dict[str, Any] = {field: values[field] for option, *_ in changes for field in _FIELDS[option]}
    if "reciprocal_A" in fields:
        fields |= {"cell_given": False, "matrix_file": None, "misset": None, "misset_random": False}
    return fields


def reciprocal_vectors(base: Base, draw: Draw) -> Array | None:
    """Return a*, b*, c* of an image as rows [1/Angstrom]; None where they are those of the command.

    The command's wavelength has set the scale of a matrix file, whatever the wavelength of the image.
    """
    # Of the real axes, which are what is rendered: of an oblique cell the record's own vectors miss them by a little.
    vectors: Array = np.asarray(np.linalg.inv(base.experiment.crystal.real_space.T * 1e10), dtype=np.float64)
    settings = base.settings
    scaled_by_wavelength = settings.crystal.matrix_file is not None and "energy_ev" in draw.values
    if draw.rotation is None and draw.stretch is None and not scaled_by_wavelength:
        return None
    if draw.stretch is not None:
        vectors = _stretched(vectors, draw.stretch)
    if draw.rotation is not None:
        vectors = vectors @ draw.rotation.T
    return np.ascontiguousarray(vectors)


def _stretched(vectors: Array, factors: Array) -> Array:
    """Return the reciprocal vectors of a cell of other lengths, the same angles and the same orientation."""
    real = np.linalg.inv(vectors.T)
    lengths, angles = cell_of_vectors(np.asarray(real, dtype=np.float64))
    upright = upright_reciprocal(lengths, angles)
    turn = np.linalg.solve(upright, vectors)  # rows: vectors = upright @ turn
    return np.asarray(upright_reciprocal(lengths * factors, angles) @ turn)


def image_words(base: Base, draw: Draw) -> list[str]:
    """Return a command line that draws the image without its noise, in any folder."""
    changes = changed_words(base, draw)
    options = {option for option, *_ in changes}
    dropped = _CRYSTAL if "-A_matrix" in options else set()
    kept = [use for use in base.uses if use.option.key not in dropped]
    words = [(use.word, *use.values) for use in kept]
    if "-distance" in options:
        # Where it stood, or first of all: it moves the pivot, which later options move again.
        changed = next(change for change in changes if change[0] == "-distance")
        changes.remove(changed)
        places = [i for i, use in enumerate(kept) if use.option.key == "-distance"]
        words = [changed, *words] if not places else [*words[: places[-1]], changed, *words[places[-1] + 1 :]]
    changes.append(("-semantics", base.settings.semantics.value))
    return [word for option in [*words, *changes] for word in option]
