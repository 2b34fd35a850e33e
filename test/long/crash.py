#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 1500
"""test/system/crash.py with every system call instead of a sample, and more random deaths."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "system"))
import crash  # noqa: E402

if __name__ == "__main__":
    crash.main(stride=1, rounds=24)
