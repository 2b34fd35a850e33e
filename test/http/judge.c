// SPDX-License-Identifier: Apache-2.0
// The HTTP server's parser as one side of test/http/agree.mjs: it answers each line of standard
// input, the bytes of a connection in hex, with one line of JSON: the requests that it takes, and
// what it says of the bytes after them ("done", "more", or a refusal with its status and words).
#include "base/hex.h"
#include "base/must.h"
#include "httpd/server_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_MAX 65536U
#define INPUT_MAX   (64U << 10)
#define LINE_BYTES  (2 * INPUT_MAX + 2)

static void put_hex(const char *name, struct bytes bytes)
{
    printf("\"%s\":\"", name);
    for (size_t i = 0; i < bytes.n; i++)
        printf("%02x", bytes.p[i]);
    printf("\"");
}

static void put_request(const struct server_request *request, bool is_first)
{
    printf(is_first ? "{" : ",{");
    put_hex("method", request->head->method);
    printf(",");
    put_hex("target", request->head->target);
    printf(",");
    put_hex("body", request->body);
    printf(",\"fields\":[");
    for (size_t i = 0; i < request->head->fields; i++) {
        printf(i ? ",{" : "{");
        put_hex("name", request->head->field[i].name);
        printf(",");
        put_hex("value", request->head->field[i].value);
        printf("}");
    }
    printf("]}");
}

static void fill(struct server_input *input, struct server_input_pool *pool, struct bytes bytes)
{
    while (bytes.n > 0) {
        size_t n;

        must(server_input_open(input, pool));
        if (input->len == input->cap)
            must(!server_input_grow(input, server_input_wants(input, REQUEST_MAX)).code);
        n = input->cap - input->len < bytes.n ? input->cap - input->len : bytes.n;
        memcpy(input->p + input->len, bytes.p, n);
        input->len += n;
        bytes = bytes_skip(bytes, n);
    }
}

static void judge(struct bytes bytes)
{
    static struct server_input_pool pool;
    struct server_input input = { .work = NULL };
    enum server_input_result result;
    unsigned status = 0;
    bool is_first = true, is_closed = false;
    struct err err;

    fill(&input, &pool, bytes);
    printf("{\"requests\":[");
    while ((result = server_input_parse(&input, REQUEST_MAX, &status, &err)) ==
               SERVER_INPUT_WHOLE &&
           !is_closed) {
        is_closed = !server_input_request(&input)->head->keep_alive;
        put_request(server_input_request(&input), is_first);
        is_first = false;
        server_input_next(&input, &pool);
    }
    if (is_closed)
        printf("],\"end\":\"closed\"}\n");
    else if (result == SERVER_INPUT_BAD)
        printf("],\"end\":\"bad\",\"status\":%u,\"words\":\"%s\"}\n", status, err_text(err));
    else
        printf("],\"end\":\"%s\"}\n", input.work ? "more" : "done");
    server_input_drop(&input, &pool);
    (void)fflush(stdout);
}

int main(void)
{
    static char line[LINE_BYTES + 1];
    static uint8_t bytes[INPUT_MAX];

    while (fgets(line, sizeof(line), stdin)) {
        size_t n = strcspn(line, "\n");

        must(!hex_decode(bytes, n / 2, bytes_of(line, n)).code);
        judge(bytes_of(bytes, n / 2));
    }
    return 0;
}
