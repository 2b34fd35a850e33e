// SPDX-License-Identifier: Apache-2.0
// net/proxy2.h: what a tunnel says in front of a connection. A header that is taken is exactly as
// long as its first bytes say, and gives a source that may stand in a log.
#include "fuzz.h"

#include "net/http.h"
#include "net/proxy2.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = bytes_of(data, n);
    char source[PROXY2_TEXT_MAX];
    size_t length;

    if (n < PROXY2_HEAD_BYTES || proxy2_length(&length, bytes_take(in, PROXY2_HEAD_BYTES)).code)
        return 0;
    must(length >= PROXY2_HEAD_BYTES && length <= PROXY2_BYTES_MAX);
    if (n < length) {
        must(proxy2_read(source, in).code != ERR_NONE);
        return 0;
    }
    if (proxy2_read(source, bytes_take(in, length)).code)
        return 0;
    must(strlen(source) < sizeof(source));
    must(source[0] == 0 || http_is_visible(bytes_str(source), "/?#@\\,\"<>"));
    must(n == length || proxy2_read(source, in).code != ERR_NONE);
    return 0;
}
