#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# What is installed can be used, in C and in C++: by pkg-config (shared and
# static), and by CMake's find_package(). MTLS_BUILD_DIR is the build to install.
set -euo pipefail

# A program that is not sanitized can't link a library that is.
if grep -q '^MTLS_SANITIZE:STRING=.' "$MTLS_BUILD_DIR/CMakeCache.txt"; then
    exit 77
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp "$MTLS_BUILD_DIR/test/readme_client.c" "$dir/program.c"
cp "$dir/program.c" "$dir/program.cc"
usage() {
    local status=0
    "$@" || status=$?
    [ $status -eq 2 ] # what it says when it has no arguments
}

cmake --install "$MTLS_BUILD_DIR" --prefix "$dir/usr" >"$dir/log"
lib=$(dirname "$(find "$dir/usr" -name libmtls.so)")
export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib

read -r -a shared < <(pkg-config --cflags --libs mtls)
read -r -a static < <(pkg-config --static --cflags --libs mtls)
for source in program.c program.cc; do
    compiler=cc
    [ $source = program.c ] || compiler=c++
    $compiler -Wall -Wextra -Werror -o "$dir/shared" "$dir/$source" \
        "${shared[@]}"
    ldd "$dir/shared" | grep "libmtls.so.0 => $lib" >/dev/null
    usage "$dir/shared"
    $compiler -o "$dir/static" "$dir/$source" \
        "${static[@]/#-lmtls/-l:libmtls.a}"
    usage "$dir/static"
done

mkdir "$dir/project"
cp "$dir/program.c" "$dir/program.cc" "$dir/project"
cat >"$dir/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.18)
project(program C CXX)
find_package(mtls 0.1 REQUIRED)
add_executable(program program.c)
target_link_libraries(program PRIVATE mtls::bio)
add_executable(program_cc program.cc)
target_link_libraries(program_cc PRIVATE mtls::bio)
END
cmake -S "$dir/project" -B "$dir/project/build" \
    -DCMAKE_PREFIX_PATH="$dir/usr" >>"$dir/log"
cmake --build "$dir/project/build" >>"$dir/log"
usage "$dir/project/build/program"
usage "$dir/project/build/program_cc"
