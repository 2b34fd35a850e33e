// SPDX-License-Identifier: Apache-2.0
// What goes into an enclave image is looked at before it does: a kernel, a program or a module that
// cannot start would be noticed only when an enclave dies without a word, as it has no console.
// Bytes of any length, read within their bounds. Who may include it: cli.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

// A bzImage for x86-64 (Linux, Documentation/arch/x86/boot.rst). `release` becomes a view of its
// version, as `uname -r` says it, or no bytes when it has none.
FALLIBLE bootfile_kernel(struct bytes *release, struct bytes file);
// A program for x86-64 that needs no other file: no interpreter, no shared library.
FALLIBLE bootfile_init(struct bytes file);
// A kernel module for x86-64, not compressed.
FALLIBLE bootfile_module(struct bytes file);
