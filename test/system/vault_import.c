// SPDX-License-Identifier: Apache-2.0
// Import: the owner seals, the vault alone opens. Another keyset, another policy, another account,
// another deployment, a second time, a bad key, a damaged envelope: each is refused.
#include "vaulthost.h"

#include "base/hex.h"
#include "base/must.h"
#include "crypto/ecdsa.h"
#include "crypto/openssl/hpke.h"
#include "proto/offer.h"
#include "proto/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct vaulthost host;
static struct id keyset_id, tls_id;
static uint8_t keyset_record[KEYSET_BYTES_MAX];

static int start(void **context)
{
    static const struct vaulthost_options options = { .deployment = 7, .tls = true };
    const char *pki = getenv("CLOISTER_PKI");

    (void)context;
    must(pki);
    vaulthost_start(&host, pki);
    must(!vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config_of(&options)).verdict.code);
    (void)vaulthost_keyset(&host, keyset_record, &keyset_id);
    (void)vaulthost_keyset_of(&host, "tls", keyset_record, &tls_id);
    return 0;
}

static int stop(void **context)
{
    (void)context;
    vaulthost_stop(&host);
    return 0;
}

// What the owner knows and seals: the terms in the text, and those that the envelope is bound to.
struct owner {
    struct offer_terms terms, bound;
    uint8_t public_key[32];
    struct seckey key;
};

static void owner_begin_in(struct owner *owner, const struct id *keyset, enum policy_kind kind)
{
    struct vaulthost_answer answer =
        vaulthost_call(&host, MSG_IMPORT_BEGIN, vaulthost_account_body(keyset, kind));
    struct rd rd = rd_of(answer.result);
    struct msg_import_ready ready;
    struct msg_account_create m;

    must(answer.verdict.code == 0);
    must(!msg_read_import_ready(&ready, &rd).code);
    rd = rd_of(vaulthost_account_body(keyset, kind));
    must(!msg_read_account_create(&m, &rd).code);
    *owner = (struct owner) { .terms = { .keyset = *keyset, .account = ready.account } };
    memset(owner->terms.deployment.b, 7, sizeof(owner->terms.deployment.b));
    memset(owner->key.b, 0x11, sizeof(owner->key.b));
    memcpy(owner->public_key, ready.public_key, sizeof(ready.public_key));
    policy_hash(owner->terms.policy_hash, m.policy);
    policy_authoriser_hash(owner->terms.authoriser_hash, m.authorisers);
    owner->bound = owner->terms;
}

static void owner_begin(struct owner *owner, enum policy_kind kind)
{
    owner_begin_in(owner, &keyset_id, kind);
}

static struct bytes owner_seal(const struct owner *owner, uint8_t (*body)[512])
{
    uint8_t plain[MSG_IMPORT_PLAIN_BYTES], cipher[MSG_IMPORT_CIPHER_BYTES], digest[32];
    struct wr plain_wr = WR_OF(plain), cipher_wr = WR_OF(cipher), wr = WR_OF(*body);
    struct hpke_bound bound = { .info = offer_info(), .aad = BYTES_OF(digest) };
    struct msg_import_finish m = { .account = owner->bound.account };

    wr_bytes(&plain_wr, BYTES_OF(owner->key.b));
    offer_write_terms(&plain_wr, &owner->terms);
    offer_digest(digest, owner->public_key, &owner->bound);
    must(!hpke_seal(&cipher_wr, m.enc, owner->public_key, &bound, wr_done(&plain_wr)).code);
    m.ciphertext = wr_done(&cipher_wr);
    msg_write_import_finish(&wr, &m);
    return wr_done(&wr);
}

static enum err_code finish(const struct owner *owner)
{
    uint8_t body[512];

    return (enum err_code)vaulthost_call(&host, MSG_IMPORT_FINISH, owner_seal(owner, &body))
        .verdict.code;
}

// The address of the private key 0x11..11 is published (seeds of this field use it as a test key).
static void test_imported_key_signs(void **context)
{
    static const uint8_t expected[20] = { 0x19, 0xE7, 0xE3, 0x76, 0xE7, 0xC2, 0x13,
                                          0xB7, 0xE7, 0xe7, 0xe4, 0x6c, 0xc7, 0x0A,
                                          0x5d, 0xD0, 0x86, 0xDA, 0xff, 0x2A };
    uint8_t body[512], record_bytes[1024];
    struct owner owner;
    struct vaulthost_answer answer;
    struct msg_created created;
    struct msg_account account;
    struct record record;
    struct rd rd;

    (void)context;
    owner_begin(&owner, POLICY_UNRESTRICTED);
    answer = vaulthost_call(&host, MSG_IMPORT_FINISH, owner_seal(&owner, &body));
    assert_int_equal(answer.verdict.code, ERR_NONE);
    rd = rd_of(answer.result);
    must(!msg_read_created(&created, &rd).code && created.record.n <= sizeof(record_bytes));
    memcpy(record_bytes, created.record.p, created.record.n);
    must(!record_read(&record, bytes_of(record_bytes, created.record.n)).code);
    assert_int_equal(record.provenance, RECORD_IMPORTED);
    assert_memory_equal(record.id.b, owner.terms.account.b, 16);
    answer = vaulthost_call(&host, MSG_ACCOUNT_OPEN, bytes_of(record_bytes, created.record.n));
    assert_int_equal(answer.verdict.code, ERR_NONE);
    rd = rd_of(answer.result);
    must(!msg_read_account(&account, &rd).code);
    assert_memory_equal(account.address, expected, sizeof(expected));
    // A twin: the same envelope, and a new envelope for the same account.
    assert_int_equal(
        vaulthost_call(&host, MSG_IMPORT_FINISH, owner_seal(&owner, &body)).verdict.code,
        ERR_NOT_FOUND);
    assert_int_equal(finish(&owner), ERR_NOT_FOUND);
}

static void expect_mismatch(const struct owner *owner, const char *what)
{
    uint8_t body[512];
    struct vaulthost_answer answer =
        vaulthost_call(&host, MSG_IMPORT_FINISH, owner_seal(owner, &body));

    assert_int_equal(answer.verdict.code, ERR_MISMATCH);
    assert_non_null(strstr(answer.text, what));
}

// Each term twice: changed in the text alone (an owner's program that was led astray binds what the
// vault offered), and changed in what the envelope is bound to alone.
static void test_other_terms(void **context)
{
    struct owner owner, changed;
    const struct {
        uint8_t *text, *bound;
    } fields[] = {
        { changed.terms.deployment.b, changed.bound.deployment.b },
        { changed.terms.keyset.b, changed.bound.keyset.b },
        { changed.terms.policy_hash, changed.bound.policy_hash },
        { changed.terms.authoriser_hash, changed.bound.authoriser_hash },
    };

    (void)context;
    owner_begin(&owner, POLICY_UNRESTRICTED);
    changed = owner;
    changed.terms.account.b[0] ^= 1;
    expect_mismatch(&changed, "sealed for another");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        changed = owner;
        fields[i].text[0] ^= 1;
        expect_mismatch(&changed, "sealed for another");
        fields[i].bound[0] ^= 1;
        expect_mismatch(&changed, "do not open");
        fields[i].text[0] ^= 1;
        expect_mismatch(&changed, "do not open");
    }
    assert_int_equal(finish(&owner), ERR_NONE);
}

// An envelope for one account handed in for another, begun one.
static void test_envelope_of_another_account(void **context)
{
    struct owner first, second;
    uint8_t body[512];
    struct bytes whole;

    (void)context;
    owner_begin(&first, POLICY_UNRESTRICTED);
    owner_begin(&second, POLICY_NOTHING);
    whole = owner_seal(&first, &body);
    memcpy(body, second.terms.account.b, 16);
    assert_int_not_equal(vaulthost_call(&host, MSG_IMPORT_FINISH, whole).verdict.code, ERR_NONE);
    assert_int_equal(finish(&first), ERR_NONE);
    assert_int_equal(finish(&second), ERR_NONE);
}

static void test_damaged_envelopes(void **context)
{
    struct owner owner;
    uint8_t body[512];
    struct bytes whole;

    (void)context;
    owner_begin(&owner, POLICY_UNRESTRICTED);
    whole = owner_seal(&owner, &body);
    for (size_t n = 0; n < whole.n; n++)
        assert_int_not_equal(
            vaulthost_call(&host, MSG_IMPORT_FINISH, bytes_take(whole, n)).verdict.code, ERR_NONE);
    for (size_t i = 0; i < whole.n - 1; i++) {
        body[i] ^= 0x40;
        assert_int_not_equal(vaulthost_call(&host, MSG_IMPORT_FINISH, whole).verdict.code,
                             ERR_NONE);
        body[i] ^= 0x40;
    }
    assert_int_equal(vaulthost_call(&host, MSG_IMPORT_FINISH, whole).verdict.code, ERR_NONE);
}

static void test_keys_out_of_range(void **context)
{
    struct owner owner;

    (void)context;
    owner_begin(&owner, POLICY_UNRESTRICTED);
    memset(owner.key.b, 0, sizeof(owner.key.b));
    assert_int_not_equal(finish(&owner), ERR_NONE);
    memset(owner.key.b, 0xff, sizeof(owner.key.b));
    assert_int_not_equal(finish(&owner), ERR_NONE);
}

// The group order of P-256: no key for TLS, and one for an account, whose curve has a larger order.
static const uint8_t p256_order[32] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                        0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };

static void test_range_is_that_of_the_curve(void **context)
{
    struct owner owner;

    (void)context;
    owner_begin(&owner, POLICY_UNRESTRICTED);
    memcpy(owner.key.b, p256_order, sizeof(owner.key.b));
    assert_int_equal(finish(&owner), ERR_NONE);
    owner_begin_in(&owner, &tls_id, POLICY_NOTHING);
    memcpy(owner.key.b, p256_order, sizeof(owner.key.b));
    assert_int_equal(finish(&owner), ERR_MALFORMED);
    memset(owner.key.b, 0, sizeof(owner.key.b));
    assert_int_equal(finish(&owner), ERR_MALFORMED);
}

// RFC 6979 A.2.5's key. Whoever exported it may have kept it: it serves, and nothing attests it.
static void test_imported_tls_key(void **context)
{
    static const char key[] = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
    static const char expected[] =
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6";
    uint8_t body[512], record_bytes[1024], attestation[64], x[32];
    struct wr wr = WR_OF(attestation);
    struct vaulthost_answer answer;
    struct msg_created created;
    struct msg_tls_key opened;
    struct record record;
    struct owner owner;
    struct rd rd;

    (void)context;
    owner_begin_in(&owner, &tls_id, POLICY_NOTHING);
    must(!hex_decode(owner.key.b, 32, bytes_str(key)).code);
    must(!hex_decode(x, 32, bytes_str(expected)).code);
    answer = vaulthost_call(&host, MSG_IMPORT_FINISH, owner_seal(&owner, &body));
    assert_int_equal(answer.verdict.code, ERR_NONE);
    rd = rd_of(answer.result);
    must(!msg_read_created(&created, &rd).code && created.record.n <= sizeof(record_bytes));
    memcpy(record_bytes, created.record.p, created.record.n);
    must(!record_read(&record, bytes_of(record_bytes, created.record.n)).code);
    assert_int_equal(record.provenance, RECORD_EXPOSED);
    assert_int_equal(record.key_type, RECORD_P256);
    assert_int_equal(record.public_key.p[0], 3);
    assert_memory_equal(record.public_key.p + 1, x, sizeof(x));
    answer = vaulthost_call(&host, MSG_TLS_OPEN, bytes_of(record_bytes, created.record.n));
    assert_int_equal(answer.verdict.code, ERR_NONE);
    rd = rd_of(answer.result);
    must(!msg_read_tls_key(&opened, &rd).code);
    assert_int_equal(opened.provenance, RECORD_EXPOSED);
    msg_write_attestation(&wr, &(struct msg_attestation) { .nonce = BYTES_LIT("nonce"),
                                                           .key = BYTES_OF(opened.key.b) });
    answer = vaulthost_call(&host, MSG_ATTESTATION, wr_done(&wr));
    assert_int_equal(answer.verdict.code, ERR_DENIED);
    assert_non_null(strstr(answer.text, "inside"));
}

static void test_not_begun(void **context)
{
    static struct id id = { { 1, 2, 3 } };
    struct owner owner;

    (void)context;
    owner_begin(&owner, POLICY_UNRESTRICTED);
    owner.terms.account = owner.bound.account = id;
    assert_int_equal(finish(&owner), ERR_NOT_FOUND);
    assert_int_equal(vaulthost_call(&host, MSG_IMPORT_BEGIN, BYTES_LIT("x")).verdict.code,
                     ERR_MALFORMED);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_imported_key_signs, start, stop),
        cmocka_unit_test_setup_teardown(test_other_terms, start, stop),
        cmocka_unit_test_setup_teardown(test_envelope_of_another_account, start, stop),
        cmocka_unit_test_setup_teardown(test_damaged_envelopes, start, stop),
        cmocka_unit_test_setup_teardown(test_keys_out_of_range, start, stop),
        cmocka_unit_test_setup_teardown(test_range_is_that_of_the_curve, start, stop),
        cmocka_unit_test_setup_teardown(test_imported_tls_key, start, stop),
        cmocka_unit_test_setup_teardown(test_not_begun, start, stop),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("vault import", tests, NULL, NULL);
}
