#!/usr/bin/env bash
# Copyright 2026 The MTLS for OpenSSL authors.
# SPDX-License-Identifier: Apache-2.0

# The demo, with a smaller file: nginx and redis through one TLS connection.
exec "$(dirname "$0")/../demo.sh" "$MTLS" 16
