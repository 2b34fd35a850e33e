// SPDX-License-Identifier: Apache-2.0
// vault/access.h in the mode hostile-parent, which no configuration may have yet: a manifest that
// lets everybody in is refused, whoever signed it. Everything else is test/system/vault_access.c's.
#include "vault/access.h"

#include "base/must.h"
#include "cli/openssl/pemkey.h"
#include "crypto/openssl/libcrypto.h"
#include "proto/approval.h"
#include "proto/clients.h"
#include "vault/admin.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"

static struct state state;
static struct state_secrets secret;
static uint8_t pem[256], public_key[APPROVE_KEY_MAX];
static size_t pem_len;

static void make_admin(void)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_mem());
    enum approve_type type;
    size_t n = 0;

    must(key && bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    pem_len = (size_t)BIO_read(bio, pem, sizeof(pem));
    must(!pemkey_public(&type, public_key, &n, bytes_of(pem, pem_len)).code);
    state.config.admins = state.config.admin_threshold = 1;
    state.config.admin[0] = (struct config_key) { (enum config_admin)type, { public_key, n } };
    BIO_free(bio);
    EVP_PKEY_free(key);
}

static int start(void **context)
{
    (void)context;
    must(!libcrypto_init().code);
    state.secret = &secret;
    state.phase = PHASE_CONFIGURED;
    make_admin();
    return 0;
}

static struct err apply(uint64_t serial, struct bytes clients)
{
    uint8_t bytes[512], body[1024], message[32], approval[APPROVAL_BYTES] = { 0 }, result[256];
    struct wr wr = WR_OF(bytes), body_wr = WR_OF(body), out = WR_OF(result);
    struct manifest manifest = { .serial = serial, .clients = clients };
    struct turn turn = { .state = &state, .out = &out };
    struct manifest_signed m;

    manifest_write(&wr, &manifest);
    m.manifest = wr_done(&wr);
    manifest_message(message, m.manifest);
    must(!pemkey_sign(approval + 1, bytes_of(pem, pem_len), message).code);
    m.signatures = BYTES_OF(approval);
    manifest_signed_write(&body_wr, &m);
    must(!wr_end(&body_wr).code);
    turn.body = wr_done(&body_wr);
    return admin_manifest(&turn);
}

static void anyone(void **context)
{
    static const struct {
        const char *name;
        enum config_mode mode;
        uint8_t kind; // of the first client; 0: there is none
        enum err_code code;
    } cases[] = {
        { "nobody", CONFIG_HOSTILE_PARENT, 0, ERR_NONE },
        { "a token", CONFIG_HOSTILE_PARENT, CLIENTS_TOKEN, ERR_NONE },
        { "anyone", CONFIG_HOSTILE_PARENT, CLIENTS_ANYONE, ERR_DENIED },
        { "anyone, where the parent is trusted", CONFIG_PARENT_TRUSTED, CLIENTS_ANYONE, ERR_NONE },
    };

    (void)context;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct clients_entry first = { .identity = { cases[i].kind == CLIENTS_TOKEN },
                                       .kind = cases[i].kind,
                                       .operations = CLIENTS_METRICS,
                                       .label = BYTES_LIT("a") };
        struct clients_entry second = { .identity = { 9 },
                                        .kind = CLIENTS_CERTIFICATE,
                                        .operations = CLIENTS_METRICS,
                                        .label = BYTES_LIT("b") };
        uint64_t serial = state.manifest.serial;
        uint8_t section[256];
        struct wr wr = WR_OF(section);

        if (cases[i].kind)
            clients_write(&wr, &first);
        clients_write(&wr, &second);
        state.config.mode = cases[i].mode;
        expect_err(cases[i].name, apply(serial + 1, wr_done(&wr)), cases[i].code,
                   cases[i].code ? "anyone" : NULL);
        assert_int_equal(state.manifest.serial, serial + (cases[i].code == ERR_NONE));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(anyone) };

    return cmocka_run_group_tests(tests, start, NULL);
}
