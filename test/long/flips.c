// SPDX-License-Identifier: Apache-2.0
// crypto/attest.h: every single bit of a genuine document, one after the other. Whatever it is, the
// document does not verify any more. test/unit/attest.c does the same for every 16th byte.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/fd.h"
#include "crypto/attest.h"
#include "crypto/openssl/libcrypto.h"

#include "../unit/documents.h"
#include "../unit/vectors.h"

static void every_bit(const char *name, struct bytes genuine, struct bytes root)
{
    static uint8_t changed[ATTEST_BYTES_MAX];
    struct bytes doc_bytes = bytes_of(changed, genuine.n);
    unsigned long refused = 0;
    struct attest doc;
    uint64_t at_ms;

    assert_true(genuine.n <= sizeof(changed));
    memcpy(changed, genuine.p, genuine.n);
    expect_ok(name, attest_verify(&doc, doc_bytes, root, 0, false));
    at_ms = doc.timestamp_ms;
    for (size_t bit = 0; bit < 8 * genuine.n; bit++) {
        changed[bit / 8] ^= (uint8_t)(1U << bit % 8);
        if (!attest_verify(&doc, doc_bytes, root, at_ms, false).code)
            fail_msg("%s verifies with bit %zu changed", name, bit);
        if (doc.timestamp_ms || doc.certificate.p)
            fail_msg("%s: something was read with bit %zu changed", name, bit);
        refused++;
        changed[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    expect_ok("as it was", attest_verify(&doc, doc_bytes, root, at_ms, false));
    print_message("# %s: %zu bytes, %lu changed bits, all refused\n", name, genuine.n, refused);
}

static void of_the_emulated_nsm(void **state)
{
    static const uint8_t digest[48] = { 1, 2, 3 };
    static uint8_t buf[NSMDEV_RESPONSE_MAX], root[1024];
    const struct documents_fields fields = { .user_data = BYTES_LIT("user data"),
                                             .nonce = BYTES_LIT("nonce") };
    struct nsmdev *dev = documents_module(PKI_DIR, 0xa1, BYTES_OF(digest));
    size_t n = 0;

    (void)state;
    expect_ok("root", fd_read_file(PKI_DIR "/nsm-root.der", root, sizeof(root), &n));
    every_bit("emulated", documents_make(dev, buf, &fields), bytes_of(root, n));
    nsmdev_free(&dev);
}

// The DER inside the PEM file: its lines but the first and the last.
static struct bytes aws_root(void)
{
    static uint8_t der[1024];
    struct bytes pem = vectors_read("attestation/AWS_NitroEnclaves_Root-G1.pem");
    const uint8_t *line = memchr(pem.p, '\n', pem.n);
    uint8_t text[2048];
    size_t len = 0, n = 0;

    for (; line && line < pem.p + pem.n && *line != '-'; line++)
        if (*line > ' ' && len < sizeof(text))
            text[len++] = *line;
    expect_ok("root", base64_decode(der, sizeof(der), &n, bytes_of(text, len)));
    return bytes_of(der, n);
}

static void of_aws(void **state)
{
    (void)state;
    every_bit("AWS, 2024-07-17", vectors_read("attestation/2024-07-17_58ccfc1c569c.cbor"),
              aws_root());
}

static int start(void **state)
{
    (void)state;
    expect_ok("libcrypto", libcrypto_init());
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_the_emulated_nsm),
        cmocka_unit_test(of_aws),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
