// SPDX-License-Identifier: Apache-2.0
// Split virtqueues. All loads and stores of the guest's memory go through the five functions at the
// top; indices are loaded and stored with the ordering that the specification asks for (2.7.13).
#include "emu/vring.h"

#include <string.h>

#define DESCRIPTOR_BYTES 16
#define FLAG_NEXT        1
#define FLAG_WRITE       2
#define FLAG_INDIRECT    4 // never offered
#define NO_INTERRUPT     1

struct descriptor {
    uint64_t guest;
    uint32_t n;
    uint16_t flags, next;
};
_Static_assert(sizeof(struct descriptor) == DESCRIPTOR_BYTES, "virtio 1.2, 2.7.5");

// The place of `n` bytes at the monitor's address; NULL unless all of them lie in one region.
static uint8_t *memory_user(const struct vring_memory *memory, uint64_t user, uint64_t n)
{
    for (size_t i = 0; i < memory->n; i++) {
        const struct vring_region *r = &memory->region[i];

        if (user >= r->user && user - r->user < r->size && n <= r->size - (user - r->user))
            return r->at + (user - r->user);
    }
    return NULL;
}

// The place of the guest's address; *n is lowered to what lies in that region.
static uint8_t *memory_guest(const struct vring_memory *memory, uint64_t guest, size_t *n)
{
    for (size_t i = 0; i < memory->n; i++) {
        const struct vring_region *r = &memory->region[i];

        if (guest < r->guest || guest - r->guest >= r->size)
            continue;
        if (*n > r->size - (guest - r->guest))
            *n = (size_t)(r->size - (guest - r->guest));
        return r->at + (guest - r->guest);
    }
    return NULL;
}

static uint8_t *ring_at(struct vring *ring, uint64_t user, uint64_t n, unsigned alignment)
{
    uint8_t *at = memory_user(ring->memory, user, n);

    if (!at || (uintptr_t)at % alignment != 0) {
        ring->broken = true;
        return NULL;
    }
    return at;
}

static uint16_t ring_load(struct vring *ring, uint64_t user)
{
    const uint8_t *at = ring_at(ring, user, sizeof(uint16_t), sizeof(uint16_t));

    return at ? __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_ACQUIRE) : 0;
}

static void ring_store(struct vring *ring, uint64_t user, uint16_t value)
{
    uint8_t *at = ring_at(ring, user, sizeof(uint16_t), sizeof(uint16_t));

    if (at)
        __atomic_store_n((uint16_t *)(void *)at, value, __ATOMIC_RELEASE);
}

static struct descriptor ring_descriptor(struct vring *ring, uint16_t index)
{
    uint64_t user = ring->descriptors + (uint64_t)index * DESCRIPTOR_BYTES;
    const uint8_t *at = ring_at(ring, user, DESCRIPTOR_BYTES, 1);
    struct descriptor d = { 0 };

    // Once: the guest may change it while we look, so the copy is what counts.
    for (size_t i = 0; at && i < sizeof(d); i++)
        ((uint8_t *)&d)[i] = ((const volatile uint8_t *)at)[i];
    return d;
}

// Adds one descriptor to the chain; false when it breaks a rule.
static bool chain_add(struct vring_chain *chain, const struct descriptor *d)
{
    bool writable = d->flags & FLAG_WRITE;

    if (chain->parts == VRING_PARTS_MAX || d->flags & FLAG_INDIRECT ||
        (!writable && chain->parts > chain->readable_parts))
        return false;
    chain->part[chain->parts].guest = d->guest;
    chain->part[chain->parts++].n = d->n;
    if (writable)
        chain->writable += d->n;
    else
        chain->readable += d->n;
    chain->readable_parts += !writable;
    return true;
}

static bool chain_walk(struct vring *ring, struct vring_chain *chain)
{
    uint16_t index = chain->head;

    // chain_add ends a chain that runs in a circle.
    for (;;) {
        struct descriptor d;

        if (index >= ring->entries)
            return false;
        d = ring_descriptor(ring, index);
        if (ring->broken || !chain_add(chain, &d))
            return false;
        if (!(d.flags & FLAG_NEXT))
            return true;
        index = d.next;
    }
}

bool vring_pop(struct vring *ring, struct vring_chain *chain)
{
    uint16_t ready;

    if (ring->broken || ring->entries == 0)
        return false;
    ready = (uint16_t)(ring_load(ring, ring->available + 2) - ring->next);
    if (ready == 0 || ring->broken)
        return false;
    *chain = (struct vring_chain) { 0 };
    chain->head = ring_load(ring, ring->available + 4 + 2ULL * (ring->next % ring->entries));
    if (ready > ring->entries || ring->broken || !chain_walk(ring, chain)) {
        ring->broken = true;
        return false;
    }
    ring->next++;
    return true;
}

void vring_read(struct vring *ring, const struct vring_chain *chain, struct wr *out, size_t most)
{
    for (size_t i = 0; i < chain->readable_parts && most > 0; i++) {
        uint64_t guest = chain->part[i].guest;

        for (size_t left = chain->part[i].n; left > 0 && most > 0;) {
            size_t n = left < most ? left : most;
            const uint8_t *at = memory_guest(ring->memory, guest, &n);

            if (!at) {
                ring->broken = true;
                return;
            }
            wr_bytes(out, bytes_of(at, n));
            guest += n;
            left -= n;
            most -= n;
        }
    }
}

uint32_t vring_write(struct vring *ring, const struct vring_chain *chain, struct bytes b)
{
    size_t all = b.n;

    for (size_t i = chain->readable_parts; i < chain->parts && b.n > 0; i++) {
        uint64_t guest = chain->part[i].guest;

        for (size_t left = chain->part[i].n; left > 0 && b.n > 0;) {
            size_t n = left < b.n ? left : b.n;
            uint8_t *at = memory_guest(ring->memory, guest, &n);

            if (!at) {
                ring->broken = true;
                return (uint32_t)(all - b.n);
            }
            memcpy(at, b.p, n);
            b = bytes_skip(b, n);
            guest += n;
            left -= n;
        }
    }
    return (uint32_t)(all - b.n);
}

void vring_push(struct vring *ring, const struct vring_chain *chain, uint32_t written)
{
    uint32_t entry[2] = { chain->head, written };
    uint8_t *at;

    if (ring->broken)
        return;
    at = ring_at(ring, ring->used + 4 + 8ULL * (ring->done % ring->entries), sizeof(entry), 1);
    if (!at)
        return;
    memcpy(at, entry, sizeof(entry));
    ring->done++;
    ring_store(ring, ring->used + 2, ring->done);
}

bool vring_wants_notice(struct vring *ring)
{
    uint16_t flags;

    if (ring->broken)
        return false;
    // The used index must be out before the flags are looked at (2.7.10).
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    flags = ring_load(ring, ring->available);
    return !ring->broken && !(flags & NO_INTERRUPT);
}
