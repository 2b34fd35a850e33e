// SPDX-License-Identifier: Apache-2.0
// The front's methods about TLS keys: what the vault is asked, what is refused before, and that a
// refusal leaves the certificate in use.
#include "front_tls.h"

#include "expect.h"

#define KEYSET "0123456789abcdef0123456789abcdef"
#define OPEN   "{\"method\":\"tls.open\",\"params\":{\"record_b64\":\"MA==\","
#define CSR    "{\"method\":\"tls.csr\",\"params\":{\"record_b64\":\"MA==\","

static int by_hand(void **state)
{
    (void)state;
    fixture_start(PHASE_READY);
    return 0;
}

static int stop_by_hand(void **state)
{
    (void)state;
    fixture_stop();
    return 0;
}

static int with_bot(void **state)
{
    (void)state;
    return bot_start(PHASE_READY);
}

static int stop_bot(void **state)
{
    (void)state;
    return bot_stop();
}

// A request of the control plane, and its answer.
static const char *ask(const char *json)
{
    int fd = client_dial();
    const char *answer;

    client_send(fd, json);
    answer = client_read(fd);
    (void)close(fd);
    return answer;
}

static void expect(const char *json, const char *part)
{
    const char *answer = ask(json);

    if (!strstr(answer, part))
        fail_msg("%s\n%s\nexpected %s", json, answer, part);
}

// -- creation and import --------------------------------------------------------------------------

// The answer to a creation: a record of this purpose, whose public key is `point`.
static void answer_created(const struct msg *msg, enum record_purpose purpose,
                           const uint8_t point[static 33])
{
    static const uint8_t sealed[RECORD_SEALED_BYTES] = { 1 }, policy[] = { 0, 1, 0 };
    static const uint8_t nobody[] = { 0, 1, 0 };
    uint8_t public_bytes[512], bytes[1024], result[2048];
    struct wr public_wr = WR_OF(public_bytes), wr = WR_OF(bytes), out = WR_OF(result);
    struct record record = { .purpose = purpose,
                             .public_key = bytes_of(point, 33),
                             .provenance = RECORD_GENERATED,
                             .generation = 1,
                             .policy = BYTES_OF(policy),
                             .authorisers = BYTES_OF(nobody),
                             .sealed = BYTES_OF(sealed) };

    record.key_type = purpose == RECORD_TLS ? RECORD_P256 : RECORD_SECP256K1;
    memset(record.id.b, 0xac, 16);
    record.deployment = record.keyset = record.id;
    policy_hash(record.policy_hash, record.policy);
    policy_authoriser_hash(record.authoriser_hash, record.authorisers);
    record_write_public(&public_wr, &record);
    record.public_bytes = wr_done(&public_wr);
    record_write(&wr, &record);
    msg_write_created(&out, &(struct msg_created) { wr_done(&wr), BYTES_LIT("receipt") });
    assert_false(out.bad);
    vault_answer(msg, ERR_NONE, wr_done(&out));
}

// The names of a key as they stand in an answer: the public key, and SHA-256 of what libcrypto
// encodes it as.
static void expected_names(char *out, size_t cap, uint8_t point[static 33])
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    char point_text[67], spki_text[65];
    uint8_t spki[32];

    point_of(point, key);
    spki_of(spki, key);
    EVP_PKEY_free(key);
    hex_encode(point_text, bytes_of(point, 33));
    hex_encode(spki_text, BYTES_OF(spki));
    (void)snprintf(
        out, cap,
        "{\"result\":{\"key\":\"acacacacacacacacacacacacacacacac\",\"public_key\":\"0x%s\","
        "\"spki_sha256\":\"%s\",\"record_b64\":\"AAGsrKys",
        point_text, spki_text);
}

static void expect_creation(const struct msg *msg)
{
    struct msg_account_create asked;
    struct rd rd = rd_of(msg->body);

    expect_ok("message", msg_read_account_create(&asked, &rd));
    expect_ok("message", rd_end(&rd));
    assert_int_equal(asked.keyset.b[15], 0xef);
    assert_true(bytes_equal(asked.policy, BYTES_LIT("\x00\x01\x00"))); // nothing
    assert_true(bytes_equal(asked.nonce, BYTES_LIT("\xaa")));
}

static void test_create(void **state)
{
    uint8_t point[33];
    char expected[400];
    struct msg msg;
    int fd = client_dial();

    (void)state;
    expected_names(expected, sizeof(expected), point);
    for (int is_tls = 0; is_tls < 2; is_tls++) {
        client_send(fd, "{\"method\":\"tls.create\",\"params\":{\"keyset\":\"" KEYSET
                        "\",\"nonce\":\"0xaa\"}}");
        msg = vault_expect(MSG_ACCOUNT_CREATE);
        expect_creation(&msg);
        if (is_tls) {
            answer_created(&msg, RECORD_TLS, point);
            client_expect(fd, expected);
        } else { // the keyset was one of accounts
            must(!hex_decode(point, 33, BYTES_LIT(POINT)).code);
            answer_created(&msg, RECORD_ACCOUNT, point);
            client_expect(fd, "\"code\":\"mismatch\",\"message\":\"keyset: expected one whose");
            expected_names(expected, sizeof(expected), point);
        }
    }
    (void)close(fd);
}

static void test_import(void **state)
{
    static char text[1024] = "{\"method\":\"import.finish\",\"params\":{\"account\":\"" KEYSET
                             "\",\"enc\":\"0x0909090909090909090909090909090909090909090909090909"
                             "090909090909\",\"ciphertext_b64\":\"eA==\"}}";
    struct msg_import_ready offer = { .document = BYTES_LIT("document") };
    uint8_t point[33], space[256];
    struct wr wr = WR_OF(space);
    char expected[400];
    struct msg msg;
    int fd = client_dial();

    (void)state;
    expected_names(expected, sizeof(expected), point);
    client_send(fd, "{\"method\":\"tls.import\",\"params\":{\"keyset\":\"" KEYSET
                    "\",\"nonce\":\"0xaa\"}}");
    msg = vault_expect(MSG_IMPORT_BEGIN);
    expect_creation(&msg);
    msg_write_import_ready(&wr, &offer);
    vault_answer(&msg, ERR_NONE, wr_done(&wr));
    client_expect(fd,
                  "{\"result\":{\"account\":\"00000000000000000000000000000000\",\"public_key\":");
    client_send(fd, text);
    msg = vault_expect(MSG_IMPORT_FINISH);
    answer_created(&msg, RECORD_TLS, point);
    client_expect(fd, expected);
    (void)close(fd);
}

static void test_refused_creation(void **state)
{
    static const char *const cases[][2] = {
        { "{}", "keyset: expected an id" },
        { "{\"keyset\":\"x\"}", "keyset: expected an id" },
        { "{\"keyset\":\"" KEYSET "\",\"nonce\":\"aa\"}", "nonce: expected" },
        { "{\"keyset\":\"" KEYSET "\",\"unrestricted\":true}", "unknown field" },
        { "{\"keyset\":\"" KEYSET "\",\"public_key\":\"0x00\"}", "unknown field" },
    };
    char text[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int create = 0; create < 2; create++) {
            (void)snprintf(text, sizeof(text), "{\"method\":\"tls.%s\",\"params\":%s}",
                           create ? "create" : "import", cases[i][0]);
            expect(text, cases[i][1]);
        }
    assert_int_equal(fd_wait(fixture.vault, POLLIN, deadline_in(20)).code, ERR_TIMEOUT);
}

// -- requests and certificates --------------------------------------------------------------------

static void test_csr(void **state)
{
    (void)state;
    expect(CSR "\"names\":[\"Signer.Test\",\"10.0.0.1\"]}}",
           "{\"result\":{\"csr_pem\":\"-----BEGIN CERTIFICATE REQUEST-----\\u000a"
           "YSByZXF1ZXN0LCB3aGljaCB0aGUgZnJvbnQgZG9lcyBub3QgbG9vayBpbnRv\\u000a"
           "-----END CERTIFICATE REQUEST-----\\u000a\"}}");
    assert_int_equal(bot.certify.key.b[0], bot.id[0]);
    assert_int_equal(bot.certify.kind, MSG_TLS_REQUEST);
    assert_int_equal(bot.certify.days, 0);
    assert_int_equal(bot.certify.names, 2);
    assert_int_equal(bot.certify.name[0].type, MSG_TLS_DNS);
    assert_true(bytes_equal_str(bot.certify.name[0].name, "signer.test"));
    assert_int_equal(bot.certify.name[1].type, MSG_TLS_IP);
    assert_int_equal(bot.certify.name[1].name.n, 4);
    bot.refuse_open = ERR_CORRUPT;
    expect(CSR "\"names\":[\"a\"]}}", "\"code\":\"corrupt\",\"message\":\"vault: no\"");
}

// A chain of PEM as a JSON string.
static const char *pem_of(X509 *leaf, X509 *issuer)
{
    static char text[16384];
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem;
    long n;
    size_t out = 0;

    must(PEM_write_bio_X509(bio, leaf) && (!issuer || PEM_write_bio_X509(bio, issuer)));
    n = BIO_get_mem_data(bio, &pem);
    for (long i = 0; i < n; i++) {
        if (pem[i] == '\n')
            text[out++] = '\\';
        text[out++] = pem[i] == '\n' ? 'n' : pem[i];
    }
    text[out] = 0;
    BIO_free(bio);
    return text;
}

static const char *open_chain(X509 *leaf, X509 *issuer)
{
    static char text[20000];

    (void)snprintf(text, sizeof(text), OPEN "\"certificate_pem\":\"%s\"}}", pem_of(leaf, issuer));
    return ask(text);
}

static void expect_facts(const char *answer, EVP_PKEY *key, X509 *cert)
{
    uint8_t digest[32], spki[32];
    char text[65], expected[300];
    unsigned n = 32;
    time_t end = 0;
    struct tm tm;

    if (cert) {
        must(X509_digest(cert, EVP_sha256(), digest, &n) == 1);
        hex_encode(text, BYTES_OF(digest));
        (void)snprintf(expected, sizeof(expected), "\"certificate_sha256\":\"%s\"", text);
        assert_non_null(strstr(answer, expected));
        must(ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm));
        end = timegm(&tm);
        (void)snprintf(expected, sizeof(expected), "\"not_after\":%lld,", (long long)end);
        assert_non_null(strstr(answer, expected));
    }
    spki_of(spki, key);
    hex_encode(text, BYTES_OF(spki));
    (void)snprintf(expected, sizeof(expected),
                   "\"key\":\"a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0\",\"spki_sha256\":\"%s\"", text);
    assert_non_null(strstr(answer, expected));
}

static void test_open_self_signed(void **state)
{
    const char *answer;

    (void)state;
    expect("{\"method\":\"status\"}", "\"tls\":null,\"data_connections\":0}");
    answer = ask(OPEN "\"names\":[\"" SERVER_NAME "\"]}}");
    expect_facts(answer, bot.key[0], NULL);
    assert_non_null(strstr(answer, "\"provenance\":\"generated\","
                                   "\"certificate_pem\":\"-----BEGIN CERTIFICATE-----\\u000aMII"));
    assert_non_null(strstr(answer, "\"audit\":{\"boot\":\"b0b0"));
    assert_int_equal(bot.certify.days, 397);
    assert_int_equal(bot.certify.kind, MSG_TLS_SELF_SIGNED);
    bot.provenance = RECORD_EXPOSED;
    answer = ask(OPEN "\"names\":[\"" SERVER_NAME "\"],\"days\":1}}");
    assert_int_equal(bot.certify.days, 1);
    assert_non_null(strstr(answer, "\"provenance\":\"exposed\""));
    expect("{\"method\":\"status\"}", "\"provenance\":\"exposed\"}");
}

static void test_open_chain(void **state)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    X509 *ca = certificate(ca_key, NULL, 30, NULL, NULL);
    X509 *leaf = certificate(bot.key[0], "DNS:" SERVER_NAME ",IP:127.0.0.1", 20, ca, ca_key);
    const char *answer = open_chain(leaf, ca);

    (void)state;
    expect_facts(answer, bot.key[0], leaf);
    expect_facts(ask("{\"method\":\"status\"}"), bot.key[0], leaf);
    answer = open_chain(leaf, NULL);
    expect_facts(answer, bot.key[0], leaf);
    X509_free(ca);
    X509_free(leaf);
    EVP_PKEY_free(ca_key);
}

// Each refused chain leaves the one before in use.
static void test_refused_chains(void **state)
{
    EVP_PKEY *other = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048);
    X509 *good = certificate(bot.key[0], "DNS:" SERVER_NAME, 20, NULL, NULL);
    X509 *wrong_key = certificate(other, "DNS:" SERVER_NAME, 20, NULL, NULL);
    X509 *wrong_type = certificate(rsa, "DNS:" SERVER_NAME, 20, NULL, NULL);
    X509 *expired = certificate(bot.key[0], "DNS:" SERVER_NAME, -1, NULL, NULL);
    X509 *mail = certificate(bot.key[0], "email:a@b.test", 20, NULL, NULL);
    struct {
        X509 *leaf, *issuer;
        const char *part;
    } cases[] = {
        { wrong_key, NULL, "\"code\":\"mismatch\"" },
        { wrong_type, NULL, "\"code\":\"unsupported\"" },
        { expired, NULL, "\"code\":\"expired\"" },
        { mail, NULL, "\"code\":\"malformed\"" },
        { good, mail, "\"code\":\"malformed\"" }, // not the leaf's issuer
    };

    (void)state;
    expect_facts(open_chain(good, NULL), bot.key[0], good);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *answer = open_chain(cases[i].leaf, cases[i].issuer);

        if (!strstr(answer, cases[i].part) || !strstr(answer, "\"error\""))
            fail_msg("case %zu: %s", i, answer);
        expect_facts(ask("{\"method\":\"status\"}"), bot.key[0], good);
    }
    for (size_t i = 0; i < ARRAY_LEN(cases) - 1; i++)
        X509_free(cases[i].leaf);
    X509_free(good);
    EVP_PKEY_free(other);
    EVP_PKEY_free(rsa);
}

static void test_refused_requests(void **state)
{
    static const char *const cases[][2] = {
        { CSR "\"names\":[]}}", "names: expected a list" },
        { CSR "\"names\":[\"a b\"]}}", "names: expected DNS names" },
        { "{\"method\":\"tls.csr\",\"params\":{\"names\":[\"a\"]}}", "record_b64: expected" },
        { CSR "\"names\":[\"a\"],\"days\":1}}", "unknown field" },
        { OPEN "\"names\":[]}}", "names: expected a list" },
        { "{\"method\":\"tls.open\",\"params\":{\"record_b64\":\"MA==\"}}", "names: expected" },
        { "{\"method\":\"tls.open\",\"params\":{\"names\":[\"a\"]}}", "record_b64: expected" },
        { OPEN "\"names\":[\"a\"],\"days\":0}}", "days: expected 1 to 3650" },
        { OPEN "\"names\":[\"a\"],\"days\":3651}}", "days: expected 1 to 3650" },
        { OPEN "\"names\":[\"a\"],\"days\":\"x\"}}", "days: expected 1 to 3650" },
        { OPEN "\"certificate_pem\":\"x\",\"names\":[\"a\"]}}", "not together" },
        { OPEN "\"certificate_pem\":\"x\",\"days\":3}}", "not together" },
        { OPEN "\"certificate_pem\":7}}", "certificate_pem: expected a string" },
        { OPEN "\"certificate_pem\":\"\"}}", "\"code\":\"malformed\"" },
        { OPEN "\"certificate_pem\":\"-----BEGIN CERTIFICATE-----\\nAAEC\\n-----END "
               "CERTIFICATE-----\\n\"}}",
          "\"code\":\"malformed\"" },
        { OPEN "\"certificate_pem\":\"-----BEGIN PRIVATE KEY-----\\nAAEC\\n-----END PRIVATE "
               "KEY-----\\n\"}}",
          "\"code\":\"malformed\"" },
        { OPEN "\"key\":\"00\",\"names\":[\"a\"]}}", "unknown field" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect(cases[i][0], cases[i][1]);
    bot.refuse_open = ERR_MISMATCH;
    expect(OPEN "\"names\":[\"a\"]}}", "\"code\":\"mismatch\",\"message\":\"vault: no\"");
    expect("{\"method\":\"status\"}", "\"tls\":null,");
}

#define BY_HAND(test)  cmocka_unit_test_setup_teardown(test, by_hand, stop_by_hand)
#define WITH_BOT(test) cmocka_unit_test_setup_teardown(test, with_bot, stop_bot)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BY_HAND(test_create),
        BY_HAND(test_import),
        BY_HAND(test_refused_creation),
        WITH_BOT(test_csr),
        WITH_BOT(test_open_self_signed),
        WITH_BOT(test_open_chain),
        WITH_BOT(test_refused_chains),
        WITH_BOT(test_refused_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
