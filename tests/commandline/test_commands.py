"""The sub-commands."""

from __future__ import annotations

from pathlib import Path

import fabio
import goldens
import h5py
import numpy as np
import pytest

from nbnumba import cli
from nbnumba.commandline import help as usage
from nbnumba.commandline.commands import app
from nbnumba.io import smv
from nbnumba.io.nexus import read as nexus

pytestmark = pytest.mark.command_line

NOISY = [name for name in goldens.names() if goldens.load(name).noise_image is not None]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_help_knows_every_command() -> None:
    assert [command.name for command in app.registered_commands] == list(usage.COMMANDS)


@pytest.mark.parametrize("word", ["--help", "-help", "-h"])
@pytest.mark.parametrize("name", usage.COMMANDS)
def test_command_has_help(name: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, word]) == 0
    assert f"nbnumba {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["compare", "compare-traces"])
def test_unknown_option_is_named_whole(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "a", "b", "-quality", "5"]) == 2
    assert capsys.readouterr().err == (
        f"nbnumba: error: {name}: -quality: unknown option; {name} --help lists them all\n"
    )


@pytest.mark.golden
@pytest.mark.parametrize("name", NOISY)
def test_noise_of_a_golden_float_image(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    golden = goldens.load(name)
    assert golden.noise_header is not None
    assert golden.noise_image is not None
    goldens.copy_inputs(Path())
    golden.float_image.astype("<f4").tofile("input.bin")
    assert cli.main(["noise", "input.bin", *golden.words]) == 0
    written = Path("noise.img").read_bytes()
    assert written == golden.noise_header + golden.noise_image.astype("<u2").tobytes()
    assert capsys.readouterr().out.splitlines()[1:] == golden.report.splitlines()[-2:]


def test_noise_needs_no_crystal_and_states_its_geometry() -> None:
    np.full((6, 8), 5.0, "<f4").tofile("f.bin")
    words = "noise -seed 5 f.bin -detpixels_f 8 -detpixels_s 6 -pixel 0.5 -distance 150 -adc 10 -phi 3 -osc 2"
    assert cli.main(words.split()) == 0
    image = smv.read("noiseimage.img")
    assert image.shape == (6, 8)
    assert image.data.min() >= 10
    stated = {key: image.value_of(key) for key in ("PIXEL_SIZE", "CLOSE_DISTANCE", "OSC_START", "OSC_RANGE")}
    assert stated == {"PIXEL_SIZE": 0.5, "CLOSE_DISTANCE": 150, "OSC_START": 3, "OSC_RANGE": 2}


def test_noise_outside_the_region_is_zero() -> None:
    np.full((6, 8), 5.0, "<f4").tofile("f.bin")
    words = "noise f.bin -seed 5 -detpixels_f 8 -detpixels_s 6 -roi 1 3 2 99"
    assert cli.main(words.split()) == 0
    inside = np.zeros((6, 8), bool)
    inside[2:, 1:4] = True
    assert np.array_equal(smv.read("noiseimage.img").data >= 40, inside)
    assert np.array_equal(smv.read("noiseimage.img").data == 0, ~inside)


def test_noise_reports_a_seed_that_repeats_it(capsys: pytest.CaptureFixture[str]) -> None:
    np.full((8, 8), 50.0, "<f4").tofile("f.bin")
    assert cli.main("noise f.bin -detpixels 8 -noisefile a.img".split()) == 0
    seed = capsys.readouterr().out.splitlines()[0].removeprefix("noise seed = ")
    assert cli.main(f"noise f.bin -detpixels 8 -noisefile b.img -quiet -seed {seed}".split()) == 0
    assert capsys.readouterr().out == ""
    assert Path("a.img").read_bytes() == Path("b.img").read_bytes()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("noise", 2, "noise: "),
        ("noise -seed 5", 2, "noise: needs one image or folder, got 0: none"),
        ("noise f.bin g.bin", 2, "noise: needs one image or folder, got 2: f.bin g.bin"),
        ("noise f.bin -sed 5", 2, "-sed: unknown option; did you mean -seed?"),
        ("noise f.bin -detpixels 5", 2, "f.bin: holds 256 bytes; 5 x 5 pixels of float32 take 100; -detpixels_f"),
        ("noise g.bin -detpixels 8", 3, "g.bin: "),
        ("noise f.bin -o n.h5", 2, "-o: goes with an .h5 file or a folder, and f.bin is a raw float image"),
        ("noise t.txt -o n.h5", 2, "-o: goes with an .h5 file or a folder, and t.txt is a text file"),
        ("noise absent.cbf -o n.h5", 3, "absent.cbf: cannot be read: no such file or directory"),
        ("noise f.bin -detpixels 8 -threads 100000", 2, "-threads: 100000 is not between"),
        ("noise f.bin -detpixels 8 -nonoise", 2, "-nonoise: contradicts the command noise"),
        ("noise f.bin -detpixels 8 -roi 9 12 0 7", 2, "-roi: "),
        ("noise f.bin -detpixels 8 -noisefile absent/n.img", 3, "absent/n.img"),
        (f"noise {'x' * 256} -detpixels 8", 3, "cannot be read: file name too long"),
        (f"noise f.bin -detpixels 8 -noisefile {'x' * 256}", 3, "cannot be written: file name too long"),
    ],
)
def test_noise_that_cannot_be_drawn(words: str, status: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    np.full((8, 8), 50.0, "<f4").tofile("f.bin")
    Path("t.txt").write_text("0 0 1 5\n")
    assert cli.main(words.split()) == status
    err = capsys.readouterr().err
    assert err.startswith("nbnumba: error: ")
    assert message in err
    assert err.count("\n") == 1


def test_noise_that_cannot_be_written_is_found_before_it_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.full((8, 8), 50.0, "<f4").tofile("f.bin")
    (tmp_path / "folder").mkdir()
    assert cli.main("noise f.bin -detpixels 8 -noisefile folder".split()) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "nbnumba: error: -noisefile folder: cannot be written: it is a folder\n"


def test_a_noise_seed_from_the_time_is_kept_by_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    np.full((8, 8), 50.0, "<f4").tofile("f.bin")
    assert cli.main("noise f.bin -detpixels 8 -quiet".split()) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("nbnumba: notice: noise seed ")
    assert err.count("\n") == 1


def test_noise_reports_options_without_effect_and_odd_pixels(capsys: pytest.CaptureFixture[str]) -> None:
    image = np.full((8, 8), 50.0, "<f4")
    image[2, 3:5] = np.nan, np.inf
    image.tofile("f.bin")
    assert cli.main("noise f.bin -detpixels 8 -seed 5 -N 3 -pngfile p.png -adc 1 -threads 1 -N 4".split()) == 0
    assert capsys.readouterr().err.splitlines() == [
        "nbnumba: notice: noise: without effect here: -N, -pngfile, -threads",
        "nbnumba: notice: f.bin: 2 of 64 pixels are not finite numbers (infinite or NaN)",
    ]
    assert not Path("p.png").exists()


def test_noise_of_a_tilted_detector_says_what_its_header_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    np.full((8, 8), 50.0, "<f4").tofile("f.bin")
    tilted = "noise f.bin -detpixels 8 -seed 5 -quiet -detector_roty 5"
    assert cli.main(f"{tilted} -smv_header c".split()) == 0
    assert capsys.readouterr().err == ""
    assert cli.main(f"{tilted} -semantics exact".split()) == 0
    assert "SMV headers cannot tell that a detector is tilted" in capsys.readouterr().err


@pytest.mark.readers
@pytest.mark.parametrize("rng", ["c", "counter"])
def test_noise_writes_every_file_that_is_named(rng: str, capsys: pytest.CaptureFixture[str]) -> None:
    np.full((6, 8), 5.0, "<f4").tofile("f.bin")
    words = (
        f"noise f.bin -seed 7 -noise_rng {rng} -detpixels_f 8 -detpixels_s 6 -pixel 0.5 -distance 150 -roi 1 6 0 4 "
        "-cell 40 50 60 -N 9 -h5file x.h5 -cbffile x.cbf"
    )
    assert cli.main(words.split()) == 0
    err = capsys.readouterr().err
    assert "without effect" not in err
    noisy = smv.read("noiseimage.img").data.astype(int)
    inside = np.zeros((6, 8), bool)
    inside[:5, 1:7] = True
    expected = np.where(inside, noisy - 40, 0)
    with h5py.File("x.h5") as file:
        data = file["entry/data/data"]
        assert data.dtype == np.int32
        np.testing.assert_array_equal(data[0], expected)
    np.testing.assert_array_equal(fabio.open("x.cbf").data, expected)
    truth = nexus.read_ground_truth("x.h5")
    assert [truth["noise_seed"].values[0], truth["noise_rng"].values[0]] == [7, rng]
    assert truth["cells"].values[0].tolist() == [9, 9, 9]
    contents = fabio.open("x.cbf").header["_array_data.header_contents"]
    assert "NBNUMBA_NOISE_SEED 7" in contents
    assert "Detector_distance 0.15 m" in contents
    assert Path("x.geom").is_file()


def test_noise_of_a_file_of_another_kind(capsys: pytest.CaptureFixture[str]) -> None:
    np.full((8, 8), 50.0, "<f4").tofile("f.bin")
    assert cli.main("noise f.bin -detpixels 8 -quiet -seed 5 -h5file x.h5 -cbffile x.cbf -distance 100".split()) == 0
    Path("x.txt").write_text("1 2 3 4.5\n")
    capsys.readouterr()
    for name, what in (
        ("noiseimage.img", "an SMV image"),
        ("x.cbf", "a CBF image"),
        ("x.txt", "a text file"),
    ):
        assert cli.main(f"noise {name} -detpixels 8 -seed 5 -noisefile n.img".split()) == 2
        assert capsys.readouterr().err == f"nbnumba: error: {name}: is {what}; a raw float image is needed\n"
    assert cli.main("noise x.h5 -seed 5 -noisefile n.img".split()) == 2
    assert capsys.readouterr().err == "nbnumba: error: noise: needs -o, the file or the folder to write\n"
    assert not Path("n.img").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("-h5file x.cbf", "-h5file x.cbf: -h5file writes an HDF5 file; allowed endings: .h5, .hdf5, .nxs"),
        ("-cbffile x.img", "-cbffile x.img: -cbffile writes a CBF image; allowed endings: .cbf"),
        ("-pngfile x.jpg", "-pngfile x.jpg: -pngfile writes a PNG picture; allowed endings: .png"),
    ],
)
def test_endings_that_contradict_a_format(options: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    np.full((8, 8), 50.0, "<f4").tofile("f.bin")
    before = list(Path().iterdir())
    for words in (f"noise f.bin -detpixels 8 -seed 5 {options}", f"-cell 40 -default_F 1 -detpixels 8 {options}"):
        assert cli.main(words.split()) == 2
        assert f"nbnumba: error: {message}\n" in capsys.readouterr().err
    assert list(Path().iterdir()) == before


def test_a_device_is_no_place_for_hdf5(capsys: pytest.CaptureFixture[str]) -> None:
    np.full((8, 8), 50.0, "<f4").tofile("f.bin")
    before = list(Path().iterdir())
    for words in ("noise f.bin -detpixels 8 -seed 5", "-cell 40 -default_F 1 -detpixels 8"):
        assert cli.main([*words.split(), "-h5file", "/dev/null"]) == 3
        error = (
            "nbnumba: error: -h5file /dev/null: cannot be written: it is a pipe or a device; this format needs a file"
        )
        assert capsys.readouterr().err.endswith(f"{error}\n")
    assert list(Path().iterdir()) == before


def test_nanobraggs_own_files_take_any_name() -> None:
    words = "-cell 40 50 60 -default_F 1 -detpixels 8 -oversample 1 -quiet -seed 1 -floatfile f.h5 -intfile i.png "
    assert cli.main([*words.split(), "-noisefile", "n.cbf", "-pgmfile", "p.img"]) == 0
    assert smv.read("i.png").shape == smv.read("n.cbf").shape == (8, 8)
    assert Path("f.h5").stat().st_size == 4 * 64
    assert Path("p.img").read_bytes().startswith(b"P5")
