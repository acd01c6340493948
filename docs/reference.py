"""Writes the pages of options and keywords from the table of parameters."""

from __future__ import annotations

from pathlib import Path

from nbnumba.commandline.help import COMMANDS
from nbnumba.parameters.table import KEYWORDS, NANOBRAGG, SUBJECT_OF, VARYING


def write(folder: Path) -> None:
    """Write options.md and keywords.md into a folder."""
    (folder / "options.md").write_text(_options(), "utf-8")
    (folder / "keywords.md").write_text(_keywords(), "utf-8")


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;").replace("*", r"\*").strip()


def _options() -> str:
    lines = [
        "# Options of the command line",
        "",
        "A name may be written with two dashes, and may be longer than here (`-matrix` for `-mat`) but never shorter. "
        "Options marked *exact name* count only as they are written here. Of options that contradict each other the "
        "last one counts.",
        "",
        "| command | |",
        "|---|---|",
        "| `nbnumba OPTIONS` | render an image |",
        *(f"| `nbnumba {name}` | {_cell(what)} |" for name, what in COMMANDS.items()),
        "",
        "Each of these commands has `--help`.",
    ]
    for title, group in NANOBRAGG.groups.items():
        lines += ["", f"## {title}", "", "| option | | default |", "|---|---|---|"]
        for option in group:
            parameter = option.parameter
            exact = " *(exact name)*" if option.key in option.whole or option.own else ""
            others = ", ".join(f"`{name}`" for name in option.spellings[1:])
            unit = f" [{parameter.unit.symbol}]" if parameter.unit.symbol else ""
            what = _cell(f"{option.help or parameter.help}{unit}") + (f"; also {others}" if others else "") + exact
            typed = f"{option.key} {option.values}".strip().replace("|", "/")
            lines.append(f"| `{typed}` | {what} | {_cell(parameter.default or '')} |")
    return "\n".join(lines) + "\n"


def _keywords() -> str:
    lines = [
        "# Keywords of Python and TOML",
        "",
        "`nbnumba.Experiment(...)`, the TOML files of `Experiment.from_file`, and `[vary]` of batches take them. "
        "The unit is part of a name where it is not SI. *batch* marks those that may vary in a batch.",
    ]
    subject = ""
    for name, parameter in KEYWORDS.items():
        if SUBJECT_OF[name] != subject:
            subject = SUBJECT_OF[name]
            lines += ["", f"## {subject}", "", "| keyword | option | | batch |", "|---|---|---|---|"]
        spellings = [f"`{option.key}`" for option in NANOBRAGG.options if option.parameter is parameter]
        unit = f" [{parameter.unit.symbol}]" if parameter.unit.symbol else ""
        note = " ".join((parameter.note or parameter.help + unit).split())
        varies = "yes" if name in VARYING else ""
        lines.append(f"| `{name}` | {', '.join(spellings)} | {_cell(note)} | {varies} |")
    return "\n".join(lines) + "\n"
