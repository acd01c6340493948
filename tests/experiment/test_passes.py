"""Several crystals, and structure factors by energy: images are sums of passes, on a GPU and in the trace too."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

import goldens
import gpu_images
import numpy as np
import pytest
from agreement import judge

from nbnumba import kernels
from nbnumba.crystal.model import Crystal, EnergyGroup
from nbnumba.errors import InputError
from nbnumba.experiment.model import Experiment
from nbnumba.experiment.passes import split_into_passes
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scenes
from nbnumba.parameters.parser import parse
from nbnumba.render.image import Image
from nbnumba.render.renderer import simulate
from nbnumba.trace import json_file
from nbnumba.trace.load import read
from nbnumba.trace.passes import trace_image

LINE = (
    "-mat lyso.mat -hkl lyso.hkl -lambda 1 -distance 100 -detpixels 40 -pixel 2 -oversample 2 "
    "-mosaic 1 -mosaic_domains 3 -phi 1 -osc 2 -phisteps 2"
)
SOURCES = "-10 0 0 3 1e-10\n-10 0.02 0 1 1.02e-10\n-10 0 0.01 2 0.99e-10\n-10 0 0 0.5 0.97e-10\n"


def experiment_of(more: str, folder: Path) -> Experiment:
    goldens.copy_inputs(folder)
    (folder / "four.txt").write_text(SOURCES)
    with contextlib.chdir(folder):
        return resolve(parse([*LINE.split(), *more.split(), "-nodump"]).settings)


def with_crystals(experiment: Experiment, *crystals: Crystal) -> Experiment:
    return dataclasses.replace(experiment, crystals=crystals)


def alone(experiment: Experiment, crystal: Crystal, part: float) -> np.ndarray:
    """Photons of one crystal in a part of the fluence, by what renders a single crystal."""
    beam = dataclasses.replace(experiment.beam, fluence=experiment.fluence * part)
    whole = dataclasses.replace(crystal, weight=1.0)
    return np.asarray(simulate(dataclasses.replace(experiment, crystals=(whole,), beam=beam)).array, np.float64)


def assert_same(ours: np.ndarray, expected: np.ndarray) -> None:
    """Float32 rounding of each pass and of the sum: three halves of a unit in the last place."""
    assert expected.max() > 0.0
    np.testing.assert_allclose(ours, expected, rtol=1.5 * 2.0**-23, atol=1e-44)


def check_traces(image: Image, count: int = 4) -> None:
    """The trace of some pixels ends in what is stored: its rounding, and that of the passes."""
    places = [int(np.argmax(image.array)), *np.random.default_rng(3).choice(image.array.size, count)]
    for place in places:
        pixel = divmod(int(place), image.array.shape[1])
        stored = float(image.array[pixel])
        trace, _ = trace_image(image.experiment, pixel, stored, image.latches)
        assert trace.quantities["I_pixel_final"] == pytest.approx(stored, rel=1.5 * 2.0**-23, abs=1e-44)


@pytest.mark.parametrize(
    "more",
    [
        "-semantics exact -N 5",
        "-semantics c -N 5 -gauss_xtal -sourcefile four.txt",
        "-semantics exact -N 2 -interpolate -dmin 2 -oversample_omega -oversample_polar -sourcefile four.txt",
        "-semantics c -N 2 -interpolate",
        "-semantics exact -N 4 -round_xtal -water 60 -background water:1 -detector_thick 200 -detector_thicksteps 2",
        "-semantics exact -N 6 -shape gauss_abc -spread continuous -phisteps 1",
    ],
)
def test_several_crystals(more: str, tmp_path: Path) -> None:
    experiment = experiment_of(more, tmp_path)
    first = dataclasses.replace(experiment.crystal, weight=0.7)
    tilted = experiment_of(more + " -misset 20 -30 5", tmp_path)
    second = dataclasses.replace(
        tilted.crystal, cells=(4, 5, 3), weight=0.2, mosaic_rotations=tilted.crystal.mosaic_rotations[:2]
    )
    both = with_crystals(experiment, first, second)
    image = simulate(both)
    dry = dataclasses.replace(experiment, background=())
    around = simulate(experiment).array.astype(np.float64) - simulate(dry).array if experiment.background else 0.0
    expected = alone(dry, first, 0.7) + alone(dry, second, 0.2)
    if experiment.background:  # as a difference of float32 images, with their rounding
        np.testing.assert_allclose(image.array, expected + around, rtol=1e-6)
    else:
        assert_same(image.array, expected)
    assert image.evaluated_steps > 0
    if experiment.closed_form is None:
        check_traces(image)
    if experiment.closed_form is None and not experiment.background:
        scenes = [scene for part in split_into_passes(both) for scene in build_scenes(part.experiment)]
        twins = sum(gpu_images.render(scene, mixed=False).astype(np.float64) for scene in scenes)
        verdict = judge(image.array, twins.astype(np.float32), "cuda")
        assert verdict.passed, verdict.reason


def groups_of(experiment: Experiment, *chosen: tuple[list[int], float]) -> Experiment:
    """Structure factors by energy: the table times a factor for each group of sources."""
    crystal = experiment.crystal
    table = crystal.reflections
    assert table is not None
    groups = tuple(
        EnergyGroup(np.array(sources), dataclasses.replace(table, table=table.table * factor))
        for sources, factor in chosen
    )
    return with_crystals(experiment, dataclasses.replace(crystal, reflections=None, energy_groups=groups))


@pytest.mark.parametrize("semantics", ["c", "exact"])
@pytest.mark.parametrize("more", ["-N 5", "-N 5 -gauss_xtal -dmin 2 -oversample_thick", "-N 2 -interpolate"])
def test_structure_factors_by_energy(more: str, semantics: str, tmp_path: Path) -> None:
    if "-oversample_thick" in more and semantics == "c":
        more = more.replace("-oversample_thick", "-oversample_omega")  # without a sensor C's picture is black
    if "-interpolate" in more:  # each pass of C's would have a latch of its own
        semantics = "exact"
    # One direction: without the -oversample_ switches each pass keeps the polarization of its first source.
    sources = SOURCES.replace("0.02 0", "0 0").replace("0 0.01", "0 0")
    experiment = experiment_of(f"{more} -semantics {semantics} -sourcefile four.txt", tmp_path)
    (tmp_path / "four.txt").write_text(sources)
    with contextlib.chdir(tmp_path):
        words = [*LINE.split(), *more.split(), "-semantics", semantics, "-sourcefile", "four.txt", "-nodump"]
        experiment = resolve(parse(words).settings)
    whole = simulate(experiment).array.astype(np.float64)
    if not ("oversample_omega" in more and semantics == "c"):  # where factors compound from term to term
        same = groups_of(experiment, ([0, 3], 1.0), ([1, 2], 1.0))
        assert_same(simulate(same).array, whole)
    image = simulate(groups_of(experiment, ([0, 1, 3], 1.0), ([2], 3.0)))
    assert image.latches == ((kernels.scene.NEVER,),) * 2
    if not ("oversample_omega" in more and semantics == "c"):
        only = alone(groups_of(experiment, ([0, 1, 3], 0.0), ([2], 1.0)), _only(experiment), 1.0)
        assert_same(image.array, whole + 8.0 * only)
    check_traces(image)


def _only(experiment: Experiment) -> Crystal:
    return groups_of(experiment, ([0, 1, 3], 0.0), ([2], 1.0)).crystal


def test_one_pass_is_rendered_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = experiment_of("-N 3", tmp_path)
    (only,) = split_into_passes(experiment)
    assert only.experiment is experiment
    seen = []
    render = kernels.render_panels

    def noted(*arguments: object, **more: object) -> list[Any]:
        seen.append(render(*arguments, **more))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr(kernels, "render_panels", noted)
    assert np.shares_memory(simulate(experiment).array, seen[0][0].image)  # no copy


def test_what_is_left_out_is_shared_by_the_passes(tmp_path: Path) -> None:
    experiment = experiment_of("-N 5 -gauss_xtal -spot_cutoff 0.1", tmp_path)
    other = dataclasses.replace(experiment.crystal, weight=0.5)
    passes = split_into_passes(with_crystals(experiment, experiment.crystal, other, other))
    assert [part.experiment.sampling.spot_cutoff for part in passes] == [0.1 / 3] * 3
    assert [part.crystal for part in passes] == [0, 1, 2]
    assert [part.experiment.share for part in passes] == [1.0, 0.5, 0.5]


def test_refusals(tmp_path: Path) -> None:
    experiment = experiment_of("-N 3 -water 50 -semantics c -sourcefile four.txt", tmp_path)
    crystal = experiment.crystal
    with pytest.raises(InputError, match=r"water.*as C.*semantics exact"):
        simulate(with_crystals(experiment, crystal, crystal))
    with pytest.raises(InputError, match="there are none"):
        simulate(with_crystals(experiment))
    for weight in (-1e-9, -1.0, 1.5, float("nan")):
        with pytest.raises(InputError, match="number 1 has the weight"):
            simulate(with_crystals(experiment, crystal, dataclasses.replace(crystal, weight=weight)))
    for chosen in ([0, 1, 2], [0, 1, 2, 3, 3], [0, 1, 2, 4]):
        with pytest.raises(InputError, match="every source once"):
            simulate(groups_of(experiment, (chosen, 1.0)))


def test_a_trace_of_several_passes_is_written_and_read(tmp_path: Path) -> None:
    experiment = experiment_of("-N 5", tmp_path)
    second = dataclasses.replace(experiment.crystal, weight=0.25, cells=(3, 3, 3))
    image = simulate(with_crystals(experiment, experiment.crystal, second))
    pixel = divmod(int(np.argmax(image.array)), 40)
    trace, scenes = trace_image(image.experiment, pixel, float(image.array[pixel]), image.latches)
    path = tmp_path / "trace.json"
    json_file.write(str(path), trace, image.experiment, scenes)
    written = json.loads(path.read_text())
    photons = [entry["photons"] for entry in written["passes"]]
    assert sum(photons) == pytest.approx(written["quantities"]["I_pixel_final"], rel=1e-14)
    further = written["further_passes"][0]
    ray = further["sub_pixels"][-1]["rays"][-1]
    assert ray["sum_after"] == written["passes"][1]["I_before_scaling"]
    text = tmp_path / "trace.txt"
    text.write_text("\n".join(trace.lines()))
    numbers, words = read(str(path)), read(str(text))
    assert numbers["photons of pass=1"].numbers[0] == photons[1]
    assert words["photons of pass=1"].numbers[0] == pytest.approx(photons[1], rel=1e-14)  # 15 digits
    assert "orientations of pass=1" in numbers
