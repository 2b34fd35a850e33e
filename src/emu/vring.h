// SPDX-License-Identifier: Apache-2.0
// The device's side of a split virtqueue (virtio 1.2, section 2.7) in the memory of a guest. The
// guest may write to all of it at any time and is not trusted: every value is read once, into our
// own memory, and checked there; nothing outside the regions is ever touched. A ring that breaks
// the rules is broken for good: no more is taken from it.
#pragma once

#include "base/wr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VRING_REGIONS_MAX 8
#define VRING_ENTRIES_MAX 1024
#define VRING_PARTS_MAX   64 // of one chain; Linux uses at most 18 for a packet

// A piece of the guest's memory: where the guest, the machine monitor and this process have it.
struct vring_region {
    uint64_t guest, user, size;
    uint8_t *at;
};

struct vring_memory {
    struct vring_region region[VRING_REGIONS_MAX];
    size_t n;
};

struct vring {
    const struct vring_memory *memory;
    uint64_t descriptors, available, used; // the monitor's addresses
    uint16_t entries;                      // a power of two, at most VRING_ENTRIES_MAX
    uint16_t next;                         // index of the next available entry
    uint16_t done;                         // index of the next used entry
    bool broken;
};

// A chain of buffers that the guest has handed over: those to read from come first.
struct vring_chain {
    uint16_t head;
    size_t parts, readable_parts;
    uint64_t readable, writable; // bytes
    struct {
        uint64_t guest;
        uint32_t n;
    } part[VRING_PARTS_MAX];
};

// The next chain; false when there is none or the ring is broken.
bool vring_pop(struct vring *ring, struct vring_chain *chain);
// Appends at most `most` of the chain's readable bytes to `out`.
void vring_read(struct vring *ring, const struct vring_chain *chain, struct wr *out, size_t most);
// Fills the chain's writable part; what does not fit is left out. The number of bytes written.
uint32_t vring_write(struct vring *ring, const struct vring_chain *chain, struct bytes b);
// Gives a chain back. The guest is told with vring_wants_notice and the caller's own means.
void vring_push(struct vring *ring, const struct vring_chain *chain, uint32_t written);
// False when the guest has asked not to be interrupted.
bool vring_wants_notice(struct vring *ring);
