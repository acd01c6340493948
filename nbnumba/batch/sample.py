"""The experiment of one image, drawn from the seed and the image's number alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from ..beam.build import fluence_of
from ..errors import InputError, NbnumbaError, parameters_called
from ..experiment.command_line import given_as
from ..experiment.ground_truth import GroundTruth, ground_truth
from ..experiment.model import Experiment
from ..experiment.resolve import resolve_with_choices
from ..geometry.vectors import Array, random_rotation, rotate_about
from ..io.contents import read_once
from ..parameters.choices import Pivot
from ..parameters.draft import Draft
from ..parameters.fill import apply
from ..parameters.given import Given
from ..parameters.settings import Settings
from ..parameters.table import NANOBRAGG, ORIENTING, PARAMETERS, VARYING
from ..util.messages import muted
from .distributions import A_COLUMNS, HIT, KEYS, LATTICES, PARAMETER_OF, SPLIT, U_COLUMNS, Number
from .drawn import Draw
from .lattices import crystals_given
from .reference import Base
from .spec_model import Spec

Value = TypeVar("Value")

MOST_TRIES = 100
MAX_SEED = 2**31 - 1  # of generators as C has them

# Beside the vectors of a crystal nothing else says which it is.
_UNSET = dict(Settings().items())
_NO_OTHER_CRYSTAL = {
    field: _UNSET[field] for name in ORIENTING for field in (*PARAMETERS[name].fields, *PARAMETERS[name].fills)
}

# What would overrule a parameter, and is taken away by 0, where 0 means "not given".
_OVERRULED = {
    one: other
    for name, parameter in VARYING.items()
    for excluded in parameter.excludes
    if 0.0 in PARAMETERS[excluded].allowed
    for one, other in ((name, excluded), *zip(parameter.parts, PARAMETERS[excluded].parts, strict=True))
}
_PIVOT = "pivot_by_order"
_OF_PIVOT = {"convention", "pivot"}  # by functions of their own


def generator(seed: int, image: int, what: str) -> np.random.Generator:
    """Return the random numbers of one quantity of one image; no other draw has a part in them."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(image, _number_of(what)))))


@lru_cache(maxsize=256)
def _number_of(what: str) -> int:
    """Return the number that stands for a quantity."""
    return int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big")


def noise_seed_c(seed: int, image: int) -> int:
    """Return the seed of the noise of an image that C's generator draws."""
    return int(generator(seed, image, "noise").integers(1, MAX_SEED, endpoint=True))


def draw(spec: Spec, base: Base, image: int, *, missing: bool = True) -> Draw:
    """Draw the values of an image; without `missing` as if the beam hit the crystals in every image.

    Raises
    ------
    InputError
        When a key draws impossible values a hundred times in a row.
    """

    def numbers(what: str) -> np.random.Generator:
        return generator(spec.seed, image, what)

    row = spec.row(image)
    values = {key: row[key] if key in row else draw_value(spec, key, image) for key in spec.keys}
    tabled = spec.texts_of(image)
    texts = {key: tabled[key] if key in tabled else spec.chosen[key].draw(numbers(key)) for key in spec.text_keys}
    base = with_texts(base, texts, image)
    if not missing:
        values.pop(HIT, None)
    elif HIT in values or LATTICES in values:
        _settle_hit(values)
    matrix = _matrix(values, base)
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
        noise_seed = noise_seed_c(spec.seed, image)
    further = range(1, max(1, int(values.get(LATTICES, len(base.experiment.crystals)))))
    whose = image if spec.series is None else 0  # the images of a rotation show the same crystals
    return Draw(
        image=image,
        values=values,
        matrix=matrix,
        texts=texts,
        misorientations=tuple(
            _misorientation(generator(spec.seed, whose, f"split {number}"), float(values[SPLIT]))
            for number in further
            if SPLIT in values
        ),
        rotation=rotation,
        stretch=stretch,
        further_rotations=tuple(
            random_rotation(numbers(f"orientation {number}")) for number in further if spec.random_orientation
        ),
        mosaic_seed=int(numbers("mosaic").integers(1, MAX_SEED, endpoint=True)) if own_domains else None,
        noise_seed=noise_seed,
        noise_number=noise_number,
        spectrum_seed=int(numbers("spectrum").integers(1, MAX_SEED, endpoint=True)) if own_spikes else None,
    )


def with_texts(base: Base, texts: dict[str, str], image: int) -> Base:
    """Return what the image has in common with those of the same files and words."""
    try:
        with muted():
            return base.with_texts(texts)
    except NbnumbaError as error:
        raise type(error)(f"image {image}: {error}") from None


def _settle_hit(values: dict[str, Number]) -> None:
    """Let the number of crystals and whether the beam hits any agree."""
    hit = int(bool(values.get(HIT, 1)) and bool(values.get(LATTICES, 1)))
    values[HIT] = hit
    if LATTICES in values and not hit:
        values[LATTICES] = 0


def _matrix(values: dict[str, Number], base: Base) -> Array | None:
    """Take the columns of a matrix out of the values; return a*, b*, c* as rows."""
    if A_COLUMNS[0] in values:
        return np.array([values.pop(name) for name in A_COLUMNS]).reshape(3, 3).T
    if U_COLUMNS[0] in values:
        U = np.array([values.pop(name) for name in U_COLUMNS]).reshape(3, 3)
        return np.asarray((U @ base.experiment.crystals[0].upright_reciprocal).T)
    return None


def _misorientation(numbers: np.random.Generator, degrees: float) -> Array:
    """Draw a rotation about a random axis; its components are normal with a standard deviation of `degrees`."""
    vector = math.radians(degrees) * numbers.standard_normal(3)
    angle = float(np.linalg.norm(vector))
    if angle == 0.0:
        return np.eye(3)
    return np.array([rotate_about(axis, vector / angle, angle) for axis in np.eye(3)]).T


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


def image_experiment(base: Base, draw: Draw, given: Sequence[Given] | None = None) -> Experiment:
    """Work out the experiment of an image.

    Parameters
    ----------
    base : Base
    draw : Draw
    given : sequence of Given, optional
        From `changes_of`, where they are known.

    Raises
    ------
    InputError
        When the values together make no experiment, such as a beam center that the panel's rotation keeps it from.
    """
    base = with_texts(base, draw.texts, draw.image)
    given = changes(base, draw) if given is None else given
    settings = base.settings.changed(**changed_fields(given, base))
    try:
        with muted(), parameters_called(lambda name, value: name), read_once(base.contents):
            made = resolve_with_choices(settings, reflections=base.experiment.reflections, before=base.resolved)
            return made.experiment
    except NbnumbaError as error:
        raise type(error)(f"image {draw.image}: {error}") from None


def image_truth(
    spec: Spec,
    base: Base,
    drawn: Draw,
    experiment: Experiment,
    backend: str,
    precision: str,
    given: Sequence[Given] | None = None,
) -> GroundTruth:
    """Return what is known of a rendered image; `given` as of `image_experiment`."""
    return ground_truth(
        experiment,
        command=image_words(base, drawn, given),
        backend=backend,
        precision=precision,
        noise_seed=drawn.noise_seed,
        noise_rng=spec.noise_rng if spec.noise else None,
        noise_number=drawn.noise_number,
    )


def stated_geometry(spec: Spec, base: Base, images: Sequence[int]) -> Experiment:
    """Return the experiment whose beam and detector the file of some images states; it turns as the first of them.

    They are those of the command, since a file has one beam and one detector for its readers, and a rotation has one
    for all of its files. A batch may have a file for each image: then they are those of the image.
    """
    first = image_experiment(base, draw(spec, base, images[0]))
    if len(images) == 1 and spec.series is None:
        return first
    return replace(first, beam=base.experiment.beam, detector=base.experiment.detector)


def changes_of(base: Base, draw: Draw) -> list[Given]:
    """Return the parameters that make the image out of the command."""
    return changes(with_texts(base, draw.texts, draw.image), draw)


def changes(base: Base, draw: Draw) -> list[Given]:
    """Return the parameters that make the image out of the command with its files and words."""
    found: list[Given] = []
    for key, value in draw.values.items():
        if key in PARAMETER_OF:
            found.append(given_as(PARAMETER_OF[key], value))
            if key in _OVERRULED:
                found.append(given_as(_OVERRULED[key], 0))
    if "fluence_factor" in draw.values:
        fluence = fluence_of(base.settings.changed(**changed_fields(found, base)))
        found += [given_as("fluence", float(fluence * draw.values["fluence_factor"])), given_as("flux", 0)]
    if base.phi_steps is not None:
        found.append(given_as("phisteps", base.phi_steps))
    if draw.mosaic_seed is not None:
        found.append(given_as("mosaic_seed", draw.mosaic_seed))
    if draw.spectrum_seed is not None:
        found.append(given_as("spectrum_seed", draw.spectrum_seed))
    return found + crystals_given(base, draw)


def changed_fields(given: Sequence[Given], base: Base) -> dict[str, Any]:
    """Return the fields of Settings that the parameters of an image set."""
    draft = Draft([])
    for item in given:
        apply(draft, item)
    fields = dict(draft.fields)
    fields.pop(_PIVOT, None)  # what varies stands where the command's stood, or before all of it
    new = [item for item in given if _moves_pivot(item) and not base.command.gives(item.parameter.name)]
    if any(item.parameter.name == "twotheta_deg" for item in new):  # this one after it
        fields[_PIVOT] = Pivot.SAMPLE
    elif new and not any(_moves_pivot(item) for item in base.given):
        fields[_PIVOT] = new[-1].parameter.sets[_PIVOT]
    if "crystals" in fields:
        return fields | _NO_OTHER_CRYSTAL
    return _NO_OTHER_CRYSTAL | fields if "reciprocal_A" in fields else fields


def _moves_pivot(item: Given) -> bool:
    return _PIVOT in item.parameter.sets or item.parameter.name in _OF_PIVOT


def image_words(base: Base, draw: Draw, given: Sequence[Given] | None = None) -> list[str]:
    """Return a command line that draws the image without its noise, in any folder; `given` as of `image_experiment`."""
    base = with_texts(base, draw.texts, draw.image)
    changed = changes(base, draw) if given is None else list(given)
    names = {item.parameter.name for item in changed}
    moved = [item for item in changed if _PIVOT in item.parameter.sets]
    dropped = ORIENTING | {"crystals"} if {"A_matrix", "crystals"} & names else set()
    kept = [item for item in base.given if item.parameter.name not in dropped]
    first: list[Given] = []
    for item in moved:
        # Where they stood, or before all, but 2theta after: they move the pivot, as later options do again.
        places = [i for i, one in enumerate(kept) if one.parameter.name == item.parameter.name]
        if not places and item.parameter.name == "twotheta_deg":
            continue
        changed.remove(item)
        if places:
            kept[places[-1]] = item
        else:
            first.append(item)
    kept = [*first, *kept]
    stated = [given_as("semantics", base.settings.semantics.value)]
    if base.experiment.goniometer.sweeps and not base.command.gives("phi_sampling"):
        stated.append(given_as("phi_sampling", base.settings.goniometer.phi_sampling.value))
    return list(NANOBRAGG.words([*kept, *changed, *stated]))
