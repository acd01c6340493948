"""What Typer finds wrong with the words of a sub-command, in the style of all other messages; and its help."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..util.text import nearest, quote


def message(error: Any, words: Sequence[str]) -> str:
    """Return one line about a mistake in the words.

    Parameters
    ----------
    error : exception
        Of Typer or click, with a method `format_message`.
    words : sequence of str
        The sub-command and what follows it.
    """
    kind, param = type(error).__name__, getattr(error, "param", None)
    if kind == "NoSuchOption":
        return _unknown(error, words)
    if kind == "BadOptionUsage":
        option = _typed(words, [str(error.option_name)]) or str(error.option_name)
        takes_none = "does not take a value" in str(error.format_message())
        return f"{option}: {'takes no value' if takes_none else 'needs a value'}"
    if kind == "MissingParameter" and param is not None:
        options = [name for name in param.opts if name.startswith("-")]
        return f"{options[-1] if options else param.metavar or param.name} is missing; {words[0]} --help tells more"
    if kind == "BadParameter" and param is not None:
        return _bad_value(error, param, words)
    text = str(error.format_message())
    extra = re.search(r"unexpected extra arguments?(?:\(s\))? \((.*)\)", text)
    return f"{quote(extra[1])}: nothing more is expected here; {words[0]} --help tells what is" if extra else text


def _unknown(error: Any, words: Sequence[str]) -> str:
    # Of an option with one dash Typer names the first letter only.
    name = str(error.option_name)
    whole = next((word for word in words if word.startswith(name)), name).partition("=")[0]
    ctx = getattr(error, "ctx", None)
    params = [] if ctx is None else ctx.command.get_params(ctx)
    bodies = {option.lstrip("-"): option for param in params for option in param.opts if option.startswith("-")}
    typed = whole.lstrip("-")
    longer = [body for body in bodies if len(typed) > 2 and body.startswith(typed)]
    near = longer[0] if longer else nearest(typed, bodies)
    hint = f"did you mean {bodies[near]}?" if near else f"{words[0]} --help lists them all"
    return f"{whole}: unknown option; {hint}"


def _bad_value(error: Any, param: Any, words: Sequence[str]) -> str:
    options = [name for name in param.opts if name.startswith("-")]
    option = _typed(words, options)
    text = str(error.message)
    if option is None:
        return f"{'/'.join(options) or param.name}: {text[0].lower()}{text[1:].rstrip('.')}"
    place = max(index for index, word in enumerate(words) if word.partition("=")[0] == option)
    value = words[place].partition("=")[2] or next(iter(words[place + 1 :]), "")
    allowed = "a whole number" if "integer" in text else "a number"
    # Versions of Typer say it in words, or as the range.
    for limit, words_before in (
        ("of at least", "greater than or equal to |x>="),
        ("up to", "less than or equal to |x<="),
    ):
        found = re.search(rf"(?:{words_before})(-?[\d.]+\b)", text)
        allowed = f"numbers {limit} {float(found[1]):g}" if found else allowed
    return f"{option}: {quote(value)} is not allowed; allowed: {allowed}"


def _typed(words: Sequence[str], options: Sequence[str]) -> str | None:
    """Return the spelling of an option that was typed last; None for none."""
    return next((head for head in (word.partition("=")[0] for word in reversed(words)) if head in options), None)


def without_types(command: Any) -> Any:
    """Return a Typer command whose help does not show the Python types of its arguments."""
    for sub_command in getattr(command, "commands", {}).values():
        for param in sub_command.params:
            if hasattr(param, "display_type_rich"):  # of newer versions
                param.display_type_rich = lambda ctx: ""
    return command
