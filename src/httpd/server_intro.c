// SPDX-License-Identifier: Apache-2.0
// The beginning of a connection. Duty: whoever speaks neither TLS nor the tunnel's header is gone
// after one byte, before libssl has done anything for it.
#include "httpd/server_intro.h"

#define TLS_HANDSHAKE 0x16U // RFC 8446 5.1

static enum server_intro_result server_intro_judge(enum wire_result result)
{
    return result == WIRE_BLOCKED ? SERVER_INTRO_MORE : SERVER_INTRO_BAD;
}

// How many bytes the header has, as far as can be told; false when it is none.
static bool server_intro_needs(size_t *n, const struct server_input *input)
{
    *n = PROXY2_HEAD_BYTES;
    return input->len < PROXY2_HEAD_BYTES ||
           !proxy2_length(n, bytes_of(input->p, PROXY2_HEAD_BYTES)).code;
}

enum server_intro_result server_intro_step(struct wire *wire, struct server_input *input,
                                           struct server_input_pool *pool,
                                           char source[static PROXY2_TEXT_MAX])
{
    enum wire_result result = WIRE_DONE;
    uint8_t first = 0;
    size_t need, n;
    bool is_read;

    if (!input->work)
        result = wire_peek(wire, &first);
    if (result != WIRE_DONE)
        return server_intro_judge(result);
    if (!input->work && first != PROXY2_FIRST)
        return first == TLS_HANDSHAKE ? SERVER_INTRO_DONE : SERVER_INTRO_BAD;
    if (!server_input_open(input, pool))
        return SERVER_INTRO_BAD;
    while (server_intro_needs(&need, input) && input->len < need) {
        result = wire_read(wire, input->p + input->len, need - input->len, &n);
        if (result != WIRE_DONE)
            return server_intro_judge(result);
        input->len += n;
    }
    is_read = input->len == need && !proxy2_read(source, bytes_of(input->p, input->len)).code;
    server_input_drop(input, pool);
    return is_read ? SERVER_INTRO_DONE : SERVER_INTRO_BAD;
}
