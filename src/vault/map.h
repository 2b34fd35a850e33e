// SPDX-License-Identifier: Apache-2.0
// How much of the arena the vault's threads get as their stacks, and how long it waits for the
// security module. One object of constants; src/vault/map.c has it for every program of the
// product. A test program that needs more for what its compiler adds (ThreadSanitizer keeps 0.8
// MiB of its own on each stack) links an object of its own before the vault's archive.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct map {
    size_t worker_stack, nsm_stack; // bytes, whole pages
    int64_t nsm_ms;                 // for one request of the security module
};

extern const struct map map_this;
