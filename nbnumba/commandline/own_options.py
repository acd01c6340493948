"""Options that one command has besides those of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import InputError


def take_own_options(words: Sequence[str], keys: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Take the options that only one command has out of a command line.

    Parameters
    ----------
    words : sequence of str
    keys : mapping
        From an option, with one dash, to the key of its value.

    Returns
    -------
    own : dict
        Values by key.
    rest : list of str

    Raises
    ------
    InputError
        For an option without its value.
    """
    own: dict[str, str] = {}
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        key = keys.get(f"-{word.lstrip('-')}") if word.startswith("-") else None
        if key is None:
            rest.append(word)
            continue
        value = next(waiting, None)
        if not value:
            raise InputError(f"{word}: needs a value")
        own[key] = value
    return own, rest
