"""`nbnumba view`: who is answered, what is served, and the page in a real browser."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser import Browser
from requirements import requires

import nbnumba
from nbnumba import cli
from nbnumba.detector.resolution import spacing
from nbnumba.parameters.command import CommandLine
from nbnumba.view.frames import list_frames, read_frame

KEYWORDS = {
    "cell": (60, 70, 80),
    "misset_deg": (10, 20, 30),
    "default_F": 100,
    "N": 8,
    "distance_mm": 100,
    "pixel_mm": 0.4,
    "detpixels": 96,
    "fluence": 1e26,
    "oversample": 1,
}


@pytest.fixture(scope="module")
def shot() -> nbnumba.Image:
    return nbnumba.simulate(nbnumba.Experiment(**KEYWORDS))


@contextmanager
def served(*words: str) -> Iterator[str]:
    """Run the program in a process of its own; yield the address that it prints."""
    words = (sys.executable, "-m", "nbnumba", "view", *words, "--no-browser")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", line)
        assert found is not None, line + process.stderr.read()
        try:
            yield found[0]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0


def fetch(address: str, path: str, **headers: str) -> tuple[int, bytes]:
    """Ask for a path below the address, or for an absolute one."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    connection.request("GET", path if path.startswith("/") else parts.path + path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.mark.command_line
def test_only_who_knows_the_address_is_answered(tmp_path: Path, shot: nbnumba.Image) -> None:
    shot.save(tmp_path / "shot.h5")
    with served(str(tmp_path / "shot.h5")) as address:
        assert fetch(address, "")[0] == 200
        assert fetch(address, "/")[0] == 404
        assert fetch(address, "/frames")[0] == 404
        assert fetch(address, "/" + "A" * 32 + "/frames")[0] == 404
        assert fetch(address, "frames", Host="example.org")[0] == 403
        assert fetch(address, "frames", Host=f"example.org:{urlsplit(address).port}")[0] == 403
        for path in ("frame/1", "frame/-1", "frame/x", "frame/", "../frames", "%2e%2e/page.css", "frame/" + "9" * 5000):
            assert fetch(address, path)[0] == 404, path


@pytest.mark.command_line
def test_a_frame_is_the_image_with_its_geometry(tmp_path: Path, shot: nbnumba.Image) -> None:
    shot.save(tmp_path / "shot.h5")
    with served(str(tmp_path / "shot.h5")) as address:
        assert json.loads(fetch(address, "frames")[1]) == ["shot.h5"]
        content = fetch(address, "frame/0")[1]
    (length,) = struct.unpack_from("<I", content)
    about = json.loads(content[4 : 4 + length])
    assert about["shape"] == [96, 96]
    pixels = np.frombuffer(content, "<f4", offset=4 + length).reshape(96, 96)
    np.testing.assert_array_equal(pixels, shot.array)
    # Of the frame of the file: lengths and angles are those of the experiment. The file has float64.
    crystal = shot.experiment.crystal
    np.testing.assert_allclose(np.linalg.norm(about["cell"], axis=1), [60, 70, 80], rtol=1e-9)
    panel, mine = about["panels"][0], shot.experiment.detector.panels[0]
    place = np.array(panel["origin"]) + 20.5 * np.array(panel["fast"]) + 30.5 * np.array(panel["slow"])
    q = (place / np.linalg.norm(place) - about["beam"]) / about["wavelength"]
    there = mine.position(30.5, 20.5)
    beam = shot.experiment.beam
    mine_q = (there / np.linalg.norm(there) - beam.direction) / (beam.wavelength * 1e10)
    np.testing.assert_allclose(np.array(about["cell"]) @ q, crystal.real_space * 1e10 @ mine_q, rtol=1e-9)


def test_frames_of_a_folder_are_in_the_order_of_their_numbers(tmp_path: Path, shot: nbnumba.Image) -> None:
    for number in (10, 9, 1):
        shot.save(tmp_path / f"shot_{number}.cbf")
    (tmp_path / "notes.txt").write_text("no image")
    assert [frame.title for frame in list_frames(str(tmp_path))] == ["shot_1.cbf", "shot_9.cbf", "shot_10.cbf"]


def test_the_frames_of_a_batch(tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(
        'command = "-cell 60 70 80 90 90 90 -default_F 100 -N 5 -detpixels 32 -pixel 1 -fluence 1e24"\n'
        'count = 3\nimages_per_file = 2\n[vary]\norientation = "random"\n'
    )
    assert cli.main(["batch", str(spec), "-o", str(tmp_path / "out")]) == 0
    frames = list_frames(str(tmp_path / "out"))
    assert [frame.title for frame in frames] == ["shots_0000.h5, image 1", "shots_0000.h5, image 2", "shots_0001.h5"]
    cells = [read_frame(frame, CommandLine()).about["cell"] for frame in frames]
    assert cells[0] != cells[1]


def test_pixels_without_a_value_and_images_without_a_geometry(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.save(tmp_path / "plain.npy", pixels)
    frame = read_frame(list_frames(str(tmp_path / "plain.npy"))[0], CommandLine())
    np.testing.assert_array_equal(frame.values, pixels)
    assert frame.about == {}
    masked = nbnumba.simulate(nbnumba.Experiment(**KEYWORDS, beamstop_mm=4))
    masked.save(tmp_path / "masked.h5")
    values = read_frame(list_frames(str(tmp_path / "masked.h5"))[0], CommandLine()).values
    assert np.isnan(values[48, 48])
    assert np.isfinite(values[5, 5])


@pytest.mark.command_line
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 2, "FILE|FOLDER is missing"),
        (["missing.h5"], 3, "missing.h5"),
        (["x" * 256], 3, "cannot be read: file name too long"),
        (["."], 2, "holds no image"),
        (["a.npy", "b.npy"], 2, "needs one file or folder, got 2"),
        (["a.npy", "--port", "99999999"], 2, "--port 99999999"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "a.npy", np.ones((2, 2)))
    monkeypatch.chdir(tmp_path / "empty" if words == ["."] else tmp_path)
    assert cli.main(["view", *words, *(["--no-browser"] if words else [])]) == status
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


@requires("Chromium")
@pytest.mark.browser
def test_the_page_in_a_browser(tmp_path: Path, shot: nbnumba.Image) -> None:
    shot.save(tmp_path / "a_1.h5")
    shot.save(tmp_path / "a_2.cbf")
    with served(str(tmp_path)) as address, Browser() as browser:
        browser.open(address)
        box = browser.evaluate("JSON.stringify(document.getElementById('image').getBoundingClientRect())")
        rectangle = json.loads(box)
        scale = min((rectangle["width"] - 2) / 96, (rectangle["height"] - 2) / 96)
        slow, fast = 30, 71
        x = rectangle["left"] + rectangle["width"] / 2 + (fast + 0.5 - 48) * scale
        y = rectangle["top"] + rectangle["height"] / 2 + (slow + 0.5 - 48) * scale
        browser.mouse("mouseMoved", x, y)
        browser.settle()
        text = {name: browser.evaluate(f"document.getElementById('{name}').textContent") for name in SHOWN}
        assert (text["at-slow"], text["at-fast"]) == ("30", "71")
        assert float(text["value"]) == pytest.approx(float(shot.array[slow, fast]), rel=1e-6)  # seven digits
        panel, beam = shot.experiment.detector.panels[0], shot.experiment.beam
        d = float(spacing(panel, beam)(np.array(slow + 0.5), np.array(fast + 0.5)))
        assert float(text["resolution"]) == pytest.approx(d, abs=6e-4)  # three decimals
        place = panel.position(slow + 0.5, fast + 0.5)
        q = (place / np.linalg.norm(place) - beam.direction) / (beam.wavelength * 1e10)
        shown = [float(word) for word in text["hkl"].split()]
        np.testing.assert_allclose(shown, shot.experiment.crystal.real_space * 1e10 @ q, atol=6e-3)  # two decimals
        before = browser.evaluate(PIXELS)
        browser.evaluate("document.getElementById('rings').click()")
        browser.settle()
        assert browser.evaluate(PIXELS) != before
        browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-400)
        browser.settle()
        assert browser.evaluate("document.getElementById('at-slow').textContent") == "30"
        browser.evaluate("document.getElementById('next').click()")
        browser.evaluate(READY)
        assert browser.evaluate("document.title") == "a_2.cbf"
        assert browser.evaluate("document.getElementById('frame-text').textContent") == "2 of 2"
        if "NBNUMBA_SHOW" in os.environ:
            browser.screenshot(Path(os.environ["NBNUMBA_SHOW"]))
        assert all(request.startswith((address, "data:", "about:")) for request in browser.requests), browser.requests
        assert not browser.errors


SHOWN = ("at-slow", "at-fast", "value", "resolution", "hkl")
PIXELS = "document.getElementById('image').toDataURL()"
READY = (
    "new Promise(done => { const wait = () => document.body.dataset.ready ? done(1) : setTimeout(wait, 20);wait(); })"
)
