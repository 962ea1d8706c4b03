#!/bin/sh
# Prove both commands on a bare Debian 12, as root: build one with mmdebstrap, clone what is committed here into it,
# `make run` with one call, then `make test`, in which no test may fail and none may be skipped.
# usage: tools/bare_root.sh                             both, on a fresh root; needs root, mmdebstrap, 3 GB, a network
#        TESTS="tests/store tests/unit/test_audio.py"   instead of `make test`: set-up, and only these tests
#        ROOT=folder                                    keep the root there, and use it again the next time
# The root takes this machine's settings of apt, pip and certificates, and its proxies; nothing of them is printed.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
say() { printf '%s bare root: %s\n' "$(date +%T)" "$*" >&2; }
fail() { say "$*"; exit 1; }

[ "$(id -u)" = 0 ] || fail "this builds a system of its own: run it as root."
command -v mmdebstrap >/dev/null || fail "mmdebstrap is needed: apt-get install mmdebstrap"

if [ "${1:-}" = inside ]; then # the second half, in mounts and processes of its own that end with it
    root=$2
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys" -o ro || mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    in_root() { # what comes from outside: proxies, certificates, pip's settings
        env -i HOME=/root TERM=dumb PATH="$path" \
            $(env | grep -iE '^(https?_proxy|no_proxy|pip_[a-z_]+|ssl_cert_[a-z]+|curl_ca_bundle|requests_ca_bundle)=[^ ]*$') "$@"
    }
    alone() { unshare --net sh -c 'ip link set lo up && exec "$@"' sh "$@"; } # no network, and nobody else's ports
    say "make setup"
    in_root chroot "$root" make -C /root/ivr setup
    say "make run, one call, Ctrl-C"
    in_root chroot "$root" sh -c 'cd /root/ivr && git status --porcelain' | grep . && fail "set-up changed the checkout"
    alone chroot "$root" env -i HOME=/root PATH="$path" sh -c 'cd /root/ivr && .venv/bin/python -m tools.bare.first_call'
    say "make setup-dev"
    in_root chroot "$root" make -C /root/ivr setup-dev
    if [ -n "${TESTS:-}" ]; then
        set -- sh -c "cd /root/ivr && .venv/bin/python -m pytest -n 2 --dist loadfile $TESTS"
    else
        set -- make -C /root/ivr test
    fi
    say "tests: $*"
    rm -f "$root/root/report.xml"
    status=0
    alone chroot "$root" env -i HOME=/root PATH="$path" PYTEST_ADDOPTS="--junitxml=/root/report.xml" "$@" || status=$?
    [ -s "$root/root/report.xml" ] || fail "no test was run (status $status)"
    python3 "$here/tools/bare/verdict.py" "$root/root/report.xml" || status=1
    [ "$status" = 0 ] || fail "not proved (status $status)"
    say "both commands work on a bare Debian 12"
    exit 0
fi

root=${ROOT:-$(mktemp -d /var/tmp/bare-root.XXXXXX)}
scrap() { [ -n "${ROOT:-}" ] || rm -rf --one-file-system "$root"; }
trap scrap EXIT
trap 'exit 130' INT TERM

if [ ! -e "$root/etc/debian_version" ]; then
    say "building Debian 12 in $root"
    set -- # this machine's own sources
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ ! -s "$list" ] || set -- "$@" "$list"
    done
    mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,make,git,ca-certificates \
        --setup-hook='mkdir -p "$1/etc/apt" && cp -a /etc/apt/apt.conf.d /etc/apt/auth.conf.d /etc/apt/trusted.gpg.d "$1/etc/apt/"' \
        bookworm "$root" "$@"
    cp -a /etc/apt/. "$root/etc/apt/"
    rm -f "$root"/etc/apt/sources.list.d/0000*
fi
for file in /etc/pip.conf /root/.config/pip /root/.pip /usr/local/share/ca-certificates \
    "${SSL_CERT_FILE:-}" "${PIP_CERT:-}" "${CURL_CA_BUNDLE:-}" "${REQUESTS_CA_BUNDLE:-}"; do
    [ ! -e "$file" ] || { mkdir -p "$root$(dirname "$file")" && cp -rL "$file" "$root$(dirname "$file")/"; }
done
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
chroot "$root" update-ca-certificates >/dev/null 2>&1

rm -rf "$root/root/ivr"
git clone --quiet --no-hardlinks "$here" "$root/root/ivr"
say "clone of $(git -C "$root/root/ivr" log -1 --format='%h %s')"
unshare --mount --pid --fork --kill-child "$0" inside "$root"
