#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# What is installed can be used: by pkg-config (shared and static), and by
# CMake's find_package(). MTLS_BUILD_DIR is the build to install.
set -euo pipefail

# A program that is not sanitized can't link a library that is.
if grep -q '^MTLS_SANITIZE:STRING=.' "$MTLS_BUILD_DIR/CMakeCache.txt"; then
    exit 77
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
program=$MTLS_BUILD_DIR/test/readme_client.c
usage() {
    local status=0
    "$@" || status=$?
    [ $status -eq 2 ] # what it says when it has no arguments
}

cmake --install "$MTLS_BUILD_DIR" --prefix "$dir/usr" >"$dir/log"
lib=$(dirname "$(find "$dir/usr" -name libmtls.so)")
export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib

read -r -a flags < <(pkg-config --cflags --libs mtls)
cc -o "$dir/shared" "$program" "${flags[@]}"
ldd "$dir/shared" | grep -q "libmtls.so.0 => $lib"
usage "$dir/shared"

read -r -a flags < <(pkg-config --static --cflags --libs mtls)
cc -o "$dir/static" "$program" "${flags[@]/#-lmtls/-l:libmtls.a}"
usage "$dir/static"

mkdir "$dir/project"
cp "$program" "$dir/project/program.c"
cat >"$dir/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.18)
project(program C)
find_package(mtls 0.1 REQUIRED)
add_executable(program program.c)
target_link_libraries(program PRIVATE mtls::bio)
END
cmake -S "$dir/project" -B "$dir/project/build" \
    -DCMAKE_PREFIX_PATH="$dir/usr" >>"$dir/log"
cmake --build "$dir/project/build" >>"$dir/log"
usage "$dir/project/build/program"
