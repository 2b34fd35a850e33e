// SPDX-License-Identifier: Apache-2.0
// proto/msg.h: the message that the vault takes from any stream is inside it and as long as its
// head says; a verdict of any bytes is read within them.
// bound: 24 bytes of stream
// unwind: 25
// sources: src/proto/msg.c
#include "prove.h"

#include "proto/msg.h"

int main(void)
{
    struct bytes stream = any_bytes(24);
    struct msg msg;
    size_t whole;
    struct err err = msg_next(stream, &whole, &msg);

    prove(is_inside(msg.body, stream) && whole <= stream.n);
    prove(err.code == ERR_NONE || whole == 0);
    prove(whole == 0 || whole == MSG_HEAD_BYTES + msg.body.n);
    prove(whole == 0 || msg.body.n <= MSG_BODY_MAX);
    prove(whole != 0 || (msg.type == 0 && msg.body.n == 0));
    prove(whole == 0 || msg.type == (stream.p[4] << 8 | stream.p[5]));
    return 0;
}
