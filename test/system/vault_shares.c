// SPDX-License-Identifier: Apache-2.0
// k of n: keysets that no single CMK opens, no single CMK's loss destroys and no single CMK's
// administrator bends; and what becomes of operations whose KMS call failed.
#include "vaulthost.h"

#include "base/must.h"
#include "crypto/openssl/aead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct vaulthost host;
static const struct vaulthost_options options = { .deployment = 1, .k = 2, .n = 3 };

static int start(void **context)
{
    const char *pki = getenv("CLOISTER_PKI");

    (void)context;
    must(pki);
    vaulthost_start(&host, pki);
    return 0;
}

static int stop(void **context)
{
    (void)context;
    vaulthost_stop(&host);
    return 0;
}

// Creates a keyset without opening it; the length of its record.
static size_t keyset_create(uint8_t record[static KEYSET_BYTES_MAX])
{
    struct vaulthost_answer answer =
        vaulthost_call(&host, MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"));
    struct msg_step step = vaulthost_step(&answer);

    while (step.kind != MSG_STEP_DONE) {
        answer = vaulthost_kms(&host, &step);
        step = vaulthost_step(&answer);
    }
    must(step.record.n <= KEYSET_BYTES_MAX);
    memcpy(record, step.record.p, step.record.n);
    return step.record.n;
}

// Opens a 2-of-3 keyset while the CMKs whose bits are set answer.
static enum err_code open_with(struct bytes record, unsigned available)
{
    struct vaulthost_answer answer = vaulthost_call(&host, MSG_KEYSET_OPEN, record);

    while (answer.verdict.code == ERR_NONE) {
        struct msg_step step = vaulthost_step(&answer);
        uint8_t operation[8];
        struct wr wr = WR_OF(operation);
        unsigned cmk = bytes_equal_str(step.cmk, VAULTHOST_ARN)     ? 1
                       : bytes_equal_str(step.cmk, VAULTHOST_ARN_2) ? 2
                                                                    : 4;

        if (step.kind == MSG_STEP_DONE)
            return ERR_NONE;
        wr_u64(&wr, step.operation);
        answer = available & cmk ? vaulthost_kms(&host, &step)
                                 : vaulthost_call(&host, MSG_KMS_FAILED, wr_done(&wr));
    }
    return (enum err_code)answer.verdict.code;
}

static void test_two_of_three(void **context)
{
    static uint8_t record[KEYSET_BYTES_MAX];
    struct seckey data_key[3];
    size_t n;

    must(vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config_of(&options)).verdict.code == 0);
    n = keyset_create(record);
    for (unsigned available = 0; available < 8; available++) {
        bool enough = available == 3 || available >= 5;
        enum err_code code = open_with(bytes_of(record, n), available);

        assert_int_equal(code, enough ? ERR_NONE : ERR_KMS);
        if (!enough)
            continue;
        // The vault keeps it open: a fresh one for the next combination.
        memcpy(data_key, host.data_key, sizeof(data_key));
        stop(context);
        start(context);
        memcpy(host.data_key, data_key, sizeof(data_key));
        host.data_keys = ARRAY_LEN(data_key);
        must(vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config_of(&options)).verdict.code == 0);
    }
}

// Seals `share` anew for wrapping `at`, as that CMK's administrator can: it knows the data key.
static void share_forge(struct keyset *keyset, size_t at, const struct seckey *share,
                        uint8_t sealed[static 60])
{
    uint8_t aad[8192];
    struct wr wr = WR_OF(aad);
    const struct seckey *data_key = &host.data_key[keyset->wrap[at].blob.p[0]];

    memset(sealed, 7, 12);
    keyset_write_share_aad(&wr, keyset, &keyset->wrap[at]);
    must(!aead_seal(sealed + 12, data_key, sealed, wr_done(&wr), BYTES_OF(share->b)).code);
    keyset->wrap[at].sealed = bytes_of(sealed, 60);
}

static enum err_code open_forged(const struct keyset *keyset)
{
    static uint8_t forged[KEYSET_BYTES_MAX];
    struct wr wr = WR_OF(forged);

    keyset_write(&wr, keyset);
    must(!wr.bad);
    return open_with(wr_done(&wr), 3);
}

// One CMK's administrator and the store together: another share of its own, another coordinate, a
// lower threshold. None gives a keyset with another key.
static void test_one_dishonest_cmk(void **context)
{
    static uint8_t record[KEYSET_BYTES_MAX];
    uint8_t sealed[60];
    struct seckey share = { { 1 } };
    struct keyset genuine, keyset;
    size_t n;

    (void)context;
    must(vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config_of(&options)).verdict.code == 0);
    n = keyset_create(record);
    must(!keyset_read(&genuine, bytes_of(record, n)).code);
    keyset = genuine;
    share_forge(&keyset, 0, &share, sealed);
    assert_int_equal(open_forged(&keyset), ERR_CORRUPT);
    keyset = genuine;
    keyset.wrap[0].x = 3;
    keyset.wrap[2].x = 1;
    share_forge(&keyset, 0, &share, sealed);
    assert_int_equal(open_forged(&keyset), ERR_CORRUPT);
    keyset = genuine;
    keyset.k = 1;
    share_forge(&keyset, 0, &share, sealed);
    assert_int_equal(open_forged(&keyset), ERR_MISMATCH);
    assert_int_equal(open_with(bytes_of(record, n), 3), ERR_NONE);
}

static void test_failed_calls(void **context)
{
    static const uint8_t none[8];
    uint8_t operation[8];
    struct wr wr = WR_OF(operation);
    struct vaulthost_answer answer;
    struct msg_step step;

    (void)context;
    vaulthost_configure(&host, 1);
    assert_int_equal(vaulthost_call(&host, MSG_KMS_FAILED, BYTES_OF(none)).verdict.code,
                     ERR_NOT_FOUND);
    assert_int_equal(vaulthost_call(&host, MSG_KMS_FAILED, BYTES_LIT("x")).verdict.code,
                     ERR_MALFORMED);
    answer = vaulthost_call(&host, MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"));
    step = vaulthost_step(&answer);
    wr_u64(&wr, step.operation);
    assert_int_equal(vaulthost_call(&host, MSG_KMS_FAILED, wr_done(&wr)).verdict.code, ERR_KMS);
    assert_int_equal(vaulthost_kms(&host, &step).verdict.code, ERR_NOT_FOUND);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_two_of_three, start, stop),
        cmocka_unit_test_setup_teardown(test_one_dishonest_cmk, start, stop),
        cmocka_unit_test_setup_teardown(test_failed_calls, start, stop),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("vault shares", tests, NULL, NULL);
}
