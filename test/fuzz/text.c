// SPDX-License-Identifier: Apache-2.0
// Small texts, chosen by the first byte: base64, hex, 256-bit numbers, Ethereum addresses, ids,
// ARNs, socket addresses, URLs, times. What is read is written as the same text again, wherever
// there is one way to write it.
#include "fuzz.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/u256.h"
#include "eth/address.h"
#include "net/client.h"
#include "net/when.h"
#include "proto/arn.h"
#include "proto/id.h"
#include "proto/limits.h"

#define TEXT_MAX 1024

static void fuzz_base64(struct bytes in)
{
    uint8_t out[TEXT_MAX], text[TEXT_MAX];
    struct wr wr = WR_OF(text);
    size_t len;

    if (base64_decode(out, sizeof(out), &len, in).code)
        return;
    must(base64_len(len) == in.n);
    base64_write(&wr, bytes_of(out, len));
    must(bytes_equal(wr_done(&wr), in));
}

static void fuzz_hex(struct bytes in)
{
    uint8_t out[TEXT_MAX / 2], again[TEXT_MAX / 2];
    char text[TEXT_MAX + 1];
    size_t len;

    if (hex_decode_0x(out, sizeof(out), &len, in).code)
        return;
    must(in.n == 2 + 2 * len);
    hex_encode(text, bytes_of(out, len));
    fuzz_ok(hex_decode(again, len, bytes_str(text)));
    must(memcmp(out, again, len) == 0);
}

static void fuzz_number(struct bytes in)
{
    struct u256 value, again, quotient;
    uint8_t text[128];
    struct wr wr = WR_OF(text);
    uint64_t rest;

    if (u256_parse(&value, in).code)
        return;
    u256_write_decimal(&wr, value);
    if (in.n < 2 || in.p[1] != 'x')
        must(bytes_equal(wr_done(&wr), in));
    fuzz_ok(u256_parse_decimal(&again, wr_done(&wr)));
    must(u256_compare(value, again) == 0);
    wr = WR_OF(text);
    u256_write_hex(&wr, value);
    fuzz_ok(u256_parse(&again, wr_done(&wr)));
    must(u256_compare(value, again) == 0);
    rest = u256_div_u64(&quotient, value, 1000000007);
    fuzz_ok(u256_mul_u64(&again, quotient, 1000000007));
    fuzz_ok(u256_add(&again, again, u256_of(rest)));
    must(u256_compare(value, again) == 0);
}

static void fuzz_address(struct bytes in)
{
    uint8_t address[ADDRESS_BYTES], again[ADDRESS_BYTES];
    char text[ADDRESS_TEXT];

    if (address_parse(address, in).code)
        return;
    address_text(text, address);
    fuzz_ok(address_parse(again, bytes_str(text)));
    must(memcmp(address, again, sizeof(address)) == 0);
}

static void fuzz_id(struct bytes in)
{
    char text[ID_TEXT];
    struct id id;

    if (id_parse(&id, in).code)
        return;
    id_text(text, &id);
    must(bytes_equal_str(in, text));
}

static void fuzz_arn(struct bytes in)
{
    uint8_t host[HOST_BYTES_MAX];
    struct wr wr = WR_OF(host);
    struct arn arn;

    (void)arn_host_allowed(in);
    if (arn_parse(&arn, in).code)
        return;
    arn_write_host(&wr, &arn);
    must(!wr.bad && arn_host_allowed(wr_done(&wr)));
}

static void fuzz_socket(struct bytes in)
{
    char text[TEXT_MAX], host[256], path[256], again[512];
    struct addr addr, same;
    bool https;

    if (!bytes_to_str(in, text, sizeof(text)))
        return;
    if (!client_parse_url(text, &addr, &https, host, path).code)
        must(path[0] == '/' && addr.kind == ADDR_TCP && addr.port > 0);
    if (addr_parse(&addr, text).code)
        return;
    addr_format(again, sizeof(again), &addr);
    fuzz_ok(addr_parse(&same, again));
    must(same.kind == addr.kind && same.cid == addr.cid && same.port == addr.port);
    must(strcmp(same.host, addr.host) == 0);
    (void)addr_is_local(&addr);
}

static void fuzz_time(struct bytes in)
{
    struct err (*const readers_of_times[])(uint64_t * out, struct bytes text) = {
        when_basic,
        when_rfc3339,
        when_http,
    };
    uint64_t seconds;

    for (size_t i = 0; i < ARRAY_LEN(readers_of_times); i++)
        if (!readers_of_times[i](&seconds, in).code)
            must(seconds < UINT64_C(253402300800 + 86400)); // the year 10000, and an offset
}

static void (*const readers[])(struct bytes in) = {
    fuzz_base64, fuzz_hex, fuzz_number, fuzz_address, fuzz_id, fuzz_arn, fuzz_socket, fuzz_time,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 0 && n < TEXT_MAX)
        readers[data[0] % ARRAY_LEN(readers)](bytes_of(data + 1, n - 1));
    return 0;
}
