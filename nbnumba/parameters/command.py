"""A parsed command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .choices import ComputeOptions
from .given import Given
from .settings import Settings


@dataclass(frozen=True)
class Output:
    """Where the results go and how they are scaled; names are paths as typed."""

    float_file: str = "floatimage.bin"
    int_file: str | None = "intimage.img"
    noise_file: str | None = "noiseimage.img"  # None: -nonoise
    pgm_file: str | None = "image.pgm"  # None: -nopgm
    png_file: str | None = None
    rings: bool = False
    annotate: bool = False
    h5_file: str | None = None
    h5_data: str | None = None  # "photons", "counts"; None: counts where there is a readout
    cbf_file: str | None = None
    spots_file: str | None = None
    truth_file: str | None = None
    good_pixels_file: str | None = None
    scale: float | None = None  # of the integer image; None: 55000 / maximum
    pgm_scale: float | None = None
    adc: float = 40.0
    seed: int | None = None  # of the noise; None: from the time
    noise_rng: str = "c"  # "c", "counter": whose random numbers the noise is drawn with
    smv_header: str | None = None  # "c", "dials", "adxv"; None: by semantics
    quiet: bool = False
    progress: bool = True
    trace_pixel: tuple[int, int] | None = None  # slow, fast
    trace_file: str | None = None
    show_config: str | None = None  # "text", "json": print the experiment and end

    @property
    def shows_progress(self) -> bool:
        """Tell whether long work shows a bar."""
        return self.progress and not self.quiet


@dataclass(frozen=True)
class CommandLine:
    """A parsed command line: the settings, where results go, and what to tell the user.

    `notices` are one-line remarks for standard error, in the order met; `used` are the names, as in the help, of
    the options that were typed, each once; `words` are all words as typed, and `given` what they say.
    """

    settings: Settings = field(default_factory=Settings)
    output: Output = field(default_factory=Output)
    compute: ComputeOptions = field(default_factory=ComputeOptions)
    notices: tuple[str, ...] = ()
    used: tuple[str, ...] = field(default=(), compare=False)
    words: tuple[str, ...] = field(default=(), compare=False)
    given: tuple[Given, ...] = field(default=(), compare=False)

    def typed(self) -> dict[str, Any]:
        """Return what was given by parameter, each in its own unit, in the order of the line; of several the last."""
        found: dict[str, Any] = {}
        for item in self.given:
            found.pop(item.parameter.name, None)
            found[item.parameter.name] = item.values[0] if len(item.values) == 1 else item.values
        return found

    def gives(self, *names: str) -> bool:
        """Tell whether one of some parameters was given."""
        return any(item.parameter.name in names for item in self.given)
