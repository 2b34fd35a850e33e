// SPDX-License-Identifier: Apache-2.0
// cli/clientsjson.h and cli/openssl/pemcert.h: who may use the data plane, as administrators write
// it; certificates are made here by libcrypto.
#include "cli/clientsjson.h"

#include "base/must.h"
#include "cli/openssl/pemcert.h"
#include "crypto/openssl/sha2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "expect.h"
#include "pki.h"

#define SHA        "8ee0859ffc2e2f2131460b824ca688ab30349ac6ea4f0431ed0f69a7b5c22fa7"
#define RIGHTS     "\"operations\":[\"sign_transaction\"],\"keys\":[\"*\"]"
#define PLAIN(who) "[{\"label\":\"a\"," who "," RIGHTS "}]"

static char folder[] = "/tmp/cloister-clients-XXXXXX";
static char folder_slash[64];
static struct pki pki, other;
static struct roster roster;
static char where[CLIENTSJSON_WHERE];

static struct err read_text(const char *text)
{
    static struct json nodes[512];
    static uint8_t buf[65536];
    const struct json *root = NULL;
    size_t n = strlen(text);

    assert_true(n < sizeof(buf));
    memcpy(buf, text, n);
    roster_init(&roster);
    expect_ok(text, json_parse(&root, nodes, ARRAY_LEN(nodes), buf, n));
    return clientsjson_read(&roster, where, root, folder_slash);
}

static struct clients_entry only_entry(void)
{
    static uint8_t buf[CLIENTS_BYTES_MAX];
    struct bytes section = BYTES_NONE;
    struct clients_entry entry;

    roster_section(&section, &roster, buf);
    expect_ok("section", clients_check(section));
    assert_true(clients_next(&section, &entry));
    assert_int_equal(section.n, 0);
    return entry;
}

static void kinds(void **state)
{
    static const struct {
        const char *text;
        uint8_t kind;
    } cases[] = {
        { PLAIN("\"certificate_sha256\":\"" SHA "\""), CLIENTS_CERTIFICATE },
        { PLAIN("\"certificate_pem_file\":\"a.pem\""), CLIENTS_CERTIFICATE },
        { PLAIN("\"token_sha256\":\"" SHA "\""), CLIENTS_TOKEN },
        { PLAIN("\"authority_pem_file\":\"ca.pem\""), CLIENTS_AUTHORITY },
        { PLAIN("\"anyone\":true"), CLIENTS_ANYONE },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct clients_entry entry;

        expect_ok(cases[i].text, read_text(cases[i].text));
        assert_string_equal(where, "");
        entry = only_entry();
        assert_int_equal(entry.kind, cases[i].kind);
        assert_int_equal(entry.operations, CLIENTS_SIGN_TX);
        assert_true(clients_matches(&entry, BYTES_LIT("0xab")));
    }
}

// The fingerprint of a file is that of its certificate, whatever stands around it.
static void certificates(void **state)
{
    struct clients_entry entry;
    uint8_t expected[32];

    (void)state;
    expect_ok("authority", read_text(PLAIN("\"authority_pem_file\":\"ca.pem\"")));
    entry = only_entry();
    sha2_256(expected, pki.root);
    assert_memory_equal(entry.identity, expected, 32);
    assert_true(bytes_equal(entry.certificate, pki.root));
    expect_ok("as a client", read_text(PLAIN("\"certificate_pem_file\":\"ca.pem\"")));
    entry = only_entry();
    assert_memory_equal(entry.identity, expected, 32);
    assert_int_equal(entry.certificate.n, 0);
}

static void rights(void **state)
{
    struct clients_entry entry;

    (void)state;
    expect_ok("metrics", read_text("[{\"label\":\"m\",\"token_sha256\":\"" SHA
                                   "\",\"operations\":[\"metrics\"]}]"));
    entry = only_entry();
    assert_int_equal(entry.operations, CLIENTS_METRICS);
    assert_int_equal(entry.patterns, 0);
    expect_ok("both",
              read_text("[{\"operations\":[\"sign_transaction\",\"metrics\"],\"keys\":"
                        "[\"0xAB*\",\"00ff*\"],\"label\":\"Two of them\",\"anyone\":true}]"));
    entry = only_entry();
    assert_int_equal(entry.operations, CLIENTS_METRICS | CLIENTS_SIGN_TX);
    assert_true(bytes_equal_str(entry.pattern_list, "\x05"
                                                    "0xab*\x05"
                                                    "00ff*"));
    assert_true(bytes_equal_str(entry.label, "Two of them"));
    expect_ok("nobody", read_text("[]"));
}

static void refused(void **state)
{
    static const struct {
        const char *name, *text, *where;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "an object", "{}", "", ERR_MALFORMED, "array" },
        { "a number", "[7]", "[0]", ERR_MALFORMED, "object" },
        { "an unknown field", PLAIN("\"anyone\":true,\"until\":1"), "[0].until", ERR_MALFORMED,
          "unknown" },
        { "nobody named", "[{\"label\":\"a\"," RIGHTS "}]", "[0]", ERR_MALFORMED, "token_sha256" },
        { "two of them", PLAIN("\"anyone\":true,\"token_sha256\":\"" SHA "\""), "[0].anyone",
          ERR_MALFORMED, "another" },
        { "anyone: false", PLAIN("\"anyone\":false"), "[0].anyone", ERR_MALFORMED, "true" },
        { "anyone: 1", PLAIN("\"anyone\":1"), "[0].anyone", ERR_MALFORMED, "true" },
        { "a short hash", PLAIN("\"token_sha256\":\"ab\""), "[0].token_sha256", ERR_MALFORMED,
          "SHA-256" },
        { "a hash of zeros",
          PLAIN("\"token_sha256\":"
                "\"0000000000000000000000000000000000000000000000000000000000000000\""),
          "[0]", ERR_MALFORMED, "identity" },
        { "a token itself", PLAIN("\"token\":\"secret\""), "[0].token", ERR_MALFORMED, "unknown" },
        { "no such file", PLAIN("\"certificate_pem_file\":\"none.pem\""),
          "[0].certificate_pem_file", ERR_NOT_FOUND, NULL },
        { "no file name", PLAIN("\"certificate_pem_file\":\"\""), "[0].certificate_pem_file",
          ERR_MALFORMED, "path" },
        { "a key", PLAIN("\"certificate_pem_file\":\"a.key\""), "[0].certificate_pem_file",
          ERR_MALFORMED, "BEGIN CERTIFICATE" },
        { "a chain", PLAIN("\"certificate_pem_file\":\"both.pem\""), "[0].certificate_pem_file",
          ERR_MALFORMED, "several" },
        { "an authority that is none", PLAIN("\"authority_pem_file\":\"a.pem\""),
          "[0].authority_pem_file", ERR_MALFORMED, "CA" },
        { "no operations", "[{\"label\":\"a\",\"anyone\":true,\"keys\":[\"*\"]}]", "[0].operations",
          ERR_MALFORMED, "metrics" },
        { "empty operations", "[{\"label\":\"a\",\"anyone\":true,\"operations\":[]}]",
          "[0].operations", ERR_MALFORMED, "metrics" },
        { "an operation of later",
          "[{\"label\":\"a\",\"anyone\":true,\"operations\":[\"metrics\",\"sign_message\"]}]",
          "[0].operations[1]", ERR_MALFORMED, "metrics" },
        { "an operation twice",
          "[{\"label\":\"a\",\"anyone\":true,\"operations\":[\"metrics\",\"metrics\"]}]",
          "[0].operations[1]", ERR_MALFORMED, "twice" },
        { "signing without keys",
          "[{\"label\":\"a\",\"anyone\":true,\"operations\":[\"sign_transaction\"]}]", "[0].keys",
          ERR_MALFORMED, "sign_transaction" },
        { "metrics with keys",
          "[{\"label\":\"a\",\"anyone\":true,\"operations\":[\"metrics\"],\"keys\":[\"*\"]}]",
          "[0].keys", ERR_MALFORMED, "without" },
        { "keys as text",
          "[{\"label\":\"a\",\"anyone\":true,\"operations\":[\"sign_transaction\"],\"keys\":\"*\"}"
          "]",
          "[0].keys", ERR_MALFORMED, "array" },
        { "an empty key",
          "[{\"label\":\"a\",\"anyone\":true,\"operations\":[\"sign_transaction\"],"
          "\"keys\":[\"*\",\"\"]}]",
          "[0].keys[1]", ERR_MALFORMED, NULL },
        { "a key with other signs",
          "[{\"label\":\"a\",\"anyone\":true,\"operations\":[\"sign_transaction\"],"
          "\"keys\":[\"a?\"]}]",
          "[0]", ERR_MALFORMED, "pattern" },
        { "no label", "[{\"anyone\":true," RIGHTS "}]", "[0]", ERR_MALFORMED, "label" },
        { "an empty label", "[{\"label\":\"\",\"anyone\":true," RIGHTS "}]", "[0]", ERR_MALFORMED,
          "label" },
        { "a label with a line end", "[{\"label\":\"a\\nb\",\"anyone\":true," RIGHTS "}]", "[0]",
          ERR_MALFORMED, "label" },
        { "a long label",
          "[{\"label\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
          "\"anyone\":true," RIGHTS "}]",
          "[0]", ERR_MALFORMED, "label" },
        { "the same one twice",
          "[{\"label\":\"a\",\"anyone\":true," RIGHTS "},{\"label\":\"b\",\"token_sha256\":\"" SHA
          "\"," RIGHTS "},{\"label\":\"c\",\"certificate_sha256\":\"" SHA "\"," RIGHTS "}]",
          "[2]", ERR_EXISTS, "already" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_err(cases[i].name, read_text(cases[i].text), cases[i].code, cases[i].what);
        if (strcmp(where, cases[i].where) != 0)
            fail_msg("%s: said at \"%s\", expected \"%s\"", cases[i].name, where, cases[i].where);
    }
}

// -- pemcert --------------------------------------------------------------------------------------

static struct bytes file(const char *name)
{
    static uint8_t text[65536];
    char path[128];
    size_t n = 0;
    FILE *in;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    in = fopen(path, "r");
    assert_non_null(in);
    n = fread(text, 1, sizeof(text), in);
    (void)fclose(in);
    return bytes_of(text, n);
}

static void pem_taken(void **state)
{
    struct pemcert cert;
    size_t count = 0;

    (void)state;
    expect_ok("authority", pemcert_read(&cert, &count, file("ca.pem")));
    assert_int_equal(count, 1);
    assert_true(cert.is_authority && cert.until_s == PKI_TO_S);
    assert_true(bytes_equal(bytes_of(cert.der, cert.n), pki.root));
    expect_ok("leaf, then its authority, with words between",
              pemcert_read(&cert, &count, file("both.pem")));
    assert_int_equal(count, 2);
    assert_false(cert.is_authority);
}

static void pem_refused(void **state)
{
    static uint8_t changed[65536];
    const struct {
        const char *name;
        struct bytes text;
        const char *what;
    } cases[] = {
        { "nothing", BYTES_NONE, "PEM" },
        { "words", BYTES_LIT("a certificate"), "BEGIN CERTIFICATE" },
        { "no end", BYTES_LIT("-----BEGIN CERTIFICATE-----\nMIIB\n"), "END" },
        { "no base64", BYTES_LIT("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"),
          "base64" },
        { "no certificate",
          BYTES_LIT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "X.509" },
        { "encrypted",
          BYTES_LIT("-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
                    "AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                    "AAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n"),
          NULL },
    };
    struct pemcert cert;
    struct bytes good = file("ca.pem");
    struct err err;
    size_t count;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].name, pemcert_read(&cert, &count, cases[i].text), ERR_MALFORMED,
                   cases[i].what);
    memcpy(changed, good.p, good.n);
    for (size_t i = 0; i < good.n; i += 7) { // whatever comes of it: no crash, and never more
        changed[i] ^= 1;
        err = pemcert_read(&cert, &count, bytes_of(changed, good.n));
        assert_true(count <= 1 && (err.code || count == 1));
        changed[i] ^= 1;
    }
}

static void save_pem(const char *name, X509 *first, X509 *second)
{
    char path[128];
    FILE *out;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(PEM_write_X509(out, first), 1);
    if (second)
        assert_true(fputs("and then\n", out) >= 0 && PEM_write_X509(out, second) == 1);
    assert_int_equal(fclose(out), 0);
}

static int set_up(void **state)
{
    FILE *in;
    X509 *leaf;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(folder_slash, sizeof(folder_slash), "%s/", folder);
    pki_make(&pki, folder, "a");
    pki_make(&other, folder, "b");
    in = fopen(pki.chain_path, "r");
    assert_non_null(in);
    leaf = PEM_read_X509(in, NULL, NULL, NULL);
    (void)fclose(in);
    save_pem("ca.pem", pki.ca, NULL);
    save_pem("both.pem", leaf, pki.ca);
    X509_free(leaf);
    return 0;
}

static int tear_down(void **state)
{
    char path[128];

    (void)state;
    pki_done(&pki);
    pki_done(&other);
    (void)snprintf(path, sizeof(path), "%s/ca.pem", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/both.pem", folder);
    (void)unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),   cmocka_unit_test(certificates), cmocka_unit_test(rights),
        cmocka_unit_test(refused), cmocka_unit_test(pem_taken),    cmocka_unit_test(pem_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
