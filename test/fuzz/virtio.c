// SPDX-License-Identifier: Apache-2.0
// emu/vring.h and emu/vsock_packet.h: the input is a guest's whole memory, where its rings lie, and
// how the device goes on. Whatever it is, nothing outside the memory is touched, chains are
// bounded, and a packet's head that was read is written as the same bytes.
#include "emu/vring.h"

#include "emu/vsock_packet.h"
#include "fuzz.h"

#include <stdlib.h>

#define GUEST     0x10000U
#define USER      0x7f0000000000U
#define HEAD      10U
#define INPUT_MAX 65536U
#define TURNS     64U

static void fuzz_packet(struct bytes b)
{
    uint8_t again[VSOCK_HEAD_BYTES];
    struct wr wr = WR_OF(again);
    struct vsock_packet packet;
    struct rd rd = rd_of(b);

    if (vsock_packet_read(&packet, &rd).code)
        return;
    vsock_packet_write(&wr, &packet);
    must(bytes_equal(wr_done(&wr), bytes_take(b, VSOCK_HEAD_BYTES)));
}

static void fuzz_turn(struct vring *ring)
{
    static uint8_t text[4096];
    struct vring_chain chain;
    struct wr wr = WR_OF(text);

    if (!vring_pop(ring, &chain))
        return;
    must(!ring->broken && chain.parts <= VRING_PARTS_MAX && chain.readable_parts <= chain.parts);
    vring_read(ring, &chain, &wr, sizeof(text));
    must(wr.len <= chain.readable);
    fuzz_packet(wr_done(&wr));
    must(vring_write(ring, &chain, wr_done(&wr)) <= chain.writable);
    vring_push(ring, &chain, (uint32_t)wr.len);
    (void)vring_wants_notice(ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct vring_memory memory = { .n = 2 };
    struct rd rd = rd_of(bytes_of(data, n));
    struct vring ring = { .memory = &memory };
    size_t half;
    uint8_t *at;

    if (n <= HEAD + 1 || n > INPUT_MAX)
        return 0;
    ring.entries = (uint16_t)(1U << rd_u8(&rd) % 11);
    ring.next = ring.done = rd_u16(&rd);
    ring.descriptors = USER + rd_u16(&rd);
    ring.available = USER + rd_u16(&rd);
    ring.used = USER + rd_u16(&rd);
    // Two regions that follow each other in the guest, of odd sizes.
    half = (size_t)rd_u8(&rd) * rd.left.n / 256;
    at = malloc(rd.left.n);
    must(at != NULL);
    memory.region[0] = (struct vring_region) { GUEST, USER, half, at };
    memory.region[1] =
        (struct vring_region) { GUEST + half, USER + half, rd.left.n - half, at + half };
    memcpy(at, rd.left.p, rd.left.n);
    for (unsigned i = 0; i < TURNS; i++)
        fuzz_turn(&ring);
    free(at);
    return 0;
}
