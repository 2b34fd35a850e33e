// SPDX-License-Identifier: Apache-2.0
// httpd/server_input.h and net/accept.h: a connection's bytes, which may be several requests. The
// first byte says in what pieces they come; pieces must make no difference, or two programs on one
// way could see different requests.
#include "fuzz.h"

#include "httpd/server_input.h"
#include "net/accept.h"

#include <string.h>

#define REQUEST_MAX  8192
#define INPUT_MAX    (64U << 10)
#define REQUESTS_MAX 64

// What became of all bytes: a digest of each request, and the status of a refusal.
struct outcome {
    uint64_t request[REQUESTS_MAX];
    unsigned count, status;
};

static void mix(uint64_t *digest, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.n; i++)
        *digest = (*digest ^ bytes.p[i]) * 0x100000001b3U;
    *digest = (*digest ^ bytes.n) * 0x100000001b3U;
}

static void take(struct outcome *out, struct server_input *input, struct server_input_pool *pool)
{
    const struct server_request *request = server_input_request(input);
    uint64_t *digest = &out->request[out->count % REQUESTS_MAX];

    server_input_identify(input, pool);
    must(request->id.n > 0 && request->id.n <= 64);
    must(request->head->target.n > 0 && request->body.n <= REQUEST_MAX);
    *digest = 0xcbf29ce484222325U;
    mix(digest, request->head->method);
    mix(digest, request->head->target);
    mix(digest, request->body);
    for (size_t i = 0; i < request->head->fields; i++) {
        mix(digest, request->head->field[i].name);
        mix(digest, request->head->field[i].value);
    }
    must(accept_weight(http_field_get(request->head, "Accept"), "application/json") <= 1000);
    out->count++;
    server_input_next(input, pool);
}

// False: refused.
static bool look(struct outcome *out, struct server_input *input, struct server_input_pool *pool)
{
    enum server_input_result result;
    struct err err;

    do {
        result = server_input_parse(input, REQUEST_MAX, &out->status, &err);
        must((result == SERVER_INPUT_BAD) == (err.code != ERR_NONE));
        if (result == SERVER_INPUT_WHOLE)
            take(out, input, pool);
    } while (result == SERVER_INPUT_WHOLE);
    must(result != SERVER_INPUT_BAD || (out->status >= 400 && out->status <= 505));
    return result != SERVER_INPUT_BAD;
}

static bool room(struct server_input *input, struct server_input_pool *pool)
{
    must(server_input_open(input, pool));
    return input->len < input->cap ||
           !server_input_grow(input, server_input_wants(input, REQUEST_MAX)).code;
}

// Until all is taken, something is refused, or a request does not fit.
static void feed(struct outcome *out, struct bytes in, size_t piece)
{
    static struct server_input_pool pool;
    struct server_input input = { .work = NULL };
    bool goes_on = look(out, &input, &pool);

    while (goes_on && in.n > 0) {
        size_t n;

        goes_on = room(&input, &pool);
        n = goes_on ? input.cap - input.len : 0;
        n = n < piece ? n : piece;
        n = n < in.n ? n : in.n;
        if (n > 0)
            memcpy(input.p + input.len, in.p, n);
        input.len += n;
        in = bytes_skip(in, n);
        goes_on = goes_on && look(out, &input, &pool);
    }
    server_input_drop(&input, &pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct outcome whole = { .count = 0 }, pieces = { .count = 0 };

    if (n < 1 || n > INPUT_MAX)
        return 0;
    feed(&whole, bytes_of(data + 1, n - 1), SIZE_MAX);
    feed(&pieces, bytes_of(data + 1, n - 1), data[0] % 32U + 1);
    must(whole.count == pieces.count && whole.status == pieces.status);
    must(memcmp(whole.request, pieces.request, sizeof(whole.request)) == 0);
    return 0;
}
