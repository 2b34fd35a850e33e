// SPDX-License-Identifier: Apache-2.0
// Requests out of bytes. Duty: what is handed on is one strict request with one body; what is not
// is named by the status that fits. Knows no socket, and counts nothing but its own buffers.
#include "httpd/server_input.h"

#include <stdlib.h>
#include <string.h>

#define SPARES_MAX 64U
#define TARGET_MAX 1024U
#define ID_BYTES   16U
#define ID_MAX     64U

struct server_input_work {
    struct server_input_work *next; // in pool->spare
    struct http_head head;
    struct server_request request;
    uint8_t id[ID_BYTES];
    uint8_t first[SERVER_INPUT_FIRST_BYTES];
};

bool server_input_open(struct server_input *input, struct server_input_pool *pool)
{
    if (input->work)
        return true;
    input->work = pool->spare;
    if (input->work) {
        pool->spare = input->work->next;
        pool->spares--;
    } else {
        input->work = malloc(sizeof(*input->work));
    }
    if (!input->work)
        return false;
    input->p = input->work->first;
    input->cap = SERVER_INPUT_FIRST_BYTES;
    return true;
}

void server_input_drop(struct server_input *input, struct server_input_pool *pool)
{
    struct server_input_work *work = input->work;

    if (!work)
        return;
    if (input->p != work->first)
        free(input->p);
    *input = (struct server_input) { .work = NULL };
    if (pool->spares == SPARES_MAX) {
        free(work);
        return;
    }
    work->next = pool->spare;
    pool->spare = work;
    pool->spares++;
}

void server_input_pool_done(struct server_input_pool *pool)
{
    while (pool->spare) {
        struct server_input_work *work = pool->spare;

        pool->spare = work->next;
        free(work);
    }
    pool->spares = 0;
}

// Chunks of a few bytes may take several times their content; half is enough for real clients.
size_t server_input_wants(const struct server_input *input, size_t request_max)
{
    size_t most = HTTP_HEAD_MAX + 2 * request_max;
    size_t cap = input->cap * 2 < most ? input->cap * 2 : most;

    return input->len < input->cap || input->at > 0 || cap < input->cap ? input->cap : cap;
}

struct err server_input_grow(struct server_input *input, size_t cap)
{
    bool is_first = input->p == input->work->first;
    uint8_t *p;

    if (input->at > 0) { // what was answered makes room
        input->len -= input->at;
        memmove(input->p, input->p + input->at, input->len);
        input->at = 0;
    }
    if (input->len < input->cap)
        return OK;
    ENSURE(cap > input->cap, ERR_TOO_LARGE, "request: larger than the limit");
    p = realloc(is_first ? NULL : input->p, cap);
    ENSURE(p, ERR_BUSY, "out of memory; try again");
    if (is_first)
        memcpy(p, input->p, input->len);
    input->p = p;
    input->cap = cap;
    return OK;
}

// Finds the body behind the head: *whole is false while it is not all there.
static struct err server_input_body(struct server_input *input, size_t head_len, size_t request_max,
                                    bool *whole)
{
    const struct http_head *head = &input->work->head;
    uint8_t *body = input->p + input->at + head_len;
    size_t have = input->len - input->at - head_len, body_len = 0, used = 0;

    *whole = false;
    if (head->chunked) {
        TRY(http_dechunk(body, have, request_max, &body_len, &used));
        *whole = used > 0;
        input->head_len = head_len;
    } else {
        ENSURE(head->content_length <= request_max, ERR_TOO_LARGE, "body: larger than the limit");
        body_len = used = (size_t)head->content_length;
        *whole = have >= used;
        input->need = head_len + used;
    }
    input->used = head_len + used;
    input->work->request =
        (struct server_request) { .head = head, .body = bytes_of(body, body_len) };
    return OK;
}

// Chunks may come one by one: neither the head nor those before are looked at again for each. True:
// the chunked body whose head is there is not whole (or bad).
static bool server_input_waits(struct server_input *input, size_t request_max, struct err *err)
{
    size_t from = input->at + input->head_len, used = 0;

    if (input->head_len == 0)
        return false;
    *err = http_measure(&input->chunks, &used, bytes_of(input->p + from, input->len - from),
                        request_max);
    return err->code || used == 0;
}

// Of what is wrong with a body.
static unsigned server_input_status(struct err err)
{
    return err.code == ERR_TOO_LARGE ? 413 : 400;
}

static enum server_input_result server_input_refuse(unsigned *status, unsigned is)
{
    *status = is;
    return SERVER_INPUT_BAD;
}

enum server_input_result server_input_parse(struct server_input *input, size_t request_max,
                                            unsigned *status, struct err *err)
{
    struct bytes have;
    struct http_head *head;
    size_t head_len = 0;
    bool whole;

    *err = OK;
    if (input->len == input->at || input->len - input->at < input->need)
        return SERVER_INPUT_SOME;
    if (server_input_waits(input, request_max, err))
        return err->code ? server_input_refuse(status, server_input_status(*err))
                         : SERVER_INPUT_SOME;
    have = bytes_of(input->p + input->at, input->len - input->at);
    head = &input->work->head;
    *err = http_parse_request(head, &head_len, have);
    if (err->code)
        return server_input_refuse(status, head->status);
    if (head_len == 0)
        return SERVER_INPUT_SOME;
    if (head->target.n > TARGET_MAX)
        *err = FAIL(ERR_TOO_LARGE, "target: longer than 1024 bytes");
    if (err->code)
        return server_input_refuse(status, 414);
    *err = server_input_body(input, head_len, request_max, &whole);
    if (err->code)
        return server_input_refuse(status, server_input_status(*err));
    if (whole)
        return SERVER_INPUT_WHOLE;
    if (input->continued || !head->expect_continue)
        return SERVER_INPUT_SOME;
    input->continued = true;
    return SERVER_INPUT_EXPECTS;
}

struct server_request *server_input_request(const struct server_input *input)
{
    return &input->work->request;
}

void server_input_identify(struct server_input *input, struct server_input_pool *pool)
{
    struct server_input_work *work = input->work;
    struct bytes id = http_field_get(&work->head, "X-Request-Id");

    if (id.n > ID_MAX || !http_is_visible(id, "\"\\<>&'`$;|")) {
        uint64_t number = ++pool->requests;

        for (size_t i = ID_BYTES; i-- > 0; number >>= 4)
            work->id[i] = (uint8_t) "0123456789abcdef"[number & 15];
        id = BYTES_OF(work->id);
    }
    work->request.id = id;
}

void server_input_next(struct server_input *input, struct server_input_pool *pool)
{
    input->at += input->used;
    input->used = input->need = input->head_len = 0;
    input->chunks = (struct http_chunks) { 0 };
    input->continued = false;
    if (input->at == input->len)
        server_input_drop(input, pool);
}
