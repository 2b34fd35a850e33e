// SPDX-License-Identifier: Apache-2.0
// One stream between the guest and a socket of this machine: state, credit of both sides, and a
// bounded buffer for what the socket does not take. The device (emu/vsock.c) carries its packets.
#pragma once

#include "emu/fault.h"
#include "emu/vsock_packet.h"
#include "net/loop.h"

#include <stdbool.h>

#define VSOCK_CONN_ROOM 131072 // bytes that the guest may send ahead

struct vsock_conn {
    struct vsock_conn *next;
    uint64_t cid; // as which the guest knows this machine: 2 or 3
    uint32_t guest_port, port;
    int fd; // -1 once nothing goes to the socket any more
    struct loop *loop;
    struct loop_watch *watch;
    void (*stirred)(void *context); // there may be something to send
    void *context;

    bool open;                            // both sides have agreed
    bool readable;                        // the socket had bytes, or its end
    bool hung_up;                         // the socket's other side is gone altogether
    bool finished;                        // nothing more happens: to be freed
    unsigned guest_shut, shut, shut_told; // VSOCK_NO_... of each side
    bool owes_request, owes_response, owes_credit, owes_reset;

    uint32_t peer_room, peer_taken, sent; // towards the guest
    uint32_t got, taken, taken_told;      // from the guest
    uint8_t *buffer;                      // VSOCK_CONN_ROOM bytes, when the socket is slow
    size_t start, n;

    struct deadline until;   // ... the guest must have answered, or ended
    struct deadline held_to; // by a fault
    struct fault_link fault;
    uint64_t moved; // bytes of both directions
    unsigned packets;
};

// Takes over the non-blocking `fd`. `accepted`: the guest has asked for it and gets a response;
// otherwise the guest is asked.
FALLIBLE vsock_conn_open(struct vsock_conn *conn, int fd, bool accepted);
// Closes the socket and gives back what open took. Not the object itself.
void vsock_conn_close(struct vsock_conn *conn);
// A packet of the guest for this connection.
void vsock_conn_take(struct vsock_conn *conn, const struct vsock_packet *packet, struct bytes body);
// The next packet for the guest, its body into `body`, at most `cap` bytes; false: none now.
bool vsock_conn_give(struct vsock_conn *conn, struct vsock_packet *packet, uint8_t *body,
                     size_t cap);
// Ends what is overdue. When to ask again.
struct deadline vsock_conn_tick(struct vsock_conn *conn);
