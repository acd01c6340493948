"""Experiments whose parts are replaced, and parts that no image shows yet."""

from __future__ import annotations

import dataclasses
import math
import pickle
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_keywords import FILES, random_keywords

from nbnumba import Experiment, InputError, keywords, simulate
from nbnumba.background.water import Water
from nbnumba.experiment.drawable import check_drawable
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scenes
from nbnumba.parameters.parser import parse

SMALL: dict[str, Any] = {
    "cell": (40, 50, 60),
    "default_F": 50,
    "N": (3, 4, 5),
    "detpixels": 12,
    "pixel_mm": 1,
    "oversample": 2,
    "mosaic_spread_deg": 0.3,
    "mosaic_domains": 2,
    "fluence": 1e27,
}


def changed(experiment: Experiment) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return parts that differ from those of an experiment, and the keywords that say the same."""
    panel, sources = experiment.detector.panels[0], experiment.beam.sources
    farther = replace(panel, origin=panel.origin + 0.02 * experiment.beam.direction, distance=0.12, close_distance=0.12)
    return {
        "crystal": ({"crystal": replace(experiment.crystal, cells=(6, 4, 5))}, {"N": (6, 4, 5)}),
        "beam": (
            {"beam": replace(experiment.beam, fluence=3e27, polarization=0.5)},
            {"fluence": 3e27, "polarization": 0.5},
        ),
        "sources": (
            {
                "beam": replace(
                    experiment.beam,
                    sources=replace(sources, wavelengths=np.array([1.2e-10])),
                    wavelength=1.2e-10,
                )
            },
            {"wavelength_A": 1.2},
        ),
        "panel": ({"detector": replace(experiment.detector, panels=(farther,))}, {"distance_mm": 120}),
        "goniometer": (
            {"goniometer": replace(experiment.goniometer, phi=math.radians(10), osc=0.02, step=0.005, steps=4)},
            {"phi_deg": 10, "osc_deg": math.degrees(0.02), "phisteps": 4},
        ),
        "sampling": (
            {"sampling": replace(experiment.sampling, oversample=3, roi=(2, 9, 1, 8))},
            {"oversample": 3, "roi": (2, 9, 1, 8)},
        ),
        "background": ({"background": (Water(20e-6),)}, {"water_um": 20}),
    }


@pytest.mark.parametrize("name", changed(Experiment(**SMALL)))
def test_a_part_replaced_draws_what_keywords_draw(name: str) -> None:
    experiment = Experiment(**SMALL)
    parts, words = changed(experiment)[name]
    ours = experiment.replace(**parts)
    given = {key: value for key, value in {**SMALL, **words}.items() if value is not None}
    array = simulate(ours).array
    # The angle goes through degrees and back.
    np.testing.assert_allclose(array, simulate(Experiment(**given)).array, rtol=1e-6)
    assert not np.array_equal(array, simulate(experiment).array)


def test_a_masked_panel_is_left_out() -> None:
    experiment = Experiment(**SMALL)
    mask = np.ones((12, 12), dtype=bool)
    mask[:, 5] = False
    panel = replace(experiment.detector.panels[0], mask=mask)
    image = simulate(replace(experiment, detector=replace(experiment.detector, panels=(panel,))))
    whole = simulate(experiment)
    np.testing.assert_array_equal(image.array, np.where(mask, whole.array, 0.0))
    # Another order of the same additions.
    assert image.statistics.mean == pytest.approx(whole.array[mask].mean(dtype=np.float64), rel=1e-12)


def test_every_field_is_replaced_by_dataclasses() -> None:
    public = Experiment(**SMALL)
    record = resolve(parse("-cell 40 50 60 -default_F 50 -N 3 -detpixels 12 -semantics exact".split()).settings)
    for experiment in (public, record):
        for field in dataclasses.fields(experiment):
            if field.init:
                again = replace(experiment, **{field.name: getattr(experiment, field.name)})
                assert type(again) is type(experiment)
                assert getattr(again, field.name) is getattr(experiment, field.name)
                np.testing.assert_array_equal(simulate(again).array, simulate(experiment).array)
    # `crystals` is both; that a call gives every part is how the two are told apart.
    both = keywords.Keywords.__annotations__.keys() & {field.name for field in dataclasses.fields(public)}
    assert both == {"crystals"}


def test_of_replaced_parts_no_command_is_known() -> None:
    experiment = Experiment(**SMALL)
    assert experiment.command
    ours = experiment.replace(background=(Water(20e-6),))
    assert ours.command == ()
    assert simulate(ours).ground_truth().command is None
    with pytest.raises(InputError, match=r"^replace: keywords go with an experiment made from keywords; "):
        ours.replace(phi_deg=3)
    message = r"^replace: phi_deg is a keyword and cannot stand beside parts \(background\)$"
    with pytest.raises(InputError, match=message):
        experiment.replace(phi_deg=3, background=())
    with pytest.raises(TypeError, match=r"^replace: a Beam is needed, not str$"):
        experiment.replace(beam="x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^replace: a Crystal is needed, not tuple$"):
        experiment.replace(crystal=experiment.crystals)  # type: ignore[arg-type]


def test_experiments_survive_pickling() -> None:
    experiment = Experiment(**SMALL)
    again = pickle.loads(pickle.dumps(experiment))
    assert again.command == experiment.command
    np.testing.assert_array_equal(simulate(again).array, simulate(experiment).array)
    np.testing.assert_array_equal(again.replace(N=2).crystal.cells, (2, 2, 2))


def test_what_no_image_shows_yet_is_refused() -> None:
    experiment = Experiment(**SMALL)
    check_drawable(experiment)
    crystal = experiment.crystal
    refused: dict[str, tuple[dict[str, Any], str]] = {
        "no crystal": ({"crystals": ()}, r"^crystals: there are none; "),
        "more than the beam": (
            {"crystals": (replace(crystal, weight=1.5),)},
            r"^crystals: number 0 has the weight 1\.5; ",
        ),
        "water": ({"background": (Water(1e-6), Water(2e-6))}, r"^background: there are 2 cubes of water; at most 1$"),
        "fluence": ({"beam": replace(experiment.beam, fluence=None)}, r"^beam: its fluence is None; "),
    }
    for parts, message in refused.values():
        with pytest.raises(InputError, match=message):
            simulate(replace(experiment, **parts))


def test_random_keywords_replaced_draw_what_they_draw_from_the_start(tmp_path: Path) -> None:
    # What settings have in common is taken over; an image must not show it.
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    made = 0
    for seed in range(150):
        first = random_keywords(seed, tmp_path)
        other = {**first, **random_keywords(seed + 1000, tmp_path)}
        some = random.Random(seed).sample(sorted(other), 3)
        for name in ("semantics", "misset_seed"):
            if name in some and name not in first:
                some.remove(name)
        changes = {name: other[name] for name in some}
        try:
            experiment = Experiment(**first)
        except InputError:
            continue
        try:
            anew = Experiment(**{**first, **changes})
        except InputError as error:
            with pytest.raises(InputError, match=re.escape(str(error))):
                experiment.replace(**changes)
            continue
        for ours, theirs in zip(build_scenes(experiment.replace(**changes)), build_scenes(anew), strict=True):
            for field in ours._fields:
                np.testing.assert_array_equal(getattr(ours, field), getattr(theirs, field), field)
        made += 1
    assert made > 50


def test_a_file_that_is_named_again_is_read_again(tmp_path: Path) -> None:
    matrix = tmp_path / "A.mat"
    matrix.write_text(FILES["A.mat"])
    first = Experiment(matrix=matrix, default_F=1, detpixels=8)
    matrix.write_text("0.02 0 0\n0 0.02 0\n0 0 0.02\n")
    np.testing.assert_array_equal(first.replace(distance_mm=50).crystal.real_space, first.crystal.real_space)
    assert not np.array_equal(first.replace(matrix=matrix).crystal.real_space, first.crystal.real_space)
