// SPDX-License-Identifier: Apache-2.0
// What the operator's own tool reads from files and words: the trust file ('t'), the JSON form of a
// configuration ('c'), amounts ('a'), clients of the data plane as JSON ('j') and in Web3Signer's
// format ('k'), certificates ('p'). What is taken of them is a section of a manifest.
#include "fuzz.h"

#include "cli/clientsjson.h"
#include "cli/confjson.h"
#include "cli/ether.h"
#include "cli/knownclients.h"
#include "cli/openssl/pemcert.h"
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

static struct roster roster;

static void check_roster(void)
{
    static uint8_t buf[CLIENTS_BYTES_MAX];
    struct bytes section;

    roster_section(&section, &roster, buf);
    fuzz_ok(clients_check(section));
}

static void fuzz_clients(struct bytes text)
{
    static struct json nodes[NODES];
    uint8_t *copy = malloc(text.n + 1);
    char where[CLIENTSJSON_WHERE];
    const struct json *root;

    must(copy != NULL);
    if (text.n)
        memcpy(copy, text.p, text.n);
    roster_init(&roster);
    if (!json_parse(&root, nodes, NODES, copy, text.n).code) {
        if (clientsjson_read(&roster, where, root, NULL).code)
            must(memchr(where, 0, sizeof(where)) != NULL);
        else
            check_roster();
    }
    free(copy);
}

static void fuzz_known_clients(struct bytes text)
{
    static struct knownclients_rights rights = { .operations = CLIENTS_METRICS };
    unsigned line = 0;

    roster_init(&roster);
    if (knownclients_read(&roster, &line, text, &rights).code)
        must(line > 0);
    else
        check_roster();
}

static void fuzz_certificate(struct bytes text)
{
    static struct pemcert cert;
    size_t count;

    if (!pemcert_read(&cert, &count, text).code)
        must(count > 0 && cert.n > 0 && cert.n <= sizeof(cert.der));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = bytes_skip(bytes_of(data, n), 1);

    switch (n > 0 ? data[0] : 0) {
    case 't':
        fuzz_trust(in);
        break;
    case 'c':
        fuzz_config(in);
        break;
    case 'a':
        fuzz_amount(in);
        break;
    case 'j':
        fuzz_clients(in);
        break;
    case 'k':
        fuzz_known_clients(in);
        break;
    case 'p':
        fuzz_certificate(in);
        break;
    default:
        break;
    }
    return 0;
}
