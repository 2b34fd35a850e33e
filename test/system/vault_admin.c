// SPDX-License-Identifier: Apache-2.0
// Administrators: what the manifest admits, floors and disables, sealing and unsealing.
#include "vaultadmins.h"

#include "base/hex.h"
#include "crypto/attest.h"
#include "crypto/openssl/libcrypto.h"
#include "eth/tx.h"
#include "verify/userdata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct vaulthost host;

static int start(void **context)
{
    const char *pki = getenv("CLOISTER_PKI");

    (void)context;
    must(pki);
    vaulthost_start(&host, pki);
    return 0;
}

static int start_with_admins(void **context)
{
    start(context);
    admins_make();
    must(vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config_of(&options)).verdict.code == 0);
    return 0;
}

static int stop(void **context)
{
    (void)context;
    vaulthost_stop(&host);
    return 0;
}

// Sends the manifest signed by the administrators whose bits are set.
static enum err_code apply(const struct manifest *manifest, unsigned who)
{
    return (enum err_code)vaulthost_call(&host, MSG_MANIFEST, signed_body(manifest, who))
        .verdict.code;
}

// Creates a keyset without opening it; its record and its manifest entry.
static size_t keyset_create(uint8_t record[static KEYSET_BYTES_MAX],
                            uint8_t entry[static MANIFEST_KEYSET_BYTES])
{
    size_t n = vaulthost_keyset_create(&host, "main", record);

    admit(entry, bytes_of(record, n));
    return n;
}

static enum err_code keyset_open(struct bytes record)
{
    return vaulthost_keyset_open(&host, record);
}

static void test_only_admitted_keysets_open(void **context)
{
    static uint8_t record[KEYSET_BYTES_MAX];
    uint8_t entry[MANIFEST_KEYSET_BYTES];
    struct manifest m = manifest_of(1);
    size_t n = keyset_create(record, entry);

    (void)context;
    assert_int_equal(keyset_open(bytes_of(record, n)), ERR_DENIED);
    assert_int_equal(apply(&m, 3), ERR_NONE);
    assert_int_equal(keyset_open(bytes_of(record, n)), ERR_DENIED);
    m = manifest_of(2);
    entry[20] ^= 1;
    m.keysets = BYTES_OF(entry);
    assert_int_equal(apply(&m, 3), ERR_NONE);
    assert_int_equal(keyset_open(bytes_of(record, n)), ERR_DENIED);
    entry[20] ^= 1;
    m.serial = 3;
    assert_int_equal(apply(&m, 3), ERR_NONE);
    assert_int_equal(keyset_open(bytes_of(record, n)), ERR_NONE);
    // A later manifest that leaves it out closes it.
    m = manifest_of(4);
    assert_int_equal(apply(&m, 5), ERR_NONE);
    assert_int_equal(vaulthost_call(&host, MSG_ACCOUNT_CREATE, BYTES_LIT("x")).verdict.code,
                     ERR_PHASE);
}

static void test_manifest_refusals(void **context)
{
    struct manifest m = manifest_of(5);
    static const unsigned too_few[] = { 0, 1, 2, 4 };

    (void)context;
    for (size_t i = 0; i < ARRAY_LEN(too_few); i++)
        assert_int_equal(apply(&m, too_few[i]), ERR_DENIED);
    assert_int_equal(apply(&m, 6), ERR_NONE);
    assert_int_equal(apply(&m, 7), ERR_NONE); // the same again
    m.created_ms = 2;
    assert_int_equal(apply(&m, 7), ERR_DENIED); // the same serial, other content
    m.serial = 4;
    assert_int_equal(apply(&m, 7), ERR_DENIED); // older
    m.serial = 6;
    m.deployment.b[0] ^= 1;
    assert_int_equal(apply(&m, 7), ERR_MISMATCH);
    m.deployment.b[0] ^= 1;
    admin[0].pem_len = admin[1].pem_len;
    memcpy(admin[0].pem, admin[1].pem, sizeof(admin[0].pem));
    assert_int_equal(apply(&m, 3), ERR_UNTRUSTED); // one administrator twice
}

// No bit of what was signed, of a signature or of a number can be changed.
static void test_manifest_bits(void **context)
{
    struct manifest m = manifest_of(1);
    struct bytes whole = signed_body(&m, 5);
    uint8_t damaged[512];

    (void)context;
    must(whole.n <= sizeof(damaged));
    memcpy(damaged, whole.p, whole.n);
    for (size_t bit = 0; bit < 8 * whole.n; bit++) {
        damaged[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(
            vaulthost_call(&host, MSG_MANIFEST, bytes_of(damaged, whole.n)).verdict.code, ERR_NONE);
        damaged[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(vaulthost_call(&host, MSG_MANIFEST, bytes_of(damaged, whole.n)).verdict.code,
                     ERR_NONE);
}

// One administrator of P-256 makes as many valid signatures as he likes: they count once.
static void test_one_administrator_counts_once(void **context)
{
    struct manifest m = manifest_of(1);
    uint8_t twice[512], other[APPROVAL_BYTES];
    struct bytes whole = signed_body(&m, 4);
    size_t list = whole.n - APPROVAL_BYTES - 1;

    (void)context;
    memcpy(twice, whole.p, whole.n);
    whole = signed_body(&m, 4);
    memcpy(other, whole.p + list + 1, sizeof(other));
    assert_memory_not_equal(other, twice + list + 1, sizeof(other));
    twice[list] = 2;
    memcpy(twice + whole.n, other, sizeof(other));
    assert_int_equal(
        vaulthost_call(&host, MSG_MANIFEST, bytes_of(twice, whole.n + sizeof(other))).verdict.code,
        ERR_MALFORMED);
    // Under another's number it does not verify, in either order.
    twice[whole.n] = 1;
    assert_int_not_equal(
        vaulthost_call(&host, MSG_MANIFEST, bytes_of(twice, whole.n + sizeof(other))).verdict.code,
        ERR_NONE);
    twice[list + 1] = 1;
    twice[whole.n] = 2;
    assert_int_equal(
        vaulthost_call(&host, MSG_MANIFEST, bytes_of(twice, whole.n + sizeof(other))).verdict.code,
        ERR_UNTRUSTED);
}

static void test_disabled_and_old_records(void **context)
{
    static uint8_t keyset[KEYSET_BYTES_MAX];
    uint8_t entry[MANIFEST_KEYSET_BYTES], account[RECORD_BYTES_MAX], floor[MANIFEST_FLOOR_BYTES];
    struct manifest m = manifest_of(1);
    struct record record;
    struct id id;
    size_t n = keyset_create(keyset, entry), account_len;

    (void)context;
    m.keysets = BYTES_OF(entry);
    assert_int_equal(apply(&m, 3), ERR_NONE);
    assert_int_equal(keyset_open(bytes_of(keyset, n)), ERR_NONE);
    memcpy(id.b, entry, sizeof(id.b));
    account_len = vaulthost_account(&host, &id, account);
    must(!record_read(&record, bytes_of(account, account_len)).code);
    assert_int_equal(vaulthost_sign(&host, bytes_of(account, account_len)).verdict.code, ERR_NONE);
    m.serial = 2;
    m.disabled = BYTES_OF(record.id.b);
    assert_int_equal(apply(&m, 3), ERR_NONE);
    assert_int_equal(vaulthost_sign(&host, bytes_of(account, account_len)).verdict.code,
                     ERR_DENIED);
    m.serial = 3;
    m.disabled = BYTES_NONE;
    memcpy(floor, record.id.b, 16);
    memcpy(floor + 16, "\0\0\0\2", 4);
    m.floors = BYTES_OF(floor);
    assert_int_equal(apply(&m, 3), ERR_NONE);
    assert_int_equal(vaulthost_sign(&host, bytes_of(account, account_len)).verdict.code,
                     ERR_DENIED);
    floor[19] = 1;
    m.serial = 4;
    assert_int_equal(apply(&m, 3), ERR_NONE);
    assert_int_equal(vaulthost_sign(&host, bytes_of(account, account_len)).verdict.code, ERR_NONE);
}

static struct msg_status status_now(void)
{
    struct vaulthost_answer answer = vaulthost_call(&host, MSG_STATUS, BYTES_NONE);
    struct rd rd = rd_of(answer.result);
    struct msg_status status;

    must(answer.verdict.code == 0 && !msg_read_status(&status, &rd).code);
    return status;
}

static enum err_code unseal(uint32_t seals, unsigned who)
{
    uint8_t space[ADMINS * APPROVAL_BYTES], body[256], message[32];
    struct msg_status status = status_now();
    struct wr wr = WR_OF(body);
    struct id deployment;

    memset(deployment.b, 1, sizeof(deployment.b));
    approval_unseal_message(message, &deployment, &status.boot, seals);
    approval_write_list(&wr, approvals(space, message, who));
    return (enum err_code)vaulthost_call(&host, MSG_UNSEAL, wr_done(&wr)).verdict.code;
}

// How often this boot was sealed, as the security module signs it.
static uint32_t attested_seals(void)
{
    static struct attest attest;
    struct vaulthost_answer answer = vaulthost_call(&host, MSG_ATTESTATION, BYTES_LIT("\0\0"));
    struct receipt_status status;

    must(answer.verdict.code == 0 && !attest_parse(&attest, answer.result).code);
    must(!userdata_read_status(&status, attest.user_data).code);
    return status.seals;
}

static void test_seal_and_unseal(void **context)
{
    static uint8_t keyset[KEYSET_BYTES_MAX];
    uint8_t entry[MANIFEST_KEYSET_BYTES];
    struct manifest m = manifest_of(1);
    size_t n = keyset_create(keyset, entry);

    (void)context;
    m.keysets = BYTES_OF(entry);
    assert_int_equal(apply(&m, 3), ERR_NONE);
    assert_int_equal(keyset_open(bytes_of(keyset, n)), ERR_NONE);
    assert_int_equal(unseal(0, 3), ERR_PHASE);
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, BYTES_NONE).verdict.code, ERR_NONE);
    assert_int_equal(status_now().phase, PHASE_SEALED);
    assert_int_equal(status_now().keysets_open, 0);
    assert_int_equal(attested_seals(), 1);
    assert_int_equal(keyset_open(bytes_of(keyset, n)), ERR_PHASE);
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, BYTES_NONE).verdict.code, ERR_NONE);
    assert_int_equal(attested_seals(), 1); // again: nothing more to do
    assert_int_equal(unseal(1, 1), ERR_DENIED);
    assert_int_equal(unseal(0, 3), ERR_UNTRUSTED); // the approval of another sealing
    assert_int_equal(unseal(2, 3), ERR_UNTRUSTED);
    assert_int_equal(unseal(1, 6), ERR_NONE);
    assert_int_equal(status_now().phase, PHASE_CONFIGURED);
    assert_int_equal(keyset_open(bytes_of(keyset, n)), ERR_NONE);
}

// The vault's import key, and the account that it chose.
static struct msg_import_ready import_begin(const uint8_t keyset[static 16])
{
    uint8_t body[64];
    struct wr wr = WR_OF(body);
    struct msg_account_create m = { .policy = BYTES_LIT("\0\1\1"),
                                    .authorisers = BYTES_LIT("\0\1\0") };
    struct vaulthost_answer answer;
    struct msg_import_ready ready;
    struct rd rd;

    memcpy(m.keyset.b, keyset, sizeof(m.keyset.b));
    msg_write_account_create(&wr, &m);
    answer = vaulthost_call(&host, MSG_IMPORT_BEGIN, wr_done(&wr));
    rd = rd_of(answer.result);
    must(answer.verdict.code == 0 && !msg_read_import_ready(&ready, &rd).code);
    return ready;
}

static enum err_code import_finish(const struct msg_import_ready *ready)
{
    static const uint8_t cipher[MSG_IMPORT_CIPHER_BYTES];
    uint8_t body[256];
    struct wr wr = WR_OF(body);

    msg_write_import_finish(&wr, &(struct msg_import_finish) { .account = ready->account,
                                                               .ciphertext = BYTES_OF(cipher) });
    return (enum err_code)vaulthost_call(&host, MSG_IMPORT_FINISH, wr_done(&wr)).verdict.code;
}

// What KMS and owners sealed to the vault before a seal opens no more: a front that kept KMS's
// answers must ask KMS again, which may refuse by now.
static void test_seal_forgets_its_own_keys(void **context)
{
    static uint8_t keyset[KEYSET_BYTES_MAX], document[DOCUMENT_MAX];
    uint8_t entry[MANIFEST_KEYSET_BYTES];
    struct manifest m = manifest_of(1);
    size_t n = keyset_create(keyset, entry);
    struct vaulthost_answer answer;
    struct msg_import_ready before, after;
    struct msg_step step;
    struct bytes recorded;

    (void)context;
    m.keysets = BYTES_OF(entry);
    assert_int_equal(apply(&m, 3), ERR_NONE);
    answer = vaulthost_call(&host, MSG_KEYSET_OPEN, bytes_of(keyset, n));
    step = vaulthost_step(&answer);
    memcpy(document, step.document.p, step.document.n);
    recorded = bytes_of(document, step.document.n);
    assert_int_equal(vaulthost_kms(&host, &step).verdict.code, ERR_NONE);
    before = import_begin(entry);
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, BYTES_NONE).verdict.code, ERR_NONE);
    assert_int_equal(unseal(1, 3), ERR_NONE);
    answer = vaulthost_call(&host, MSG_KEYSET_OPEN, bytes_of(keyset, n));
    step = vaulthost_step(&answer);
    step.document = recorded;
    assert_int_equal(vaulthost_kms(&host, &step).verdict.code, ERR_CORRUPT);
    assert_int_equal(keyset_open(bytes_of(keyset, n)), ERR_NONE);
    assert_int_equal(import_finish(&before), ERR_NOT_FOUND);
    after = import_begin(entry);
    assert_memory_not_equal(before.public_key, after.public_key, sizeof(after.public_key));
}

static void test_seal_without_administrators(void **context)
{
    uint8_t record[KEYSET_BYTES_MAX];
    struct id id;

    (void)context;
    vaulthost_configure(&host, 1);
    (void)vaulthost_keyset(&host, record, &id);
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, BYTES_NONE).verdict.code, ERR_NONE);
    assert_int_equal(unseal(1, 0), ERR_UNSUPPORTED);
    assert_int_equal(vaulthost_call(&host, MSG_MANIFEST, BYTES_LIT("x")).verdict.code,
                     ERR_MALFORMED);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_admitted_keysets_open, start_with_admins, stop),
        cmocka_unit_test_setup_teardown(test_manifest_refusals, start_with_admins, stop),
        cmocka_unit_test_setup_teardown(test_manifest_bits, start_with_admins, stop),
        cmocka_unit_test_setup_teardown(test_one_administrator_counts_once, start_with_admins,
                                        stop),
        cmocka_unit_test_setup_teardown(test_disabled_and_old_records, start_with_admins, stop),
        cmocka_unit_test_setup_teardown(test_seal_and_unseal, start_with_admins, stop),
        cmocka_unit_test_setup_teardown(test_seal_forgets_its_own_keys, start_with_admins, stop),
        cmocka_unit_test_setup_teardown(test_seal_without_administrators, start, stop),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("vault administrators", tests, NULL, NULL);
}
