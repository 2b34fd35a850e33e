// SPDX-License-Identifier: Apache-2.0
// What the vault has no use for any more is nowhere in its memory, the arena included: data keys
// and shares after a keyset was made or opened or was not, keys of accounts that were made or
// imported, and after a seal every key (SECURITY.md, promise 14).
#include "vaultsearch.h"

#include "crypto/openssl/hpke.h"
#include "crypto/shamir.h"
#include "eth/tx.h"
#include "proto/offer.h"
#include "proto/policy.h"
#include "vault/limits.h"
#include "vault/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CMKS 3

static struct vaulthost host;
static const struct vaulthost_options options = { .deployment = 1, .k = 2, .n = CMKS, .tls = true };
static uint8_t keyset_record[KEYSET_BYTES_MAX], account_record[RECORD_BYTES_MAX];
static size_t keyset_len, account_len;
static struct id keyset_id;
static struct seckey share[CMKS], keyset_key, account_key;

static bool any_held(const struct seckey *keys, size_t count)
{
    bool held = false;

    for (size_t i = 0; i < count; i++)
        held = search_vault(&host, &keys[i]) || held;
    return held;
}

// A keyset under three CMKs, not open yet, and everything secret about it.
static int start(void **context)
{
    static const uint8_t x[] = { 1, 2 };
    const char *pki = getenv("CLOISTER_PKI");
    struct vaulthost_answer answer;
    struct msg_step step;
    struct keyset keyset;

    (void)context;
    must(pki);
    vaulthost_start(&host, pki);
    must(vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config_of(&options)).verdict.code == 0);
    answer = vaulthost_call(&host, MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"));
    for (step = vaulthost_step(&answer); step.kind != MSG_STEP_DONE; step = vaulthost_step(&answer))
        answer = vaulthost_kms(&host, &step);
    keyset_len = step.record.n;
    memcpy(keyset_record, step.record.p, keyset_len);
    must(!keyset_read(&keyset, bytes_of(keyset_record, keyset_len)).code);
    keyset_id = keyset.id;
    for (size_t i = 0; i < CMKS; i++)
        must(!seal_open_share(&share[i], &host.data_key[i], &(struct seal_wrap) { &keyset, i })
                  .code);
    must(!shamir_join(&keyset_key, share, x, 2).code);
    return 0;
}

static int stop(void **context)
{
    (void)context;
    vaulthost_stop(&host);
    return 0;
}

static void keyset_open(void)
{
    struct vaulthost_answer answer =
        vaulthost_call(&host, MSG_KEYSET_OPEN, bytes_of(keyset_record, keyset_len));

    for (struct msg_step step = vaulthost_step(&answer); step.kind != MSG_STEP_DONE;
         step = vaulthost_step(&answer))
        answer = vaulthost_kms(&host, &step);
}

static void sign(void)
{
    uint8_t space[4096], payload[256];
    struct wr wr = WR_OF(space), payload_wr = WR_OF(payload);
    struct tx tx = { .kind = TX_LEGACY, .chain_id = 31337, .gas = 21000, .has_to = true };
    struct msg_sign_tx m = { .record = bytes_of(account_record, account_len) };

    must(!tx_write_unsigned(&payload_wr, &tx).code);
    m.payload = wr_done(&payload_wr);
    msg_write_sign_tx(&wr, &m);
    assert_int_equal(vaulthost_call(&host, MSG_SIGN_TX, wr_done(&wr)).verdict.code, ERR_NONE);
}

static void test_after_creation(void **context)
{
    (void)context;
    assert_false(any_held(host.data_key, CMKS));
    assert_false(any_held(share, CMKS));
    assert_false(search_vault(&host, &keyset_key));
}

static void test_creation_given_up(void **context)
{
    struct vaulthost_answer answer =
        vaulthost_call(&host, MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"));
    struct msg_step step = vaulthost_step(&answer);
    uint8_t operation[8];
    struct wr wr = WR_OF(operation);

    (void)context;
    wr_u64(&wr, step.operation);
    answer = vaulthost_kms(&host, &step);
    assert_true(search_vault(&host, &host.data_key[CMKS])); // the search finds what is there
    assert_int_equal(vaulthost_call(&host, MSG_KMS_FAILED, wr_done(&wr)).verdict.code, ERR_KMS);
    assert_false(search_vault(&host, &host.data_key[CMKS]));
}

static void test_opening_given_up(void **context)
{
    struct vaulthost_answer answer =
        vaulthost_call(&host, MSG_KEYSET_OPEN, bytes_of(keyset_record, keyset_len));
    struct msg_step step = vaulthost_step(&answer);
    uint8_t operation[8];
    struct wr wr = WR_OF(operation);

    (void)context;
    wr_u64(&wr, step.operation);
    answer = vaulthost_kms(&host, &step);
    assert_int_equal(answer.verdict.code, ERR_NONE);
    assert_true(search_vault(&host, &share[0]));
    assert_false(search_vault(&host, &host.data_key[0]));
    assert_int_equal(vaulthost_call(&host, MSG_KMS_FAILED, wr_done(&wr)).verdict.code, ERR_NONE);
    assert_int_equal(vaulthost_call(&host, MSG_KMS_FAILED, wr_done(&wr)).verdict.code, ERR_KMS);
    assert_false(any_held(share, CMKS));
}

static void test_open_and_sealed(void **context)
{
    (void)context;
    keyset_open();
    assert_true(search_vault(&host, &keyset_key));
    assert_false(any_held(host.data_key, CMKS));
    assert_false(any_held(share, CMKS));
    account_len = vaulthost_account(&host, &keyset_id, account_record);
    vaulthost_account_key(&keyset_key, bytes_of(account_record, account_len), &account_key);
    assert_false(search_vault(&host, &account_key));
    sign();
    assert_true(search_vault(&host, &account_key));
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, BYTES_NONE).verdict.code, ERR_NONE);
    assert_false(search_vault(&host, &account_key));
    assert_false(search_vault(&host, &keyset_key));
}

// As libcrypto has it: the limbs of a number, the least significant first.
static struct seckey limbs_of(const struct seckey *key)
{
    struct seckey limbs;

    for (size_t i = 0; i < sizeof(limbs.b); i++)
        limbs.b[i] = key->b[sizeof(key->b) - 1 - i];
    return limbs;
}

static bool is_held(const struct seckey *key)
{
    struct seckey limbs = limbs_of(key);

    return search_vault(&host, key) || search_vault(&host, &limbs);
}

static enum err_code handshake(const struct id *key)
{
    static const uint8_t transcript[32] = { 1 };
    uint8_t body[128];
    struct wr wr = WR_OF(body);

    msg_write_tls_sign(&wr, &(struct msg_tls_sign) { .key = *key,
                                                     .kind = MSG_TLS_VERIFY13,
                                                     .input = BYTES_OF(transcript) });
    return (enum err_code)vaulthost_call(&host, MSG_TLS_SIGN, wr_done(&wr)).verdict.code;
}

// A TLS key lies in the vault while it is open: until another one takes its place, or a seal.
static void test_tls_keys(void **context)
{
    static uint8_t record_bytes[VAULT_TLS_KEYS + 1][RECORD_BYTES_MAX];
    static uint8_t tls_keyset[KEYSET_BYTES_MAX];
    struct seckey secret[VAULT_TLS_KEYS + 1];
    struct record record;
    struct id tls_id;
    size_t n = vaulthost_keyset_of(&host, "tls", tls_keyset, &tls_id);

    (void)context;
    vaulthost_keyset_key(&host, bytes_of(tls_keyset, n), &keyset_key);
    for (size_t i = 0; i <= VAULT_TLS_KEYS; i++) {
        struct bytes bytes = { record_bytes[i],
                               vaulthost_tls_key(&host, &tls_id, record_bytes[i]) };

        vaulthost_account_key(&keyset_key, bytes, &secret[i]);
        assert_false(is_held(&secret[i]));
        assert_int_equal(vaulthost_call(&host, MSG_TLS_OPEN, bytes).verdict.code, ERR_NONE);
        must(!record_read(&record, bytes).code);
        assert_int_equal(handshake(&record.id), ERR_NONE);
        assert_true(is_held(&secret[i]));
        assert_false(search_vault(&host, &secret[i])); // but for the limbs nothing is left
    }
    assert_false(is_held(&secret[0]));
    for (size_t i = 1; i <= VAULT_TLS_KEYS; i++)
        assert_true(is_held(&secret[i]));
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, BYTES_NONE).verdict.code, ERR_NONE);
    for (size_t i = 0; i <= VAULT_TLS_KEYS; i++)
        assert_false(is_held(&secret[i]));
    assert_false(is_held(&keyset_key));
}

// Seals `key` for the account of the offer; `damage` is added to the account id inside.
static enum err_code import(const struct seckey *key, uint8_t damage)
{
    uint8_t body[512], plain[MSG_IMPORT_PLAIN_BYTES], cipher[MSG_IMPORT_CIPHER_BYTES], digest[32];
    struct wr wr = WR_OF(body), plain_wr = WR_OF(plain), cipher_wr = WR_OF(cipher);
    struct msg_account_create m = { .keyset = keyset_id,
                                    .policy = BYTES_LIT("\0\1\1"),
                                    .authorisers = BYTES_LIT("\0\1\0") };
    struct offer_terms terms = { .deployment.b = { 0 }, .keyset = keyset_id };
    struct hpke_bound bound = { .info = offer_info(), .aad = BYTES_OF(digest) };
    struct msg_import_finish sealed = { 0 };
    struct vaulthost_answer answer;
    struct msg_import_ready ready;
    struct rd rd;

    msg_write_account_create(&wr, &m);
    answer = vaulthost_call(&host, MSG_IMPORT_BEGIN, wr_done(&wr));
    rd = rd_of(answer.result);
    must(answer.verdict.code == 0 && !msg_read_import_ready(&ready, &rd).code);
    memset(terms.deployment.b, options.deployment, sizeof(terms.deployment.b));
    sealed.account = terms.account = ready.account;
    policy_hash(terms.policy_hash, m.policy);
    policy_authoriser_hash(terms.authoriser_hash, m.authorisers);
    offer_digest(digest, ready.public_key, &terms);
    terms.account.b[0] ^= damage;
    wr_bytes(&plain_wr, BYTES_OF(key->b));
    offer_write_terms(&plain_wr, &terms);
    must(!hpke_seal(&cipher_wr, sealed.enc, ready.public_key, &bound, wr_done(&plain_wr)).code);
    sealed.ciphertext = wr_done(&cipher_wr);
    wr.len = 0;
    msg_write_import_finish(&wr, &sealed);
    return (enum err_code)vaulthost_call(&host, MSG_IMPORT_FINISH, wr_done(&wr)).verdict.code;
}

static void test_imported(void **context)
{
    static const struct seckey good = { "an imported key of the owner's." };
    static struct seckey too_large;

    (void)context;
    memset(too_large.b, 0xff, sizeof(too_large.b));
    memcpy(too_large.b + 16, "above the order", 16);
    keyset_open();
    assert_int_equal(import(&good, 1), ERR_MISMATCH);
    assert_false(search_vault(&host, &good));
    assert_int_equal(import(&good, 0), ERR_NONE);
    assert_false(search_vault(&host, &good));
    assert_int_not_equal(import(&too_large, 0), ERR_NONE);
    assert_false(search_vault(&host, &too_large));
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_after_creation, start, stop),
        cmocka_unit_test_setup_teardown(test_creation_given_up, start, stop),
        cmocka_unit_test_setup_teardown(test_opening_given_up, start, stop),
        cmocka_unit_test_setup_teardown(test_open_and_sealed, start, stop),
        cmocka_unit_test_setup_teardown(test_tls_keys, start, stop),
        cmocka_unit_test_setup_teardown(test_imported, start, stop),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("vault wiped", tests, NULL, NULL);
}
