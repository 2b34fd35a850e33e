// SPDX-License-Identifier: Apache-2.0
// Requests and manifests for tests of the data plane. Who may include it: test/unit/front_data*.c.
#pragma once

#include "front_tls.h"

#include "expect.h"

#define GET(path)          "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define WITH(line, fields) line " HTTP/1.1\r\n" HOST fields "\r\n"
#define TOKEN              "Authorization: Bearer opensesame\r\n"
#define SIGN               "POST /v1/accounts/" ID "/sign-transaction"
#define NONCE              "00112233445566778899aabbccddeeff"

static inline int ready(void **state)
{
    (void)state;
    if (bot_start(PHASE_READY))
        return -1;
    bot_open_tls(0);
    return 0;
}

static inline int stop(void **state)
{
    (void)state;
    return bot_stop();
}

// A request with a body.
static inline const char *with_body(const char *line, const char *fields, const char *body)
{
    static char text[600000];
    int n = snprintf(text, sizeof(text), "%s HTTP/1.1\r\n" HOST "%sContent-Length: %zu\r\n\r\n%s",
                     line, fields, strlen(body), body);

    must(n > 0 && (size_t)n < sizeof(text));
    return text;
}

// Sections of one manifest: they live until the next one is made.
static uint8_t clients_space[CLIENTS_BYTES_MAX], web_space[WEB_BYTES_MAX];
static struct wr clients, web;

static inline void clients_begin(void)
{
    clients = WR_OF(clients_space);
    web = WR_OF(web_space);
}

// Entries ascend by identity. `certificate` is an authority's.
static inline void clients_add(struct clients_entry entry, const char *pattern)
{
    uint8_t list[100];
    struct wr wr = WR_OF(list);

    entry.label = BYTES_LIT("somebody");
    if (pattern)
        wr_var8(&wr, bytes_str(pattern));
    entry.patterns = pattern != NULL;
    entry.pattern_list = wr_done(&wr);
    clients_write(&clients, &entry);
}

static inline void clients_apply(void)
{
    expect_ok("clients", clients_check(wr_done(&clients)));
    expect_ok("web", clients_check_web(wr_done(&web)));
    bot_permit(wr_done(&clients), wr_done(&web));
}

// The bearer token `opensesame` may do these operations on these keys, nobody else anything.
static inline void permit_token(uint16_t operations, const char *pattern)
{
    struct clients_entry entry = { .kind = CLIENTS_TOKEN, .operations = operations };

    sha2_256(entry.identity, BYTES_LIT("opensesame"));
    clients_begin();
    clients_add(entry, pattern);
    clients_apply();
}
