// SPDX-License-Identifier: Apache-2.0
// The bytes of a connection's requests and what they mean: a buffer that is there only while a
// request is, and the parsed request in it. Who may include it: httpd.
#pragma once

#include "net/http.h"

#define SERVER_INPUT_FIRST_BYTES 4096U // of the first block, which is not counted

struct server_request {
    const struct http_head *head; // views are valid until the answer
    struct bytes body;
    struct bytes id; // X-Request-Id of the client, or one made for it; in the answer, too
    void *context;   // of the server (httpd/server.h)
};

// Of all connections of a host; starts with zeroes.
struct server_input_pool {
    struct server_input_work *spare;
    unsigned spares;
    uint64_t requests; // that were given an id
};

// Of one connection; starts with zeroes.
struct server_input {
    struct server_input_work *work; // NULL: no bytes
    uint8_t *p;                     // the work's first block, or a larger one
    size_t at, len, cap;            // [at, len) is not answered yet
    size_t used;                    // bytes that the request takes
    size_t need;                    // do not parse again before so many bytes are there
    size_t head_len;                // not 0: of a chunked request that is not whole
    struct http_chunks chunks;      // of its body
    bool continued;                 // EXPECTS was said
};

enum server_input_result {
    SERVER_INPUT_SOME,    // the request is not complete
    SERVER_INPUT_EXPECTS, // the same, and the client waits for "100 Continue" (said once)
    SERVER_INPUT_WHOLE,   // server_input_request
    SERVER_INPUT_BAD,     // no request that is taken: *status says what to answer
};

// Makes sure that there is a buffer; false without memory.
bool server_input_open(struct server_input *input, struct server_input_pool *pool);
// Gives the buffer back, and with it all bytes.
void server_input_drop(struct server_input *input, struct server_input_pool *pool);
// How large the buffer has to become for more bytes; the same: there is room, or it may not grow.
size_t server_input_wants(const struct server_input *input, size_t request_max);
FALLIBLE server_input_grow(struct server_input *input, size_t cap);
// Looks at what is there. A body has at most request_max bytes.
enum server_input_result server_input_parse(struct server_input *input, size_t request_max,
                                            unsigned *status, struct err *err);
struct server_request *server_input_request(const struct server_input *input);
// Gives the request its id: the client's when it may stand in a log, else a number.
void server_input_identify(struct server_input *input, struct server_input_pool *pool);
// The request is answered: its bytes go, those of the next one stay.
void server_input_next(struct server_input *input, struct server_input_pool *pool);
void server_input_pool_done(struct server_input_pool *pool);
