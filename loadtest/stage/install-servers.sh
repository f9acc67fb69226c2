#!/usr/bin/env bash
# Set-up step of `make demo` and `make test`: makes sure that the programs the stage starts are installed, and that cargo
# has the subcommands given as arguments (the tests need fmt and clippy, the demo does not).
# Tests, which are told by clippy being asked for, need an SMTP server too.
# Installs only what is missing, only where apt-get exists, and says so first. Servers that already run are neither
# stopped nor restarted, and the packages' own services are not started: the stage runs private ones.
set -euo pipefail

# Debian keeps server programs in sbin, which an ordinary user's PATH often leaves out.
PATH="$PATH:/usr/sbin:/usr/local/sbin:/sbin"

APT_TRIES_MAX=3
APT_LOCK_WAIT_SECONDS=120
POLICY=/usr/sbin/policy-rc.d
POLICY_MARK='# doorbuster: written for the time of one package installation, removed right after it'

PAGES="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/backoffice/tests/pages"

say() { printf 'set-up: %s\n' "$*"; }
fail() { printf 'set-up: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
# Any python3 will do that has the module: the system's own need not be the first one.
has_mail() {
    local python
    while read -r python; do
        "$python" -c 'import aiosmtpd' 2>/dev/null && return 0
    done < <(type -ap python3)
    return 1
}
has_database() { { has mariadbd && has mariadb-install-db; } || has mysqld; }

has_chromium() { [ -n "${CHROMIUM:-}" ] || [ -x /usr/bin/chromium ]; }

# What drives the browser is npm's; its versions are in the lock file.
for_tests() {
    case " $* " in *' clippy '*) ;; *) return 0 ;; esac
    has_chromium || fail "chromium is missing: install it, and set CHROMIUM to where it is unless that is /usr/bin/chromium"
    { has node && has npm; } || fail "node and npm are missing: apt-get install nodejs npm"
    cmp -s "$PAGES/package-lock.json" "$PAGES/node_modules/.installed" && return 0
    say "installing what drives the browser in tests: npm ci in $PAGES"
    (cd "$PAGES" && npm ci --ignore-scripts --no-audit --no-fund) || fail "npm ci failed in $PAGES: see its message above"
    cp "$PAGES/package-lock.json" "$PAGES/node_modules/.installed"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -q -o "DPkg::Lock::Timeout=$APT_LOCK_WAIT_SECONDS" -o Dpkg::Use-Pty=0 "$@"
}

# The package index has a lock that apt-get does not wait for, and mirrors fail now and then: hence the second try.
# A list that stays stale is not fatal, because the installation after it says what it cannot find.
refresh_index() {
    local try
    for try in $(seq "$APT_TRIES_MAX"); do
        apt_get update && return 0
        sleep "$try"
    done
    say "apt-get update failed; going on with the package lists as they are"
}

drop_policy() {
    if grep -qsF "$POLICY_MARK" "$POLICY"; then as_root rm -f "$POLICY"; fi
}

# Debian's packages start their services unless policy-rc.d forbids it. One that the machine already has is left alone.
forbid_service_starts() {
    drop_policy # left by a run of this script that was killed
    [ -e "$POLICY" ] && return 0
    trap drop_policy EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
}

install_packages() {
    has apt-get || fail "missing: $*. There is no apt-get here: install them with this system's package manager, then run again"
    [ "$(id -u)" -eq 0 ] || has sudo || fail "missing: $*. Run as root: apt-get install -y --no-install-recommends $*"
    say "missing: $*. Installing with: apt-get install -y --no-install-recommends $* (their services are not started)"
    forbid_service_starts
    refresh_index
    apt_get install -y --no-install-recommends "$@" ||
        fail "apt-get could not install $*: see its message above, install by hand, then run again"
    drop_policy
    if [ -d /run/systemd/system ]; then
        say "note: systemd may start these services at the next boot; prevent it with: systemctl disable redis-server mariadb"
    fi
}

has cargo || fail "cargo is missing: install Rust 1.94 or newer, see https://rustup.rs"
for subcommand in "$@"; do
    cargo "$subcommand" --version >/dev/null 2>&1 ||
        fail "cargo $subcommand is missing: rustup component add rustfmt clippy"
done
has cc || fail "cc (a C compiler and linker, which Rust needs) is missing: apt-get install build-essential"

packages=()
has redis-server || packages+=(redis-server)
has_database || packages+=(mariadb-server)
case " $* " in
*' clippy '*)
    has_mail || packages+=(python3-aiosmtpd)
    has_chromium || packages+=(chromium fonts-noto-cjk)
    has node || packages+=(nodejs)
    has npm || packages+=(npm)
    ;;
esac
if [ "${#packages[@]}" -eq 0 ]; then
    for_tests "$@"
    exit 0
fi

install_packages "${packages[@]}"
for_tests "$@"
has redis-server || fail "redis-server is still missing after the installation: install the package redis-server by hand"
case " $* " in *' clippy '*) has_mail || fail "aiosmtpd is still missing after the installation: install the package python3-aiosmtpd by hand" ;; esac
has_database || fail "mariadbd is still missing after the installation: install the package mariadb-server by hand"
say "redis-server and $(has mariadbd && echo mariadbd || echo mysqld) are installed"
