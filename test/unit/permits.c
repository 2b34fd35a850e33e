// SPDX-License-Identifier: Apache-2.0
// front/permits.h: who may do what by the sections of a manifest. Every refusal is tried against
// every kind of client.
#include "front/permits.h"

#include "base/hex.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"

#define ID      "00112233445566778899aabbccddeeff"
#define OTHER   "ffeeddccbbaa99887766554433221100"
#define ADDRESS "0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"
#define METRICS CLIENTS_METRICS
#define SIGN    CLIENTS_SIGN_TX

// SHA-256 of "abc" (FIPS 180-2, B.1), of the authority's "certificate", and of the token "a".
#define ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define CA    "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
#define TOKEN "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"

static struct permits *permits;
static uint8_t leaf[32], authority[32];

struct row {
    const char *identity; // hex; NULL: zero
    uint8_t kind;
    uint16_t operations;
    const char *pattern, *certificate;
};

static int make(void **state)
{
    (void)state;
    return permits_new(&permits).code ? -1 : 0;
}

static int drop(void **state)
{
    (void)state;
    permits_free(&permits);
    assert_null(permits);
    return 0;
}

static void load_sections(struct bytes clients, struct bytes web)
{
    struct msg_clients told = { .serial = 1, .mode = CONFIG_PARENT_TRUSTED };

    told.clients = clients;
    told.web = web;
    expect_ok("clients", clients_check(told.clients));
    expect_ok("web", clients_check_web(told.web));
    permits_load(permits, &told);
}

static void load(const struct row *row, size_t n)
{
    static uint8_t space[CLIENTS_BYTES_MAX];
    struct wr wr = WR_OF(space);

    for (size_t i = 0; i < n; i++) {
        struct clients_entry entry = { .kind = row[i].kind, .operations = row[i].operations };
        uint8_t pattern[100];
        struct wr list = WR_OF(pattern);

        entry.label = BYTES_LIT("somebody");
        if (row[i].identity)
            must(!hex_decode(entry.identity, 32, bytes_str(row[i].identity)).code);
        if (row[i].pattern)
            wr_var8(&list, bytes_str(row[i].pattern));
        entry.patterns = row[i].pattern != NULL;
        entry.pattern_list = wr_done(&list);
        entry.certificate = bytes_str(row[i].certificate);
        clients_write(&wr, &entry);
    }
    load_sections(wr_done(&wr), BYTES_NONE);
}

#define LOAD(...)                                         \
    do {                                                  \
        static const struct row rows[] = { __VA_ARGS__ }; \
        load(rows, ARRAY_LEN(rows));                      \
    } while (0)

static struct permits_who who(bool has_leaf, bool has_authority, const char *token)
{
    struct permits_shown shown = { .token = bytes_str(token) };
    struct permits_who out;

    must(!hex_decode(leaf, 32, bytes_str(ABC)).code);
    must(!hex_decode(authority, 32, bytes_str(CA)).code);
    shown.leaf = has_leaf ? leaf : NULL;
    shown.authority = has_authority ? authority : NULL;
    permits_identify(permits, &out, &shown);
    return out;
}

static void test_nothing_before_the_vault_told(void **state)
{
    struct permits_who nobody = who(true, true, "b");
    struct bytes der[PERMITS_AUTHORITIES];

    (void)state;
    assert_false(nobody.known);
    expect_err("metrics", permits_check(&nobody, METRICS, NULL), ERR_UNAUTHORIZED, "certificate");
    expect_err("sign", permits_check(&nobody, SIGN, NULL), ERR_UNAUTHORIZED, NULL);
    assert_false(permits_knows(permits, leaf));
    assert_int_equal(permits_authorities(permits, der), 0);
    assert_false(permits_host(permits, BYTES_LIT("any")));
    assert_false(permits_origin(permits, BYTES_LIT("https://any")));
}

// Each client alone, and what the other one's identity is worth in its place.
static void test_kinds(void **state)
{
    struct permits_who by_leaf, by_authority, by_token, nobody;
    struct bytes der[PERMITS_AUTHORITIES];

    (void)state;
    LOAD({ TOKEN, CLIENTS_TOKEN, METRICS, NULL, NULL },
         { ABC, CLIENTS_CERTIFICATE, METRICS, NULL, NULL },
         { CA, CLIENTS_AUTHORITY, METRICS, NULL, "a" });
    by_leaf = who(true, false, NULL);
    by_authority = who(false, true, NULL);
    by_token = who(false, false, "b");
    nobody = who(false, false, NULL);
    expect_ok("certificate", permits_check(&by_leaf, METRICS, NULL));
    expect_ok("authority", permits_check(&by_authority, METRICS, NULL));
    expect_ok("token", permits_check(&by_token, METRICS, NULL));
    expect_err("nobody", permits_check(&nobody, METRICS, NULL), ERR_UNAUTHORIZED, NULL);
    expect_err("no operation", permits_check(&by_leaf, SIGN, NULL), ERR_DENIED, "manifest");
    expect_err("no operation", permits_check(&by_authority, SIGN, NULL), ERR_DENIED, NULL);
    expect_err("no operation", permits_check(&by_token, SIGN, NULL), ERR_DENIED, NULL);
    assert_true(permits_knows(permits, leaf));
    assert_false(permits_knows(permits, authority)); // an authority is no client
    assert_int_equal(permits_authorities(permits, der), 1);
    assert_true(bytes_equal_str(der[0], "a"));
}

// The identity counts as what the manifest says it is, and as nothing else.
static void test_one_kind_in_the_place_of_another(void **state)
{
    struct permits_who certificate_as_token, token_as_certificate, leaf_as_authority;

    (void)state;
    LOAD({ ABC, CLIENTS_CERTIFICATE, METRICS, NULL, NULL });
    certificate_as_token = who(false, false, "abc"); // the hashed bytes themselves
    assert_false(certificate_as_token.known);
    expect_err("certificate as token", permits_check(&certificate_as_token, METRICS, NULL),
               ERR_UNAUTHORIZED, NULL);
    LOAD({ ABC, CLIENTS_TOKEN, METRICS, NULL, NULL });
    token_as_certificate = who(true, false, NULL);
    expect_err("token as certificate", permits_check(&token_as_certificate, METRICS, NULL),
               ERR_UNAUTHORIZED, NULL);
    assert_false(permits_knows(permits, leaf));
    LOAD({ CA, CLIENTS_CERTIFICATE, METRICS, NULL, NULL });
    leaf_as_authority = who(false, true, NULL);
    expect_err("leaf as authority", permits_check(&leaf_as_authority, METRICS, NULL),
               ERR_UNAUTHORIZED, NULL);
    assert_false(permits_knows(permits, leaf));
}

static void test_tokens(void **state)
{
    static const char *const wrong[] = { "", "a", "B", "b ", " b", "bb", "b\n", TOKEN };

    (void)state;
    LOAD({ TOKEN, CLIENTS_TOKEN, METRICS, NULL, NULL });
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct permits_who stranger = who(false, false, wrong[i]);

        expect_err(wrong[i], permits_check(&stranger, METRICS, NULL), ERR_UNAUTHORIZED, NULL);
        assert_memory_not_equal(stranger.identity, (uint8_t[32]) { 0 }, 32); // for the audit
    }
}

static void test_keys(void **state)
{
    static const struct {
        const char *pattern, *id, *address;
        bool is_allowed;
    } cases[] = {
        { ID, ID, "", true },
        { "*", ID, "", true },
        { "0011*", ID, "", true },
        { "*eeff", ID, "", true },
        { "0x9d8a*", ID, ADDRESS, true },
        { ADDRESS, OTHER, ADDRESS, true },
        { "0x*", ID, ADDRESS, true },
        { ID, OTHER, "", false },
        { ID, OTHER, ADDRESS, false },
        { ADDRESS, ID, "", false }, // the address is not known
        { "0x*", ID, "", false },
        { "0011", ID, "", false },
        { "*eef", ID, ADDRESS, false },
        { "0X9D8A*", ID, ADDRESS, false },
        { "1*", ID, ADDRESS, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct row row = { TOKEN, CLIENTS_TOKEN, SIGN, cases[i].pattern, NULL };
        struct permits_key key = { bytes_str(cases[i].id), bytes_str(cases[i].address) };
        struct permits_who client;

        if (strchr(cases[i].pattern, 'X'))
            continue; // no manifest has it: proto/clients.h
        load(&row, 1);
        client = who(false, false, "b");
        expect_ok("some key", permits_check(&client, SIGN, NULL));
        expect_err(cases[i].pattern, permits_check(&client, SIGN, &key),
                   cases[i].is_allowed ? ERR_NONE : ERR_DENIED, NULL);
        expect_err("another operation", permits_check(&client, METRICS, &key), ERR_DENIED, NULL);
    }
}

// One request may show several identities: what one of them may, it may; but not half of each.
static void test_several_identities(void **state)
{
    struct permits_key one = { BYTES_LIT("a1"), BYTES_NONE }, two = { BYTES_LIT("b2"), BYTES_NONE };
    struct permits_who both, stranger, nobody;

    (void)state;
    LOAD({ NULL, CLIENTS_ANYONE, METRICS, NULL, NULL }, { TOKEN, CLIENTS_TOKEN, SIGN, "a*", NULL },
         { ABC, CLIENTS_CERTIFICATE, METRICS, NULL, NULL });
    both = who(true, false, "b");
    stranger = who(false, false, "x");
    nobody = who(false, false, NULL);
    assert_true(both.known);
    assert_memory_equal(both.identity, leaf, 32);
    expect_ok("by the token", permits_check(&both, SIGN, &one));
    expect_ok("by the certificate", permits_check(&both, METRICS, NULL));
    expect_err("by none of them", permits_check(&both, SIGN, &two), ERR_DENIED, NULL);
    expect_ok("anyone", permits_check(&nobody, METRICS, NULL));
    expect_ok("anyone, with a wrong token", permits_check(&stranger, METRICS, NULL));
    expect_err("anyone", permits_check(&nobody, SIGN, &one), ERR_UNAUTHORIZED, NULL);
    assert_false(nobody.known);
    assert_memory_equal(nobody.identity, (uint8_t[32]) { 0 }, 32);
}

static void test_a_manifest_replaces_the_one_before(void **state)
{
    struct permits_who client;

    (void)state;
    LOAD({ TOKEN, CLIENTS_TOKEN, METRICS, NULL, NULL });
    client = who(false, false, "b");
    expect_ok("before", permits_check(&client, METRICS, NULL));
    LOAD({ ABC, CLIENTS_CERTIFICATE, METRICS, NULL, NULL });
    client = who(false, false, "b");
    expect_err("after", permits_check(&client, METRICS, NULL), ERR_UNAUTHORIZED, NULL);
    permits_clear(permits);
    client = who(true, false, "b");
    expect_err("cleared", permits_check(&client, METRICS, NULL), ERR_UNAUTHORIZED, NULL);
}

// As many entries as a manifest can hold: each is found, and nothing between them.
static void test_many(void **state)
{
    static uint8_t space[CLIENTS_BYTES_MAX];
    struct wr wr = WR_OF(space);
    struct clients_entry entry = { .kind = CLIENTS_CERTIFICATE, .operations = METRICS };
    unsigned n = 0;

    (void)state;
    entry.label = BYTES_LIT("x");
    while (wr.cap - wr.len >= 40) {
        n++;
        entry.identity[0] = (uint8_t)(n >> 8);
        entry.identity[1] = (uint8_t)n;
        clients_write(&wr, &entry);
    }
    assert_int_equal(n, CLIENTS_BYTES_MAX / 40);
    load_sections(wr_done(&wr), BYTES_NONE);
    memset(leaf, 0, sizeof(leaf));
    for (unsigned i = 0; i <= n + 1; i++) {
        leaf[0] = (uint8_t)(i >> 8);
        leaf[1] = (uint8_t)i;
        assert_int_equal(permits_knows(permits, leaf), i >= 1 && i <= n);
        leaf[31] = 1;
        assert_false(permits_knows(permits, leaf));
        leaf[31] = 0;
    }
}

static void test_web(void **state)
{
    static uint8_t space[512];
    struct wr wr = WR_OF(space);

    (void)state;
    clients_write_web(&wr, &(struct clients_web) { CLIENTS_HOST, BYTES_LIT("signer.example") });
    clients_write_web(&wr,
                      &(struct clients_web) { CLIENTS_ORIGIN, BYTES_LIT("https://a.example") });
    load_sections(BYTES_NONE, wr_done(&wr));
    assert_true(permits_host(permits, BYTES_LIT("signer.example")));
    assert_false(permits_host(permits, BYTES_LIT("signer.example.org")));
    assert_false(permits_host(permits, BYTES_LIT("https://a.example"))); // an origin is no host
    assert_false(permits_host(permits, BYTES_NONE));
    assert_true(permits_origin(permits, BYTES_LIT("https://a.example")));
    assert_false(permits_origin(permits, BYTES_LIT("http://a.example")));
    assert_false(permits_origin(permits, BYTES_LIT("https://a.example:444")));
    assert_false(permits_origin(permits, BYTES_LIT("signer.example")));
    assert_false(permits_origin(permits, BYTES_LIT("null")));
    wr = WR_OF(space);
    clients_write_web(&wr, &(struct clients_web) { CLIENTS_HOST, BYTES_LIT("*") });
    load_sections(BYTES_NONE, wr_done(&wr));
    assert_true(permits_host(permits, BYTES_LIT("any")));
    assert_false(permits_origin(permits, BYTES_LIT("https://a.example")));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_before_the_vault_told),
        TEST(test_kinds),
        TEST(test_one_kind_in_the_place_of_another),
        TEST(test_tokens),
        TEST(test_keys),
        TEST(test_several_identities),
        TEST(test_a_manifest_replaces_the_one_before),
        TEST(test_many),
        TEST(test_web),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
