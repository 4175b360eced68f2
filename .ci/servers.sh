#!/usr/bin/env bash
# Installs the authorization servers that others wrote, and the browser, for the tests `servers` of
# oauth2-proto-reqwest and `web` of oauth2-proto-hyper. Versions are pinned beside the former; glewlwyd's
# and the browser's are Debian's.
# What is there already is left alone. Missing Debian packages take root.
set -euo pipefail
cd "$(dirname "$0")/.."

# The test looks here.
servers=${CARGO_TARGET_DIR:-$PWD/target}/servers
pinned=$PWD/oauth2-proto-reqwest/tests/servers
mkdir -p "$servers"

packages=()
needs() {
    command -v "$1" >/dev/null || packages+=("${@:2}")
}
needs glewlwyd glewlwyd sqlite3
needs sqlite3 sqlite3
needs chromium chromium
needs chromedriver chromium-driver
needs node nodejs
needs npm npm
needs python3 python3 python3-venv
if [ ${#packages[@]} -gt 0 ]; then
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"
fi

# Installs again when what is pinned has changed, and never leaves half an installation behind.
install() {
    local name=$1 lock=$2
    if ! cmp -s "$pinned/$name/$lock" "$servers/$name/$lock"; then
        rm -rf "${servers:?}/$name"
        mkdir "$servers/$name"
        "install_$name" "$servers/$name"
        cp "$pinned/$name/$lock" "$servers/$name/$lock"
    fi
}

install_oidc-provider() {
    cp "$pinned/oidc-provider/package.json" "$1"
    # npm wants the lock file where it installs; under this name it counts as installed.
    cp "$pinned/oidc-provider/package-lock.json" "$1/npm-shrinkwrap.json"
    (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund)
}

install_django-oauth-toolkit() {
    python3 -m venv "$1/venv" ||
        { apt-get update && apt-get install -y --no-install-recommends python3-venv &&
            python3 -m venv --clear "$1/venv"; }
    "$1/venv/bin/pip" install --disable-pip-version-check --quiet --no-deps \
        --requirement "$pinned/django-oauth-toolkit/requirements.txt"
}

install oidc-provider package-lock.json
install django-oauth-toolkit requirements.txt
glewlwyd --version
