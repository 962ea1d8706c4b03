#!/bin/sh
# Set up what the engine needs: a virtual environment from the locks, then Asterisk.
# usage: tools/setup.sh [dev]    dev adds what the tests need.  Running it again does no work twice.
set -eu
cd "$(dirname "$0")/.."
kind=${1:-run}
venv=.venv
case $kind in dev) lock=requirements-dev.lock ;; *) lock=requirements.lock ;; esac

say() { printf '%s\n' "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

python=
for candidate in ${PYTHON:-} python3 python3.11 python3.12 python3.13; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || fail "Python 3.11 or newer is needed: install it (on Debian 12: apt-get install python3), or set PYTHON."

apt_install() { # packages: only as root, and only what is missing
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing $*"
    apt-get -qq update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install "$@" >/dev/null
}

# apt's own index must be there before Debian's Asterisk can be unpacked
if command -v apt-get >/dev/null && [ -z "$(apt-get indextargets --format '$(FILENAME)' 'Created-By: Packages' 2>/dev/null | xargs -r ls 2>/dev/null | head -n 1)" ] && [ "$(id -u)" = 0 ]; then
    say "reading the package index"
    apt-get -qq update >/dev/null || say "apt-get update failed; going on"
fi

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
    if ! "$python" -m venv "$venv" >/dev/null 2>&1; then
        rm -rf "$venv"
        apt_install python3-venv || fail "Python has no venv module: apt-get install python3-venv (as root), then run again."
        "$python" -m venv "$venv"
    fi
fi

want=$(cat requirements-build.lock "$lock" pyproject.toml | sha256sum | cut -d' ' -f1)
have=$(cat "$venv/.installed-$kind" 2>/dev/null || true)
if [ "$want" != "$have" ]; then
    say "installing Python packages from $lock (hashes are checked)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock -r "$lock"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
    echo "$want" > "$venv/.installed-$kind"
fi

if [ "$kind" = dev ]; then
    command -v sipp >/dev/null || apt_install sip-tester || say "SIPp will be unpacked when it is first needed"
    command -v baresip >/dev/null || apt_install baresip-core || say "baresip will be unpacked when it is first needed"
    command -v nft >/dev/null || [ -x /usr/sbin/nft ] || apt_install nftables || say "no nft here: the test of the firewall will fail; install nftables"
    # unpacked, not installed: an installed fail2ban would begin to ban on this machine
    fail2ban=${HOME:-/root}/.cache/ivr12345/fail2ban
    command -v fail2ban-regex >/dev/null || [ -d "$fail2ban" ] || (
        fetched=$(mktemp -d) && cd "$fetched" && apt-get -qq download fail2ban >/dev/null 2>&1 \
            && dpkg-deb -x fail2ban_*.deb "$fail2ban" && rm -rf "$fetched"
    ) || say "no fail2ban here: the test of its filter will fail; install fail2ban"
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || apt_install postgresql-common postgresql \
        || say "no PostgreSQL here: its tests will say that they were skipped"
fi

exec "$venv/bin/ivr" setup
