#!/usr/bin/env bash
# Sets up .venv in this checkout (once, and again when pyproject.toml changes), then
#   ./run.sh example [FOLDER]         renders the example picture into FOLDER (default: example-output)
#   ./run.sh test [pytest arguments]  runs the tests
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=$root/.venv

fail() { echo "run.sh: $*" >&2; exit 1; }

usable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local candidate candidates=(python3 python3.14 python3.13 python3.12 python3.11)
    [ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        if usable "$candidate"; then echo "$candidate"; return; fi
    done
    candidate=${candidates[0]}
    fail "needs Python 3.11 or newer, $candidate is $("$candidate" --version 2>/dev/null || echo missing); set PYTHON to one"
}

make_venv() {
    local python
    python=$(find_python)
    # Debian and Ubuntu split ensurepip, which venv needs, into a package of its own.
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        local package
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        { apt-get update && apt-get install -y "$package"; } >/dev/null 2>&1 </dev/null || true
    fi
    if "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        "$python" -m venv --clear "$venv" || fail "could not make $venv"
    elif "$python" -m virtualenv --version >/dev/null 2>&1; then
        "$python" -m virtualenv --clear --quiet "$venv" || fail "could not make $venv"
    else
        fail "$python lacks the venv module (Debian, Ubuntu: apt install python3-venv)"
    fi
}

# install WHAT STAMP...: pip install this checkout unless the first stamp says that nothing changed since.
install() {
    "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || make_venv
    local what=$1 state stamp
    shift
    state="$root $(cksum <"$root/pyproject.toml") $("$venv/bin/python" --version)"
    if [ "$(cat "$venv/$1" 2>/dev/null || true)" != "$state" ]; then
        echo "run.sh: installing into $venv" >&2
        (cd "$root" && "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$what" </dev/null) ||
            fail "pip could not install $what (the first run needs the network)"
        for stamp in "$@"; do echo "$state" >"$venv/$stamp"; done
    fi
}

case ${1:-} in
    example)
        shift
        install . installed-run
        exec "$venv/bin/python" -m nbnumba.example "${@:-$root/example-output}"
        ;;
    test)
        shift
        install ".[test]" installed-test installed-run
        cd "$root"
        # The whole suite is shared by as many processes as there are cores; the tests of a file stay together.
        [ $# -gt 0 ] || set -- --numprocesses logical --maxprocesses 8 --dist loadfile
        exec "$venv/bin/python" -m pytest "$@"
        ;;
    *)
        fail "usage: ./run.sh example [FOLDER] | test [pytest arguments]"
        ;;
esac
