"""The experiment of one image, drawn from the seed and the image's number alone."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ..crystal.lattice import cell_of_vectors, upright_reciprocal
from ..errors import InputError, NbnumbaError, parameters_called
from ..experiment.command_line import given_as
from ..experiment.crystal_files import description, written
from ..experiment.model import Experiment
from ..experiment.resolve import resolve_with_choices
from ..geometry.vectors import Array, random_rotation, rotate_xyz
from ..io.contents import read_once
from ..parameters.draft import Draft
from ..parameters.fill import apply
from ..parameters.given import Given
from ..parameters.table import NANOBRAGG, PARAMETERS
from ..parameters.types import Kind
from ..util.messages import muted
from .distributions import KEYS, Number
from .reference import Base
from .spec import Spec

Value = TypeVar("Value")

MOST_TRIES = 100
MAX_SEED = 2**31 - 1  # of generators as C has them

# What says where the crystal comes from and how it lies; A_matrix says all of it.
_CRYSTAL = {"matrix", "cell", "misset_deg", "misset_seed", "A_matrix"}
_OF_WAVELENGTH = {"energy_ev", "spectrum_shot", "spectrum_seed", "spectrum_shift_ev"}
_NO_OTHER_CRYSTAL = {"cell_given": False, "matrix_file": None, "misset": None, "misset_random": False}

_TURN = ("turn_x_deg", "turn_y_deg", "turn_z_deg")

# What would overrule a parameter, and is taken away by 0.
_OVERRULED = {"N": "crystal_size_mm", "Na": "sample_x", "Nb": "sample_y", "Nc": "sample_z", "fluence": "flux"}


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
    if "cell_expansion_percent" in values:
        stretch = (np.ones(3) if stretch is None else stretch) * (1.0 + 0.01 * values["cell_expansion_percent"])
    rotation = random_rotation(numbers("orientation")) if spec.random_orientation else None
    settings = base.command.settings
    crystal = settings.crystal
    spread = any((crystal.mosaic_spread, *crystal.mosaic_sigmas, *crystal.lattice_spread))
    mosaic = spread or not {"mosaic_spread_deg", "lattice_spread_percent"}.isdisjoint(spec.keys)
    # The images of a rotation show one crystal.
    own_domains = mosaic and spec.series is None and not base.command.gives("mosaic_seed")
    spikes = (settings.beam.spectrum or "").startswith("sase")
    own_spikes = spikes and not base.command.gives("spectrum_seed") and "spectrum_seed" not in spec.keys
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
        further_rotations=tuple(
            random_rotation(numbers(f"orientation {number}"))
            for number in range(1, len(base.experiment.crystals))
            if spec.random_orientation
        ),
        mosaic_seed=int(numbers("mosaic").integers(1, MAX_SEED, endpoint=True)) if own_domains else None,
        noise_seed=noise_seed,
        noise_number=noise_number,
        spectrum_seed=int(numbers("spectrum").integers(1, MAX_SEED, endpoint=True)) if own_spikes else None,
    )


def draw_value(spec: Spec, key: str, image: int) -> Number:
    """Draw the value of a key until one is possible.

    Raises
    ------
    InputError
        When a hundred in a row are not.
    """
    what = f"{key} = {spec.vary[key]}"
    if not spec.vary[key].is_drawn:
        value = spec.vary[key].draw(generator(spec.seed, image, key), image)
        if not KEYS[key].takes(value):
            raise InputError(f"image {image}: {what} gives {value:g}; allowed: numbers {KEYS[key].allowed.text}")
        return value
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


def image_experiment(base: Base, draw: Draw) -> Experiment:
    """Work out the experiment of an image.

    Raises
    ------
    InputError
        When the values together make no experiment, such as a beam center that the panel's rotation keeps it from.
    """
    settings = base.settings.changed(**changed_fields(changes(base, draw)))
    try:
        with muted(), parameters_called(lambda name, value: name), read_once(base.contents):
            made = resolve_with_choices(settings, reflections=base.experiment.reflections, before=base.resolved)
            return made.experiment
    except NbnumbaError as error:
        raise type(error)(f"image {draw.image}: {error}") from None


def changes(base: Base, draw: Draw) -> list[Given]:
    """Return the parameters that make the image out of the command."""
    found: list[Given] = []
    for key, value in draw.values.items():
        if key in PARAMETERS:
            found.append(given_as(key, value))
            if key in _OVERRULED:
                found.append(given_as(_OVERRULED[key], 0))
    if "fluence_factor" in draw.values:
        fluence = draw.values.get("fluence", base.experiment.fluence)
        found += [given_as("fluence", float(fluence * draw.values["fluence_factor"])), given_as("flux", 0)]
    if base.phi_steps is not None:
        found.append(given_as("phisteps", base.phi_steps))
    if draw.mosaic_seed is not None:
        found.append(given_as("mosaic_seed", draw.mosaic_seed))
    if draw.spectrum_seed is not None:
        found.append(given_as("spectrum_seed", draw.spectrum_seed))
    if base.settings.crystal.crystals:
        return found + _crystals(base, draw)
    vectors = reciprocal_vectors(base, draw)
    if vectors is not None:
        found.append(given_as("A_matrix", *(float(number) for number in vectors.reshape(-1))))
    return found


def changed_fields(given: list[Given]) -> dict[str, Any]:
    """Return the fields of Settings that the parameters of an image set."""
    draft = Draft([])
    for item in given:
        apply(draft, item)
    fields = dict(draft.fields)
    fields.pop("pivot_by_order", None)  # a distance that varies stands where the command's stood
    return fields | _NO_OTHER_CRYSTAL if "reciprocal_A" in fields else fields


def _crystals(base: Base, draw: Draw) -> list[Given]:
    """Return the crystals of an image that are described apart; none where they are those of the command."""
    entries = base.settings.crystal.crystals
    found = []
    for number, entry in enumerate(entries):
        vectors = reciprocal_vectors(base, draw, number)
        if vectors is None:
            return []
        keywords = {key: value for key, value in description(entry)[0].items() if key not in _CRYSTAL}
        for key, value in keywords.items():
            if isinstance(value, str) and PARAMETERS[key].kind is Kind.FILE:
                keywords[key] = os.path.abspath(value)  # noqa: PTH100
        found.append(given_as("crystals", written({**keywords, "A_matrix": vectors.T.tolist()})))
    return found


def reciprocal_vectors(base: Base, draw: Draw, crystal: int = 0) -> Array | None:
    """Return a*, b*, c* of a crystal of an image as rows [1/Angstrom]; None where they are those of the command.

    The command's wavelength has set the scale of a matrix file, whatever the wavelength of the image.
    """
    # Of the real axes, which are what is rendered: of an oblique cell the record's own vectors miss them by a little.
    vectors: Array = np.asarray(np.linalg.inv(base.experiment.crystals[crystal].real_space.T * 1e10), dtype=np.float64)
    settings = base.settings
    rotation = draw.rotation if crystal == 0 or draw.rotation is None else draw.further_rotations[crystal - 1]
    moved = draw.spectrum_seed is not None or not draw.values.keys().isdisjoint(_OF_WAVELENGTH)
    scaled_by_wavelength = (settings.crystal.matrix_file is not None or bool(settings.crystal.crystals)) and moved
    turn = [math.radians(draw.values.get(key, 0.0)) for key in _TURN]
    if rotation is None and draw.stretch is None and not any(turn) and not scaled_by_wavelength:
        return None
    if draw.stretch is not None:
        vectors = _stretched(vectors, draw.stretch)
    if rotation is not None:
        vectors = vectors @ rotation.T
    if any(turn):
        vectors = np.array([rotate_xyz(vector, *turn) for vector in vectors])
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
    changed = changes(base, draw)
    names = {item.parameter.name for item in changed}
    dropped = _CRYSTAL if "A_matrix" in names else {"crystals"} & names
    kept = [item for item in base.given if item.parameter.name not in dropped]
    if "distance_mm" in names:
        # Where it stood, or first of all: it moves the pivot, which later options move again.
        distance = next(item for item in changed if item.parameter.name == "distance_mm")
        changed.remove(distance)
        places = [i for i, item in enumerate(kept) if item.parameter.name == "distance_mm"]
        kept = [distance, *kept] if not places else [*kept[: places[-1]], distance, *kept[places[-1] + 1 :]]
    stated = [given_as("semantics", base.settings.semantics.value)]
    if base.experiment.goniometer.sweeps and not base.command.gives("phi_sampling"):
        stated.append(given_as("phi_sampling", base.settings.goniometer.phi_sampling.value))
    return list(NANOBRAGG.words([*kept, *changed, *stated]))
