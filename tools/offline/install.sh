#!/bin/sh
# Install drillctl from this folder, without any network: ./install.sh [FOLDER] (default /opt/drillctl).
# Nothing but FOLDER is written. It must be new: beside an installed version the next one gets a folder of its own.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:-/opt/drillctl}
wanted=$(cat "$here/python-version") # the wheels are compiled for exactly this one

fail() {
    echo "install: $*" >&2
    exit 1
}

fits() { # fits PROGRAM: it runs, and is the Python that the wheels are for
    "$1" -I -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$wanted" >/dev/null 2>&1
}

find_python() { # the one that PYTHON names, else the first in PATH or where pyenv and uv put theirs
    for candidate in "${PYTHON:-python$wanted}" python3 "$HOME"/.pyenv/versions/"$wanted".*/bin/python3 \
        "$HOME"/.local/share/uv/python/cpython-"$wanted".*/bin/python3; do
        if fits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
}

missing_packages() {
    command -v dpkg-query >/dev/null || return 0
    while read -r package; do
        # shellcheck disable=SC2016 # dpkg-query's own ${…}
        case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" in
            installed) ;;
            *) echo "$package" ;;
        esac
    done <"$here/debian-packages.txt"
}

cd "$here"
sha256sum --check --quiet --strict SHA256SUMS >&2 || fail "expected the files as SHA256SUMS has them, found others;" \
    "carry the bundle over again"
python=$(find_python)
[ -n "$python" ] || fail "expected Python $wanted, found none; install it, or name it: PYTHON=/path/to/python ./install.sh"
"$python" -I -c 'import ensurepip, venv' 2>/dev/null || fail "expected $python with venv and ensurepip, found it" \
    "without; on Debian install python3-venv"
if [ -e "$target" ] && [ -n "$(ls -A "$target" 2>/dev/null || echo file)" ]; then
    fail "expected $target to be new or empty, found something there; name another folder: ./install.sh FOLDER"
fi
mkdir -p "$target" 2>/dev/null || fail "expected to make $target, found it cannot be; run as root, or name another folder"
target=$(cd "$target" && pwd)

trap 'echo "install: stopped half-way; expected no error (above); remove $target, then try again" >&2' EXIT
echo "install: $target with $python"
cp -R source/. "$target/"
"$python" -I -m venv "$target/.venv"
pip="$target/.venv/bin/python -I -m pip --isolated --disable-pip-version-check install --quiet --no-index"
export PIP_ROOT_USER_ACTION=ignore
$pip --find-links wheels --only-binary :all: --require-hashes -r requirements.txt
$pip --no-deps --no-build-isolation --editable "$target"
"$target/.venv/bin/drillctl" --version
trap - EXIT
echo "install: done; try: cd $target && .venv/bin/drillctl plan single-centre-failure"

missing=$(missing_packages)
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086 # a list of words
    echo "install: Debian packages that are missing (twins and PDF reports need them):" $missing
fi
