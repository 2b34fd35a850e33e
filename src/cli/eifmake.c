// SPDX-License-Identifier: Apache-2.0
#include "cli/eifmake.h"

#include "base/must.h"
#include "cli/crc32.h"

#define MAGIC        ".eif"
#define FLAGS_X86    0
#define MEMORY_BYTES (UINT64_C(1) << 30) // the hints that AWS's own builder writes
#define CPUS         2

void eifmake_start(struct eifmake *make, uint8_t *p, size_t cap)
{
    *make = (struct eifmake) { .wr = wr_of(p, cap) };
    (void)wr_room(&make->wr, EIF_HEAD_BYTES);
}

static void put_section_head(struct wr *wr, const struct eif_section *section)
{
    wr_u16(wr, (uint16_t)section->type);
    wr_u16(wr, 0); // flags
    wr_u64(wr, section->n);
}

void eifmake_open(struct eifmake *make, enum eif_type type)
{
    struct eif_section *section = &make->section[make->sections];

    must(make->sections < EIF_SECTIONS_MAX);
    *section = (struct eif_section) { .type = type, .at = make->wr.len };
    make->sections++;
    put_section_head(&make->wr, section);
}

// The size is known now: the section's head is written again.
void eifmake_close(struct eifmake *make)
{
    struct eif_section *section = &make->section[make->sections - 1];
    struct wr head;

    if (make->wr.bad)
        return;
    section->n = make->wr.len - section->at - EIF_SECTION_HEAD_BYTES;
    head = wr_of(make->wr.p + section->at, EIF_SECTION_HEAD_BYTES);
    put_section_head(&head, section);
}

static void put_head(struct wr *wr, const struct eifmake *make)
{
    wr_str(wr, MAGIC);
    wr_u16(wr, EIF_VERSION);
    wr_u16(wr, FLAGS_X86);
    wr_u64(wr, MEMORY_BYTES);
    wr_u64(wr, CPUS);
    wr_u16(wr, 0); // reserved
    wr_u16(wr, (uint16_t)make->sections);
    for (size_t i = 0; i < EIF_SECTIONS_MAX; i++)
        wr_u64(wr, make->section[i].at);
    for (size_t i = 0; i < EIF_SECTIONS_MAX; i++)
        wr_u64(wr, make->section[i].n);
    wr_u32(wr, 0); // reserved
}

struct err eifmake_end(struct eifmake *make, struct bytes *image)
{
    struct wr head;
    uint32_t crc;

    TRY(wr_end(&make->wr));
    ENSURE(make->wr.len <= EIF_BYTES_MAX, ERR_TOO_LARGE, "the image is larger than 512 MiB");
    *image = wr_done(&make->wr);
    head = wr_of(make->wr.p, EIF_HEAD_BYTES);
    put_head(&head, make);
    crc = crc32_add(0, wr_done(&head));
    wr_u32(&head, crc32_add(crc, bytes_skip(*image, EIF_HEAD_BYTES)));
    must(!head.bad && head.len == EIF_HEAD_BYTES);
    return OK;
}
