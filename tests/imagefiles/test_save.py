"""Images as files: what each format holds, and what it refuses."""

from __future__ import annotations

import math
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote_to_bytes

import fabio
import h5py
import hdf5plugin
import numpy as np
import pytest

import nbnumba
from nbnumba import Experiment, FileError, Image, InputError, cli
from nbnumba.geometry.panel import PanelGeometry
from nbnumba.io.nexus import read as nexus

CRYSTAL = "-cell 40 50 60 -default_F 40 -N 3 -fluence 1e27 -oversample 1"
LINE = f"{CRYSTAL} -detpixels_f 24 -detpixels_s 18 -pixel 1 -distance 50"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def image_of(line: str = LINE) -> Image:
    return nbnumba.simulate(Experiment.from_command(f"{line} -semantics exact"))


def test_each_ending_has_its_format(here: Path) -> None:
    image = image_of()
    for name in ("x.bin", "x.h5", "x.cbf", "x.img", "x.png", "y.nxs", "Z.HDF5"):
        image.save(name)
    np.testing.assert_array_equal(np.fromfile("x.bin", np.float32).reshape(18, 24), image.array)
    np.testing.assert_array_equal(fabio.open("x.h5").data, image.array)
    np.testing.assert_array_equal(fabio.open("x.cbf").data, np.rint(image.array))
    np.testing.assert_array_equal(fabio.open("x.img").data, np.floor(image.array + 0.5))
    assert Path("x.png").read_bytes().startswith(b"\x89PNG")
    with h5py.File("y.nxs") as y, h5py.File("Z.HDF5") as z:
        assert y["entry/definition"][()] == z["entry/definition"][()] == b"NXmx"
    assert Path("x.geom").is_file()
    assert Path("XDS.INP").is_file()


def test_noise_and_width(here: Path) -> None:
    image = image_of()
    counts = image.with_noise(7)
    image.save("n.h5", dtype=np.uint16, noise_seed=np.int64(7))
    image.save("n.cbf", noise_seed=7)
    image.save("n.img", noise_seed=7, adc=40)
    with h5py.File("n.h5") as file:
        assert file["entry/data/data"].dtype == np.uint16
        np.testing.assert_array_equal(file["entry/data/data"][0], counts)
    np.testing.assert_array_equal(fabio.open("n.cbf").data, counts)
    np.testing.assert_array_equal(fabio.open("n.img").data, counts + 40)
    truth = nexus.read_ground_truth("n.h5")
    assert list(truth["noise_seed"].values) == [7]


def test_clipping_is_reported_and_counted(here: Path) -> None:
    image = image_of(LINE.replace("-fluence 1e27", "-fluence 1e33"))
    said: list[str] = []
    image.save("bright.h5", dtype="uint16", notify=said.append)
    with h5py.File("bright.h5") as file:
        assert file["entry/data/data"][()].max() == 65533
    above = int(np.count_nonzero(np.rint(image.array) > 65533))
    assert above > 0
    assert any(line.startswith(f"bright.h5: {above} pixels") for line in said)
    said.clear()
    counts = image.with_noise(1)
    assert counts.max() > 65535
    image.save("bright.cbf", noise_seed=1, notify=said.append)
    np.testing.assert_array_equal(fabio.open("bright.cbf").data, counts)
    assert not any("clipped" in line for line in said)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("x.tif", {}, r"^x\.tif: the ending '\.tif' names no format; allowed: \.bin, \.png"),
        ("x", {}, "names no format"),
        ("x.bin", {"noise_seed": 1}, "noise_seed has no effect"),
        ("x.bin", {"dtype": "int32"}, "dtype 'int32' is not possible; allowed: float32"),
        ("x.cbf", {"dtype": "uint16"}, "allowed: int32"),
        ("x.h5", {"dtype": "uint8"}, "allowed: float32, int32, uint16"),
        ("x.h5", {"adc": 40.0}, "adc has no effect on .h5; it goes with .img"),
        ("x.cbf", {"rings": True}, "rings has no effect"),
        ("x.h5", {"annotate": True}, "annotate has no effect"),
        ("x.cbf", {"noise_seed": 1, "noise_rng": "mt"}, "noise_rng: 'mt' is unknown"),
        ("x.png", {"noise_rng": "mt"}, "noise_rng: 'mt' is unknown"),
        ("x.h5", {"dtype": "pixels"}, "dtype 'pixels' is unknown; allowed: float32, int32, uint16"),
        ("x.h5", {"dtype": np.float64}, "dtype 'float64' is not possible"),
        ("x.h5", {"noise_seed": 1.5}, "noise_seed: 1.5 is not possible; allowed: a whole number from"),
        ("x.img", {"noise_seed": 2**31}, "noise_seed: 2147483648 is not possible"),
        ("x.img", {"adc": math.nan}, "adc: nan is not possible; allowed: a number"),
        ("x.img", {"adc": "40"}, "adc: '40' is not possible"),
        ("x.img", {"scale": 0}, "scale: 0 is not possible; allowed: a number greater than 0"),
    ],
)
def test_what_a_format_has_no_use_for_is_refused(
    here: Path, name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        image_of().save(name, **options)
    assert list(here.iterdir()) == []


def test_a_folder_that_is_not_there(here: Path) -> None:
    for name in ("none/x.h5", "none/x.cbf", "none/x.img", "none/x.png", "none/x.bin"):
        with pytest.raises(FileError, match="there is no folder"):
            image_of().save(name)
    assert list(here.iterdir()) == []


def test_the_command_line_writes_them(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*LINE.split(), "-seed", "5", "-h5file", "shot_0001.h5", "-cbffile", "shot_0001.cbf"]) == 0
    floats = np.fromfile("floatimage.bin", np.float32).reshape(18, 24)
    np.testing.assert_array_equal(fabio.open("shot_0001.h5").data, floats)
    noisy = fabio.open("noiseimage.img").data.astype(int) - 40
    np.testing.assert_array_equal(fabio.open("shot_0001.cbf").data, noisy)
    assert noisy.max() > 0
    said = capsys.readouterr()
    assert "writing shot_0001.h5 as NXmx" in said.out
    assert nexus.read_command("shot_0001.h5").startswith("-cell 40 50 60 ")
    assert Path("shot_0001.geom").is_file()


@pytest.mark.parametrize("folder", ["", "shots/"])
@pytest.mark.parametrize("reflections", ["-hkl P1.hkl", ""])
def test_the_file_of_a_command_line_draws_it_again(here: Path, reflections: str, folder: str) -> None:
    (here / "shots").mkdir()
    (here / "P1.hkl").write_text("1 2 3 50\n0 0 4 70\n3 2 1 90\n")
    line = f"-cell 40 50 60 {reflections} -N 3 -detpixels 12 -pixel 2 -nonoise -h5file {folder}x.h5"
    if not reflections:  # those of a dump
        assert cli.main([*line.split(), "-quiet", "-hkl", "P1.hkl"]) == 0
    assert cli.main([*line.split(), "-quiet"]) == 0
    picture = np.fromfile("floatimage.bin", np.float32).reshape(12, 12)
    assert picture.max() > 0
    again = nbnumba.Experiment.from_file(f"{folder}x.h5")
    np.testing.assert_array_equal(nbnumba.simulate(again).array, picture)


def test_without_noise_the_cbf_holds_rounded_photons(here: Path) -> None:
    assert cli.main([*LINE.split(), "-nonoise", "-cbffile", "shot_0001.cbf", "-roi", "3", "20", "2", "15"]) == 0
    floats = np.fromfile("floatimage.bin", np.float32).reshape(18, 24)
    np.testing.assert_array_equal(fabio.open("shot_0001.cbf").data, np.rint(floats))


def test_what_cannot_be_written_is_found_before_the_render(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*LINE.split(), "-h5file", "none/x.h5"]) == 3
    assert "-h5file none/x.h5: cannot be written: there is no folder" in capsys.readouterr().err
    assert cli.main([*LINE.split(), "-h5file", "a.h5", "-floatfile", "a.h5"]) == 2
    assert "the same file" in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_the_file_has_the_mode_of_any_other(here: Path) -> None:
    before = os.umask(0o027)
    try:
        image_of().save("x.h5")
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path("x.h5").stat().st_mode) == 0o640


def two_panels() -> Experiment:
    """Two panels of unequal size in front of a still crystal, the second one turned."""
    panels = (
        PanelGeometry(20, 12, (0.001, 0.001), (0.05, 0.014, -0.01), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0)),
        PanelGeometry(16, 14, (0.001, 0.001), (0.05, 0.0, -0.008), (0.1, 0.0, 0.99498743710662), (0.0, -1.0, 0.0)),
    )

    from nbnumba.experiment.resolve import resolve
    from nbnumba.parameters.parser import parse

    settings = parse(f"{CRYSTAL} -semantics exact".split()).settings.changed(panels=panels)
    return resolve(settings)


def test_several_panels(here: Path) -> None:
    experiment = two_panels()
    image = nbnumba.simulate(experiment)
    assert image.array.shape == (2, 14, 20)
    assert image.array[0, 12:].max() == image.array[1, :, 16:].max() == 0.0  # padding
    assert image.statistics.maximum == image.array.max()
    used = np.concatenate([image.array[0, :12].ravel(), image.array[1, :, :16].ravel()]).astype(float)
    assert image.statistics.mean == pytest.approx(used.mean(), rel=1e-12)  # another order of the sum
    # Differences of squares of the same size: nine digits are left.
    assert image.statistics.rmsd == pytest.approx(
        np.sqrt(((used - used.mean()) ** 2).sum() / (used.size - 1)), rel=1e-9
    )
    image.save("two.h5")
    panels = nexus.read_image("two.h5")
    np.testing.assert_array_equal(panels[0], image.array[0, :12])
    np.testing.assert_array_equal(panels[1], image.array[1, :, :16])
    image.save("two.bin")
    image.save("two.png")
    assert np.fromfile("two.bin", np.float32).size == image.array.size
    for name in ("two.cbf", "two.img"):
        with pytest.raises(InputError, match=r"holds one panel, the detector has 2; write an \.h5 file"):
            image.save(name)


def test_a_panel_of_several_is_drawn_as_it_is_alone() -> None:
    experiment = two_panels()
    import dataclasses

    together = nbnumba.simulate(experiment).array
    alone = dataclasses.replace(
        experiment, detector=dataclasses.replace(experiment.detector, panels=experiment.detector.panels[1:])
    )
    sampling = dataclasses.replace(alone.sampling, roi=(0, 15, 0, 13))
    second = nbnumba.simulate(dataclasses.replace(alone, sampling=sampling)).array
    np.testing.assert_array_equal(together[1, :, :16], second)
    assert second.max() > 0.0


def test_a_picture_with_rings(here: Path) -> None:
    image = image_of()
    image.save("plain.png")
    image.save("rings.png", rings=True)
    assert Path("plain.png").read_bytes() != Path("rings.png").read_bytes()


def test_a_path_of_plug_ins_for_other_programs_does_no_harm(here: Path) -> None:
    script = (
        "import numpy as np; from nbnumba import cli; from nbnumba.io.nexus import read as nexus\n"
        f"assert cli.main([*{LINE!r}.split(), '-h5file', 'x.h5', '-nonoise']) == 0\n"
        "same = nexus.read_images('x.h5').reshape(-1) == np.fromfile('floatimage.bin', np.float32)\n"
        "assert cli.main(['compare', 'x.h5', 'floatimage.bin']) == 0\n"
        "print(same.all())\n"
    )
    environment = {**os.environ, "HDF5_PLUGIN_PATH": str(hdf5plugin.PLUGIN_PATH)}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert ran.stdout.endswith("True\n"), ran.stderr


@pytest.mark.parametrize("name", ["caf\udce9", "caf\u00e9"])
def test_names_that_are_not_ascii_travel(here: Path, name: str) -> None:
    (here / f"{name}.hkl").write_text("1 0 0 100\n0 2 0 70\n")
    line = f"-cell 40 50 60 -hkl {name}.hkl -nodump -N 3 -oversample 1 -detpixels 12 -pixel 1 -distance 50 -quiet"
    files = ["-h5file", "x.h5", "-cbffile", "x.cbf", "-intfile", "x.img", "-nonoise", "-smv_header", "dials"]
    assert cli.main([*line.split(), *files]) == 0
    command = nexus.read_command("x.h5")
    assert f"{name}.hkl" in command
    for path in ("x.cbf", "x.img"):
        found = re.findall(rb"NBNUMBA_COMMAND_\d+[ =](.*?);?\r?\n", Path(path).read_bytes())
        assert os.fsencode(f"{name}.hkl") in unquote_to_bytes(b"".join(found))
    again = Experiment.from_file("x.h5")
    np.testing.assert_array_equal(nbnumba.simulate(again).array, np.fromfile("floatimage.bin", "<f4").reshape(12, 12))
