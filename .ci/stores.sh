#!/usr/bin/env bash
# Installs Debian's Redis and PostgreSQL, for the tests of oauth2-proto-stores, which start servers of
# their own. What is there already is left alone. Missing packages take root.
set -euo pipefail

packages=()
command -v redis-server >/dev/null || packages+=(redis-server)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)

if [ ${#packages[@]} -gt 0 ]; then
    # Debian starts a service for each, which nobody needs, unless this says that it may not.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
    fi
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"
fi
redis-server --version
for initdb in /usr/lib/postgresql/*/bin/initdb; do "$initdb" --version; done
