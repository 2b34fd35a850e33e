// SPDX-License-Identifier: Apache-2.0
// A heap inside a fixed region that wipes every block when it is freed: libcrypto's memory in the
// vault (CRYPTO_set_mem_functions) lies in one. Power-of-two size classes, 32 bytes to 128 KiB,
// free lists per class; one lock. When the region is used up, pool_get returns NULL, which
// libcrypto reports as an error.
#pragma once

#include "base/bytes.h"

#include <pthread.h>

#define POOL_CLASSES 13

struct pool {
    pthread_mutex_t lock;
    uint8_t *base;
    size_t size;
    size_t used; // never handed out from here on
    void *free[POOL_CLASSES];
    size_t live_bytes; // in blocks that are handed out
    size_t live_bytes_max;
};

void pool_init(struct pool *pool, void *region, size_t size);
// 16-byte aligned, zeroed. NULL when there is no room or `size` exceeds the largest class.
void *pool_get(struct pool *pool, size_t size);
// Wipes and gives back; accepts NULL.
void pool_put(struct pool *pool, void *p);
// As realloc; the old block is wiped when the content moves.
void *pool_resize(struct pool *pool, void *p, size_t size);
