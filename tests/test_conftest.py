"""The rule for skipped tests: only @requires may skip, and only for what is really missing."""

import shutil
from pathlib import Path

import pytest

pytest_plugins = "pytester"

SUITE = """
from pathlib import Path
import pytest
from requirements import REQUIREMENTS, requires

REQUIREMENTS["the moon"] = lambda: "not in reach"
REQUIREMENTS["a file"] = lambda: None if Path("made").exists() else "not made yet"

@requires("the moon")
def test_needs_what_is_missing():
    raise AssertionError("must not run")

def test_passes():
    pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    here = Path(__file__).parent
    support = ("alone.py", "requirements.py", "dials_programs.py", "dxtbx_reader.py", "large_job.py", "oracles.py")
    for source in ("conftest.py", *(f"support/{name}" for name in support)):
        target = pytester.path / ("tests" if "/" in source else "") / source
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(here / source, target)
    shutil.copyfile(Path(__file__).parent.parent / "pyproject.toml", pytester.path / "pyproject.toml")
    return pytester


def test_missing_requirement_skips_with_its_reason(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_suite=SUITE)
    result = suite.runpytest_subprocess("test_suite.py")
    result.assert_outcomes(passed=1, skipped=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["the moon: not in reach", "*test_needs_what_is_missing"])


def test_any_other_skip_fails(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_suite=SUITE + "\ndef test_skips_itself():\n    pytest.skip('not today')\n")
    suite.makepyfile(test_module="import pytest\npytest.importorskip('no_such_module')\n")
    result = suite.runpytest_subprocess("--continue-on-collection-errors", "test_suite.py", "test_module.py")
    result.assert_outcomes(passed=1, skipped=1, failed=1, errors=1)
    assert result.ret != 0


def test_skip_for_what_is_there_fails(suite: pytest.Pytester) -> None:
    late = "\n@requires('a file')\ndef test_file():\n    pass\n\ndef test_makes_it():\n    Path('made').touch()\n"
    suite.makepyfile(test_suite=SUITE + late)
    result = suite.runpytest_subprocess("test_suite.py")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR: test_suite.py::test_file was skipped although what it needs is here: a file"])


def test_unknown_requirement_is_an_error(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_suite=SUITE + "\n@requires('the sun')\ndef test_sun():\n    pass\n")
    result = suite.runpytest_subprocess("test_suite.py")
    result.assert_outcomes(errors=1)
