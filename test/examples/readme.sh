#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# The diffs that README.md shows are those that are applied and run.
set -u
cd "$MTLS_SOURCE_DIR" || exit 1
shown=$(awk '/^```diff$/ { on = 1; next } /^```$/ { on = 0 } on' README.md)
kept=$(cat doc/examples/plain_client.diff doc/examples/plain_server.diff)
if [ "$shown" != "$kept" ]; then
    echo "README.md shows other diffs than doc/examples/ has:"
    diff <(echo "$shown") <(echo "$kept")
    exit 1
fi
