"""A dialect of the command line: which options there are, how they are found in a word, what holds without them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..util.text import nearest
from .types import Option, Parameter

if TYPE_CHECKING:
    from .given import Given


Row = Option | Parameter
Find = Callable[[str], Option | None]
"""Returns the option that a word names, or None; raises InputError for a word that names several."""


class Dialect:
    """The command line of a program.

    Parameters
    ----------
    groups : mapping of str to sequence of Option or Parameter
        Under the titles of the help; a parameter that stands for itself has no option.
    rule : callable
        Given the options, returns what finds one in a word.
    meant : mapping of str to str, optional
        Words that people type, and the option that they mean.
    longer : collection of str, optional
        Spellings with letters behind a name that people are used to.
    ignored : sequence of Option, optional
        Those that are read and have no effect.
    program : str, optional
        Whose command line it is.
    defaults : mapping, optional
        Values of fields that differ from those of `Settings`, `Output` and `ComputeOptions`.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[Row]],
        rule: Callable[[Sequence[Option]], Find],
        *,
        meant: Mapping[str, str] = {},
        longer: Collection[str] = (),
        ignored: Sequence[Option] = (),
        program: str = "nanoBragg",
        defaults: Mapping[str, Any] = {},
    ) -> None:
        self.groups = {title: tuple(row for row in rows if isinstance(row, Option)) for title, rows in groups.items()}
        self.options = tuple(option for group in self.groups.values() for option in group)
        self.find = rule(self.options)
        self.meant = meant
        self.longer = frozenset(longer)
        self.defaults = defaults
        self.program = program
        self.without_effect = {
            option.key: f"has no effect; {option.instead}" if option.instead else f"has no effect, as in {program}"
            for option in ignored
        }

    @cached_property
    def by_parameter(self) -> dict[str, tuple[Option, ...]]:
        """Options of each parameter, by its name."""
        found: dict[str, tuple[Option, ...]] = {}
        for option in self.options:
            found[option.parameter.name] = (*found.get(option.parameter.name, ()), option)
        return found

    @cached_property
    def by_key(self) -> dict[str, Option]:
        """Options by their names in the help."""
        return {option.key: option for option in self.options}

    def label(self, name: str, value: object = None) -> str:
        """Return the options of a parameter, or the one that gives it a value; its name where it has none."""
        options = self.by_parameter.get(name, ())
        if value is None:
            options = tuple(option for option in options if option.values) or options
        else:
            options = tuple(option for option in options if option.values or option.value == value)
        return ", ".join(option.key for option in options) or name

    def words(self, given: Iterable[Given]) -> tuple[str, ...]:
        """Write a command line that gives parameters the same values; what has no option is left out."""
        words: list[str] = []
        for item in given:
            bare, valued = self._spellings.get(item.parameter.name, ((), None))
            option = next((o for o in bare if o.value is None or o.value == item.values[0]), valued)
            if option is not None:
                words += [option.key, *(item.texts if option.values else ())]
        return tuple(words)

    @cached_property
    def _spellings(self) -> dict[str, tuple[tuple[Option, ...], Option | None]]:
        """Options of each parameter that take no value, and the first that does."""
        return {
            name: (
                tuple(option for option in options if not option.values),
                next((option for option in options if option.values), None),
            )
            for name, options in self.by_parameter.items()
        }

    def unknown(self, word: str) -> InputError:
        """Return the error for a word that names no option, with the nearest one."""
        if word == "--":
            return InputError("--: two dashes alone stand for nothing here; -help lists all options")
        short = word[1:] if word.startswith("--") else word
        if short in self.meant:
            return InputError(f"{shown(word)}: unknown option; the right one is {self.meant[short]}")
        near = self._nearest(short)
        hint = f"; did you mean {near}?" if near else "; -help lists all options"
        return InputError(f"{shown(word)}: unknown option{hint}")

    def _nearest(self, word: str) -> str | None:
        """Return the spelling that comes closest to a word, or None."""
        import difflib

        spellings = {name.lower(): name for option in self.options for name in reversed(option.spellings)}
        typed = word.lower()
        if typed in spellings:
            return spellings[typed]
        # The commonest slips: a shortened name, its end alone, a name that goes on, a wrong second half,
        # letters in another order.
        body, stem = typed.strip("-"), typed.split("_")[0]
        slips = (
            [name for name in spellings if len(body) > 2 and name.startswith(typed)],
            [name for name in spellings if len(body) > 3 and body in name],
            [name for name in spellings if len(name) > 4 and typed.startswith(name)],
            [name for name in spellings if name.replace("_", "") == typed.replace("_", "")],
            [name for name in spellings if len(stem) > 3 and "_" in typed and f"{name}_".startswith(f"{stem}_")],
            [name for name in spellings if len(body) > 2 and sorted(name) == sorted(typed)],
        )
        likely = next((names for names in slips if names), None)
        if likely:
            return spellings[difflib.get_close_matches(typed, likely, n=1, cutoff=0.0)[0]]
        # Without their dashes: with them any two short names would be alike.
        bodies = {name.strip("-"): name for name in reversed(spellings)}
        close = nearest(body, bodies)
        return spellings[bodies[close]] if close else None


def inside_words(options: Sequence[Option]) -> Find:
    """Find options as nanoBragg does (nanoBragg.c:505-1116).

    A name, first dash included, stands somewhere in the word, so a name may be extended (`-matrix`, `--lambda`) but
    never shortened; some names count only as a whole word, with one dash or two, and so do options that are not
    nanoBragg's. Of several names inside a word the longest counts, when it covers the others: `-misset_seed` is not
    `-misset`.
    """
    own = {name: option for option in options if option.own for name in (option.key, *option.whole)}
    whole = {name: option for option in options if not option.own for name in option.whole}
    anywhere = tuple((name, option) for option in options for name in option.anywhere)

    def find(word: str) -> Option | None:
        # C differs: it obeys every name that it finds, so -misset_seed overwrites -misset.
        short = word[1:] if word.startswith("--") else word
        if short in own:
            return own[short]
        # C differs: it passes over --N, --phi and the other names that count as a whole word only.
        if short in whole:
            return whole[short]
        found = [(name, option) for name, option in anywhere if name in word]
        if not found:
            return None
        longest, option = max(found, key=lambda pair: len(pair[0]))
        others = {other.key for name, other in found if name not in longest and other is not option}
        if others:
            named = ", ".join(sorted({option.key, *others}))
            raise InputError(f"{shown(word)}: names several options ({named}); give one at a time")
        return option

    return find


def is_extended(word: str, option: Option, known: Collection[str]) -> bool:
    """Tell whether a word holds more than a name of the option, as -no-interpolate and -cell_spread do.

    Parameters
    ----------
    known : collection of str
        Longer spellings that people are used to.
    """
    short = word[1:] if word.startswith("--") else word
    return short not in (option.key, *option.anywhere, *option.whole, *(option.shown or ())) and short not in known


def shown(word: str) -> str:
    """Return an option as typed for a message, escaped where it would upset a terminal."""
    return word if word.isprintable() and len(word) <= 40 else f"{word[:40]!a}"
