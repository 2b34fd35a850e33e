// SPDX-License-Identifier: Apache-2.0
// cli/proof.h: documents of TLS connections, made by the emulated NSM; each thing that a verifier
// compares is wrong once.
#include "cli/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "crypto/openssl/sha2.h"
#include "documents.h"
#include "emu_scene.h"

#include <time.h>

static uint8_t root[4096];
static uint8_t pcr0[1][48];
static uint8_t pcr16[48];
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
    static const uint8_t digest[48] = { 1, 2, 3 };
    char path[DISK_PATH_MAX];
    uint8_t both[96] = { 0 };
    size_t n = 0;

    assert_int_equal(scene_setup(state), 0);
    expect_ok("path", disk_path(path, sizeof(path), scene_pki, "nsm-root.der"));
    expect_ok("root", fd_read_file(path, root, sizeof(root), &n));
    memset(pcr0[0], 0xa1, sizeof(pcr0[0]));
    memcpy(both + 48, digest, 48);
    sha2_384(pcr16, BYTES_OF(both));
    trust = (struct proof_trust) { .root_der = bytes_of(root, n),
                                   .pcr0 = (const uint8_t(*)[48])pcr0,
                                   .pcr0_len = 1,
                                   .pcr16 = pcr16 };
    dev = documents_module(scene_pki, 0xa1, BYTES_OF(digest));
    return 0;
}

static int tear_down(void **state)
{
    nsmdev_free(&dev);
    return scene_teardown(state);
}

static const struct id my_keyset = { { 0x6b } };

// The document of a connection whose key has this hash; `cut` bytes are missing at its end.
static struct bytes tls_document(const uint8_t spki[static 32], uint8_t phase, size_t cut)
{
    struct receipt_status status = { .phase = phase, .boot = { { 7 } }, .sequence = 8 };
    struct receipt_tls key = { .keyset = my_keyset };
    struct wr wr = WR_OF(user_data_buf);
    struct documents_fields fields = { .nonce = BYTES_LIT("sixteen bytes of") };

    memcpy(key.spki_sha256, spki, sizeof(key.spki_sha256));
    receipt_write_tls(&wr, &key, &status);
    fields.user_data = bytes_take(wr_done(&wr), wr.len - cut);
    return documents_make(dev, doc_buf, &fields);
}

static void connections(void **state)
{
    static const uint8_t mine[32] = { 1 }, other[32] = { 2 };
    uint64_t now = now_ms();
    const struct {
        const char *name;
        const uint8_t *attested, *shown;
        uint8_t phase;
        size_t cut;
        const char *nonce;
        uint64_t at_ms;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "mine", mine, mine, PHASE_READY, 0, "sixteen bytes of", now, ERR_NONE, NULL },
        { "sealed", mine, mine, PHASE_SEALED, 0, "sixteen bytes of", now, ERR_NONE, NULL },
        { "another's", other, mine, PHASE_READY, 0, "sixteen bytes of", now, ERR_UNTRUSTED, "key" },
        { "shown to another", mine, other, PHASE_READY, 0, "sixteen bytes of", now, ERR_UNTRUSTED,
          "key" },
        { "replayed", mine, mine, PHASE_READY, 0, "sixteen bytes oF", now, ERR_UNTRUSTED, "nonce" },
        { "a short nonce", mine, mine, PHASE_READY, 0, "sixteen bytes o", now, ERR_UNTRUSTED,
          "nonce" },
        { "old", mine, mine, PHASE_READY, 0, "sixteen bytes of", now + 301000, ERR_EXPIRED, NULL },
        { "ahead", mine, mine, PHASE_READY, 0, "sixteen bytes of", now - 301000, ERR_EXPIRED,
          NULL },
        { "unconfigured", mine, mine, PHASE_UNCONFIGURED, 0, "sixteen bytes of", now, ERR_UNTRUSTED,
          "phase" },
        { "cut", mine, mine, PHASE_READY, 1, "sixteen bytes of", now, ERR_MALFORMED, NULL },
        { "no status", mine, mine, PHASE_READY, 103, "sixteen bytes of", now, ERR_MALFORMED, NULL },
        { "a keyset cut", mine, mine, PHASE_READY, 104, "sixteen bytes of", now, ERR_MALFORMED,
          NULL },
        { "no keyset", mine, mine, PHASE_READY, 119, "sixteen bytes of", now, ERR_MALFORMED, NULL },
    };
    struct cloister_verify_status status;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct proof_tls asked = { tls_document(cases[i].attested, cases[i].phase, cases[i].cut),
                                   bytes_str(cases[i].nonce),
                                   cases[i].shown,
                                   cases[i].at_ms,
                                   NULL,
                                   0 };

        expect_err(cases[i].name, proof_check_tls(&trust, &asked, &status), cases[i].code,
                   cases[i].what);
        assert_int_equal(status.audit_sequence, cases[i].code ? 0 : 8);
    }
    expect_err("as a status",
               proof_check_status(&trust, tls_document(mine, PHASE_READY, 0),
                                  BYTES_LIT("sixteen bytes of"), now, &status),
               ERR_UNTRUSTED, "status");
}

// A genuine enclave attests keys of any keyset that it has open: which one counts, the caller says.
static void keysets(void **state)
{
    static const uint8_t spki[32] = { 1 };
    const struct id last = { { [0] = 0x6b, [15] = 1 } }, zero = { { 0 } };
    const struct {
        const char *name;
        struct id keyset[2];
        size_t n;
        enum err_code code;
    } cases[] = {
        { "none asked for", { zero, zero }, 0, ERR_NONE },
        { "the one", { my_keyset, zero }, 1, ERR_NONE },
        { "one of two", { last, my_keyset }, 2, ERR_NONE },
        { "its last byte", { last, my_keyset }, 1, ERR_UNTRUSTED },
        { "neither", { last, zero }, 2, ERR_UNTRUSTED },
        { "zero", { zero, my_keyset }, 1, ERR_UNTRUSTED },
    };
    struct cloister_verify_status status;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct proof_tls asked = { tls_document(spki, PHASE_READY, 0),
                                   BYTES_LIT("sixteen bytes of"),
                                   spki,
                                   now_ms(),
                                   cases[i].keyset,
                                   cases[i].n };

        expect_err(cases[i].name, proof_check_tls(&trust, &asked, &status), cases[i].code,
                   cases[i].code ? "keyset" : NULL);
        assert_int_equal(status.audit_sequence, cases[i].code ? 0 : 8);
        assert_int_equal(status.keyset[0], cases[i].code ? 0 : 0x6b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections),
        cmocka_unit_test(keysets),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
