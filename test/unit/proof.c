// SPDX-License-Identifier: Apache-2.0
// cli/proof.h, and below it libcloister-verify, against documents of the emulated NSM: each thing
// that a verifier compares is wrong once.
#include "cli/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/hex.h"
#include "crypto/openssl/sha2.h"
#include "documents.h"
#include "emu_scene.h"
#include "proto/offer.h"
#include "proto/policy.h"
#include "proto/tag.h"
#include "verify/userdata.h"

#include <time.h>

#define ARN "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

#define GENERATOR         "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
#define GENERATOR_ADDRESS "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"

static uint8_t root[4096];
static uint8_t pins[2][48];
static uint8_t pcr16[48];
static uint8_t digest[48] = { 1, 2, 3 };
static uint8_t doc_buf[NSMDEV_RESPONSE_MAX];
static uint8_t user_data_buf[512];
static struct proof_trust trust;
static struct nsmdev *dev;

static uint64_t now_ms(void)
{
    return (uint64_t)time(NULL) * 1000;
}

static int set_up(void **state)
{
    char path[DISK_PATH_MAX];
    uint8_t both[96] = { 0 };
    size_t n = 0;

    assert_int_equal(scene_setup(state), 0);
    expect_ok("path", disk_path(path, sizeof(path), scene_pki, "nsm-root.der"));
    expect_ok("root", fd_read_file(path, root, sizeof(root), &n));
    memset(pins[0], 0xa0, 48);
    memset(pins[1], 0xa1, 48);
    memcpy(both + 48, digest, 48);
    sha2_384(pcr16, BYTES_OF(both));
    trust = (struct proof_trust) { .root_der = bytes_of(root, n),
                                   .pcr0 = (const uint8_t(*)[48])pins,
                                   .pcr0_len = 2,
                                   .pcr16 = pcr16 };
    dev = documents_module(scene_pki, 0xa1, BYTES_OF(digest));
    return 0;
}

static int tear_down(void **state)
{
    nsmdev_free(&dev);
    return scene_teardown(state);
}

// A record and its bytes as stored: the generator of secp256k1 is its public key.
static struct record sample(void)
{
    static uint8_t public_buf[512];
    static const uint8_t policy[] = { 0, 1, 1 }, nobody[] = { 0, 1, 0 };
    static const uint8_t sealed[RECORD_SEALED_BYTES] = { 1 };
    static uint8_t point[33];
    struct record record = { .deployment = { { 1 } },
                             .keyset = { { 2 } },
                             .id = { { 3 } },
                             .key_type = RECORD_SECP256K1,
                             .purpose = RECORD_ACCOUNT,
                             .public_key = BYTES_OF(point),
                             .provenance = RECORD_GENERATED,
                             .generation = 1,
                             .policy = BYTES_OF(policy),
                             .authorisers = BYTES_OF(nobody),
                             .sealed = BYTES_OF(sealed) };
    struct wr wr = WR_OF(public_buf);

    expect_ok("point", hex_decode(point, sizeof(point), BYTES_LIT(GENERATOR)));
    policy_hash(record.policy_hash, record.policy);
    policy_authoriser_hash(record.authoriser_hash, record.authorisers);
    record_write_public(&wr, &record);
    record.public_bytes = wr_done(&wr);
    return record;
}

static FALLIBLE check_record(const struct record *record, struct bytes document, struct bytes nonce)
{
    struct cloister_verify_account out;
    uint8_t stored[1024];
    struct wr wr = WR_OF(stored);
    struct err err;

    record_write(&wr, record);
    err = proof_check_account(&trust, wr_done(&wr), document, nonce, &out);
    assert_string_equal(out.address, err.code ? "" : GENERATOR_ADDRESS);
    return err;
}

static struct bytes receipt_data(const struct record *record)
{
    struct wr wr = WR_OF(user_data_buf);

    receipt_write_record(&wr, record->public_bytes);
    return wr_done(&wr);
}

static void record_receipts(void **state)
{
    struct record record = sample();
    struct documents_fields fields = { .user_data = receipt_data(&record),
                                       .nonce = BYTES_LIT("nonce") };
    struct bytes document = documents_make(dev, doc_buf, &fields);

    (void)state;
    assert_int_equal(fields.user_data.n, sizeof(TAG_RECEIPT) + 32);
    assert_string_equal(userdata_tag(fields.user_data), TAG_RECEIPT);
    expect_ok("its nonce", check_record(&record, document, BYTES_LIT("nonce")));
    expect_ok("any nonce", check_record(&record, document, BYTES_NONE));
    trust.pcr16 = NULL;
    expect_ok("any PCR16", check_record(&record, document, BYTES_NONE));
    trust.pcr16 = pcr16;
}

static void expect_refused(const char *name, struct bytes document, const char *what)
{
    struct record record = sample();

    expect_err(name, check_record(&record, document, BYTES_LIT("nonce")), ERR_UNTRUSTED, what);
}

static void record_refusals(void **state)
{
    struct record record = sample();
    struct record other = sample();
    struct documents_fields fields = { .user_data = receipt_data(&record),
                                       .nonce = BYTES_LIT("nonce") };
    struct documents_fields wrong = fields;
    uint8_t other_public[512];

    (void)state;
    wrong.nonce = BYTES_LIT("nonc");
    expect_refused("other nonce", documents_make(dev, doc_buf, &wrong), "nonce");
    wrong.nonce = BYTES_NONE;
    expect_refused("no nonce", documents_make(dev, doc_buf, &wrong), "nonce");
    wrong = fields;
    wrong.public_key = BYTES_LIT("key");
    expect_refused("public key", documents_make(dev, doc_buf, &wrong), "public_key");
    wrong = fields;
    wrong.user_data = BYTES_NONE;
    expect_refused("no user data", documents_make(dev, doc_buf, &wrong), "user_data");
    wrong.user_data = BYTES_LIT("other program");
    expect_refused("other user data", documents_make(dev, doc_buf, &wrong), "user_data");
    wrong.user_data = bytes_take(fields.user_data, fields.user_data.n - 1);
    expect_refused("cut user data", documents_make(dev, doc_buf, &wrong), "another record");
    memcpy(other_public, record.public_bytes.p, record.public_bytes.n);
    other_public[3] ^= 1;
    other.public_bytes = bytes_of(other_public, record.public_bytes.n);
    expect_err("other record",
               check_record(&other, documents_make(dev, doc_buf, &fields), BYTES_LIT("nonce")),
               ERR_UNTRUSTED, "another record");
}

static void other_enclaves(void **state)
{
    struct record record = sample();
    struct documents_fields fields = { .user_data = receipt_data(&record),
                                       .nonce = BYTES_LIT("nonce") };
    struct nsmdev *other = documents_module(scene_pki, 0xa2, BYTES_OF(digest));
    struct bytes document = documents_make(other, doc_buf, &fields);

    (void)state;
    expect_refused("other program", document, "PCR0");
    nsmdev_free(&other);
    other = documents_module(scene_pki, 0xa0, BYTES_LIT("other configuration"));
    expect_refused("other configuration", documents_make(other, doc_buf, &fields), "PCR16");
    nsmdev_free(&other);
    other = documents_module(scene_pki, 0xa0, BYTES_NONE);
    expect_refused("no configuration", documents_make(other, doc_buf, &fields), "PCR16");
    nsmdev_free(&other);
    other = documents_module(scene_pki, 0, BYTES_OF(digest));
    expect_refused("debug mode", documents_make(other, doc_buf, &fields), NULL);
    nsmdev_free(&other);
    other = documents_module(scene_pki, 0xa0, BYTES_OF(digest));
    expect_ok("the other pin",
              check_record(&record, documents_make(other, doc_buf, &fields), BYTES_LIT("nonce")));
    nsmdev_free(&other);
}

static void other_roots_and_bytes(void **state)
{
    struct record record = sample();
    struct documents_fields fields = { .user_data = receipt_data(&record),
                                       .nonce = BYTES_LIT("nonce") };
    struct bytes document = documents_make(dev, doc_buf, &fields);

    (void)state;
    root[trust.root_der.n - 1] ^= 1;
    assert_int_not_equal(check_record(&record, document, BYTES_LIT("nonce")).code, 0);
    root[trust.root_der.n - 1] ^= 1;
    for (size_t i = 0; i < document.n; i += 61) {
        doc_buf[(size_t)(document.p - doc_buf) + i] ^= 1;
        assert_int_not_equal(check_record(&record, document, BYTES_LIT("nonce")).code, 0);
        doc_buf[(size_t)(document.p - doc_buf) + i] ^= 1;
    }
    expect_err("nothing", check_record(&record, BYTES_NONE, BYTES_NONE), ERR_MALFORMED, NULL);
}

static FALLIBLE check_keyset(const struct keyset *keyset, struct bytes document, struct bytes nonce)
{
    uint8_t stored[1024];
    struct wr wr = WR_OF(stored);

    keyset_write(&wr, keyset);
    return proof_check_keyset(&trust, wr_done(&wr), document, nonce);
}

// A receipt of one kind is none of the other.
static void keyset_receipts(void **state)
{
    static const uint8_t check[32] = { 9 }, sealed[60] = { 8 };
    static uint8_t public_buf[4096];
    struct keyset keyset = {
        .deployment = { { 1 } },
        .id = { { 2 } },
        .name = BYTES_LIT("main"),
        .purpose = CONFIG_ACCOUNTS,
        .k = 1,
        .n = 1,
        .wrap = { { KEYSET_WRAP_DATA_KEY, 1, BYTES_LIT(ARN), BYTES_LIT("blob"),
                    BYTES_OF(sealed) } },
        .check = BYTES_OF(check),
    };
    struct record record = sample();
    struct wr wr = WR_OF(public_buf);
    struct wr data = WR_OF(user_data_buf);
    struct documents_fields fields = { .nonce = BYTES_LIT("nonce") };
    struct bytes document;

    (void)state;
    keyset_write_public(&wr, &keyset);
    receipt_write_keyset(&data, wr_done(&wr));
    fields.user_data = wr_done(&data);
    document = documents_make(dev, doc_buf, &fields);
    expect_ok("keyset", check_keyset(&keyset, document, BYTES_LIT("nonce")));
    expect_refused("keyset's for a record", document, "of this kind");
    keyset.created_ms = 1;
    expect_err("other keyset", check_keyset(&keyset, document, BYTES_NONE), ERR_UNTRUSTED,
               "another record");
    keyset.created_ms = 0;
    fields.user_data = receipt_data(&record);
    expect_err("record's for a keyset",
               check_keyset(&keyset, documents_make(dev, doc_buf, &fields), BYTES_NONE),
               ERR_UNTRUSTED, "of this kind");
}

static struct bytes status_document(uint8_t phase, size_t cut)
{
    struct receipt_status status = { .phase = phase,
                                     .boot = { { 7 } },
                                     .sequence = 8,
                                     .audit_head = { 9 },
                                     .manifest_serial = 10,
                                     .seals = 11,
                                     .anchor = CONFIG_ANCHOR_NONE };
    struct wr wr = WR_OF(user_data_buf);
    struct documents_fields fields = { .nonce = BYTES_LIT("nonce") };

    receipt_write_status(&wr, &status);
    fields.user_data = bytes_take(wr_done(&wr), wr.len - cut);
    return documents_make(dev, doc_buf, &fields);
}

static void status_documents(void **state)
{
    struct cloister_verify_status status;
    uint64_t now = now_ms();

    (void)state;
    expect_ok("ready", proof_check_status(&trust, status_document(PHASE_READY, 0),
                                          BYTES_LIT("nonce"), now, &status));
    assert_int_equal(status.phase, PHASE_READY);
    assert_int_equal(status.boot[0], 7);
    assert_int_equal(status.audit_sequence, 8);
    assert_int_equal(status.audit_head[0], 9);
    assert_int_equal(status.manifest_serial, 10);
    assert_int_equal(status.seals, 11);
    expect_ok("unconfigured", proof_check_status(&trust, status_document(PHASE_UNCONFIGURED, 0),
                                                 BYTES_LIT("nonce"), now, &status));
    assert_int_equal(status.phase, PHASE_UNCONFIGURED);
}

static void status_refusals(void **state)
{
    struct record record = sample();
    struct documents_fields fields = { .nonce = BYTES_LIT("nonce") };
    struct cloister_verify_status status;
    uint64_t now = now_ms();

    (void)state;
    expect_err("old",
               proof_check_status(&trust, status_document(PHASE_READY, 0), BYTES_LIT("nonce"),
                                  now + 301000, &status),
               ERR_EXPIRED, NULL);
    expect_err("replayed",
               proof_check_status(&trust, status_document(PHASE_READY, 0), BYTES_LIT("fresh"), now,
                                  &status),
               ERR_UNTRUSTED, "nonce");
    expect_err("cut",
               proof_check_status(&trust, status_document(PHASE_READY, 1), BYTES_LIT("nonce"), now,
                                  &status),
               ERR_MALFORMED, NULL);
    expect_err("unknown phase",
               proof_check_status(&trust, status_document(3, 0), BYTES_LIT("nonce"), now, &status),
               ERR_UNTRUSTED, "phase");
    fields.user_data = receipt_data(&record);
    expect_err("a receipt",
               proof_check_status(&trust, documents_make(dev, doc_buf, &fields), BYTES_LIT("nonce"),
                                  now, &status),
               ERR_UNTRUSTED, "status");
    assert_null(userdata_tag(BYTES_NONE));
    assert_null(userdata_tag(BYTES_LIT(TAG_STATUS)));
    assert_null(userdata_tag(BYTES_LIT(TAG_STATUS "\x01")));
}

// Only who signed it, and when: what it says is not looked at.
static void signatures(void **state)
{
    struct documents_fields fields = { .nonce = BYTES_LIT("nonce") };
    struct bytes document = documents_make(dev, doc_buf, &fields);
    struct proof_trust other = trust;
    uint64_t now = now_ms();
    struct attest doc;

    (void)state;
    other.pcr0_len = 0;
    other.pcr16 = NULL;
    expect_ok("signed", proof_check_signature(&other, document, now, &doc));
    expect_err("expired", proof_check_signature(&trust, document, now + 86400000, &doc),
               ERR_EXPIRED, NULL);
    other.root_der = bytes_take(trust.root_der, trust.root_der.n - 1);
    expect_err("other root", proof_check_signature(&other, document, now, &doc), ERR_UNTRUSTED,
               NULL);
    expect_err("cut",
               proof_check_signature(&trust, bytes_take(document, document.n - 1), now, &doc),
               ERR_MALFORMED, NULL);
    doc_buf[(size_t)(document.p - doc_buf) + document.n - 1] ^= 1;
    expect_err("changed", proof_check_signature(&trust, document, now, &doc), ERR_UNTRUSTED, NULL);
}

// An offer of the terms whose digest this is.
static struct bytes offer_document(const uint8_t terms[static 32], size_t cut)
{
    struct wr wr = WR_OF(user_data_buf);
    struct documents_fields fields = { .nonce = BYTES_LIT("nonce") };

    offer_write_user_data(&wr, terms);
    fields.user_data = bytes_take(wr_done(&wr), wr.len - cut);
    return documents_make(dev, doc_buf, &fields);
}

// Each of the terms, and the key, makes another digest.
static void offer_digests(void **state)
{
    uint8_t all[32 + sizeof(struct offer_terms)] = { 0 }, seen[sizeof(all) + 1][32];
    struct offer_terms terms;

    (void)state;
    for (size_t i = 0; i <= sizeof(all); i++) {
        memset(all, 0, sizeof(all));
        if (i < sizeof(all))
            all[i] = 1;
        memcpy(&terms, all + 32, sizeof(terms));
        offer_digest(seen[i], all, &terms);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(seen[i], seen[j], 32);
    }
}

static void offers(void **state)
{
    static const uint8_t terms[32] = { 1 }, others[32] = { 2 };
    struct proof_trust any = trust;
    struct record record = sample();
    struct documents_fields fields = { .nonce = BYTES_LIT("nonce") };
    struct bytes nonce = fields.nonce, document = offer_document(terms, 0);
    uint64_t now = now_ms();

    (void)state;
    expect_ok("offer", proof_check_offer(&trust, document, nonce, now, terms));
    expect_err("other terms", proof_check_offer(&trust, document, nonce, now, others),
               ERR_UNTRUSTED, "terms");
    expect_err("old", proof_check_offer(&trust, document, nonce, now + 301000, terms), ERR_EXPIRED,
               NULL);
    expect_err("replayed", proof_check_offer(&trust, document, BYTES_LIT("fresh"), now, terms),
               ERR_UNTRUSTED, "nonce");
    any.pcr16 = NULL;
    expect_err("any configuration", proof_check_offer(&any, document, nonce, now, terms),
               ERR_UNTRUSTED, "configuration");
    any = trust;
    any.pcr0_len = 0;
    expect_err("no program", proof_check_offer(&any, document, nonce, now, terms), ERR_UNTRUSTED,
               "pcr0");
    expect_err("cut", proof_check_offer(&trust, offer_document(terms, 1), nonce, now, terms),
               ERR_UNTRUSTED, "terms");
    fields.user_data = receipt_data(&record);
    expect_err("a receipt",
               proof_check_offer(&trust, documents_make(dev, doc_buf, &fields), nonce, now, terms),
               ERR_UNTRUSTED, "terms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_receipts), cmocka_unit_test(record_refusals),
        cmocka_unit_test(other_enclaves),  cmocka_unit_test(other_roots_and_bytes),
        cmocka_unit_test(keyset_receipts), cmocka_unit_test(status_documents),
        cmocka_unit_test(status_refusals), cmocka_unit_test(offer_digests),
        cmocka_unit_test(offers),          cmocka_unit_test(signatures),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
