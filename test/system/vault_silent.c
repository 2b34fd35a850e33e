// SPDX-License-Identifier: Apache-2.0
// A security module that is there but silent: documents and whatever needs its random bytes fail
// after five seconds and then at once, everything else goes on; when the module comes back, all
// works again, and what it answered too late has reached nobody.
#include "vaultsearch.h"

#include "base/deadline.h"
#include "crypto/attest.h"
#include "proto/policy.h"
#include "vault/limits.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

// The product's deadline, and what a busy machine adds to it.
#define LATE_MS (VAULT_NSM_MS + 20000)
// What is answered without the module is answered long before it would have been given up.
#define SOON_MS (VAULT_NSM_MS / 2)

static struct vaulthost host;
static uint8_t keyset_record[KEYSET_BYTES_MAX], account_record[RECORD_BYTES_MAX];
static size_t account_len;
static struct id keyset_id;

static int start(void **context)
{
    const char *pki = getenv("CLOISTER_PKI");

    (void)context;
    must(pki);
    vaulthost_start(&host, pki);
    return 0;
}

// An account that is open.
static int start_ready(void **context)
{
    (void)start(context);
    vaulthost_configure(&host, 1);
    (void)vaulthost_keyset(&host, keyset_record, &keyset_id);
    account_len = vaulthost_account(&host, &keyset_id, account_record);
    return 0;
}

static int stop(void **context)
{
    (void)context;
    vaulthost_stop(&host);
    return 0;
}

static void expect(uint16_t type, struct bytes body, enum err_code code, int64_t within_ms)
{
    int64_t began = deadline_now_ms();

    assert_int_equal(vaulthost_call(&host, type, body).verdict.code, code);
    assert_in_range(deadline_now_ms() - began, 0, within_ms);
}

static void sign_soon(void)
{
    int64_t began = deadline_now_ms();

    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(vaulthost_sign(&host, bytes_of(account_record, account_len)).verdict.code,
                         ERR_NONE);
    assert_in_range(deadline_now_ms() - began, 0, SOON_MS);
}

static struct bytes account_body(void)
{
    static uint8_t body[256];
    struct wr wr = WR_OF(body);
    struct msg_account_create m = { .keyset = keyset_id,
                                    .policy = BYTES_LIT("\0\1\1"),
                                    .authorisers = BYTES_LIT("\0\1\0") };

    msg_write_account_create(&wr, &m);
    return wr_done(&wr);
}

// The module answers what it was asked long ago, and is asked again: never is the old answer the
// new one's.
static void come_back(struct bytes nonce)
{
    struct deadline until = deadline_in(LATE_MS);
    struct vaulthost_answer answer;
    struct attest attest;
    uint8_t body[82];
    struct wr wr = WR_OF(body);

    host.silent = false;
    wr_var8(&wr, nonce);
    wr_var8(&wr, BYTES_NONE);
    do {
        answer = vaulthost_call(&host, MSG_ATTESTATION, wr_done(&wr));
    } while (answer.verdict.code == ERR_BUSY && deadline_left_ms(until) > 0);
    assert_int_equal(answer.verdict.code, ERR_NONE);
    assert_int_equal(attest_parse(&attest, answer.result).code, ERR_NONE);
    assert_true(bytes_equal(attest.nonce, nonce));
    assert_true(attest.user_data.n > 0);
}

static void test_documents_fail_and_signing_goes_on(void **context)
{
    (void)context;
    sign_soon();
    host.silent = true;
    expect(MSG_ATTESTATION, BYTES_LIT("\x03old\x00"), ERR_DEVICE, LATE_MS);
    expect(MSG_ATTESTATION, BYTES_LIT("\x03new\x00"), ERR_BUSY, SOON_MS);
    sign_soon();
    expect(MSG_STATUS, BYTES_NONE, ERR_NONE, SOON_MS);
    expect(MSG_ACCOUNT_CREATE, account_body(), ERR_BUSY, SOON_MS);
    expect(MSG_IMPORT_BEGIN, account_body(), ERR_BUSY, SOON_MS);
    expect(MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"), ERR_BUSY, SOON_MS);
    expect(MSG_ACCOUNT_OPEN, bytes_of(account_record, account_len), ERR_NONE, SOON_MS);
    sign_soon();
    come_back(BYTES_LIT("a newer one"));
    expect(MSG_ACCOUNT_CREATE, account_body(), ERR_NONE, LATE_MS);
    sign_soon();
    // And once more.
    host.silent = true;
    expect(MSG_ATTESTATION, BYTES_LIT("\x03old\x00"), ERR_DEVICE, LATE_MS);
    come_back(BYTES_LIT("the newest"));
}

#define RANDOM_AT 22 // {"GetRandom": {"random": 256 bytes}}

static struct seckey late, taken;

static size_t remember(uint8_t *answer, size_t n)
{
    if (n == RANDOM_AT + 256) {
        memcpy(taken.b, answer + RANDOM_AT, sizeof(taken.b));
        if (ct_is_zero(BYTES_OF(late.b)))
            late = taken;
    }
    return n;
}

// Random bytes that come too late are in no key, and nowhere.
static void test_late_random_bytes(void **context)
{
    (void)context;
    host.silent = true;
    host.module = remember;
    memset(&late, 0, sizeof(late));
    expect(MSG_ACCOUNT_CREATE, account_body(), ERR_DEVICE, LATE_MS);
    expect(MSG_ACCOUNT_CREATE, account_body(), ERR_BUSY, SOON_MS);
    come_back(BYTES_LIT("n"));
    assert_false(ct_is_zero(BYTES_OF(late.b)));
    assert_false(search_vault(&host, &late));
    expect(MSG_ACCOUNT_CREATE, account_body(), ERR_NONE, LATE_MS);
    assert_false(seckey_equal(&late, &taken)); // other ones were drawn
    assert_false(search_vault(&host, &taken));
}

// Silent at boot: no vault. The supervisor would end the enclave.
static void test_at_boot(void **context)
{
    (void)context;
    host.silent = true;
    expect(MSG_STATUS, BYTES_NONE, ERR_CLOSED, LATE_MS);
    assert_true(vaulthost_ends(&host));
}

// Nobody knows whether PCR16 was extended: the end.
static void test_at_configuration(void **context)
{
    (void)context;
    expect(MSG_STATUS, BYTES_NONE, ERR_NONE, 240000);
    host.silent = true;
    expect(MSG_CONFIGURE, vaulthost_config(1), ERR_DEVICE, LATE_MS);
    assert_true(vaulthost_ends(&host));
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_documents_fail_and_signing_goes_on, start_ready, stop),
        cmocka_unit_test_setup_teardown(test_late_random_bytes, start_ready, stop),
        cmocka_unit_test_setup_teardown(test_at_boot, start, stop),
        cmocka_unit_test_setup_teardown(test_at_configuration, start, stop),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("vault silent", tests, NULL, NULL);
}
