#!/bin/sh
# Makes .venv and installs this project into it, editable, with the given extras.
#
#   tools/venv.sh dev            what `make` calls; takes about a minute the first time
#   PYTHON=/some/python3.12 ...  to choose the interpreter
#
# Says what is missing, with the command that installs it, and stops.
set -eu

extras=${1:?usage: tools/venv.sh EXTRAS}
venv=.venv
log=$venv/install.log
oldest="3, 11"

say() { printf '%s\n' "$*" >&2; }

# The command that installs a system package here: $1 on Debian, $2 on Fedora,
# $3 on Arch, $4 on Alpine, $5 on openSUSE.
install_command() {
    sudo=
    [ "$(id -u)" -eq 0 ] || sudo="sudo "
    if command -v apt-get >/dev/null; then
        say "    ${sudo}apt-get update && ${sudo}apt-get install -y $1"
    elif command -v dnf >/dev/null; then
        say "    ${sudo}dnf install -y $2"
    elif command -v pacman >/dev/null; then
        say "    ${sudo}pacman -S --needed $3"
    elif command -v apk >/dev/null; then
        say "    ${sudo}apk add $4"
    elif command -v zypper >/dev/null; then
        say "    ${sudo}zypper install -y $5"
    else
        say "    with your system's package manager (Debian calls it $1)"
    fi
}

new_enough() {
    "$1" -c "import sys; sys.exit(sys.version_info < ($oldest))" 2>/dev/null
}

# A plain `python3` first: it is the one whose venv module is usually installed.
find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null && new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    say "missing: Python 3.11 or newer. Install it:"
    install_command "python3 python3-venv" python3.11 python python3 python311
    say "or name one: make PYTHON=/path/to/python3.12 ..."
    exit 1
}

[ "$(uname -s)" = Linux ] || say "note: navstar and the lab need Linux; lashup runs on"

# A virtual environment whose interpreter has gone, or is too old, is no use.
if [ -e $venv ] && ! new_enough $venv/bin/python; then
    say "$venv holds no working Python >= 3.11: making it anew"
    rm -rf $venv
fi
if ! [ -e $venv/bin/pip ]; then
    python=$(find_python)
    if ! "$python" -c "import ensurepip, venv" 2>/dev/null; then
        say "missing: the venv module of $python. Install it:"
        install_command python3-venv python3-pip python-pip py3-pip python311-pip
        exit 1
    fi
    say "making $venv with $("$python" --version)"
    "$python" -m venv $venv
fi

say "installing lashup[$extras] into $venv"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1
{
    status=0
    $venv/bin/python -m pip install --editable ".[$extras]" 2>&1 || status=$?
    printf 'pip-status %d\n' $status
} | tee $log | if [ -t 2 ]; then
    # One line that shows how far it is, for somebody who watches.
    awk '/^Collecting/ { printf "\r\033[K  %d: %s", ++n, $2 > "/dev/stderr" }
         /^Installing/ { printf "\r\033[K  installing" > "/dev/stderr" }
         END { printf "\r\033[K" > "/dev/stderr" }'
else
    cat >/dev/null
fi
if ! grep -q '^pip-status 0$' $log; then
    say "pip could not install it; the end of $log:"
    tail -n 15 $log >&2
    say "(it needs a Python package index; behind a proxy or a mirror: pip config)"
    exit 1
fi
