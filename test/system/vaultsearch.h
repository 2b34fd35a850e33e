// SPDX-License-Identifier: Apache-2.0
// Looks for a secret in all of a vault's writable memory. Who may include it: test programs that
// hold a vaulthost.
#pragma once

#include "vaulthost.h"

#include "base/fd.h"
#include "base/must.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEARCH_CHUNK (1U << 20)
// The vault has no mapping so large; a sanitizer's shadow is larger.
#define SEARCH_MAPPING_MAX (1UL << 28)

static bool search_chunk(int memory, off_t from, size_t n, const struct seckey *key)
{
    static uint8_t bytes[SEARCH_CHUNK];
    ssize_t got = pread(memory, bytes, n, from);

    return got > 0 && memmem(bytes, (size_t)got, key->b, sizeof(key->b)) != NULL;
}

static bool search_range(int memory, unsigned long from, unsigned long to, const struct seckey *key)
{
    if (to - from > SEARCH_MAPPING_MAX)
        return false;
    for (; from < to; from += SEARCH_CHUNK - sizeof(key->b)) {
        size_t n = to - from < SEARCH_CHUNK ? to - from : SEARCH_CHUNK;

        if (search_chunk(memory, (off_t)from, n, key))
            return true;
    }
    return false;
}

// Whether the key stands anywhere in the vault's writable memory. The vault wipes its stack after
// it has answered, so one more question makes sure that it is done.
static bool search_vault(struct vaulthost *host, const struct seckey *key)
{
    AUTO(fd_close) int memory = -1;
    char path[64], line[512];
    bool found = false;
    FILE *maps;

    must(vaulthost_call(host, MSG_STATUS, BYTES_NONE).verdict.code == ERR_NONE);
    (void)snprintf(path, sizeof(path), "/proc/%ld/mem", (long)host->pid);
    memory = open(path, O_RDONLY | O_CLOEXEC);
    (void)snprintf(path, sizeof(path), "/proc/%ld/maps", (long)host->pid);
    maps = fopen(path, "re");
    must(memory >= 0 && maps);
    while (fgets(line, sizeof(line), maps)) { // from-to rights ...
        char *rest = line;
        unsigned long from = strtoul(rest, &rest, 16);
        unsigned long to = strtoul(rest + 1, &rest, 16);

        if (strncmp(rest, " rw", 3) == 0)
            found = search_range(memory, from, to, key) || found;
    }
    must(fclose(maps) == 0);
    return found;
}
