// SPDX-License-Identifier: Apache-2.0
// The beginning of a connection. Duty: whoever speaks neither TLS nor the tunnel's header is gone
// after one byte, and libssl does nothing for a peer before its first record is there.
#include "httpd/server_intro.h"

#include "base/rd.h"

#define TLS_HANDSHAKE  0x16U // RFC 8446 5.1
#define TLS_MAJOR      3U
#define TLS_RECORD_MAX 16384U

// *n is the length of the header in front; 0 without one.
static enum server_intro_result server_intro_header(size_t *n, struct bytes in, char *source)
{
    *n = 0;
    if (in.n == 0)
        return SERVER_INTRO_MORE;
    if (in.p[0] != PROXY2_FIRST)
        return SERVER_INTRO_DONE;
    if (in.n < PROXY2_HEAD_BYTES)
        return SERVER_INTRO_MORE;
    if (proxy2_length(n, bytes_take(in, PROXY2_HEAD_BYTES)).code)
        return SERVER_INTRO_BAD;
    if (in.n < *n)
        return SERVER_INTRO_MORE;
    return proxy2_read(source, bytes_take(in, *n)).code ? SERVER_INTRO_BAD : SERVER_INTRO_DONE;
}

// What is there of a record must look like one of TLS that begins a handshake.
static enum server_intro_result server_intro_record(struct bytes in, bool is_full)
{
    struct rd rd = rd_of(in);
    uint8_t type = rd_u8(&rd), major = rd_u8(&rd);
    uint16_t n;

    if ((in.n > 0 && type != TLS_HANDSHAKE) || (in.n > 1 && major != TLS_MAJOR))
        return SERVER_INTRO_BAD;
    (void)rd_u8(&rd);
    n = rd_u16(&rd);
    if (!rd.bad && (n == 0 || n > TLS_RECORD_MAX))
        return SERVER_INTRO_BAD;
    return !rd.bad && (rd.left.n >= n || is_full) ? SERVER_INTRO_DONE : SERVER_INTRO_MORE;
}

enum server_intro_result server_intro_look(const struct server_input *input,
                                           char source[static PROXY2_TEXT_MAX], struct bytes *tls)
{
    struct bytes in = bytes_of(input->p, input->len);
    size_t n;
    enum server_intro_result result = server_intro_header(&n, in, source);

    *tls = bytes_skip(in, n);
    if (result == SERVER_INTRO_DONE)
        result = server_intro_record(*tls, input->len == SERVER_INPUT_FIRST_BYTES);
    return result;
}
