// SPDX-License-Identifier: Apache-2.0
// net/proxy2.h and httpd/server_intro.h: what a tunnel says in front of a connection, and the first
// record. A header that is taken is exactly as long as its first bytes say, and gives a source that
// may stand in a log; more bytes never change what was decided.
#include "fuzz.h"

#include "httpd/server_intro.h"
#include "net/http.h"
#include "net/proxy2.h"

#include <string.h>

static void fuzz_header(struct bytes in)
{
    char source[PROXY2_TEXT_MAX];
    size_t length;

    if (in.n < PROXY2_HEAD_BYTES || proxy2_length(&length, bytes_take(in, PROXY2_HEAD_BYTES)).code)
        return;
    must(length >= PROXY2_HEAD_BYTES && length <= PROXY2_BYTES_MAX);
    if (in.n < length) {
        must(proxy2_read(source, in).code != ERR_NONE);
        return;
    }
    if (proxy2_read(source, bytes_take(in, length)).code)
        return;
    must(strlen(source) < sizeof(source));
    must(source[0] == 0 || http_is_visible(bytes_str(source), "/?#@\\,\"<>"));
    must(in.n == length || proxy2_read(source, in).code != ERR_NONE);
}

static void fuzz_intro(uint8_t *first, size_t n)
{
    enum server_intro_result before = SERVER_INTRO_MORE;

    for (size_t k = 1; k <= n; k++) {
        struct server_input input = { .p = first, .len = k, .cap = SERVER_INPUT_FIRST_BYTES };
        char source[PROXY2_TEXT_MAX] = "";
        struct bytes tls;
        enum server_intro_result result = server_intro_look(&input, source, &tls);

        must(before == SERVER_INTRO_MORE || result == before);
        must(result != SERVER_INTRO_DONE || (tls.n >= 6 && tls.p[0] == 0x16));
        must(tls.n == 0 || tls.p + tls.n == first + k);
        before = result;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t first[SERVER_INPUT_FIRST_BYTES];

    fuzz_header(bytes_of(data, n));
    n = n < sizeof(first) ? n : sizeof(first);
    if (n > 0)
        memcpy(first, data, n);
    fuzz_intro(first, n);
    return 0;
}
