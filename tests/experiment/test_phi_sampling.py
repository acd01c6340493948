"""Where in each phi step the crystal is drawn, and who says so."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

import numpy as np
import pytest

import nbnumba
from nbnumba import cli
from nbnumba.batch.reference import make_base
from nbnumba.batch.sample import draw, image_experiment, image_words
from nbnumba.batch.spec import read_spec
from nbnumba.parameters.choices import PhiSampling

SMALL = "-cell 30 40 50 -misset 20 50 10 -default_F 100 -N 6 -detpixels 24 -pixel 0.5 -distance 60 -lambda 1"


def angles_deg(words: str) -> np.ndarray:
    return np.degrees(nbnumba.Experiment.from_command(f"{SMALL} {words}").goniometer.angles)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-phi 10 -osc 1", [10.0, 10.5]),
        ("-phi 10 -osc 1 -phi_sampling edge", [10.0, 10.5]),
        ("-phi 10 -osc 1 -phi_sampling mid", [10.25, 10.75]),
        ("-phi 10 -osc 1 -phisteps 1 -phi_sampling mid", [10.5]),
        ("-phi 10 -osc -1 -phi_sampling mid -semantics exact", [9.75, 9.25]),
        ("-phi 10 -phi_sampling mid", [10.0]),
    ],
)
def test_angles(words: str, expected: list[float]) -> None:
    np.testing.assert_allclose(angles_deg(words), expected, rtol=1e-14)  # rounding of degrees to radians and back


def test_the_middle_of_one_step_is_the_start_of_another_by_half_a_step() -> None:
    """Both semantics draw the same image, to the bit, from the same angles."""
    for semantics in ("c", "exact"):
        mid, edge = (
            nbnumba.simulate(
                nbnumba.Experiment.from_command(f"{SMALL} -semantics {semantics} -osc 1 -phisteps 4 {words}")
            ).array
            for words in ("-phi 10 -phi_sampling mid", "-phi 10.125")
        )
        assert mid.max() > 0.0
        np.testing.assert_allclose(mid, edge, rtol=1e-6)  # 10 + 0.125 and 10.125 differ by rounding


def test_keywords_take_the_middle_and_say_so() -> None:
    keywords = {"cell": (30, 40, 50), "default_F": 1.0, "detpixels": 8, "phi_deg": 10, "osc_deg": 1}
    made = nbnumba.Experiment(**keywords)
    assert made.goniometer.sampling is PhiSampling.MID
    assert made.command[-2:] == ("-phi_sampling", "mid")
    again = nbnumba.Experiment.from_command(made.command)
    np.testing.assert_array_equal(again.goniometer.angles, made.goniometer.angles)
    edge = nbnumba.Experiment(**keywords, phi_sampling="edge")
    np.testing.assert_allclose(np.degrees(edge.goniometer.angles), [10.0, 10.5], rtol=1e-14)
    assert made.replace(osc_deg=2).goniometer.sampling is PhiSampling.MID
    with pytest.raises(nbnumba.InputError, match="phi_sampling: 'left' is unknown; allowed: edge, mid"):
        nbnumba.Experiment(**keywords, phi_sampling="left")


@pytest.mark.parametrize(("typed", "expected"), [("", "mid"), (" -phi_sampling edge", "edge")])
def test_a_batch_takes_the_middle_and_says_so(typed: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(f'command = "{SMALL} -phi 10 -osc 1{typed}"\ncount = 1\n')
    spec, _ = read_spec(str(path))
    base = make_base(spec)
    experiment = image_experiment(base, draw(spec, base, 0))
    assert experiment.goniometer.sampling.value == expected
    words = image_words(base, draw(spec, base, 0))
    assert words[words.index("-phi_sampling") + 1] == expected


def test_files_report_and_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = f"{SMALL} -phi 10 -osc 1 -nonoise -nopgm -h5file out.h5 -cbffile out.cbf"
    assert cli.main(line.split()) == 0
    said = capsys.readouterr()
    assert said.err.count("turned by -0.25 deg") == 1
    assert "middle of each step" not in said.out
    assert cli.main([*line.split(), "-phi_sampling", "mid"]) == 0
    said = capsys.readouterr()
    assert "deg;" not in said.err
    assert "phi0 = 10.25" in said.out
    assert "middle of each step" in said.out
    import h5py

    with h5py.File("out.h5") as file:
        truth = file["/entry/ground_truth"]
        assert truth["phi_sampling"].asstr()[0] == "mid"
        assert "-phi_sampling mid" in truth["command"].asstr()[0]
        assert truth["phi_deg"][0] == pytest.approx(10.0)
    assert b"NBNUMBA_SAMPLED_AT mid" in Path("out.cbf").read_bytes()


def test_the_recorded_command_of_a_command_line_names_the_edge() -> None:
    drawn = nbnumba.Experiment.from_command(f"{SMALL} -osc 1")
    assert "-phi_sampling edge" in shlex.join(drawn.command)
    assert math.degrees(drawn.goniometer.bias) == pytest.approx(0.25)
    assert "-phi_sampling" not in nbnumba.Experiment.from_command(SMALL).command
