// SPDX-License-Identifier: Apache-2.0
// Names of a server. What looks like an address is one: no certificate is asked for the DNS name
// "10.0.0.256", which nobody could reach.
#include "front/tlsnames.h"

#include "proto/clients.h"

#include <arpa/inet.h>
#include <string.h>

// One list at a time, in the loop's thread.
static uint8_t name_space[MSG_TLS_NAMES][MSG_TLS_NAME_MAX + 1];

// The last label of a DNS name is not all digits (RFC 1123 2.1: an address could be meant).
static bool tlsnames_ends_in_number(struct bytes name)
{
    size_t i = name.n;

    while (i > 0 && name.p[i - 1] >= '0' && name.p[i - 1] <= '9')
        i--;
    return i == 0 || (i < name.n && name.p[i - 1] == '.');
}

static bool tlsnames_is_address(struct msg_tls_name *out, uint8_t *space, int family)
{
    uint8_t address[16];

    if (inet_pton(family, (const char *)space, address) != 1)
        return false;
    out->type = MSG_TLS_IP;
    out->name = bytes_of(space, family == AF_INET ? 4 : 16);
    memcpy(space, address, out->name.n);
    return true;
}

static struct err tlsnames_read_one(struct msg_tls_name *out,
                                    uint8_t space[static MSG_TLS_NAME_MAX + 1], struct bytes text)
{
    ENSURE(bytes_to_str(text, (char *)space, MSG_TLS_NAME_MAX + 1), ERR_MALFORMED,
           "names: expected strings of at most 253 characters");
    if (tlsnames_is_address(out, space, AF_INET) || tlsnames_is_address(out, space, AF_INET6))
        return OK;
    for (size_t i = 0; i < text.n; i++)
        if (space[i] >= 'A' && space[i] <= 'Z')
            space[i] = (uint8_t)(space[i] + ('a' - 'A'));
    out->type = MSG_TLS_DNS;
    out->name = bytes_of(space, text.n);
    ENSURE(clients_is_dns_name(out->name) && !tlsnames_ends_in_number(out->name), ERR_MALFORMED,
           "names: expected DNS names and IP addresses");
    return OK;
}

struct err tlsnames_read(struct msg_tls_certify *out, const struct json *list)
{
    ENSURE(list && list->type == JSON_ARRAY && list->count >= 1 && list->count <= MSG_TLS_NAMES,
           ERR_MALFORMED, "names: expected a list of 1 to 16 DNS names or IP addresses");
    out->names = 0;
    for (const struct json *at = list->child; at; at = at->next) {
        TRY(tlsnames_read_one(&out->name[out->names], name_space[out->names], json_string(at)));
        out->names++;
    }
    return OK;
}
