// SPDX-License-Identifier: Apache-2.0
// crypto/attest.h with cose.h and x509.h: six genuine documents at their own time, and everything
// around them that must not verify. Made-up payloads show what the reader takes and refuses.
#include "crypto/attest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/cbor.h"
#include "crypto/cose.h"
#include "expect.h"
#include "vectors.h"

#include <string.h>

#define AFTER_ALL_MS 1795000000000 // late in 2026: every leaf in the documents is long expired
#define SAMPLE       3             // 2024-07-17: has public_key, user_data and nonce

static const struct {
    const char *name, *module_id;
    uint64_t timestamp_ms;
    bool debug;
} documents[] = {
    { "2022-10-12_46591b92f9ab", "i-03ad7cdb817437eeb-enc0183cc7569b3f6e1", 1665582606081, true },
    { "2022-10-13_a72552688ab6", "i-020b6af9246d90e92-enc0183d09086c24190", 1665651482136, false },
    { "2024-02-26_3a4a0301e6aa", "i-0df237f0418feb41e-enc018d1c7ef94eb110", 1708930921439, false },
    { "2024-07-17_58ccfc1c569c", "i-00514f303b4726c71-enc0190c1a361c2dca6", 1721236734548, false },
    { "2024-11-30_69d51f984229", "i-0de38b2b6853cc9e8-enc0193685e7fee7d85", 1732983768387, false },
    { "2025-09-16_ce1e1c6e7866", "i-02dc40d2256544b3a-enc01995469a96f5a2b", 1758057841438, false },
};

#define DOCUMENTS (sizeof(documents) / sizeof(documents[0]))

static struct bytes document(size_t i)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "attestation/%s.cbor", documents[i].name);
    return vectors_read(path);
}

// The DER inside the PEM file.
static struct bytes aws_root(void)
{
    static uint8_t der[1024];
    struct bytes pem = vectors_read("attestation/AWS_NitroEnclaves_Root-G1.pem");
    uint8_t text[2048];
    size_t len = 0;
    size_t n = 0;
    size_t i = 0;

    while (pem.p[i] != '\n')
        i++;
    for (; i < pem.n && pem.p[i] != '-'; i++)
        if (pem.p[i] > ' ')
            text[len++] = pem.p[i];
    expect_ok("root", base64_decode(der, sizeof(der), &n, bytes_of(text, len)));
    return bytes_of(der, n);
}

static void genuine_documents(void **state)
{
    struct bytes root = aws_root();
    struct attest doc;

    (void)state;
    for (size_t i = 0; i < DOCUMENTS; i++) {
        struct bytes raw = document(i);
        enum err_code strict = documents[i].debug ? ERR_UNTRUSTED : ERR_NONE;

        expect_ok(documents[i].name, attest_verify(&doc, raw, root, 0, true));
        assert_true(bytes_equal_str(doc.module_id, documents[i].module_id));
        assert_int_equal(doc.timestamp_ms, documents[i].timestamp_ms);
        assert_int_equal(doc.pcr_present, 0xffff);
        assert_int_equal(doc.bundle_len, 4);
        assert_int_equal(attest_pcr_is_zero(&doc, 0), documents[i].debug);
        expect_err(documents[i].name, attest_verify(&doc, raw, root, 0, false), strict, NULL);
        assert_int_equal(doc.timestamp_ms == 0, documents[i].debug);
        expect_err(documents[i].name, attest_verify(&doc, raw, root, AFTER_ALL_MS, true),
                   ERR_EXPIRED, "not valid at that time");
        expect_err(documents[i].name, attest_verify(&doc, raw, root, 1500000000000, true),
                   ERR_EXPIRED, "not valid at that time");
        assert_int_equal(doc.timestamp_ms, 0);
    }
}

static void fields(void **state)
{
    struct attest doc;
    struct bytes raw = document(SAMPLE);

    (void)state;
    expect_ok("sample", attest_parse(&doc, raw));
    assert_true(doc.has_public_key && doc.has_user_data && doc.has_nonce);
    expect_hex("user_data", doc.user_data, "010203");
    expect_hex("nonce", doc.nonce, "040506");
    assert_int_equal(doc.public_key.n, 32);
    expect_ok("debug", attest_parse(&doc, document(0)));
    assert_true(bytes_equal_str(doc.public_key, "my super secret key"));
    assert_true(bytes_equal_str(doc.user_data, "hello, world!"));
    assert_false(doc.has_nonce);
}

// One changed bit in every 16th byte, wherever it lies.
static void changed_bits(void **state)
{
    struct bytes root = aws_root();
    struct bytes raw = document(SAMPLE);
    uint8_t *p = (uint8_t *)(uintptr_t)raw.p;
    struct attest doc;

    (void)state;
    for (size_t i = 0; i < raw.n; i += 16) {
        p[i] ^= (uint8_t)(1 << (i / 16) % 8);
        if (attest_verify(&doc, raw, root, documents[SAMPLE].timestamp_ms, true).code == ERR_NONE)
            fail_msg("verifies with byte %zu changed", i);
        p[i] ^= (uint8_t)(1 << (i / 16) % 8);
    }
    expect_ok("as it was", attest_verify(&doc, raw, root, 0, true));
}

static void cut_or_longer(void **state)
{
    struct bytes raw = document(SAMPLE);
    uint8_t tagged[ATTEST_BYTES_MAX] = { 0xd2 };
    struct attest doc;

    (void)state;
    for (size_t n = 0; n < raw.n; n++)
        expect_err("cut", attest_parse(&doc, bytes_of(raw.p, n)), ERR_MALFORMED, NULL);
    memcpy(tagged + 1, raw.p, raw.n);
    expect_ok("tag 18", attest_verify(&doc, bytes_of(tagged, raw.n + 1), aws_root(), 0, true));
    expect_err("trailing", attest_parse(&doc, bytes_of(tagged, raw.n + 2)), ERR_MALFORMED, NULL);
    tagged[0] = 0xd1;
    expect_err("tag 17", attest_parse(&doc, bytes_of(tagged, raw.n + 1)), ERR_MALFORMED, NULL);
    expect_err("large", attest_parse(&doc, bytes_of(raw.p, ATTEST_BYTES_MAX + 1)), ERR_MALFORMED,
               "16384");
}

// The sample's own path.
static struct x509_path sample_path(void)
{
    struct x509_path path = { .root = aws_root() };
    struct attest doc;

    expect_ok("parse", attest_parse(&doc, document(SAMPLE)));
    memcpy(path.bundle, doc.bundle, sizeof(path.bundle));
    path.bundle_len = doc.bundle_len;
    path.leaf = doc.certificate;
    return path;
}

static void expect_path(const char *name, const struct x509_path *path, const char *what)
{
    expect_err(name, x509_check_path(path, documents[SAMPLE].timestamp_ms),
               what ? ERR_UNTRUSTED : ERR_NONE, what);
}

static void other_roots(void **state)
{
    struct x509_path good = sample_path();
    struct x509_path path = good;
    uint8_t other[1024];

    (void)state;
    expect_path("good", &good, NULL);
    path.root = good.bundle[1];
    expect_path("other root", &path, "pinned root");
    path.root = BYTES_NONE;
    expect_path("no root", &path, "pinned root");
    memcpy(other, good.root.p, good.root.n);
    other[good.root.n - 1] ^= 1;
    path = good;
    path.bundle[0] = bytes_of(other, good.root.n);
    expect_path("changed root", &path, "pinned root");
}

static void other_orders(void **state)
{
    struct x509_path good = sample_path();
    struct x509_path path = good;

    (void)state;
    path.bundle[1] = good.bundle[2];
    path.bundle[2] = good.bundle[1];
    expect_path("swapped", &path, "issuer");
    path = good;
    path.bundle[2] = good.bundle[3];
    path.bundle_len = 3;
    expect_path("one missing", &path, "issuer");
    path = good;
    path.bundle[4] = good.bundle[3];
    path.bundle_len = 5;
    expect_path("one twice", &path, "issuer");
    path = good;
    path.leaf = good.bundle[3];
    path.bundle_len = 3;
    expect_path("authority as leaf", &path, "basicConstraints");
    path = good;
    path.bundle[4] = good.leaf;
    path.bundle_len = 5;
    expect_path("leaf as authority", &path, "basicConstraints");
    path.bundle_len = 0;
    expect_path("empty", &path, "1 to 8");
    path.bundle_len = X509_CHAIN_MAX + 1;
    expect_path("long", &path, "1 to 8");
}

static void other_leaves(void **state)
{
    struct x509_path good = sample_path();
    struct x509_path path = good;
    uint8_t other[1024] = { 0 };

    (void)state;
    path.leaf.n--;
    expect_path("short", &path, "one X.509");
    path.leaf = BYTES_NONE;
    expect_path("none", &path, "certificate");
    memcpy(other, good.leaf.p, good.leaf.n);
    path.leaf = bytes_of(other, good.leaf.n + 1);
    expect_path("longer", &path, "one X.509");
    other[good.leaf.n - 1] ^= 1;
    path.leaf = bytes_of(other, good.leaf.n);
    expect_path("other signature", &path, "does not verify");
}

static void fresh(void **state)
{
    struct attest doc = { .timestamp_ms = 1700000000000 };

    (void)state;
    expect_ok("now", attest_fresh(&doc, 1700000000000));
    expect_ok("5 min later", attest_fresh(&doc, 1700000300000));
    expect_ok("5 min before", attest_fresh(&doc, 1699999700000));
    expect_err("older", attest_fresh(&doc, 1700000300001), ERR_EXPIRED, NULL);
    expect_err("from the future", attest_fresh(&doc, 1699999699999), ERR_EXPIRED, NULL);
    expect_err("no clock", attest_fresh(&doc, 0), ERR_EXPIRED, NULL);
    expect_err("far", attest_fresh(&doc, UINT64_MAX), ERR_EXPIRED, NULL);
}

static void pcrs(void **state)
{
    struct attest doc = { .pcr_present = 5, .pcr = { { 0 }, { 1 }, { [47] = 1 } } };
    uint8_t pcr[ATTEST_PCR_BYTES] = { 0 };

    (void)state;
    assert_true(attest_pcr_is_zero(&doc, 0));
    assert_true(attest_pcr_is_zero(&doc, 1)); // not present
    assert_false(attest_pcr_is_zero(&doc, 2));
    assert_true(attest_pcr_is_zero(&doc, 32));
    attest_pcr_extend(pcr, BYTES_LIT("abc"));
    expect_hex("extend", BYTES_OF(pcr),
               "b1c16eb7634112b7c9d5ebd27e62a2d4528bbfcfd68b62d3afd9ecf98e0f413a"
               "84314acce78317fb69fd895155343e09");
}

// A made-up document: which fields, and what is special about them.
struct made {
    const char *name, *what; // `what` is NULL for a document that must be read
    const char *omit, *twice, *digest;
    struct bytes extra; // a pair, encoded
    size_t certificate, bundle, user_data, nonce, public_key, pcr_bytes;
    uint64_t pcrs, first_pcr, timestamp;
    bool indefinite;
};

#define ABSENT 99999
#define NULL_  99998

static void put_sized(struct wr *wr, const char *name, size_t n)
{
    static const uint8_t zeros[2048];

    cbor_put_text(wr, name);
    if (n == NULL_)
        cbor_put_null(wr);
    else
        cbor_put_bytes(wr, bytes_of(zeros, n));
}

static void put_pcrs(struct wr *wr, const struct made *made)
{
    uint64_t n = made->pcrs ? made->pcrs : 16;
    static const uint8_t value[64] = { 1 };

    cbor_put_text(wr, "pcrs");
    cbor_put_map(wr, n == 77 ? 0 : n);
    for (uint64_t i = 0; i < n && n != 77; i++) {
        cbor_put_uint(wr, made->first_pcr + (n == 2 ? 0 : i)); // two of them are the same
        cbor_put_bytes(wr, bytes_of(value, made->pcr_bytes ? made->pcr_bytes : 48));
    }
}

static void put_field(struct wr *wr, const struct made *made, const char *name)
{
    static const uint8_t der[2048];

    if (strcmp(name, "module_id") == 0) {
        cbor_put_text(wr, name);
        cbor_put_text(wr, "i-1");
    } else if (strcmp(name, "digest") == 0) {
        cbor_put_text(wr, name);
        cbor_put_text(wr, made->digest ? made->digest : "SHA384");
    } else if (strcmp(name, "timestamp") == 0) {
        cbor_put_text(wr, name);
        cbor_put_uint(wr, made->timestamp ? made->timestamp - 1 : 1700000000000);
    } else if (strcmp(name, "pcrs") == 0) {
        put_pcrs(wr, made);
    } else if (strcmp(name, "certificate") == 0) {
        put_sized(wr, name, made->certificate ? made->certificate : 600);
    } else {
        cbor_put_text(wr, name);
        cbor_put_array(wr, made->bundle ? made->bundle - 1 : 4);
        for (size_t i = 0; i < (made->bundle ? made->bundle - 1 : 4); i++)
            cbor_put_bytes(wr, bytes_of(der, 500));
    }
}

static struct bytes make(uint8_t *memory, const struct made *made)
{
    static const char *const names[] = { "module_id", "digest",      "timestamp",
                                         "pcrs",      "certificate", "cabundle" };
    uint8_t fields_memory[12000];
    uint8_t payload_memory[12100];
    struct wr body = WR_OF(fields_memory);
    struct wr payload = WR_OF(payload_memory);
    struct wr wr = wr_of(memory, ATTEST_BYTES_MAX);
    struct cose cose = { .protected_header = COSE_HEADER_ES384 };
    uint64_t pairs = made->extra.n ? 1 : 0;

    for (size_t i = 0; i < 6; i++) {
        unsigned times = made->omit && strcmp(made->omit, names[i]) == 0 ? 0 : 1;

        times += made->twice && strcmp(made->twice, names[i]) == 0;
        pairs += times;
        for (; times; times--)
            put_field(&body, made, names[i]);
    }
    pairs +=
        3U - (made->public_key == ABSENT) - (made->user_data == ABSENT) - (made->nonce == ABSENT);
    if (made->public_key != ABSENT)
        put_sized(&body, "public_key", made->public_key ? made->public_key : NULL_);
    if (made->user_data != ABSENT)
        put_sized(&body, "user_data", made->user_data);
    if (made->nonce != ABSENT)
        put_sized(&body, "nonce", made->nonce);
    wr_bytes(&body, made->extra);
    if (made->indefinite)
        wr_u8(&payload, 0xbf);
    else
        cbor_put_map(&payload, pairs);
    wr_bytes(&payload, wr_done(&body));
    if (made->indefinite)
        wr_u8(&payload, 0xff);
    cose.payload = wr_done(&payload);
    cose_write(&wr, &cose);
    expect_ok(made->name, wr_end(&wr));
    return wr_done(&wr);
}

static void made_up(void **state)
{
    static const struct made cases[] = {
        { .name = "plain" },
        { .name = "indefinite map", .indefinite = true },
        { .name = "optional fields null", .public_key = NULL_, .user_data = NULL_, .nonce = NULL_ },
        { .name = "optional fields absent",
          .public_key = ABSENT,
          .user_data = ABSENT,
          .nonce = ABSENT },
        { .name = "largest", .public_key = 1024, .user_data = 512, .nonce = 512, .pcrs = 32 },
        { .name = "one PCR", .pcrs = 1, .first_pcr = 31 },
        { .name = "eight authorities", .bundle = 9 },
        { .name = "no module_id", .omit = "module_id", .what = "missing" },
        { .name = "no digest", .omit = "digest", .what = "missing" },
        { .name = "no timestamp", .omit = "timestamp", .what = "missing" },
        { .name = "no pcrs", .omit = "pcrs", .what = "missing" },
        { .name = "no certificate", .omit = "certificate", .what = "missing" },
        { .name = "no cabundle", .omit = "cabundle", .what = "missing" },
        { .name = "two module_id", .twice = "module_id", .what = "twice" },
        { .name = "two pcrs", .twice = "pcrs", .what = "twice" },
        { .name = "two certificates", .twice = "certificate", .what = "twice" },
        { .name = "unknown field",
          .extra = { (const uint8_t *)"\x61\x78\x00", 3 },
          .what = "not known" },
        { .name = "number as name", .extra = { (const uint8_t *)"\x00\x00", 2 }, .what = "known" },
        { .name = "SHA256", .digest = "SHA256", .what = "digest" },
        { .name = "time zero", .timestamp = 1, .what = "timestamp" },
        { .name = "time too large", .timestamp = UINT64_MAX, .what = "timestamp" },
        { .name = "no PCR", .pcrs = 77, .what = "1 to 32" },
        { .name = "same PCR twice", .pcrs = 2, .what = "index twice" },
        { .name = "PCR 32", .pcrs = 1, .first_pcr = 32, .what = "indices 0 to 31" },
        { .name = "33 PCRs", .pcrs = 33, .what = "indices 0 to 31" },
        { .name = "PCR of 32 bytes", .pcr_bytes = 32, .what = "48 bytes" },
        { .name = "PCR of 64 bytes", .pcr_bytes = 64, .what = "48 bytes" },
        { .name = "large certificate", .certificate = 1025, .what = "certificate" },
        { .name = "no authority", .bundle = 1, .what = "1 to 8" },
        { .name = "nine authorities", .bundle = 10, .what = "1 to 8" },
        { .name = "large public_key", .public_key = 1025, .what = "public_key" },
        { .name = "large user_data", .user_data = 513, .what = "user_data" },
        { .name = "large nonce", .nonce = 513, .what = "nonce" },
    };
    uint8_t memory[ATTEST_BYTES_MAX];
    struct attest doc;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes raw = make(memory, &cases[i]);

        expect_err(cases[i].name, attest_parse(&doc, raw), cases[i].what ? ERR_MALFORMED : ERR_NONE,
                   cases[i].what);
        assert_int_equal(doc.timestamp_ms == 0, cases[i].what != NULL);
    }
}

static void cose_refusals(void **state)
{
    static const struct {
        const char *name, *digits; // without the signature
    } cases[] = {
        { "three items", "8344a1013822a04101" },
        { "five items", "8544a1013822a04101" },
        { "ES256", "8443a10126a04101" },
        { "an empty header", "8440a04101" },
        { "a longer header", "8446a2013822040da04101" },
        { "minus 35 in two bytes", "8445a101390022a04101" },
        { "an unprotected header", "8444a1013822a101004101" },
        { "an indefinite unprotected header", "8444a1013822bfff4101" },
        { "no payload", "8444a1013822a040" },
        { "a detached payload", "8444a1013822a0f6" },
        { "text payload", "8444a1013822a06101" },
        { "a long form of a short length", "8444a1013822a0580101" },
    };
    static const uint8_t signature[98] = { 0x58, 96 };
    uint8_t memory[256];
    struct cose cose;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wr wr = WR_OF(memory);

        wr_bytes(&wr, unhex(bytes_str(cases[i].digits)));
        wr_bytes(&wr, BYTES_OF(signature));
        expect_err(cases[i].name, cose_parse(&cose, wr_done(&wr)), ERR_MALFORMED, "COSE");
    }
    expect_err("short signature", cose_parse(&cose, unhex(bytes_str("8444a1013822a041014101"))),
               ERR_MALFORMED, "COSE");
}

static void cose_round_trip(void **state)
{
    struct cose cose = { COSE_HEADER_ES384, BYTES_LIT("payload"), { 1, 2, 3 } };
    uint8_t memory[256];
    struct wr wr = WR_OF(memory);
    struct cose back;

    (void)state;
    cose_write(&wr, &cose);
    expect_ok("read", cose_parse(&back, wr_done(&wr)));
    assert_true(bytes_equal(back.payload, cose.payload));
    assert_memory_equal(back.signature, cose.signature, sizeof(cose.signature));
    wr = WR_OF(memory);
    cose_signed_bytes(&wr, &cose);
    expect_hex("signed", wr_done(&wr), "846a5369676e61747572653144a101382240477061796c6f6164");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genuine_documents),
        cmocka_unit_test(fields),
        cmocka_unit_test(changed_bits),
        cmocka_unit_test(cut_or_longer),
        cmocka_unit_test(other_roots),
        cmocka_unit_test(other_orders),
        cmocka_unit_test(other_leaves),
        cmocka_unit_test(fresh),
        cmocka_unit_test(pcrs),
        cmocka_unit_test(made_up),
        cmocka_unit_test(cose_refusals),
        cmocka_unit_test(cose_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
