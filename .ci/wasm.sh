#!/usr/bin/env bash
# Builds the core and a login (.ci/wasm) for wasm32-unknown-unknown, fails if the module imports
# anything, and logs in with it. What it needs besides Rust is installed where it is missing, which
# takes root on a Debian.
set -euo pipefail
cd "$(dirname "$0")/.."

target=wasm32-unknown-unknown
target_dir=${CARGO_TARGET_DIR:-$PWD/target}

install() {
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# The default toolchain may come without the standard library for this target, and adding it is a
# download of its own kind. Debian's compiler for web engines comes with the library's source.
export RUSTC=/usr/bin/rustc
cargo=/usr/bin/cargo
[ -x "$RUSTC" ] && [ -x "$cargo" ] && [ -e /usr/lib/rustlib/src/rust/library/std ] ||
    install rustc-web cargo-web rust-web-src
llvm=$("$RUSTC" --version --verbose | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
command -v "wasm-ld-$llvm" >/dev/null || install "lld-$llvm"
command -v node >/dev/null || install nodejs

# The standard library is built once per compiler, into a sysroot of our own, so that everything
# after it is an ordinary build with stable features.
version=$("$RUSTC" --version | cut -d' ' -f2)
sysroot=$target_dir/sysroot-$version
library=$sysroot/lib/rustlib/$target/lib
if [ ! -e "$library" ]; then
    empty=$(mktemp -d)
    trap 'rm -rf "$empty"' EXIT
    mkdir "$empty/src"
    touch "$empty/src/lib.rs"
    cat >"$empty/Cargo.toml" <<'TOML'
[package]
name = "empty"
edition = "2024"
[profile.release]
panic = "abort"
TOML
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes "$cargo" build --quiet --release \
        -Z build-std=std,panic_abort --target "$target" \
        --manifest-path "$empty/Cargo.toml" --target-dir "$empty/target"
    mkdir -p "$library.part"
    find "$empty/target/$target/release" -name '*.rlib' ! -name 'libempty*' \
        -exec cp {} "$library.part" ';'
    mv "$library.part" "$library"
fi

export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-$llvm
# Paths end up in the module; without their machine's part its size is the same everywhere.
flags=(--sysroot "$sysroot" "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=")
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && printf '%s' "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS
"$cargo" build --release --target "$target" --manifest-path .ci/wasm/Cargo.toml \
    --target-dir "$target_dir"
node .ci/wasm/host.mjs "$target_dir/$target/release/oauth2_proto_wasm.wasm"
