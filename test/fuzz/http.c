// SPDX-License-Identifier: Apache-2.0
// net/http.h: heads and chunked bodies. The first byte chooses the parser. What is accepted must
// have one meaning only: a longer input gives the same answer, and no two framings are there.
#include "net/http.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool fuzz_is_inside(struct bytes part, struct bytes all)
{
    return part.n == 0 || (part.p >= all.p && part.p + part.n <= all.p + all.n);
}

static void fuzz_check_head(const struct http_head *head, struct bytes text)
{
    must(!(head->chunked && head->has_length));
    must(head->minor <= 1 && head->fields <= HTTP_FIELDS_MAX);
    must(head->has_length || head->content_length == 0);
    must(fuzz_is_inside(head->method, text) && fuzz_is_inside(head->target, text));
    for (size_t i = 0; i < head->fields; i++) {
        const struct http_field *field = &head->field[i];

        must(field->name.n > 0 && fuzz_is_inside(field->name, text));
        must(fuzz_is_inside(field->value, text));
        must(field->value.n == 0 || !memchr(field->value.p, '\n', field->value.n));
        must(field->value.n == 0 || !memchr(field->value.p, '\r', field->value.n));
    }
    (void)http_field_get(head, "host");
}

static void fuzz_head(struct bytes in,
                      struct err (*parse)(struct http_head *, size_t *, struct bytes))
{
    static struct http_head head;
    size_t len, again;

    if (parse(&head, &len, in).code || len == 0)
        return;
    must(len <= in.n && len <= HTTP_HEAD_MAX);
    fuzz_check_head(&head, bytes_take(in, len));
    must(!parse(&head, &again, bytes_take(in, len)).code && again == len);
    must(!parse(&head, &again, bytes_take(in, len - 1)).code && again == 0);
}

static void fuzz_chunks(struct bytes in)
{
    uint8_t *data = malloc(in.n ? in.n : 1);
    size_t body_len, used, body_again, used_again;
    struct http_chunks chunks = { 0 };
    bool is_bad = false;

    must(data != NULL);
    if (in.n)
        memcpy(data, in.p, in.n);
    if (!http_dechunk(data, in.n, BODY_MAX, &body_len, &used).code) {
        must(used <= in.n && body_len <= BODY_MAX);
        must(used == 0 || body_len < used);
        if (used == 0)
            must(in.n == 0 || memcmp(data, in.p, in.n) == 0);
        else if (used <= in.n) {
            memcpy(data, in.p, used);
            must(!http_dechunk(data, used, BODY_MAX, &body_again, &used_again).code);
            must(body_again == body_len && used_again == used);
        }
        used_again = 0;
        for (size_t n = 0; n <= in.n && used_again == 0 && !is_bad; n++) // byte by byte, the same
            is_bad = http_measure(&chunks, &used_again, bytes_take(in, n), BODY_MAX).code;
        must(!is_bad && used_again == used && chunks.body_len == body_len);
    }
    free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = bytes_of(data, n);

    if (n == 0)
        return 0;
    in = bytes_skip(in, 1);
    if (data[0] == 'q')
        fuzz_head(in, http_parse_request);
    else if (data[0] == 'a')
        fuzz_head(in, http_parse_response);
    else if (data[0] == 'c')
        fuzz_chunks(in);
    return 0;
}
