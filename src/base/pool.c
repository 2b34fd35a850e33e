// SPDX-License-Identifier: Apache-2.0
#include "base/pool.h"

#include "base/ct.h"
#include "base/must.h"

#include <string.h>

#define CLASS_BYTES_MIN 32U
#define HEADER_BYTES    16U
#define HEADER_MARK     0x706f6f6cU

// Stands before each block. A damaged mark or class is a bug that ends the program.
struct header {
    uint32_t mark;
    uint32_t class;
    uint64_t size;
};

_Static_assert(sizeof(struct header) == HEADER_BYTES, "blocks stay 16-byte aligned");

void pool_init(struct pool *pool, void *region, size_t size)
{
    *pool = (struct pool) { .base = region, .size = size };
    must(pthread_mutex_init(&pool->lock, NULL) == 0);
    must((uintptr_t)region % HEADER_BYTES == 0);
}

static size_t class_bytes(uint32_t class)
{
    return (size_t)CLASS_BYTES_MIN << class;
}

static uint32_t class_of(size_t size)
{
    uint32_t class = 0;

    while (class < POOL_CLASSES && class_bytes(class) < size)
        class ++;
    return class;
}

static struct header *header_of(void *p)
{
    struct header *header = (struct header *)((uint8_t *)p - HEADER_BYTES);

    must(header->mark == HEADER_MARK && header->class < POOL_CLASSES);
    return header;
}

// The block from the free list of the class, or a new one from the end of what was used.
static struct header *block_take(struct pool *pool, uint32_t class)
{
    struct header *header = pool->free[class];
    size_t whole = HEADER_BYTES + class_bytes(class);

    if (header) {
        memcpy(&pool->free[class], header + 1, sizeof(void *));
        memset(header + 1, 0, sizeof(void *));
        return header;
    }
    if (whole > pool->size - pool->used)
        return NULL;
    header = (struct header *)(pool->base + pool->used);
    pool->used += whole;
    return header;
}

void *pool_get(struct pool *pool, size_t size)
{
    uint32_t class = class_of(size);
    struct header *header = NULL;

    if (class >= POOL_CLASSES)
        return NULL;
    must(pthread_mutex_lock(&pool->lock) == 0);
    header = block_take(pool, class);
    if (header) {
        *header = (struct header) { .mark = HEADER_MARK, .class = class, .size = size };
        pool->live_bytes += class_bytes(class);
        if (pool->live_bytes > pool->live_bytes_max)
            pool->live_bytes_max = pool->live_bytes;
    }
    must(pthread_mutex_unlock(&pool->lock) == 0);
    return header ? header + 1 : NULL;
}

void pool_put(struct pool *pool, void *p)
{
    struct header *header;

    if (!p)
        return;
    header = header_of(p);
    ct_wipe(p, header->size);
    must(pthread_mutex_lock(&pool->lock) == 0);
    memcpy(p, &pool->free[header->class], sizeof(void *));
    pool->free[header->class] = header;
    pool->live_bytes -= class_bytes(header->class);
    header->mark = ~HEADER_MARK;
    must(pthread_mutex_unlock(&pool->lock) == 0);
}

void *pool_resize(struct pool *pool, void *p, size_t size)
{
    struct header *header;
    void *moved;

    if (!p)
        return pool_get(pool, size);
    header = header_of(p);
    if (size <= class_bytes(header->class)) {
        if (size < header->size)
            ct_wipe((uint8_t *)p + size, header->size - size);
        header->size = size;
        return p;
    }
    moved = pool_get(pool, size);
    if (moved) {
        memcpy(moved, p, header->size);
        pool_put(pool, p);
    }
    return moved;
}
