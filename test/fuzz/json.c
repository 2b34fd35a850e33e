// SPDX-License-Identifier: Apache-2.0
// net/json.h: whatever is read must be written as JSON that reads as the same text again.
#include "net/json.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>

#define NODES     256
#define INPUT_MAX 16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct bytes fuzz_write(uint8_t *out, size_t cap, const struct json *root)
{
    struct wr wr = wr_of(out, cap);
    struct jw jw = jw_of(&wr);

    jw_value(&jw, root);
    must(!wr.bad);
    return wr_done(&wr);
}

// The accessors never fail on a parsed value.
static void fuzz_walk(const struct json *value)
{
    static const char *const known[] = { "a", "id", NULL };
    unsigned count = 0;
    struct u256 wide;
    uint64_t number;

    (void)json_get(value, "a");
    (void)json_unknown(value, known);
    if (!json_u64(&number, value).code)
        must(!json_u256(&wide, value).code && wide.limb[0] == number);
    for (const struct json *at = value->child; at; at = at->next, count++) {
        fuzz_walk(at);
        must(value->type != JSON_OBJECT || at->key.p != NULL);
        for (const struct json *other = at->next; other && value->type == JSON_OBJECT;
             other = other->next)
            must(!bytes_equal(at->key, other->key));
    }
    must(count == value->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    // Every byte may become an escape of six; the second writing is as long as the first.
    static uint8_t first[6 * INPUT_MAX], copy[6 * INPUT_MAX], second[6 * INPUT_MAX];
    static struct json nodes[NODES];
    const struct json *root;
    struct bytes once, twice;
    uint8_t *text;

    if (n > INPUT_MAX)
        return 0;
    text = malloc(n ? n : 1);
    must(text != NULL);
    if (n)
        memcpy(text, data, n);
    if (!json_parse(&root, nodes, NODES, text, n).code) {
        fuzz_walk(root);
        once = fuzz_write(first, sizeof(first), root);
        memcpy(copy, once.p, once.n);
        must(!json_parse(&root, nodes, NODES, copy, once.n).code);
        twice = fuzz_write(second, sizeof(second), root);
        must(bytes_equal(once, twice));
    }
    free(text);
    return 0;
}
