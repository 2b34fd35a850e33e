// SPDX-License-Identifier: Apache-2.0
// Readers and writers of the project are big-endian; the head is turned byte by byte.
#include "emu/vsock_packet.h"

static void put_little(struct wr *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        wr_u8(out, (uint8_t)(value >> 8 * i));
}

static uint64_t get_little(struct rd *rd, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)rd_u8(rd) << 8 * i;
    return value;
}

void vsock_packet_write(struct wr *out, const struct vsock_packet *packet)
{
    put_little(out, packet->from_cid, 8);
    put_little(out, packet->to_cid, 8);
    put_little(out, packet->from_port, 4);
    put_little(out, packet->to_port, 4);
    put_little(out, packet->n, 4);
    put_little(out, packet->type, 2);
    put_little(out, packet->op, 2);
    put_little(out, packet->flags, 4);
    put_little(out, packet->room, 4);
    put_little(out, packet->taken, 4);
}

struct err vsock_packet_read(struct vsock_packet *out, struct rd *rd)
{
    out->from_cid = get_little(rd, 8);
    out->to_cid = get_little(rd, 8);
    out->from_port = (uint32_t)get_little(rd, 4);
    out->to_port = (uint32_t)get_little(rd, 4);
    out->n = (uint32_t)get_little(rd, 4);
    out->type = (uint16_t)get_little(rd, 2);
    out->op = (uint16_t)get_little(rd, 2);
    out->flags = (uint32_t)get_little(rd, 4);
    out->room = (uint32_t)get_little(rd, 4);
    out->taken = (uint32_t)get_little(rd, 4);
    return rd->bad ? FAIL(ERR_MALFORMED, "vsock: the head of a packet is too short") : OK;
}
