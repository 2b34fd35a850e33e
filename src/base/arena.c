// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include "base/ct.h"
#include "base/must.h"

#include <sys/mman.h>
#include <unistd.h>

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

struct err arena_init(struct arena *arena, size_t size)
{
    size_t page = page_bytes();
    uint8_t *all;

    size = round_up(size, page);
    all = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ENSURE(all != MAP_FAILED, ERR_IO, "arena: mmap failed");
    *arena = (struct arena) { .base = all + page, .size = size };
    ENSURE(mprotect(arena->base, size, PROT_READ | PROT_WRITE) == 0, ERR_IO,
           "arena: mprotect failed");
    ENSURE(madvise(arena->base, size, MADV_DONTDUMP) == 0, ERR_IO, "arena: MADV_DONTDUMP failed");
    ENSURE(madvise(arena->base, size, MADV_WIPEONFORK) == 0, ERR_IO,
           "arena: MADV_WIPEONFORK failed");
    ENSURE(mlock(arena->base, size) == 0, ERR_IO, "arena: mlock failed (RLIMIT_MEMLOCK?)");
    return OK;
}

void arena_done(struct arena *arena)
{
    size_t page = page_bytes();

    if (!arena->base)
        return;
    (void)mprotect(arena->base, arena->size, PROT_READ | PROT_WRITE);
    ct_wipe(arena->base, arena->size);
    (void)munmap(arena->base - page, arena->size + 2 * page);
    *arena = (struct arena) { 0 };
}

void *arena_take(struct arena *arena, size_t size, size_t align)
{
    size_t from = round_up(arena->used, align);

    must(from <= arena->size && size <= arena->size - from);
    arena->used = from + size;
    return arena->base + from;
}

void *arena_take_guarded(struct arena *arena, size_t size)
{
    size_t page = page_bytes();
    uint8_t *guard = arena_take(arena, page + round_up(size, page), page);

    must(mprotect(guard, page, PROT_NONE) == 0);
    return guard + page;
}

bool arena_holds(const struct arena *arena, const void *p)
{
    return (const uint8_t *)p >= arena->base && (const uint8_t *)p < arena->base + arena->size;
}
