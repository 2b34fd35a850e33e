// SPDX-License-Identifier: Apache-2.0
// What the operator's own tool reads from files and words: the trust file ('t'), the JSON form of a
// configuration ('c'), amounts ('a'). A configuration that is taken is one that reads back.
#include "fuzz.h"

#include "cli/confjson.h"
#include "cli/ether.h"
#include "cli/trust.h"

#include <stdlib.h>

#define NODES 512

static void fuzz_trust(struct bytes text)
{
    static struct trust trust;
    unsigned line = 0;

    if (trust_parse(&trust, text, "/folder", &line).code) {
        must(line > 0);
        return;
    }
    must(line == 0 && trust.pcr0_len <= TRUST_PCR0_MAX && trust.keyset_len <= CONFIG_KEYSETS);
    must(trust.configuration[0] == 0 || trust.configuration[0] == '/');
    must(trust.token_file[0] == 0 || trust.token_file[0] == '/');
}

static void fuzz_config(struct bytes text)
{
    static uint8_t out[CONFIG_BYTES_MAX];
    static struct json nodes[NODES];
    static struct confjson json;
    static struct config config;
    struct wr wr = WR_OF(out);
    uint8_t *copy = malloc(text.n + 1);
    const struct json *root;

    must(copy != NULL);
    if (text.n)
        memcpy(copy, text.p, text.n);
    if (!json_parse(&root, nodes, NODES, copy, text.n).code) {
        if (confjson_read(&json, root, NULL).code) {
            must(memchr(json.where, 0, sizeof(json.where)) != NULL);
        } else {
            config_write(&wr, &json.config);
            must(wr.bad || config_read(&config, wr_done(&wr)).code != ERR_INTERNAL);
        }
    }
    free(copy);
}

static void fuzz_amount(struct bytes text)
{
    uint8_t out[128];
    struct wr wr = WR_OF(out);
    struct u256 wei, again;

    (void)ether_has_unit(text);
    if (ether_parse(&wei, text).code)
        return;
    ether_write(&wr, wei);
    wr_str(&wr, " ether");
    fuzz_ok(ether_parse(&again, wr_done(&wr)));
    must(u256_compare(wei, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = bytes_skip(bytes_of(data, n), 1);

    if (n > 0 && data[0] == 't')
        fuzz_trust(in);
    else if (n > 0 && data[0] == 'c')
        fuzz_config(in);
    else if (n > 0 && data[0] == 'a')
        fuzz_amount(in);
    return 0;
}
