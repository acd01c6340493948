"""The one table of options, and how a word is looked up in it; for the parser, the help and the suggestions.

An option is found in a word as nanoBragg finds it (nanoBragg.c:505-1116): its name, first dash included,
stands somewhere in the word, so a name may be extended (`-matrix`, `--lambda`) but never shortened;
some names count only as a whole word, with one dash or two, and so do our own options.
"""

from __future__ import annotations

import difflib

from ..errors import InputError
from .detector import AXES, DETECTOR, SENSOR
from .program import ENGINE, HELP, NO_EFFECT, NOISE, OUTPUT
from .sample import BACKGROUND, BEAM, CRYSTAL, FACTORS, GONIOMETER, SAMPLING, SPREAD
from .types import Option

GROUPS: dict[str, tuple[Option, ...]] = {
    "Crystal": CRYSTAL,
    "Structure factors": FACTORS,
    "Beam": BEAM,
    "Divergence and bandwidth": SPREAD,
    "Detector: size and place": DETECTOR,
    "Detector: pixels and sensor": SENSOR,
    "Conventions and axes": AXES,
    "Goniometer": GONIOMETER,
    "Sampling": SAMPLING,
    "Background": BACKGROUND,
    "Output": OUTPUT,
    "Noise": NOISE,
    "Engine": ENGINE,
    "Help": HELP,
    "Accepted, without effect": NO_EFFECT,
}
WITHOUT_EFFECT = {
    option.key: f"has no effect; {option.instead}" if option.instead else "has no effect, as in nanoBragg"
    for option in NO_EFFECT
}
OPTIONS: tuple[Option, ...] = tuple(option for group in GROUPS.values() for option in group)

# In the help text of nanoBragg, and unknown to it.
MEANT: dict[str, str] = {
    "-detsize_x": "-detsize_f",
    "-detsize_y": "-detsize_s",
    "-xdet_vector": "-fdet_vector",
    "-ydet_vector": "-sdet_vector",
    "-zdet_vector": "-odet_vector",
}

_OWN = {name: option for option in OPTIONS if option.own for name in (option.key, *option.whole)}
_WHOLE = {name: option for option in OPTIONS if not option.own for name in option.whole}
_ANYWHERE = tuple((name, option) for option in OPTIONS for name in option.anywhere)


def find(word: str) -> Option | None:
    """Return the option that a word names, or None.

    Of several names inside a word the longest counts, when it covers the others: `-misset_seed` is not
    `-misset`.

    Raises
    ------
    InputError
        When the word holds the names of several options side by side.
    """
    # C differs: it obeys every name that it finds, so -misset_seed overwrites -misset.
    short = word[1:] if word.startswith("--") else word
    if short in _OWN:
        return _OWN[short]
    # C differs: it passes over --N, --phi and the other names that count as a whole word only.
    if short in _WHOLE:
        return _WHOLE[short]
    found = [(name, option) for name, option in _ANYWHERE if name in word]
    if not found:
        return None
    longest, option = max(found, key=lambda pair: len(pair[0]))
    others = {other.key for name, other in found if name not in longest and other is not option}
    if others:
        raise InputError(
            f"{shown(word)}: names several options ({', '.join(sorted({option.key, *others}))}); give one at a time"
        )
    return option


def is_extended_in_front(word: str, option: Option) -> bool:
    """Tell whether the name stands behind other letters, as -interpolate in -no-interpolate."""
    short = word[1:] if word.startswith("--") else word
    return not short.startswith((*option.anywhere, *option.whole, option.key))


def unknown(word: str) -> InputError:
    """Return the error for a word that names no option, with the nearest one."""
    if word == "--":
        return InputError("--: two dashes alone stand for nothing here; -help lists all options")
    short = word[1:] if word.startswith("--") else word
    if short in MEANT:
        return InputError(f"{shown(word)}: unknown option; the right one is {MEANT[short]}")
    nearest = _nearest(short)
    hint = f"; did you mean {nearest}?" if nearest else "; -help lists all options"
    return InputError(f"{shown(word)}: unknown option{hint}")


def shown(word: str) -> str:
    """Return an option as typed for a message, escaped where it would upset a terminal."""
    return word if word.isprintable() and len(word) <= 40 else f"{word[:40]!a}"


def _nearest(word: str) -> str | None:
    """Return the spelling that comes closest to a word, or None."""
    spellings = {name.lower(): name for option in OPTIONS for name in reversed(option.spellings)}
    typed = word.lower()
    if typed in spellings:
        return spellings[typed]
    # The commonest slips: a shortened name, its end alone, a wrong second half.
    body, stem = typed.strip("-"), typed.split("_")[0]
    slips = (
        [name for name in spellings if len(body) > 2 and name.startswith(typed)],
        [name for name in spellings if len(body) > 3 and body in name],
        [name for name in spellings if len(stem) > 3 and "_" in typed and name.startswith(stem)],
    )
    likely = next((names for names in slips if names), None)
    if likely:
        return spellings[difflib.get_close_matches(typed, likely, n=1, cutoff=0.0)[0]]
    close = difflib.get_close_matches(typed, list(spellings), n=1, cutoff=0.6)
    return spellings[close[0]] if close else None
