"""`nbnumba geometry`, and -show_config: the experiment to look at, without an image."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser
from requirements import requires

from nbnumba import Experiment, cli

pytestmark = pytest.mark.command_line

WORDS = "-cell 50 60 70 -default_F 1 -detpixels_f 40 -detpixels_s 30 -pixel 1 -twotheta 20 -osc 3"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def drawn(page: str) -> dict[str, Any]:
    found = re.search(r'<script id="setup" type="application/json">(.*?)</script>', Path(page).read_text(), re.DOTALL)
    assert found is not None
    setup: dict[str, Any] = json.loads(found[1])
    return setup


def test_the_page_shows_what_is_rendered() -> None:
    assert cli.main(["geometry", *WORDS.split(), "-out", "p.html"]) == 0
    setup, experiment = drawn("p.html"), Experiment.from_command(WORDS)
    panel = experiment.detector.panels[0]
    corners = np.array(setup["panels"][0]) / 1e3
    expected = panel.position(np.array([0, 0, 30, 30]), np.array([0, 40, 40, 0]))
    np.testing.assert_allclose(corners, expected, rtol=1e-12, atol=1e-15)  # rounding of the sums
    np.testing.assert_allclose(setup["vectors"]["spindle"], experiment.goniometer.spindle)
    axes = experiment.crystal.real_space
    np.testing.assert_allclose(setup["cell"], axes / np.linalg.norm(axes, axis=1).max())
    spot = np.array(setup["spot"])
    np.testing.assert_allclose(spot, np.linalg.norm(spot) * experiment.beam.direction)
    assert [path.name for path in Path().iterdir()] == ["p.html"]


def test_a_page_without_crystal_or_with_a_beam_that_passes_by() -> None:
    assert cli.main("geometry -detpixels 16 -pixel 1 -Xbeam 90 -Ybeam 90 -o p.html".split()) == 0
    assert drawn("p.html")["cell"] is drawn("p.html")["spot"] is None


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("-detpixels 16", 2, "geometry: needs -out PAGE.html, the page to write"),
        ("x.img -out p.html", 2, "geometry: 'x.img': an option is expected here"),
        ("-detpixels 16 -out absent/p.html", 3, "-out absent/p.html: cannot be written: there is no folder"),
        ("-detpixel 16 -out p.html", 2, "-detpixel: unknown option; did you mean -detpixels?"),
    ],
)
def test_pages_that_cannot_be_made(words: str, status: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["geometry", *words.split()]) == status
    assert capsys.readouterr().err.startswith(f"nbnumba: error: {message}")
    assert not list(Path().iterdir())


@pytest.mark.browser
@requires("Chromium")
def test_the_page_is_drawn_and_turns() -> None:
    assert cli.main(["geometry", *WORDS.split(), "-out", "p.html"]) == 0
    with Browser() as browser:
        browser.open(Path("p.html"))
        pixels = "Array.from(document.querySelector('canvas').getContext('2d').getImageData(0, 0, 1400, 1000).data)"
        checksum = f"{pixels}.reduce((sum, value, i) => (sum * 31 + value * (i % 97)) % 1000003, 7)"
        assert browser.evaluate(f"{pixels}.filter((value, i) => i % 4 == 3 && value > 0).length") > 10_000
        before = browser.evaluate(checksum)
        browser.drag((700.0, 500.0), (800.0, 540.0))
        browser.settle()
        turned = browser.evaluate(checksum)
        assert turned != before
        browser.evaluate("reset()")
        assert browser.evaluate(checksum) == before
        assert "50 60 70 90 90 90" in browser.evaluate("document.querySelector('#facts').textContent")
        assert browser.errors == []
        assert all(address.startswith("file://") for address in browser.requests)


@pytest.mark.parametrize("semantics", ["c", "exact"])
def test_show_config_prints_the_experiment_and_writes_nothing(
    semantics: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.hkl").write_text("1 0 0 5\n0 1 0 6\n")
    before = list(Path().iterdir())
    words = f"{WORDS} -hkl a.hkl -semantics {semantics} -floatfile f.bin -h5file x.h5"
    experiment = Experiment.from_command(words)
    assert cli.main([*words.split(), "-show_config", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["semantics"] == semantics
    assert found["beam"]["wavelength"] == experiment.beam.wavelength
    assert found["sampling"]["oversample"] == experiment.sampling.oversample
    np.testing.assert_array_equal(found["detector"]["panels"][0]["origin"], experiment.detector.panels[0].origin)
    assert found["crystals"][0]["reflections"]["count"] == 2
    assert found["command"][-2:] == ["-show_config", "json"]
    for more in (["-show_config"], ["-show_config", "text"], ["-show_config", "-quiet"]):
        assert cli.main([*words.split(), *more]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert f"beam.wavelength = {experiment.beam.wavelength}" in lines
        assert "crystals[0].reflections.count = 2" in lines
    assert list(Path().iterdir()) == before


def test_show_config_of_many_domains_tells_their_number(capsys: pytest.CaptureFixture[str]) -> None:
    line = "-cell 50 -default_F 1 -detpixels 8 -mosaic 1 -mosaic_domains 40 -show_config"
    assert cli.main(line.split()) == 0
    assert "crystals[0].mosaic_rotations = 40 x 3 x 3 float64, -" in capsys.readouterr().out
    assert cli.main("-cell 50 -default_F 1 -show_config -N 0.5".split()) == 2
