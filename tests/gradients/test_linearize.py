"""Images with their derivatives: against differences, forward against backward, against the renderer."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradients.differences import STILL, reflections, worst_difference

import nbnumba
from nbnumba.errors import InputError
from nbnumba.gradients.point import PARAMETERS
from nbnumba.parameters.choices import Shape
from nbnumba.readout import psf

# Derivatives are exact; what differs is the truncation and the rounding of the differences.
TOLERANCE = 1e-6
STEP = 3e-3  # of those differences, in units of the parameters' steps, where one is taken

# Half-way between two reflections an image jumps where their structure factors differ, and has a kink where they do
# not; no derivative knows of either. Gaussian spots have fallen off there; the others less.
_LEVEL = {"default_F": 30.0}
_VARIED = {"hkl": reflections(22)}
_SENSOR = {"thickness_um": 450, "attenuation_depth_um": 300, "thicksteps": 3}
# A radius of its own: where it is chosen by the width, an image jumps by what lies beyond it.
_SPREAD = {"psf": "gauss", "psf_fwhm_um": 700, "psf_radius": 7}
_SOURCES = {"hdivrange_mrad": 5, "hdivsteps": 2, "vdivrange_mrad": 4, "vdivsteps": 2}

_CRYSTAL = ("misset", "whole_cell", "N", "mosaic_spread", "phi", "scale")
_DETECTOR = ("distance", "beam_center", "detector_rotation", "wavelength", "polarization")
_ALL = (*_CRYSTAL, *_DETECTOR)
_FACTORS = ("B_factor", "scale", "polarization", "offset")

# Parameter x shape x option. What is not here has no derivative, and is refused: see test_refused.
TABLE: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "square": (_ALL, {"shape": "square", **_LEVEL}),
    "round": ((*_ALL, "fudge"), {"shape": "round", "N": (15, 19, 17), **_LEVEL}),
    "gauss": ((*_ALL, "fudge", "B_factor"), {"shape": "gauss", **_VARIED}),
    "gauss_abc": ((*_ALL, "fudge", "N_between"), {"shape": "gauss_abc", "Nd": 1.0, **_VARIED}),
    "gauss_argchk": ((*_ALL, "fudge", "N_between"), {"shape": "gauss_argchk", "Nd": 1.0, **_VARIED}),
    "gauss_star": ((*_ALL, "fudge"), {"shape": "gauss_star", **_VARIED}),
    "tophat": (_FACTORS, {"shape": "tophat", **_VARIED}),
    "tophat_abc": (_FACTORS, {"shape": "tophat_abc", **_VARIED}),
    "closed form": ((*_ALL, "fudge", "B_factor"), {"shape": "gauss", "spread": "continuous", **_VARIED}),
    "closed form, band and divergence": (
        (*_ALL, "bandwidth", "divergence", "beam_direction"),
        {"shape": "gauss_abc", "spread": "continuous", "dispersion_percent": 1, "dispsteps": 5, **_SOURCES, **_VARIED},
    ),
    "interpolated square": (
        ("misset", "cell", "N", "B_factor", "distance"),
        {"shape": "square", "N": (2, 2, 2), "interpolate": True, **_VARIED},
    ),
    "interpolated gauss": (("misset", "wavelength"), {"shape": "gauss", "interpolate": True, **_VARIED}),
    "sub-pixels, sensor, sources, water": (
        ("misset", *_DETECTOR),
        {"shape": "gauss", "oversample": 2, "water_um": 0.05, "dispersion_percent": 1, "dispsteps": 2}
        | _SENSOR
        | _SOURCES
        | _VARIED,
    ),
    "factors of every sample": (
        _DETECTOR,
        {"shape": "gauss", "oversample": 2, "water_um": 0.05, "twotheta_deg": 10}
        | {"oversample_thick": True, "oversample_polar": True, "oversample_omega": True}
        | _SENSOR
        | _SOURCES
        | _VARIED,
    ),
    "closed form, sensor": (
        ("misset", *_DETECTOR),
        {"shape": "gauss", "spread": "continuous", "oversample": 2, "oversample_omega": True} | _SENSOR | _VARIED,
    ),
    "as C": (
        (*_CRYSTAL, "distance", "wavelength"),
        {"semantics": "c", "shape": "gauss", "water_um": 1e-4, "convention": "adxv"} | _SENSOR | _VARIED,
    ),
    "resolution cut-off": (("misset", "distance", "polarization"), {"shape": "gauss", "dmin_A": 4.0, **_VARIED}),
    "point pixels": (("distance", "beam_center"), {"shape": "gauss", "point_pixel": True, **_VARIED}),
    "rotation": (("misset", "phi", "cell"), {"shape": "gauss", "phi_deg": 10, "osc_deg": 1, "phisteps": 3, **_VARIED}),
    "curved": (("misset", "N", "wavelength"), {"shape": "gauss", "curved": True, **_VARIED}),
    "materials": (
        ("distance", "beam_center", "wavelength", "background", "offset", "misset"),
        {"shape": "gauss", "water_layer_mm": 5e-5, "beamsize_mm": 1e-4, **_VARIED},
    ),
    "point spread": (
        ("misset", "N", "distance", "polarization", "psf_fwhm", "background", "offset", "scale"),
        {"shape": "gauss", "water_layer_mm": 5e-5, "beamsize_mm": 1e-4, **_SPREAD, **_VARIED},
    ),
    "point spread, fiber": (
        ("misset", "psf_fwhm"),
        {"shape": "gauss", "spread": "continuous", **_SPREAD, "psf": "fiber", "psf_radius": 20, **_VARIED},
    ),
    "point spread, moffat": (
        ("psf_fwhm", "B_factor"),
        {"shape": "tophat", **_SPREAD, "psf": "moffat:2.5", "psf_stage": "photons", "psf_radius": 2, **_VARIED},
    ),
    "charge sharing": (
        ("misset", "scale"),
        {"shape": "gauss", **_SPREAD, "psf": "charge:0.3", "psf_fwhm_um": 150, **_VARIED},
    ),
    "random orientation, tetragonal": (
        ("misset", "cell"),
        {"shape": "gauss", "cell": (50, 50, 40, 90, 90, 90), "misset_deg": None, "misset_seed": 3, **_VARIED},
    ),
}


# Parameters that are in the table with some of the shapes only, and why that is enough.
OF_ANY_SHAPE = {
    "offset": "it is added to every pixel, whatever the crystal",
    "background": "it multiplies the photons of materials, whatever the crystal",
    "psf_fwhm": "the image is spread as a whole",
    "B_factor": "it changes the table of structure factors, which the loops of all shapes read alike",
    "beam_direction": "it moves sources and polarization, through which the wavelength acts for every shape",
    "bandwidth": "spots in closed form have one loop for the shapes that they may have",
    "divergence": "as the bandwidth",
}


def test_no_parameter_is_missing() -> None:
    """Of each shape every parameter is in the table, is refused, or says why another shape's test is enough."""
    experiments: dict[str, nbnumba.Experiment] = {}
    # Spots of gauss_star depend on the determinant of N alone; test_chain has it with numbers between the axes.
    known = {("gauss_star", "N_between")}
    for names, options in TABLE.values():
        shape = options.get("shape", "square")
        known.update((shape, name) for name in names)
        # A cell's free constants are among all of them, through the same strain.
        known.update((shape, "cell") for name in names if name == "whole_cell")
        known.update((shape, "whole_cell") for name in names if name == "cell")
    for shape in {shape for shape, _ in known}:
        experiments[shape] = nbnumba.Experiment(
            **{**STILL, **_VARIED, "shape": shape, "water_layer_mm": 5e-5, "beamsize_mm": 1e-4, **_SPREAD}
        )
    assert set(experiments) == {shape.value for shape in Shape}
    assert set(OF_ANY_SHAPE) <= set(PARAMETERS)
    for name in PARAMETERS:
        assert any(name == other for _, other in known), name
        for shape, experiment in experiments.items():
            if (shape, name) in known or name in OF_ANY_SHAPE:
                continue
            with pytest.raises(InputError, match=f"{name}|Nd, Ne, Nf"):
                experiment.parameters(name)


@pytest.mark.parametrize("case", TABLE)
def test_against_differences(case: str) -> None:
    names, options = TABLE[case]
    experiment = nbnumba.Experiment(**{**STILL, **options})
    found, linear = worst_difference(experiment, names)
    assert max(found.values()) < TOLERANCE, found
    # The image is that of the renderer, to the rounding of float32.
    image = nbnumba.simulate(experiment, "cpu").array
    if experiment.readout is not None and experiment.readout.spread is not None:
        image = psf.apply(image, experiment.readout.spread).image
    np.testing.assert_allclose(linear.image, image, rtol=2e-7, atol=2e-7 * float(image.max()))


def _random_experiment(number: int) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Options that go together, and some of the parameters that act under all of them."""
    random = np.random.default_rng(number)

    def some(chance: float, options: dict[str, Any]) -> dict[str, Any]:
        return options if random.random() < chance else {}

    angles = random.uniform(75, 105, 3).round(1)
    options: dict[str, Any] = {
        "shape": str(random.choice(["gauss", "gauss_abc", "gauss_star"])),
        "cell": (*random.uniform(38, 62, 3).round(1), *angles),
        "N": tuple(int(n) for n in random.integers(6, 10, 3)),
        "misset_deg": tuple(random.uniform(-90, 90, 3).round(1)),
        "mosaic_spread_deg": round(random.uniform(0.2, 0.8), 2),
        "wavelength_A": round(random.uniform(0.9, 1.3), 3),
        "distance_mm": round(random.uniform(80, 130), 1),
        "detpixels": 16,
        "pixel_mm": 0.6,
        "convention": str(random.choice(["mosflm", "xds", "dials", "adxv"])),
        "fudge": round(random.uniform(0.8, 1.3), 2),
        **some(0.3, {"spread": "continuous"}),
        **some(0.3, {"oversample": 2}),
        **some(0.3, _SENSOR),
        **some(0.3, _SOURCES),
        **some(0.3, {"twotheta_deg": round(random.uniform(-15, 15), 1)}),
        **some(0.3, {"detector_rotation_deg": tuple(random.uniform(-8, 8, 3).round(1))}),
        **some(0.3, {"phi_deg": 10, "osc_deg": 1, "phisteps": 2}),
        **some(0.3, {"semantics": "c"}),
        **_VARIED,
    }
    names = random.choice([*_CRYSTAL, *_DETECTOR, "B_factor", "fudge"], 6, replace=False)
    return tuple(map(str, names)), options


@pytest.mark.parametrize("number", range(24))
def test_random_experiments_against_differences(number: int) -> None:
    names, options = _random_experiment(number)
    found, _ = worst_difference(nbnumba.Experiment(**{**STILL, **options}), names)
    assert max(found.values()) < TOLERANCE, (found, options)


def test_several_crystals() -> None:
    """Their derivatives are those of each of them alone."""
    options = {**STILL, "shape": "gauss", "spread": "continuous", **_VARIED}
    ones = [nbnumba.Experiment(**{**options, "misset_deg": (x, 20, 30)}) for x in (10, 50)]
    crystals = tuple(dataclasses.replace(one.crystal, weight=0.5) for one in ones)
    both = dataclasses.replace(ones[0], crystals=crystals)
    renderer = nbnumba.Renderer("cpu", 1)
    together = renderer.linearize(both, ("misset", "scale"))
    assert together.parameters.names[-2:] == ("scale_1", "scale_2")
    apart = [renderer.linearize(one, ("misset", "scale")) for one in ones]
    largest = np.abs(together.jacobian()).max()
    jacobian = together.jacobian().reshape(-1, *together.shape)
    for number, (one, rows) in enumerate(zip(apart, ([0, 1, 2, 6], [3, 4, 5, 7]), strict=True)):
        # A pass ends its spots where they leave no trace in its own share of the image.
        np.testing.assert_allclose(jacobian[rows], 0.5 * one.jacobian(), atol=1e-7 * largest, err_msg=str(number))


@pytest.mark.parametrize(
    "case",
    [
        "square",
        "closed form",
        "interpolated square",
        "materials",
        "factors of every sample",
        "point spread",
        "point spread, moffat",
    ],
)
def test_backward_equals_forward(case: str) -> None:
    names, options = TABLE[case]
    experiment = nbnumba.Experiment(**{**STILL, **options})
    random = np.random.default_rng(3)
    one, other = (nbnumba.Renderer("cpu", 1).linearize(experiment, names) for _ in range(2))
    directions = random.normal(size=(2, len(one.parameters))) * one.parameters.scales
    weights = random.normal(size=one.shape)
    forward = one.jvp(directions)
    np.testing.assert_allclose(one.jvp(directions[0]), forward[0], rtol=1e-12)
    along = np.tensordot(forward, weights, 2)
    # The rounding of sums over pixels of either sign.
    np.testing.assert_allclose(directions @ other.vjp(weights), along, atol=1e-10 * np.abs(forward).sum(), rtol=0)


def test_backward_through_a_kernel_that_is_not_symmetric(tmp_path: Path) -> None:
    """Light comes back from where it has gone to, also for structure factors."""
    path = tmp_path / "kernel.txt"
    np.savetxt(path, np.random.default_rng(0).uniform(size=(5, 3)) / 20.0)
    experiment = nbnumba.Experiment(**{**STILL, "shape": "gauss", "psf": "file", "psf_file": str(path), **_VARIED})
    linear = nbnumba.Renderer("cpu", 1).linearize(experiment, ("misset", "offset"))
    random = np.random.default_rng(3)
    direction, weights = random.normal(size=4) * linear.parameters.scales, random.normal(size=linear.shape)
    forward = linear.jvp(direction)
    rounding = 1e-10 * float(np.abs(forward * weights).sum())  # of sums over pixels of either sign
    assert direction @ linear.vjp(weights) == pytest.approx(float(np.sum(forward * weights)), abs=rounding)
    along = random.normal(size=experiment.reflections.values.shape)  # type: ignore[union-attr]
    by_factors = np.sum(linear.jvp_reflections(along) * weights)
    assert np.sum(linear.vjp_reflections(weights) * along) == pytest.approx(float(by_factors), rel=1e-9)


def test_any_number_of_threads_gives_the_same() -> None:
    names, options = TABLE["closed form"]
    experiment = nbnumba.Experiment(**{**STILL, **options, "detpixels": 70})
    one, two = (nbnumba.Renderer("cpu", threads).linearize(experiment, names) for threads in (1, None))
    assert np.array_equal(one.jacobian(), two.jacobian())
    weights = np.random.default_rng(1).normal(size=one.shape)
    assert np.array_equal(one.vjp(weights), two.vjp(weights))


def test_panels_masks_and_regions() -> None:
    """A part of a detector has the derivatives that the same pixels have in the whole."""
    options = {**STILL, "shape": "gauss", **_VARIED}
    names = ("misset", "distance", "scale", "offset")
    whole = nbnumba.Renderer("cpu").linearize(nbnumba.Experiment(**options), names)
    part = nbnumba.Renderer("cpu").linearize(nbnumba.Experiment(**options, roi=(3, 20, 5, 17)), names)
    inside = np.zeros(whole.shape, dtype=bool)
    inside[5:18, 3:21] = True
    np.testing.assert_allclose(part.jacobian(), np.where(inside, whole.jacobian(), 0.0), rtol=1e-12)
    np.testing.assert_allclose(part.image, np.where(inside, whole.image, 0.0), rtol=1e-12)


def test_two_panels_that_differ_with_a_mask() -> None:
    """Masked pixels, and what a smaller panel leaves of the stack, have no image and no derivatives."""
    experiment = nbnumba.Experiment(
        **{**STILL, "shape": "gauss", "water_layer_mm": 5e-5, "beamsize_mm": 1e-4, **_VARIED}
    )
    first = experiment.detector.panels[0]
    mask = np.ones((first.n_slow, first.n_fast), dtype=bool)
    mask[4:9, 2:20] = False
    second = dataclasses.replace(first, origin=first.origin + 25 * 0.4e-3 * first.fast, n_fast=17, n_slow=20)
    panels = (dataclasses.replace(first, mask=mask), second)
    experiment = dataclasses.replace(experiment, detector=dataclasses.replace(experiment.detector, panels=panels))
    names = ("misset", "N", "distance", "beam_center", "detector_rotation", "background", "offset")
    renderer = nbnumba.Renderer("cpu")
    parameters = experiment.parameters(*names)
    linear = renderer.linearize(experiment, parameters)
    random = np.random.default_rng(3)
    direction = random.choice([-1.0, 1.0], len(parameters)) * [component.step for component in parameters.components]
    forward = linear.jvp(direction)
    differences = np.zeros(linear.shape)
    for steps, weight in ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12)):
        at = parameters.values + steps * STEP * direction
        differences += weight / STEP * renderer.linearize(experiment, parameters, at).image
    np.testing.assert_allclose(forward, differences, rtol=0, atol=TOLERANCE * np.abs(differences).max())

    there = np.zeros(linear.shape, dtype=bool)
    there[0] = mask
    there[1, :20, :17] = True
    jacobian = linear.jacobian()
    assert not linear.image[~there].any()
    assert not jacobian[:, ~there].any()
    for panel in range(2):
        assert linear.image[panel][there[panel]].all()
        assert np.all(np.abs(jacobian[:, panel]).max(axis=(1, 2)) > 0.0)

    # What stands in pixels that are not there does not matter backward either.
    weights = random.normal(size=linear.shape)
    rounding = 1e-10 * float(np.abs(forward * weights).sum())  # of sums over pixels of either sign
    spoiled = np.where(there, weights, 1e9)
    assert direction @ linear.vjp(spoiled) == pytest.approx(float(np.sum(forward * weights)), abs=rounding)
    along = random.normal(size=experiment.reflections.values.shape)  # type: ignore[union-attr]
    by_factors = np.sum(linear.jvp_reflections(along) * weights)
    assert np.sum(linear.vjp_reflections(spoiled) * along) == pytest.approx(float(by_factors), rel=1e-9)

    # Water scatters into every pixel that is there, and only these are counted.
    likelihood = linear.likelihood(linear.image, np.ones(linear.shape, dtype=bool))
    assert likelihood.pixels == there.sum()
    rows = jacobian[:, there]
    expected = (rows / linear.image[there]) @ rows.T
    np.testing.assert_allclose(likelihood.information, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (("misset",), {"shape": "tophat"}, "misset: with shape tophat pixels jump"),
        (("distance",), {"shape": "tophat_abc"}, "distance: with shape tophat_abc pixels jump"),
        (("distance",), {"curved": True}, "distance: a curved detector"),
        (("nonsense",), {}, "'nonsense' is unknown; allowed: cell"),
        (("misset", "psf_fwhm"), {}, "psf_fwhm: the experiment has no point spread; psf gives one"),
        (("psf_fwhm",), {"psf": "charge", "psf_fwhm_um": 20}, "charge has no derivative by its width here; allowed"),
        ((), {}, "there are none"),
        (("N", "N"), {}, "each may be named once"),
        (("cell", "whole_cell"), {}, "are the same"),
        (("fudge",), {"shape": "square"}, "fudge: has no derivative with shape square"),
        (("N_between",), {"shape": "gauss"}, "have no effect with shape gauss"),
        (("mosaic_spread",), {"mosaic_spread_deg": 0}, "mosaic_spread: is 0"),
        (("mosaic_spread",), {"mosaic_domains": 1}, "there is one mosaic domain"),
        (("bandwidth",), {}, "bandwidth: there is none in closed form"),
        (("background",), {}, "background: the experiment has no material"),
    ],
)
def test_refused(names: tuple[str, ...], options: dict[str, Any], message: str) -> None:
    experiment = nbnumba.Experiment(**{**STILL, **_LEVEL, **options})
    with pytest.raises(InputError, match=message):
        experiment.parameters(*names)


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (("polarization",), {"polarized": False}, "polarization: has no effect on this image"),
        (("misset",), {"semantics": "c", "oversample_omega": True}, "allowed: -semantics exact"),
    ],
)
def test_refused_when_differentiated(names: tuple[str, ...], options: dict[str, Any], message: str) -> None:
    experiment = nbnumba.Experiment(**{**STILL, **_LEVEL, **options})
    with pytest.raises(InputError, match=message):
        nbnumba.Renderer("cpu").linearize(experiment, names).jacobian()


def test_arguments() -> None:
    experiment = nbnumba.Experiment(**{**STILL, **_LEVEL})
    renderer, parameters = nbnumba.Renderer("cpu"), experiment.parameters("misset", "scale")
    linear = renderer.linearize(experiment, parameters)
    assert parameters.names == ("misset_x", "misset_y", "misset_z", "scale")
    assert parameters.units == ("deg", "deg", "deg", "")
    np.testing.assert_allclose(parameters.values, [10, 20, 30, 1], rtol=1e-12)
    assert np.all(parameters.scales > 0.0)
    with pytest.raises(InputError, match="direction: has the shape"):
        linear.jvp([1.0, 2.0])
    with pytest.raises(InputError, match="weights: has the shape"):
        linear.vjp(np.ones(3))
    with pytest.raises(InputError, match="4 numbers are needed"):
        renderer.linearize(experiment, parameters, [1.0])
    with pytest.raises(InputError, match="must be a finite number"):
        renderer.linearize(experiment, parameters, [np.nan, 0.0, 0.0, 1.0])
    with pytest.raises(InputError, match="those of another experiment"):
        renderer.linearize(experiment.replace(N=5), parameters)
    brighter = renderer.linearize(experiment, parameters, [10, 20, 30, 2.0])
    np.testing.assert_allclose(brighter.image, 2.0 * linear.image, rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"shape": "square", "interpolate": True, "N": (2, 2, 2)},
        {"shape": "gauss", "spread": "continuous", "oversample": 2, "oversample_omega": True} | _SENSOR,
        {"shape": "gauss", "B_factor_A2": 10.0},
        {"shape": "tophat"},
    ],
    ids=["interpolated", "closed form", "B factor", "tophat"],
)
def test_every_structure_factor(options: dict[str, Any]) -> None:
    """An image is quadratic in its structure factors: differences of second order are exact."""
    experiment = nbnumba.Experiment(**{**STILL, **_VARIED, **options})
    assert experiment.reflections is not None
    linear = nbnumba.Renderer("cpu").linearize(experiment, ("scale",))
    random = np.random.default_rng(5)
    direction = random.normal(size=experiment.reflections.values.shape)
    forward = linear.jvp_reflections(direction)

    def image(step: float) -> Any:
        table = experiment.reflections.table.copy()  # type: ignore[union-attr]
        table[1:-1, 1:-1, 1:-1] += step * direction
        reflections = dataclasses.replace(experiment.reflections, table=table)  # type: ignore[type-var]
        changed = experiment.replace(crystal=dataclasses.replace(experiment.crystal, reflections=reflections))
        return nbnumba.Renderer("cpu").linearize(changed, ("scale",)).image

    difference = (image(1.0) - image(-1.0)) / 2.0
    np.testing.assert_allclose(forward, difference, atol=1e-10 * np.abs(difference).max(), rtol=0)
    weights = random.normal(size=linear.shape)
    backward = linear.vjp_reflections(weights)
    assert np.sum(backward * direction) == pytest.approx(
        float(np.sum(forward * weights)), abs=1e-10 * float(np.abs(forward * weights).sum())
    )
    one = nbnumba.Renderer("cpu", 1).linearize(experiment, ("scale",)).vjp_reflections(weights)
    assert np.array_equal(one, backward)


def test_structure_factors_that_are_not_there() -> None:
    linear = nbnumba.Renderer("cpu").linearize(nbnumba.Experiment(**{**STILL, **_LEVEL}), ("scale",))
    with pytest.raises(InputError, match="has no table of structure factors"):
        linear.vjp_reflections(np.zeros(linear.shape))
