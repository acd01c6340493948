"""The command line of nanoBragg and our own options: from words to settings.

The rules are those of nanoBragg.c:400-1116: later options overwrite earlier ones, header files are read
before all of them, and units become SI by the same floating-point operations.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import InputError
from ..util.text import quote
from . import table as options
from .choices import ComputeOptions, Pivot, Semantics
from .command import CommandLine, Output
from .detector import AXES, DETECTOR
from .settings import PART_OF, Settings
from .tokens import BIGGEST, Loose, Use, bad_value, number, split, whole_number
from .types import ANGSTROM, DEGREE, MM, PLAIN, Kind, Unit


def parse(words: Sequence[str], folder: str | os.PathLike[str] | None = None) -> CommandLine:
    """Read a command line, without the program's name.

    Parameters
    ----------
    words : sequence of str
    folder : path, optional
        Where relative file names start, the default Fdump.bin among them; the working folder by default.

    Raises
    ------
    InputError
        For an unknown option, a missing value, or a value that is not allowed.
    FileError
        For an -img, -mask or -expt that cannot be read.
    """
    uses, loose = split(words)
    notices = [_left_over(word) for word in loose]
    if folder is None:
        return dataclasses.replace(_interpret(uses, notices), words=tuple(words))
    command = _interpret([inside(folder, use) for use in uses], notices)
    settings = command.settings
    if "-dump" not in command.used:
        default = os.path.join(folder, str(settings.factors.dump_file))  # noqa: PTH118
        settings = settings.changed(dump_file=default)
    return dataclasses.replace(command, settings=settings, words=tuple(words))


def inside(folder: str | os.PathLike[str], use: Use) -> Use:
    """Return the use of an option with the file that it names sought in a folder."""
    if use.option.kind is not Kind.FILE or not all(use.values):
        return use
    # Not by pathlib, which would drop a trailing slash and with it an error.
    return dataclasses.replace(use, values=tuple(os.path.join(folder, value) for value in use.values))  # noqa: PTH118


def parse_with_files(words: Sequence[str]) -> tuple[CommandLine, tuple[str, ...]]:
    """Read a command line in which words without a dash are files; return it and the files."""
    uses, loose = split(words)
    return dataclasses.replace(_interpret(uses, []), words=tuple(words)), tuple(item.word for item in loose)


def _left_over(loose: Loose) -> str:
    """Return the notice for a word that belongs to no option, or raise where it is a mistake."""
    if loose.after is None:
        raise InputError(f"{quote(loose.word)}: an option is expected here, beginning with a dash; -help lists them")
    if loose.after.option.kind is not Kind.FLAG:
        typed = " ".join(map(options.shown, (loose.after.word, *loose.after.values)))
        raise InputError(f"{quote(loose.word)}: an option is expected after {typed}")
    return f"{quote(loose.word)} is ignored: {loose.after.word} takes no value"


class _Draft:
    """Fields of Settings, Output and ComputeOptions as they fill up; the rest keeps its default.

    `pgm_name` and `write_pgm` stand for the one field `pgm_file`: -nopgm forgets no name.
    """

    def __init__(self, notices: list[str]) -> None:
        self.fields: dict[str, Any] = {}
        self.notices = notices
        self.from_header: dict[str, str] = {}

    def get(self, name: str) -> Any:
        return self.fields.get(name, _DEFAULTS[name])

    def set(self, **fields: Any) -> None:
        unknown = fields.keys() - _DEFAULTS.keys()
        assert not unknown, f"no such field: {unknown}"
        self.fields.update(fields)

    def finish(self, used: tuple[str, ...]) -> CommandLine:
        fields = {**_DEFAULTS, **self.fields}
        fields["pgm_file"] = fields["pgm_name"] if fields["write_pgm"] else None

        def part(cls: type) -> dict[str, Any]:
            return {field.name: fields[field.name] for field in dataclasses.fields(cls)}

        settings = Settings.of(**{name: fields[name] for name in PART_OF})
        compute = ComputeOptions(**part(ComputeOptions))
        return CommandLine(settings, Output(**part(Output)), compute, tuple(self.notices), used)


_DEFAULTS: dict[str, Any] = dict(Settings().items()) | {
    field.name: getattr(cls(), field.name) for cls in (Output, ComputeOptions) for field in dataclasses.fields(cls)
}
_DEFAULTS.update(pgm_name=_DEFAULTS["pgm_file"], write_pgm=True)


def _interpret(uses: list[Use], notices: list[str]) -> CommandLine:
    """Apply headers, then options in the order typed."""
    draft = _Draft(notices)
    lists = [use for use in uses if use.option.key == "-expt"]
    if lists:
        _apply_expt(draft, lists[-1], uses)
    # As C: -img overrides -mask, and of several the last one is read.
    for key in () if lists else ("-mask", "-img"):
        named = [use for use in uses if use.option.key == key]
        if named:
            _apply_header(draft, named[-1])
    for use in uses:
        _apply(draft, use)
    if lists and draft.get("osc") and draft.get("phistep") is None and draft.get("phisteps") is None:
        draft.set(phisteps=EXPT_PHI_STEPS)
    _check(draft)
    if draft.get("source_file") is not None and draft.get("divergence_or_dispersion_given"):
        notices.append("-sourcefile: divergence and dispersion options have no effect beside it")
    return draft.finish(tuple(dict.fromkeys(use.option.key for use in uses)))


def _apply(draft: _Draft, use: Use) -> None:
    """Put one option into the draft."""
    option = use.option
    if option.key in options.WITHOUT_EFFECT:
        draft.notices.append(f"{use.word} {options.WITHOUT_EFFECT[option.key]}")
        return
    if options.is_extended_in_front(use.word, option):
        draft.notices.append(f"{use.word} is read as {option.key}, as in nanoBragg")
    if option.key in _SPECIAL:
        _SPECIAL[option.key](draft, use)
    elif use.values:
        values = [_value(use, text) for text in use.values]
        draft.set(**dict.fromkeys(option.fields, values[0] if len(values) == 1 else tuple(values)))
    draft.set(**option.sets)


def _value(use: Use, text: str) -> float | int | str | None:
    """Return one value of an option in SI units, None when it means "not given"."""
    option = use.option
    if option.kind is Kind.FILE:
        if not text or "\0" in text:
            raise bad_value(use, text, "is not a file name")
        return text
    if option.kind is Kind.TEXT:
        if not text.strip() or not text.isprintable():
            raise bad_value(use, text, "is not a name")
        return text
    if option.kind is Kind.CHOICE:
        if text not in option.choices:
            raise bad_value(use, text, "is unknown")
        return text
    if option.kind is Kind.WHOLE:
        count = whole_number(use, text)
        return None if option.unset.covers(count) else count
    value = number(use, text)
    return None if option.unset.covers(value) else option.unit.to_si(value)


def _cell(draft: _Draft, use: Use) -> None:
    values = [number(use, text) for text in use.values]
    if values[0] <= 0.0:
        raise bad_value(use, use.values[0], "is out of range for the first length")
    # As C: what an earlier -cell said and this one leaves out stays.
    lengths, angles = list(draft.get("cell_lengths_A")), list(draft.get("cell_angles"))
    lengths[: len(values[:3])] = values[:3]
    angles[: len(values[3:])] = [DEGREE.to_si(value) for value in values[3:]]
    draft.set(cell_given=True, cell_lengths_A=tuple(lengths), cell_angles=tuple(angles))


def _A_matrix(draft: _Draft, use: Use) -> None:
    values = [number(use, text) for text in use.values]
    a, b, c = rows = (tuple(values[:3]), tuple(values[3:6]), tuple(values[6:]))
    volume = sum(a[i] * (b[i - 2] * c[i - 1] - b[i - 1] * c[i - 2]) for i in range(3))
    if abs(volume) <= 1e-12 * math.prod(math.hypot(*row) for row in rows):
        raise bad_value(use, " ".join(use.values), "has its vectors in one plane")
    draft.set(reciprocal_A=rows)


def _misset(draft: _Draft, use: Use) -> None:
    if len(use.values) == 1:
        draft.set(misset=None, misset_random=True)
    else:
        angles = tuple(DEGREE.to_si(number(use, text)) for text in use.values)
        draft.set(misset=angles, misset_random=False)


def _pivot(draft: _Draft, use: Use) -> None:
    # As C: the words are looked for inside the value, "beam" last.
    found = [pivot for pivot in (Pivot.SAMPLE, Pivot.BEAM) if pivot.value in use.values[0]]
    if not found:
        raise bad_value(use, use.values[0], "is unknown")
    draft.set(pivot_by_order=found[-1], pivot_explicit=found[-1])


def _detector_abs(draft: _Draft, use: Use) -> None:
    (text,) = use.values
    # C differs: it knows inf in small letters only, and draws a black image for others.
    depth = math.inf if "inf" in text.lower() and not text.startswith("-") else number(use, text)
    if depth == 0.0 or math.isinf(depth):
        draft.set(detector_thick=0.0, detector_mu=0.0)
    else:
        draft.set(detector_mu=1.0 / (depth * 1e-6))


def _semantics(draft: _Draft, use: Use) -> None:
    draft.set(semantics=Semantics(str(_value(use, use.values[0]))))


_SPECIAL: dict[str, Callable[[_Draft, Use], None]] = {
    "-cell": _cell,
    "-A_matrix": _A_matrix,
    "-misset": _misset,
    "-pivot": _pivot,
    "-detector_abs": _detector_abs,
    "-semantics": _semantics,
}

# Keywords of a header, the fields that they set and their units (nanoBragg.c:428-496); TWOTHETA has no effect.
_KEYWORDS: tuple[tuple[str, str, Unit], ...] = (
    ("PIXEL_SIZE", "pixel_size", MM),
    ("DISTANCE", "distance", MM),
    ("CLOSE_DISTANCE", "close_distance", MM),
    ("WAVELENGTH", "wavelength", ANGSTROM),
    ("BEAM_CENTER_X", "Xbeam", MM),
    ("BEAM_CENTER_Y", "Ybeam", MM),
    ("ORGX", "ORGX", PLAIN),
    ("ORGY", "ORGY", PLAIN),
    ("PHI", "phi", DEGREE),
    ("OSC_RANGE", "osc", DEGREE),
)


# Beside -expt these would place or size the detector, or mean a frame that is not the file's. A mask's header does not
# count there.
_PLACING = {option.key for group in (DETECTOR, AXES) for option in group} - {
    "-expt",
    "-mask",
    "-polar_vector",
    "-spindle_axis",
}
EXPT_PHI_STEPS = 10  # into which a rotation is cut beside -expt; C's two steps stand at its start and middle


def _apply_expt(draft: _Draft, use: Use, uses: list[Use]) -> None:
    """Let a DIALS experiment list set defaults."""
    typed = list(dict.fromkeys(other.option.key for other in uses if other.option.key in _PLACING))
    if typed:
        contradict = "contradicts" if len(typed) == 1 else "contradict"
        raise InputError(f"{', '.join(typed)}: {contradict} -expt, which places the panels")
    from .from_dials import settings_from_expt

    (path,) = use.values
    fields = settings_from_expt(path, draft.notices)
    keys = {other.option.key for other in uses}
    if "wavelength" not in fields and not any("wavelength" in other.option.fields for other in uses):
        raise InputError(f"-expt {path}: the beam has no single wavelength; give -lambda A")
    if len(fields["panels"]) > 1 and "-mask" in keys:
        raise InputError(f"-mask: contradicts -expt {path}, which has {len(fields['panels'])} panels; a mask is of one")
    draft.set(**fields)


def _apply_header(draft: _Draft, use: Use) -> None:
    """Let the header of an image set defaults."""
    from ..io import smv

    (path,) = use.values
    header = smv.read_header(path, use.option.key)
    for keyword, field, unit in _KEYWORDS:
        value = header.value_of(keyword)
        if math.isnan(value):
            continue
        if abs(value) > BIGGEST:
            raise InputError(f"{use.option.key} {path}: {keyword} is {value:g}; allowed is a size up to {BIGGEST:g}")
        draft.set(**{field: unit.to_si(value)})
        draft.from_header[field] = f"{use.option.key} {path}: {keyword} is {value:g}"
        if keyword == "OSC_RANGE" and value < 0.0:
            draft.set(osc=None)
    pixel = draft.get("pixel_size")
    draft.set(pixels_fast=header.n_fast, pixels_slow=header.n_slow)
    draft.set(detsize_f=pixel * header.n_fast, detsize_s=pixel * header.n_slow)
    y_beam = header.value_of("BEAM_CENTER_Y")
    if use.option.key == "-mask" and not math.isnan(y_beam):
        draft.set(Ybeam=draft.get("detsize_s") - y_beam / 1000.0)


def _check(draft: _Draft) -> None:
    """Refuse what only a header can have brought in: options were checked when they were read."""
    for field in ("pixel_size", "wavelength", "close_distance"):
        value = draft.get(field)
        if value is not None and value <= 0.0:
            raise InputError(f"{draft.from_header[field]}; it must be greater than 0")
