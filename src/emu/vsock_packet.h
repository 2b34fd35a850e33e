// SPDX-License-Identifier: Apache-2.0
// The head of a virtio-vsock packet (virtio 1.2, section 5.10.6): 44 bytes, little-endian.
#pragma once

#include "base/rd.h"
#include "base/wr.h"

#define VSOCK_HEAD_BYTES 44
#define VSOCK_BODY_MAX   65536 // no virtio driver sends more in one packet
#define VSOCK_STREAM     1

enum vsock_op {
    VSOCK_REQUEST = 1,
    VSOCK_RESPONSE,
    VSOCK_RST,
    VSOCK_SHUTDOWN,
    VSOCK_RW,
    VSOCK_CREDIT_UPDATE,
    VSOCK_CREDIT_REQUEST,
};

// Flags of VSOCK_SHUTDOWN: the sender will receive, or send, no more.
enum { VSOCK_NO_RECEIVE = 1, VSOCK_NO_SEND = 2, VSOCK_NOTHING = 3 };

struct vsock_packet {
    uint64_t from_cid, to_cid;
    uint32_t from_port, to_port, n;
    uint16_t type, op;
    uint32_t flags, room, taken; // the sender's buf_alloc and fwd_cnt
};

void vsock_packet_write(struct wr *out, const struct vsock_packet *packet);
// ERR_MALFORMED when there are too few bytes. Values are not judged.
FALLIBLE vsock_packet_read(struct vsock_packet *out, struct rd *rd);
