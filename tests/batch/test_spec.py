"""What a SPEC may hold, and how its mistakes are reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbnumba.batch.distributions import Distribution
from nbnumba.batch.spec import read_spec
from nbnumba.batch.spec_model import Spec
from nbnumba.batch.toml_file import read
from nbnumba.errors import FileError, InputError

COMMAND = "-cell 50 60 70 90 90 90 -default_F 10 -detpixels 8"


def written(folder: Path, text: str) -> str:
    path = folder / "s.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def spec_of(folder: Path, text: str) -> Spec:
    return read_spec(written(folder, text))[0]


def failure(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read_spec(written(folder, text))
    return str(caught.value).replace(str(folder) + "/", "")


def test_all_keys(tmp_path: Path) -> None:
    spec = spec_of(
        tmp_path,
        f"""
command = "{COMMAND}"
count = 1000
seed = 7
images_per_file = 300
dtype = "int32"
noise = false
noise_rng = "c"
semantics = "c"
backend = "cpu"
precision = "double"
[vary]
orientation = "random"
energy_ev = {{ normal = [12398.0, 15.0] }}
distance_mm = {{ uniform = [195, 205] }}
N = {{ integers = [8, 20] }}
fluence = {{ lognormal = [24, 0.5] }}
water_um = {{ choice = [0, 5.5] }}
mosaic_spread_deg = 0.3
""",
    )
    assert (spec.count, spec.seed, spec.images_per_file, spec.dtype) == (1000, 7, 300, "int32")
    assert (spec.noise, spec.noise_rng, spec.semantics, spec.backend, spec.precision) == (
        False,
        "c",
        "c",
        "cpu",
        "double",
    )
    assert spec.random_orientation
    assert spec.vary == {
        "energy_ev": Distribution("normal", (12398.0, 15.0)),
        "distance_mm": Distribution("uniform", (195, 205)),
        "N": Distribution("integers", (8, 20)),
        "mosaic_spread_deg": Distribution("fixed", (0.3,)),
        "fluence": Distribution("lognormal", (24, 0.5)),
        "water_um": Distribution("choice", (0, 5.5)),
    }
    assert spec.chunks == 4
    assert spec.images_of(3) == range(900, 1000)


def test_defaults(tmp_path: Path) -> None:
    spec, command = read_spec(written(tmp_path, f'command = "{COMMAND}"\ncount = 3'))
    assert (spec.seed, spec.dtype, spec.noise, spec.noise_rng) == (0, "uint16", True, "counter")
    assert (spec.semantics, spec.backend, spec.precision) == ("exact", "auto", "auto")
    assert not spec.random_orientation
    assert spec.keys == ()
    assert command.settings.semantics == "exact"


@pytest.mark.parametrize("program", ["nanoBragg", "./nanoBragg", "/opt/bin/nanoBragg_omp", "nbnumba"])
def test_the_command_may_begin_with_the_name_of_the_program(program: str, tmp_path: Path) -> None:
    named = read_spec(written(tmp_path, f'command = "{program} {COMMAND}"\ncount = 1'))
    assert named == read_spec(written(tmp_path, f'command = "{COMMAND}"\ncount = 1'))
    with pytest.raises(InputError, match=r"'other': an option is expected here"):
        read_spec(written(tmp_path, f'command = "other {COMMAND}"\ncount = 1'))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("-cell_spread 0.1", "-cell_spread is read as -cell, as in nanoBragg; with"),
        ("-mosaic -1", "-mosaic: '-1' is out of range; allowed: a number from 0 to 360"),
        ("-nopolar 3", "'3' has no meaning: -nopolar takes no value; with"),
    ],
)
def test_what_nanoBragg_alone_would_take_is_an_error_in_exact(more: str, message: str, tmp_path: Path) -> None:
    line = f'command = "{COMMAND} {more}"\ncount = 1'
    with pytest.raises(InputError) as caught:
        read_spec(written(tmp_path, line))
    assert message in str(caught.value)
    _, command = read_spec(written(tmp_path, f'semantics = "c"\n{line}'))
    assert len(command.notices) == 1


def test_files_are_sought_beside_the_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "a.mat").write_text("0.02 0 0 0 0.02 0 0 0 0.02")
    written(tmp_path, 'command = "-mat a.mat -default_F 1"\ncount = 1')
    monkeypatch.chdir(elsewhere)
    spec, command = read_spec("../s.toml")
    assert command.settings.crystal.matrix_file is not None
    assert Path(command.settings.crystal.matrix_file).samefile(tmp_path / "a.mat")
    assert Path(spec.folder) == tmp_path


def test_dump_that_happens_to_be_there_is_not_read_and_none_is_written(tmp_path: Path) -> None:
    command = read_spec(written(tmp_path, f'command = "{COMMAND}"\ncount = 1'))[1]
    assert command.settings.factors.dump_file is None
    named = read_spec(written(tmp_path, f'command = "{COMMAND} -dump F.bin"\ncount = 1'))[1]
    assert named.settings.factors.dump_file == str(tmp_path / "F.bin")
    (tmp_path / "a.hkl").write_text("1 0 0 5\n")
    both = read_spec(written(tmp_path, f'command = "{COMMAND} -hkl a.hkl -dump F.bin"\ncount = 1'))[1]
    assert not both.settings.factors.write_dump
    assert both.settings.factors.dump_file is None


HEAD = f'command = "{COMMAND}"\ncount = 5\n'

TOP = [
    ('count = 5\nseed = 1\ncuont = 6\ncommand = "-N 1"', "s.toml line 3: cuont: unknown key; did you mean count? "),
    ("count = 5", "s.toml: command is missing; it takes a command line of nbnumba, in quotes"),
    (f'command = "{COMMAND}"', "s.toml: count is missing; it takes a whole number from 1 to 100000000"),
    (f'command = "{COMMAND}"\n\ncount = 0', "s.toml line 3: count: 0; allowed: a whole number from 1 to 100000000"),
    (f'command = "{COMMAND}"\ncount = 2.0', "s.toml line 2: count: 2.0; allowed: a whole number"),
    (f'command = "{COMMAND}"\ncount = true', "s.toml line 2: count: true; allowed: a whole number"),
    (f'command = "{COMMAND}"\ncount = "5"', "s.toml line 2: count: '5'; allowed: a whole number"),
    ('command = ""\ncount = 5', "s.toml line 1: command: ''; allowed: a command line of nbnumba, in quotes"),
    ("command = 5\ncount = 5", "s.toml line 1: command: 5; allowed: a command line"),
    (HEAD + "images_per_file = 0", "s.toml line 3: images_per_file: 0; allowed: a whole number from 1"),
    (HEAD + "seed = -1", "s.toml line 3: seed: -1; allowed: a whole number from 0 to 9223372036854775807"),
    (HEAD + 'dtype = "int16"', "s.toml line 3: dtype: 'int16'; allowed: float32, int32, uint16"),
    (HEAD + "dtype = 16", "s.toml line 3: dtype: 16; allowed: float32, int32, uint16"),
    (HEAD + "noise = 1", "s.toml line 3: noise: 1; allowed: true or false"),
    (HEAD + 'noise_rng = "numpy"', "s.toml line 3: noise_rng: 'numpy'; allowed: counter, c"),
    (HEAD + 'semantics = "C"', "s.toml line 3: semantics: 'C'; allowed: exact, c"),
    (HEAD + 'backend = "gpu"', "s.toml line 3: backend: 'gpu'; allowed: auto, cpu, cuda"),
    (HEAD + 'precision = "half"', "s.toml line 3: precision: 'half'; allowed: auto, double, mixed"),
    (HEAD + "date = 2026-01-02", "s.toml line 3: date: unknown key; allowed: "),
    (HEAD + "seed = 2026-01-02", "s.toml line 3: seed: 2026-01-02; allowed: a whole number"),
    (
        HEAD + 'orientation = "random"',
        "s.toml line 3: orientation: stands in the wrong place; it belongs below the line",
    ),
    (
        f'command = "{COMMAND}"\n[vary]\ncount = 5',
        "s.toml line 3: [vary] count: stands in the wrong place; it belongs above",
    ),
    (HEAD + "vary = 3", "s.toml line 3: vary: 3; it is a table"),
]

VARY = [
    ("orientaton = 1", "orientaton: unknown key; did you mean orientation? allowed: orientation, crystal_share, N, Na"),
    ('orientation = "uniform"', "orientation: 'uniform'; allowed: \"random\""),
    ("orientation = true", 'orientation: true; allowed: "random"'),
    ("hkl = []", "hkl: []; allowed: the name of a file, in quotes, or { choice = [one, another, ...] }"),
    ("energy_ev = -3", "energy_ev: -3 is out of range; allowed: a number greater than 0, { normal = [mean, "),
    ("energy_ev = nan", "energy_ev: nan is not a finite number; allowed: a number greater than 0"),
    ("energy_ev = inf", "energy_ev: inf is not a finite number"),
    ("energy_ev = true", "energy_ev: true is not a number"),
    ('energy_ev = "9000"', "energy_ev: '9000' is not a number"),
    ("energy_ev = [1, 2]", "energy_ev: [1, 2] is not a number"),
    ("energy_ev = { gauss = [1, 2] }", "energy_ev: {'gauss': [1, 2]} is not a way to draw; allowed: a number"),
    ("energy_ev = { normal = [1, 2], uniform = [1, 2] }", "is not a way to draw"),
    ("energy_ev = { normal = [9000] }", "energy_ev: normal = [9000]; it takes [mean, standard deviation]"),
    ("energy_ev = { normal = 9000 }", "energy_ev: normal = 9000; it takes [mean, standard deviation]"),
    ("energy_ev = { normal = [9000, -1] }", "energy_ev: normal: a standard deviation of -1; it must be at least 0"),
    ("energy_ev = { normal = [9000, inf] }", "energy_ev: inf is not a finite number"),
    ("energy_ev = { normal = [-1, 0] }", "energy_ev: normal = [-1, 0] draws no possible value"),
    ("energy_ev = { uniform = [9, 8] }", "energy_ev: uniform = [9, 8]: the first number must not be above the second"),
    ("energy_ev = { uniform = [-9, -8] }", "energy_ev: uniform = [-9, -8]: -9 is out of range; allowed: a number "),
    ("exposure_s = { uniform = [-1, 5] }", "exposure_s: uniform = [-1, 5]: -1 is out of range; allowed: a number "),
    ("distance_mm = { uniform = [0, 5] }", "distance_mm: uniform = [0, 5]: 0 is out of range; allowed: a number great"),
    ("polarization = { uniform = [0.5, 1.5] }", "polarization: uniform = [0.5, 1.5]: 1.5 is out of range; allowed: a "),
    ("mosaic_spread_deg = { loguniform = [1, 400] }", "mosaic_spread_deg: loguniform = [1, 400]: 400 is out of range"),
    ("energy_ev = { choice = [] }", "energy_ev: choice = []; it takes [one, another, ...]"),
    ("energy_ev = { choice = [9000, -1] }", "energy_ev: choice: -1 is out of range"),
    ("fluence = { lognormal = [1e24, 1] }", "fluence: lognormal: a median of 10^1e+24; the exponent must lie between"),
    ("N = 2.5", "N: 2.5 is not a whole number in plain digits; allowed: a whole number from 1 to 1000000, { integers"),
    ("N = 0", "N: 0 is out of range; allowed: a whole number from 1"),
    ("N = { normal = [5, 1] }", "N: normal draws no whole numbers; allowed: a whole number from 1 to 1000000"),
    ("N = { integers = [3.5, 9] }", "N: 3.5 is not a whole number in plain digits"),
    ("N = { integers = [9, 3] }", "N: integers = [9, 3]: the first number must not be above the second"),
    ("N = { integers = [-9, 0] }", "N: integers = [-9, 0]: -9 is out of range; allowed: a whole number from 1"),
    ("N = { integers = [0, 9] }", "N: integers = [0, 9]: 0 is out of range; allowed: a whole number from 1"),
    ("N = { integers = [9, 1000001] }", "N: integers = [9, 1000001]: 1000001 is out of range; allowed: a whole number"),
    ("N = 3\nNa = 4", "Na: N sets it too; give N, or Na, Nb, Nc"),
    ("mosaic_spread_deg = 400", "mosaic_spread_deg: 400 is out of range; allowed: a number from 0 to 360"),
    ("cell_jitter_percent = -1", "cell_jitter_percent: -1 is out of range"),
    ("csv = 3", "csv: 3; allowed: the name of a file, in quotes"),
]

IN_COMMAND = [
    ("-seed 3", "-seed cannot stand here; the key seed of the SPEC takes its place"),
    ("-floatfile f.bin", "-floatfile cannot stand here; a batch decides itself what it writes and shows"),
    ("-quiet", "-quiet cannot stand here"),
    ("-noprogress", "-noprogress cannot stand here"),
    ("-adc 0", "-adc cannot stand here; the images hold photons without an offset"),
    ("-nonoise", "-nonoise cannot stand here; noise = false in the SPEC takes its place"),
    ("-noise_rng c", "-noise_rng cannot stand here; the key noise_rng of the SPEC takes its place"),
    ("-backend cpu", "-backend cannot stand here; the key backend of the SPEC takes its place"),
    ("-semantics c", "-semantics cannot stand here; the key semantics of the SPEC takes its place"),
    ("-threads 1", "-threads cannot stand here; the option --threads of nbnumba batch takes its place"),
    ("-h5file a.h5", "-h5file cannot stand here"),
    ("-help", "-help cannot stand here"),
    ("-distanse 3", "-distanse: unknown option; did you mean -distance?"),
    ("-distance much", "-distance: 'much' is not a number"),
    ("-N 'a", "cannot be split into words: no closing quotation"),
]


@pytest.mark.parametrize(("text", "message"), TOP)
def test_mistakes_at_the_top(text: str, message: str, tmp_path: Path) -> None:
    assert failure(tmp_path, text).startswith(message)


@pytest.mark.parametrize(("text", "message"), VARY)
def test_mistakes_in_what_varies(text: str, message: str, tmp_path: Path) -> None:
    found = failure(tmp_path, f"{HEAD}# a line\n[vary]\n{text}\n")
    assert found.startswith(f"s.toml line {5 + text.count(chr(10))}: [vary] ")
    assert message in found


@pytest.mark.parametrize(("words", "message"), IN_COMMAND)
def test_mistakes_in_the_command(words: str, message: str, tmp_path: Path) -> None:
    found = failure(tmp_path, f'count = 5\ncommand = "{COMMAND} {words}"')
    assert found.startswith(f"s.toml line 2: command: {message}")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("-default_F 1", "command: no crystal: give -mat FILE"),
        ("-cell 50 60 70", "command: no structure factors: give -hkl FILE"),
    ],
)
def test_what_the_command_lacks(command: str, message: str, tmp_path: Path) -> None:
    assert failure(tmp_path, f'command = "{command}"\ncount = 1').startswith(f"s.toml line 1: {message}")


@pytest.mark.parametrize(
    ("option", "key", "message"),
    [
        ("-close_distance 90", "distance_mm = 100", "distance_mm cannot vary: -close_distance in the command decides"),
        ("-pix0_vector 0.1 0 0", "distance_mm = 100", "distance_mm cannot vary: -pix0_vector in the command decides"),
        ("", "ORGX = 4", "ORGX cannot vary: it moves nothing with the convention mosflm"),
        ("", "psf_fwhm_um = 40", "psf_fwhm_um cannot vary: no psf spreads the light"),
        ("-adxv -beam_center_fast 3", "Xbeam_mm = 3", "Xbeam_mm cannot vary: -beam_center_fast in the command decides"),
        ("-xds -Xbeam 3", "Xclose_mm = 3", "Xclose_mm cannot vary: it moves nothing with the convention xds"),
        (
            "",
            "cell = 3",
            "cannot vary from image to image; cell_jitter_percent, cell_expansion_percent, or a csv with "
            "columns A_11 ... A_33",
        ),
        ("", "oversample = 3", "cannot vary from image to image; the command says it for all"),
        ("", "detpixels = 3", "cannot vary from image to image; the command says it for all"),
        ("", "fluence = 1\nflux = 2", "flux: contradicts fluence; give one of the two"),
        ("", "energy_ev = 1\nwavelength_A = 2", "wavelength_A: contradicts energy_ev; give one of the two"),
        (
            "-spectrum gauss:9000:10:3",
            "wavelength_A = 2",
            "wavelength_A cannot vary beside a spectrum in the command; spectrum_shift_ev moves its energies",
        ),
        (
            "-sourcefile sources.txt",
            "energy_ev = 9000",
            "energy_ev cannot vary: -sourcefile in the command gives every source its wavelength",
        ),
    ],
)
def test_what_something_else_decides_cannot_vary(option: str, key: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "sources.txt").write_text("-10 0 0 1 1.2e-10\n-10 0.1 0 1 1.3e-10\n")
    found = failure(tmp_path, f'command = "{COMMAND} {option}"\ncount = 1\n[vary]\n{key}')
    second = "\n" in key
    name = "" if second else f"{key.split()[0]}: "
    assert found == f"s.toml line {5 if second else 4}: [vary] {name}{message}"


def test_an_energy_may_vary_where_a_source_has_no_wavelength(tmp_path: Path) -> None:
    (tmp_path / "sources.txt").write_text("-10 0 0 1 1.2e-10\n-10 0.1 0 1\n")
    text = f'command = "{COMMAND} -sourcefile sources.txt"\ncount = 1\n[vary]\nenergy_ev = 9000'
    assert spec_of(tmp_path, text).keys == ("energy_ev",)


def test_marks_and_joined_lines_of_other_programs(tmp_path: Path) -> None:
    text = f"\ufeffcommand = '''{COMMAND} \\\n  -N \\\n 7'''\ncount = 1\n"
    assert spec_of(tmp_path, text).words == (*COMMAND.split(), "-N", "7")


def test_lines_of_keys_behind_longer_statements(tmp_path: Path) -> None:
    text = f'''# a batch
command = """
{COMMAND}
"""

count = 5   # five
vary.N = {{ choice = [
  3,
  4,
] }}
vary.fluence = -1
'''
    assert failure(tmp_path, text).startswith("s.toml line 11: [vary] fluence: -1 is out of range")
    document = read(written(tmp_path, text))
    assert [document.line_of(where) for where in (("command",), ("count",), ("vary", "N"), ("seed",))] == [
        2,
        6,
        7,
        None,
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("count = 5\nseed = \n", 2), ("count = 5\ncount = 6", 2), ("[vary\n", 1), ('a = """x', 1), ("a = 1\nb", 2)],
)
def test_what_is_no_toml(text: str, line: int, tmp_path: Path) -> None:
    assert failure(tmp_path, text).startswith(f"s.toml line {line}: no TOML: ")


def test_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_bytes(b"count = 5\ndtype = '\xff'\n")
    with pytest.raises(InputError, match=r"s\.toml line 2: byte 0xff is not UTF-8 text"):
        read_spec(str(tmp_path / "s.toml"))


def test_missing_spec(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.toml: cannot be read: no such file"):
        read_spec(str(tmp_path / "none.toml"))


def with_table(folder: Path, table: str, vary: str = "", count: int = 2) -> str:
    (folder / "t.csv").write_text(table, encoding="utf-8")
    return f'command = "{COMMAND}"\ncount = {count}\n[vary]\ncsv = "t.csv"\n{vary}'


def test_table(tmp_path: Path) -> None:
    table = '\ufeff"energy_ev", "N"\n9000, "5"\n\n9100.5, 6\n9200,7\n'
    spec = spec_of(tmp_path, with_table(tmp_path, table, "fluence = 1e20"))
    assert spec.columns == ("energy_ev", "N")
    assert spec.keys == ("N", "energy_ev", "fluence")
    assert spec.rows == ({"energy_ev": 9000.0, "N": 5}, {"energy_ev": 9100.5, "N": 6})


@pytest.mark.parametrize(
    ("table", "vary", "message"),
    [
        ("", "", "csv: t.csv line 1: no names of columns; allowed: crystal_share, N, Na"),
        ("energy\n1\n2", "", "csv: t.csv line 1: 'energy' is not the name of a column; allowed: crystal_share, N, Na"),
        ("N,N\n1,1", "", "csv: t.csv line 1: N names two columns"),
        ("N,fluence\n1,2\n3", "", "csv: t.csv line 3: 1 value under 2 names of columns"),
        (
            "N\n1\n\n2.5",
            "",
            "csv: t.csv line 4: N: '2.5' is not a whole number in plain digits; allowed: a whole number",
        ),
        ("energy_ev\n1\n-2", "", "csv: t.csv line 3: energy_ev: -2 is out of range; allowed: a number greater than 0"),
        ("energy_ev\n1\nnan", "", "csv: t.csv line 3: energy_ev: 'nan' is not a number"),
        ("energy_ev\n1", "", "csv: t.csv: 1 row of values for count = 2; every image needs one"),
    ],
)
def test_mistakes_in_a_table(table: str, vary: str, message: str, tmp_path: Path) -> None:
    assert failure(tmp_path, with_table(tmp_path, table, vary)).startswith(f"s.toml line 4: [vary] {message}")


def test_key_that_a_table_gives_too(tmp_path: Path) -> None:
    assert failure(tmp_path, with_table(tmp_path, "N\n1\n2", "N = 5")) == (
        "s.toml line 5: [vary] N: t.csv has a column of that name too; give one of them"
    )
    assert failure(tmp_path, with_table(tmp_path, "Na\n1\n2", "N = 5")).startswith("s.toml line 4: [vary] csv: N and")


def test_missing_table(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"s\.toml line 4: \[vary\] csv: none\.csv: cannot be read: no such file"):
        read_spec(written(tmp_path, f'{HEAD}[vary]\ncsv = "none.csv"'))


def test_random_misset_without_a_seed_is_an_orientation_for_each_image(tmp_path: Path) -> None:
    assert spec_of(tmp_path, f'command = "{COMMAND} -misset random"\ncount = 1').random_orientation
    assert not spec_of(tmp_path, f'command = "{COMMAND} -misset random -misset_seed 3"\ncount = 1').random_orientation
