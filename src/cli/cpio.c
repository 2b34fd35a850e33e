// SPDX-License-Identifier: Apache-2.0
// Sizes are 32 bits wide in this form; the image that takes the archive is smaller still.
#include "cli/cpio.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>

#define ALIGN   4U
#define BLOCK   512U
#define FIELD   8
#define TRAILER "TRAILER!!!"

struct cpio cpio_of(struct wr *wr)
{
    return (struct cpio) { .wr = wr, .start = wr->len, .inode = 1, .last = "" };
}

static void pad(struct cpio *cpio, size_t multiple)
{
    while ((cpio->wr->len - cpio->start) % multiple != 0 && !cpio->wr->bad)
        wr_u8(cpio->wr, 0);
}

static void put_field(struct wr *wr, uint32_t value)
{
    char digits[FIELD + 1];

    (void)snprintf(digits, sizeof(digits), "%08x", (unsigned)value);
    wr_str(wr, digits);
}

static void put_head(struct cpio *cpio, const char *name, uint32_t mode, size_t n)
{
    bool is_trailer = mode == 0;
    uint32_t links = (mode & CPIO_DIR) == CPIO_DIR ? 2 : 1;
    const uint32_t fields[] = {
        is_trailer ? 0 : cpio->inode++,
        mode,
        0, // uid and gid: root
        0,
        links,
        0, // time
        (uint32_t)n,
        0, // device of the file system, and of the node
        0,
        0,
        0,
        (uint32_t)strlen(name) + 1,
        0, // checksum: not in this form
    };

    wr_str(cpio->wr, "070701");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        put_field(cpio->wr, fields[i]);
    wr_str(cpio->wr, name);
    wr_u8(cpio->wr, 0);
    pad(cpio, ALIGN);
}

uint8_t *cpio_add(struct cpio *cpio, const char *name, uint32_t mode, size_t n)
{
    uint8_t *room;

    must(strcmp(cpio->last, name) < 0 && name[0] != '/' && mode != 0);
    if (n > UINT32_MAX)
        wr_refuse(cpio->wr);
    cpio->last = name;
    put_head(cpio, name, mode, n);
    room = wr_room(cpio->wr, n);
    pad(cpio, ALIGN);
    return room;
}

void cpio_end(struct cpio *cpio)
{
    put_head(cpio, TRAILER, 0, 0);
    pad(cpio, BLOCK);
}
