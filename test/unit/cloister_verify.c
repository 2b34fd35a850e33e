// SPDX-License-Identifier: Apache-2.0
// cloister/verify.h as its callers see it: arguments that are wrong, what is left in their memory
// after a refusal, many threads at once, and libcrypto's state of a host program. What is accepted
// and what not, of bytes, is test/unit/proof.c's and test/verify's.
#include <cloister/verify.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/must.h"
#include "crypto/openssl/sha2.h"
#include "documents.h"
#include "proto/tag.h"

#include <openssl/err.h>
#include <pthread.h>

#define THREADS 4
#define ROUNDS  20

static uint8_t root[4096], fingerprint[32], images[2][48], pcr16[48], doc_buf[NSMDEV_RESPONSE_MAX];
static struct cloister_verify_bytes root_der, document;
static struct cloister_verify_trust good;

static int set_up(void **state)
{
    static const uint8_t digest[48] = { 1 };
    struct documents_fields fields = { .nonce = BYTES_LIT("nonce"),
                                       .user_data = BYTES_LIT("other data") };
    uint8_t both[96] = { 0 };
    struct nsmdev *dev;
    struct bytes made;
    size_t n = 0;

    (void)state;
    expect_ok("root", fd_read_file(PKI_DIR "/nsm-root.der", root, sizeof(root), &n));
    root_der = (struct cloister_verify_bytes) { root, n };
    sha2_256(fingerprint, bytes_of(root, n));
    memset(images[1], 0xa0, 48);
    memcpy(both + 48, digest, 48);
    sha2_384(pcr16, BYTES_OF(both));
    dev = documents_module(PKI_DIR, 0xa0, BYTES_OF(digest));
    made = documents_make(dev, doc_buf, &fields);
    nsmdev_free(&dev);
    document = (struct cloister_verify_bytes) { made.p, made.n };
    good = (struct cloister_verify_trust) { .struct_size = sizeof(good),
                                            .root_sha256 = fingerprint,
                                            .pcr0 = (const uint8_t(*)[48])images,
                                            .pcr0_count = 2,
                                            .pcr16 = pcr16,
                                            .nonce = { (const uint8_t *)"nonce", 5 } };
    return 0;
}

static void accepted(void **state)
{
    struct cloister_verify_document out = { .struct_size = sizeof(out) };
    struct cloister_verify_error error = { .code = 7, .message = "old" };
    struct cloister_verify_trust trust = good;

    (void)state;
    assert_int_equal(cloister_verify_document(&trust, document, &out, &error), 0);
    assert_int_equal(error.code, CLOISTER_VERIFY_OK);
    assert_int_equal(out.pcr_present, 0x1ffff);
    assert_memory_equal(out.pcr[16], pcr16, 48);
    assert_int_equal(out.kind, CLOISTER_VERIFY_OTHER);
    assert_null(out.public_key.data);
    assert_int_equal(out.user_data.size, 10);
    assert_true(out.user_data.data > document.data &&
                out.user_data.data < document.data + document.size);
    assert_int_equal(cloister_verify_document(&trust, document, NULL, NULL), 0);
    trust.root_sha256 = NULL;
    trust.root_der = root_der;
    assert_int_equal(cloister_verify_document(&trust, document, NULL, NULL), 0);
    assert_int_not_equal(cloister_verify_version()[0], 0);
}

// A caller's trust, changed.
struct misuse {
    const char *name;
    void (*change)(struct cloister_verify_trust *t);
    const char *what;
};

#define CHANGE(name, ...)                             \
    static void name(struct cloister_verify_trust *t) \
    {                                                 \
        __VA_ARGS__;                                  \
    }

CHANGE(no_size, t->struct_size = 0)
CHANGE(other_size, t->struct_size++)
CHANGE(no_image, t->pcr0_count = 0)
CHANGE(null_images, t->pcr0 = NULL)
CHANGE(image_and_any, t->flags = CLOISTER_VERIFY_ANY_IMAGE)
CHANGE(unknown_flag, t->flags = 1U << 31)
CHANGE(two_roots, t->root_der = root_der)
CHANGE(null_root, {
    t->root_sha256 = NULL;
    t->root_der.size = 5;
})
CHANGE(two_configurations, t->configuration = root_der)
CHANGE(configuration_and_any, t->flags = CLOISTER_VERIFY_ANY_CONFIGURATION)
CHANGE(long_configuration, {
    t->pcr16 = NULL;
    t->configuration = (struct cloister_verify_bytes) { root, 16385 };
})
CHANGE(empty_nonce, t->nonce.size = 0)
CHANGE(long_nonce, t->nonce = (struct cloister_verify_bytes) { root, 513 })
CHANGE(null_nonce, t->nonce.data = NULL)

static void misused(void **state)
{
    static const struct misuse cases[] = {
        { "no size", no_size, "struct_size" },
        { "the size of another version", other_size, "struct_size" },
        { "no image", no_image, "pcr0" },
        { "NULL as images", null_images, "pcr0" },
        { "images and any image", image_and_any, "pcr0" },
        { "a flag of the future", unknown_flag, "flags" },
        { "two roots", two_roots, "root" },
        { "NULL as root", null_root, "NULL" },
        { "two configurations", two_configurations, "configuration" },
        { "a configuration and any", configuration_and_any, "configuration" },
        { "a long configuration", long_configuration, "configuration" },
        { "an empty nonce", empty_nonce, "nonce" },
        { "a long nonce", long_nonce, "nonce" },
        { "NULL as nonce", null_nonce, "NULL" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cloister_verify_document out = { .struct_size = sizeof(out), .kind = 9 };
        struct cloister_verify_trust trust = good;
        struct cloister_verify_error error;

        cases[i].change(&trust);
        if (cloister_verify_document(&trust, document, &out, &error) != CLOISTER_VERIFY_USAGE ||
            !strstr(error.message, cases[i].what))
            fail_msg("%s: %d %s", cases[i].name, error.code, error.message);
        assert_int_equal(out.kind, 0);
    }
}

static void misused_elsewhere(void **state)
{
    struct cloister_verify_bytes null = { NULL, 5 }, none = { NULL, 0 };
    struct cloister_verify_document out = { .kind = 9 };
    struct cloister_verify_status status = { .struct_size = sizeof(status) };
    struct cloister_verify_trust trust = good;

    (void)state;
    assert_int_equal(cloister_verify_document(&good, document, &out, NULL), CLOISTER_VERIFY_USAGE);
    assert_int_equal(out.kind, 9); // not ours to write: its size is not known
    assert_int_equal(cloister_verify_document(NULL, document, NULL, NULL), CLOISTER_VERIFY_USAGE);
    assert_int_equal(cloister_verify_document(&good, null, NULL, NULL), CLOISTER_VERIFY_USAGE);
    assert_int_equal(cloister_verify_document(&good, none, NULL, NULL), CLOISTER_VERIFY_MALFORMED);
    assert_int_equal(cloister_verify_account(&good, null, document, NULL, NULL),
                     CLOISTER_VERIFY_USAGE);
    assert_int_equal(cloister_verify_account(NULL, none, none, NULL, NULL), CLOISTER_VERIFY_USAGE);
    assert_int_equal(cloister_verify_keyset(&good, none, document, NULL, NULL),
                     CLOISTER_VERIFY_MALFORMED);
    assert_int_equal(cloister_verify_status(&good, document, &status, NULL), CLOISTER_VERIFY_USAGE);
    assert_int_equal(cloister_verify_tls(NULL, document, root, NULL, NULL), CLOISTER_VERIFY_USAGE);
    trust.pcr16 = NULL;
    assert_int_equal(cloister_verify_keyset(&trust, none, document, NULL, NULL),
                     CLOISTER_VERIFY_USAGE);
    trust.flags = CLOISTER_VERIFY_ANY_CONFIGURATION;
    assert_int_equal(cloister_verify_keyset(&trust, none, document, NULL, NULL),
                     CLOISTER_VERIFY_MALFORMED);
}

// What the caller of a TLS connection has to bring along. The document is one of another kind.
static void misused_connections(void **state)
{
    static const uint8_t nonce[16] = { 1 }, spki[32] = { 2 };
    static const struct {
        const char *name;
        const uint8_t *spki;
        size_t nonce, size;
        uint64_t at_ms;
        int code;
        const char *what;
    } cases[] = {
        { "no key", NULL, 16, 0, 1, CLOISTER_VERIFY_USAGE, "spki_sha256" },
        { "no nonce", spki, 0, 0, 1, CLOISTER_VERIFY_USAGE, "nonce" },
        { "a short nonce", spki, 15, 0, 1, CLOISTER_VERIFY_USAGE, "nonce" },
        { "no time", spki, 16, 0, 0, CLOISTER_VERIFY_USAGE, "at_ms" },
        { "another size of out", spki, 16, 1, 1, CLOISTER_VERIFY_USAGE, "struct_size" },
        { "a time long ago", spki, 16, 0, 1, CLOISTER_VERIFY_EXPIRED, NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cloister_verify_status out = { .struct_size = sizeof(out) + cases[i].size };
        struct cloister_verify_trust trust = good;
        struct cloister_verify_error error;

        trust.at_ms = cases[i].at_ms;
        trust.nonce =
            (struct cloister_verify_bytes) { cases[i].nonce ? nonce : NULL, cases[i].nonce };
        if (cloister_verify_tls(&trust, document, cases[i].spki, &out, &error) != cases[i].code ||
            (cases[i].what && !strstr(error.message, cases[i].what)))
            fail_msg("%s: %d %s", cases[i].name, error.code, error.message);
    }
}

// Nothing of a document that did not verify is left to be believed.
static void refused(void **state)
{
    static const struct cloister_verify_document zero = { .struct_size = sizeof(zero) };
    struct cloister_verify_document out = { .struct_size = sizeof(out), .timestamp_ms = 1 };
    struct cloister_verify_trust trust = good;
    struct cloister_verify_error error;
    uint8_t other[48] = { 1 };

    (void)state;
    trust.pcr16 = other;
    assert_int_equal(cloister_verify_document(&trust, document, &out, &error),
                     CLOISTER_VERIFY_UNTRUSTED);
    assert_non_null(strstr(error.message, "PCR16"));
    assert_memory_equal(&out, &zero, sizeof(out));
    trust = good;
    trust.at_ms = 1;
    assert_int_equal(cloister_verify_document(&trust, document, &out, &error),
                     CLOISTER_VERIFY_EXPIRED);
    trust.at_ms = UINT64_MAX;
    assert_int_not_equal(cloister_verify_document(&trust, document, &out, &error), 0);
    assert_memory_equal(&out, &zero, sizeof(out));
}

// What the host put into its error queue is still there, and nothing beside it.
static void host_errors(void **state)
{
    struct cloister_verify_trust trust = good;
    struct cloister_verify_bytes cut = { document.data, document.size - 1 };

    (void)state;
    ERR_clear_error();
    assert_int_equal(cloister_verify_document(&good, document, NULL, NULL), 0);
    assert_int_equal(ERR_peek_error(), 0);
    ERR_raise(ERR_LIB_USER, 77);
    assert_int_equal(cloister_verify_document(&good, document, NULL, NULL), 0);
    assert_int_not_equal(cloister_verify_document(&good, cut, NULL, NULL), 0);
    trust.at_ms = 1;
    assert_int_not_equal(cloister_verify_document(&trust, document, NULL, NULL), 0);
    assert_int_equal(ERR_GET_REASON(ERR_get_error()), 77);
    assert_int_equal(ERR_get_error(), 0);
}

static void *verify_often(void *failures)
{
    unsigned *bad = failures;
    struct cloister_verify_trust wrong = good;

    wrong.nonce.size = 4;
    for (int i = 0; i < ROUNDS; i++) {
        *bad += cloister_verify_document(&good, document, NULL, NULL) != CLOISTER_VERIFY_OK;
        *bad += cloister_verify_document(&wrong, document, NULL, NULL) != CLOISTER_VERIFY_UNTRUSTED;
    }
    return NULL;
}

static void threads(void **state)
{
    pthread_t thread[THREADS];
    unsigned failures[THREADS] = { 0 };

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, verify_often, &failures[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(failures[i], 0);
    }
}

static void measure(void **state)
{
    uint8_t inner[48], both[96] = { 0 }, expected[48], found[48];

    (void)state;
    sha2_384(inner, BYTES_LIT("cloister-config-1\0bytes"));
    memcpy(both + 48, inner, 48);
    sha2_384(expected, BYTES_OF(both));
    cloister_verify_measure(found, (struct cloister_verify_bytes) { (const uint8_t *)"bytes", 5 });
    assert_memory_equal(found, expected, 48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted),    cmocka_unit_test(misused),
        cmocka_unit_test(refused),     cmocka_unit_test(misused_elsewhere),
        cmocka_unit_test(host_errors), cmocka_unit_test(threads),
        cmocka_unit_test(measure),     cmocka_unit_test(misused_connections),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
