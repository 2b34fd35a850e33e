// SPDX-License-Identifier: Apache-2.0
// KMS's answers in the hands of who carries them: exchanged between operations, told in another
// order, repeated, and kept from an earlier boot.
#include "vaulthost.h"

#include "base/must.h"
#include "crypto/attest.h"
#include "crypto/cms.h"
#include "crypto/openssl/rsa.h"
#include "emu/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vaultkept.h"

static struct vaulthost host;
static struct kept record;

static int start(void **context)
{
    const char *pki = getenv("CLOISTER_PKI");

    (void)context;
    must(pki);
    vaulthost_start(&host, pki);
    vaulthost_configure(&host, 1);
    return 0;
}

static int stop(void **context)
{
    (void)context;
    vaulthost_stop(&host);
    return 0;
}

static uint8_t recipient[RSA_SPKI_BYTES];

// What the vault asks for; its operation, and its recipient key for the answers.
static uint64_t ask(uint16_t type, struct bytes body)
{
    struct vaulthost_answer answer = vaulthost_call(&host, type, body);
    struct msg_step step = vaulthost_step(&answer);
    struct attest attest;

    must(!attest_parse(&attest, step.document).code && attest.public_key.n == sizeof(recipient));
    memcpy(recipient, attest.public_key.p, sizeof(recipient));
    return step.operation;
}

static struct bytes envelope(uint8_t data_key)
{
    static uint8_t cms[CMS_BYTES_MAX];
    struct seckey key = { { data_key, 1 } };
    struct wr wr = WR_OF(cms);

    must(!envelope_seal(&wr, BYTES_OF(recipient), BYTES_OF(key.b), true).code);
    return wr_done(&wr);
}

static struct vaulthost_answer tell(uint64_t operation, struct bytes blob, struct bytes cms)
{
    uint8_t body[CMS_BYTES_MAX + 512];
    struct wr wr = WR_OF(body);

    msg_write_kms_answer(&wr, &(struct msg_kms_answer) { .operation = operation,
                                                         .cmk = BYTES_LIT(VAULTHOST_ARN),
                                                         .blob = blob,
                                                         .cms = cms });
    return vaulthost_call(&host, MSG_KMS_ANSWER, wr_done(&wr));
}

static void test_answers_exchanged(void **context)
{
    struct vaulthost_answer answer;
    uint64_t a, b, c;

    (void)context;
    a = ask(MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"));
    b = ask(MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"));
    c = ask(MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"));
    expect_code("a generated", tell(a, BYTES_LIT("A"), envelope('A')), ERR_NONE);
    expect_code("b generated", tell(b, BYTES_LIT("B"), envelope('B')), ERR_NONE);
    expect_code("b's Decrypt for a", tell(a, BYTES_NONE, envelope('B')), ERR_UNTRUSTED);
    expect_code("a is over", tell(a, BYTES_NONE, envelope('A')), ERR_NOT_FOUND);
    expect_code("Decrypt before GenerateDataKey", tell(c, BYTES_NONE, envelope('C')),
                ERR_MALFORMED);
    expect_code("c is over", tell(c, BYTES_LIT("C"), envelope('C')), ERR_NOT_FOUND);
    answer = tell(b, BYTES_NONE, envelope('B'));
    expect_code("b", answer, ERR_NONE);
    keep(&record, vaulthost_step(&answer).record);
    expect_code("b's answer once more", tell(b, BYTES_NONE, envelope('B')), ERR_NOT_FOUND);
    expect_code("an operation to come", tell(c + 1, BYTES_LIT("D"), envelope('D')), ERR_NOT_FOUND);
    a = ask(MSG_KEYSET_OPEN, kept(&record));
    expect_code("another keyset's Decrypt", tell(a, BYTES_NONE, envelope('A')), ERR_CORRUPT);
    expect_code("a is over", tell(a, BYTES_NONE, envelope('B')), ERR_NOT_FOUND);
    a = ask(MSG_KEYSET_OPEN, kept(&record));
    expect_code("its own", tell(a, BYTES_NONE, envelope('B')), ERR_NONE);
}

// An answer of KMS that somebody kept opens nothing after a restart: the recipient key is another.
static void test_answers_of_an_earlier_boot(void **context)
{
    static struct kept old;
    uint64_t operation = ask(MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"));
    struct vaulthost_answer answer;

    expect_code("generated", tell(operation, BYTES_LIT("A"), envelope('A')), ERR_NONE);
    keep(&old, envelope('A'));
    answer = tell(operation, BYTES_NONE, kept(&old));
    keep(&record, vaulthost_step(&answer).record);
    stop(context);
    start(context);
    operation = ask(MSG_KEYSET_OPEN, kept(&record));
    expect_code("kept", tell(operation, BYTES_NONE, kept(&old)), ERR_CORRUPT);
    operation = ask(MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"));
    expect_code("kept", tell(operation, BYTES_LIT("A"), kept(&old)), ERR_CORRUPT);
    operation = ask(MSG_KEYSET_OPEN, kept(&record));
    expect_code("new", tell(operation, BYTES_NONE, envelope('A')), ERR_NONE);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers_exchanged, start, stop),
        cmocka_unit_test_setup_teardown(test_answers_of_an_earlier_boot, start, stop),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("vault answers", tests, NULL, NULL);
}
