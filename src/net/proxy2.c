// SPDX-License-Identifier: Apache-2.0
// The PROXY header, version 2. Duty: take exactly the bytes of the header and nothing that could be
// read in two ways. Works on the caller's bytes and knows no socket.
#include "net/proxy2.h"

#include "base/rd.h"

#include <arpa/inet.h>
#include <stdio.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

enum command { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 }; // with the version, 2
enum family { FAMILY_NONE = 0x00, FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21, FAMILY_UNIX = 0x31 };

struct head {
    uint8_t command, family;
    uint16_t n; // bytes that follow
};

// How many bytes of addresses stand before the further fields; false for what no tunnel of streams
// says.
static bool proxy2_addresses(size_t *n, const struct head *head)
{
    static const struct {
        uint8_t family;
        size_t n;
    } known[] = { { FAMILY_NONE, 0 },
                  { FAMILY_TCP4, 2 * (4 + 2) },
                  { FAMILY_TCP6, 2 * (16 + 2) },
                  { FAMILY_UNIX, 2 * 108 } };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].family == head->family) {
            *n = known[i].n;
            return head->n >= *n;
        }
    return false;
}

static struct err proxy2_read_head(struct head *out, struct rd *rd)
{
    ENSURE(bytes_equal(rd_bytes(rd, sizeof(SIGNATURE) - 1), BYTES_LIT(SIGNATURE)), ERR_MALFORMED,
           "PROXY header: no such signature");
    out->command = rd_u8(rd);
    out->family = rd_u8(rd);
    out->n = rd_u16(rd);
    ENSURE(out->command == COMMAND_LOCAL || out->command == COMMAND_PROXY, ERR_UNSUPPORTED,
           "PROXY header: expected version 2, LOCAL or PROXY");
    return OK;
}

struct err proxy2_length(size_t *out, struct bytes bytes)
{
    struct rd rd = rd_of(bytes);
    struct head head;
    size_t addresses;

    TRY(proxy2_read_head(&head, &rd));
    TRY(rd_end(&rd));
    ENSURE(proxy2_addresses(&addresses, &head), ERR_MALFORMED,
           "PROXY header: expected addresses of a stream");
    *out = PROXY2_HEAD_BYTES + head.n;
    ENSURE(*out <= PROXY2_BYTES_MAX, ERR_TOO_LARGE, "PROXY header: more than 512 bytes");
    return OK;
}

// Further fields (TLVs) say nothing that matters here, but they must be some.
static struct err proxy2_skip_fields(struct rd *rd)
{
    while (rd->left.n > 0 && !rd->bad) {
        (void)rd_u8(rd);
        (void)rd_var16(rd, PROXY2_BYTES_MAX);
    }
    ENSURE(!rd_end(rd).code, ERR_MALFORMED, "PROXY header: a field is cut short");
    return OK;
}

static void proxy2_write(char source[static PROXY2_TEXT_MAX], uint8_t family, struct bytes from)
{
    bool is_ipv6 = family == FAMILY_TCP6;
    size_t n = is_ipv6 ? 16 : 4;
    char text[INET6_ADDRSTRLEN];
    struct rd rd = rd_of(bytes_skip(from, 2 * n));

    if (inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, from.p, text, sizeof(text)))
        (void)snprintf(source, PROXY2_TEXT_MAX, is_ipv6 ? "[%s]:%u" : "%s:%u", text, rd_u16(&rd));
}

struct err proxy2_read(char source[static PROXY2_TEXT_MAX], struct bytes header)
{
    struct rd rd = rd_of(header);
    struct head head = { 0 };
    size_t n = 0;
    struct bytes addresses;

    source[0] = 0;
    TRY(proxy2_read_head(&head, &rd));
    ENSURE(head.n == rd.left.n && proxy2_addresses(&n, &head), ERR_MALFORMED,
           "PROXY header: not of its length");
    addresses = rd_bytes(&rd, n);
    TRY(proxy2_skip_fields(&rd));
    if (head.command == COMMAND_PROXY && (head.family == FAMILY_TCP4 || head.family == FAMILY_TCP6))
        proxy2_write(source, head.family, addresses);
    return OK;
}
