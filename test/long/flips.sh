#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
# Every single bit of genuine attestation documents, changed one after the other (flips.c).
CMOCKA_MESSAGE_OUTPUT=TAP exec "${CLOISTER_BUILD:-build}/test/long/flips"
