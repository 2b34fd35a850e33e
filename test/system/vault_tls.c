// SPDX-License-Identifier: Apache-2.0
// TLS keys: what the vault signs with them and what it does not, whose records open, and when keys
// go. (Single bits, cut and long messages: hostile_front.c.)
#include "vaulthost.h"

#include "base/hex.h"
#include "base/must.h"
#include "crypto/openssl/aead.h"
#include "crypto/openssl/mac.h"
#include "crypto/openssl/p256.h"
#include "vault/limits.h"
#include "vault/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vaulttls.h"

#define RANDOMS_BYTES 64
#define G_X           "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
#define G_Y           "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
#define G_OFF         "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f4"
#define G384                                                                         \
    "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55" \
    "296c3a545e3872760ab73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5" \
    "f0b8c00a60b1ce1d7e819d7a431d7c90ea0e"

static void test_tls13(void **context)
{
    static const size_t lengths[] = { 32, 48 };
    uint8_t transcript[48], content[64 + 33 + 1 + 48];
    struct vaulthost_answer answer;
    struct msg_tls_key key;
    struct record record;
    struct kept made;

    (void)context;
    make_key(&made);
    must(!record_read(&record, kept(&made)).code);
    assert_int_equal(record.key_type, RECORD_P256);
    assert_int_equal(record.purpose, RECORD_TLS);
    key = open_key(kept(&made));
    assert_int_equal(key.provenance, RECORD_GENERATED);
    assert_memory_equal(key.public_key, record.public_key.p, sizeof(key.public_key));
    assert_memory_equal(key.key.b, record.id.b, sizeof(key.key.b));
    memset(transcript, 0xab, sizeof(transcript));
    memset(content, 0x20, 64);
    memcpy(content + 64, "TLS 1.3, server CertificateVerify", 34);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct bytes whole = bytes_of(content, 64 + 34 + lengths[i]);

        memcpy(content + 64 + 34, transcript, lengths[i]);
        answer = ask_signature(&key.key, MSG_TLS_VERIFY13, bytes_of(transcript, lengths[i]));
        assert_int_equal(answer.verdict.code, ERR_NONE);
        assert_false(answer.verdict.audited);
        assert_true(is_signed(&key, whole, answer.result));
        assert_false(is_signed(&key, bytes_take(whole, whole.n - 1), answer.result));
        content[64 + 9] = 'c'; // "TLS 1.3, cerver ...": not what was signed
        assert_false(is_signed(&key, whole, answer.result));
        content[64 + 9] = 's';
    }
}

static struct msg_tls_key new_key(void)
{
    struct kept made;

    make_key(&made);
    return open_key(kept(&made));
}

// Randoms, and parameters from their hex digits.
static struct bytes exchange(uint8_t (*space)[512], size_t randoms, const char *parameters)
{
    size_t n = strlen(parameters) / 2;

    must(n + randoms <= sizeof(*space));
    memset(*space, 0x30, randoms);
    must(!hex_decode(*space + randoms, n, bytes_str(parameters)).code);
    return bytes_of(*space, randoms + n);
}

static void test_tls12(void **context)
{
    static const char *const good[] = {
        ("0300174104" G_X G_Y),
        "03001861" G384 "5f",
        "03001d20" G_X,
    };
    uint8_t space[512];
    struct msg_tls_key key = new_key();

    (void)context;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct bytes input = exchange(&space, RANDOMS_BYTES, good[i]);
        struct vaulthost_answer answer = ask_signature(&key.key, MSG_TLS_EXCHANGE12, input);

        assert_int_equal(answer.verdict.code, ERR_NONE);
        assert_true(is_signed(&key, input, answer.result));
    }
}

// Randoms with which the whole reads as the content of a certificate, a CRL or the like, in any of
// the forms that some reader takes; and what differs from them by little.
static void test_no_der(void **context)
{
    static const char x25519[] = "03001d20" G_X, p256[] = "0300174104" G_X G_Y,
                      p384[] = "03001861" G384 "5f";
    static const struct {
        const char *start;
        const char *parameters;
        enum err_code code;
    } cases[] = {
        { "306202", x25519, ERR_MALFORMED },
        { "306230", x25519, ERR_MALFORMED },
        { "3062a0", x25519, ERR_MALFORMED },
        { "3062a1", x25519, ERR_MALFORMED },
        { "3062a2", x25519, ERR_MALFORMED },
        { "316230", x25519, ERR_MALFORMED },
        { "3080a0", x25519, ERR_MALFORMED },
        { "308002", p256, ERR_MALFORMED },
        { "30816102", x25519, ERR_MALFORMED },
        { "3082006002", x25519, ERR_MALFORMED },
        { "30840000005e02", x25519, ERR_MALFORMED },
        { "308a0000000000000000005802", x25519, ERR_MALFORMED },
        { "308182a0", p256, ERR_MALFORMED },
        { "308200813002", p256, ERR_MALFORMED },
        { "3081a202", p384, ERR_MALFORMED },
        { "3f106102", x25519, ERR_MALFORMED },
        { "3f80106002", x25519, ERR_MALFORMED },
        { "3f116130", x25519, ERR_MALFORMED },
        { "30621f02", x25519, ERR_MALFORMED },
        { "30623f10", x25519, ERR_MALFORMED },
        { "3062bf00", x25519, ERR_MALFORMED },
        { "3f1081a102", p384, ERR_MALFORMED },
        { "306102", x25519, ERR_NONE },
        { "306302", x25519, ERR_NONE },
        { "306204", x25519, ERR_NONE },
        { "326202", x25519, ERR_NONE },
        { "30816202", x25519, ERR_NONE },
        { "30ff00", x25519, ERR_NONE },
        { "3f126102", x25519, ERR_NONE },
        { "30621f04", x25519, ERR_NONE },
        { "3fffffffffffffffffffff", x25519, ERR_NONE },
        { "3081a202", p256, ERR_NONE },
    };
    uint8_t space[512];
    struct msg_tls_key key = new_key();

    (void)context;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes input = exchange(&space, RANDOMS_BYTES, cases[i].parameters);

        must(!hex_decode(space, strlen(cases[i].start) / 2, bytes_str(cases[i].start)).code);
        expect_code(cases[i].start, ask_signature(&key.key, MSG_TLS_EXCHANGE12, input),
                    cases[i].code);
    }
}

// Everything else that a front might want to have signed.
static void test_no_other_input(void **context)
{
    static const struct {
        const char *name;
        uint8_t kind;
        size_t randoms;
        const char *rest;
    } cases[] = {
        { "no transcript", MSG_TLS_VERIFY13, 0, "" },
        { "SHA-1's length", MSG_TLS_VERIFY13, 20, "" },
        { "a byte less than SHA-256", MSG_TLS_VERIFY13, 31, "" },
        { "between the two", MSG_TLS_VERIFY13, 40, "" },
        { "a byte more than SHA-384", MSG_TLS_VERIFY13, 49, "" },
        { "SHA-512's length", MSG_TLS_VERIFY13, 64, "" },
        { "a digest as parameters", MSG_TLS_EXCHANGE12, 32, "" },
        { "randoms alone", MSG_TLS_EXCHANGE12, 64, "" },
        { "one random", MSG_TLS_EXCHANGE12, 32, "03001d20" G_X },
        { "a random too short", MSG_TLS_EXCHANGE12, 63, "03001d20" G_X },
        { "explicit_prime", MSG_TLS_EXCHANGE12, 64, "01001d20" G_X },
        { "secp224r1", MSG_TLS_EXCHANGE12, 64, "03001539" G_X "0000" },
        { "secp256k1", MSG_TLS_EXCHANGE12, 64, "0300164104" G_X G_Y },
        { "x448", MSG_TLS_EXCHANGE12, 64, "03001e20" G_X },
        { "a group of two bytes", MSG_TLS_EXCHANGE12, 64, "03011d20" G_X },
        { "x25519 of 31 bytes", MSG_TLS_EXCHANGE12, 64,
          "03001d1f6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2" },
        { "x25519 of 65 bytes", MSG_TLS_EXCHANGE12, 64, "03001d4104" G_X G_Y },
        { "compressed", MSG_TLS_EXCHANGE12, 64, "0300172103" G_X },
        { "off the curve", MSG_TLS_EXCHANGE12, 64, "0300174104" G_X G_OFF },
        { "P-384 off the curve", MSG_TLS_EXCHANGE12, 64, "03001861" G384 "5e" },
        { "P-256's point as one of P-384", MSG_TLS_EXCHANGE12, 64, "0300184104" G_X G_Y },
        { "P-384's point as one of P-256", MSG_TLS_EXCHANGE12, 64, "03001761" G384 "5f" },
        { "a byte after the point", MSG_TLS_EXCHANGE12, 64, "03001d20" G_X "00" },
        { "a signature algorithm before it", MSG_TLS_EXCHANGE12, 64, "040303001d20" G_X },
    };
    uint8_t space[512];
    struct msg_tls_key key = new_key();

    (void)context;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_code(cases[i].name,
                    ask_signature(&key.key, cases[i].kind,
                                  exchange(&space, cases[i].randoms, cases[i].rest)),
                    ERR_MALFORMED);
    expect_code("kind 0", ask_signature(&key.key, 0, bytes_of(space, 32)), ERR_MALFORMED);
    expect_code("kind 3", ask_signature(&key.key, 3, bytes_of(space, 32)), ERR_MALFORMED);
    assert_int_equal(try_sign(&key.key), ERR_NONE);
}

// A key of one purpose is of no use for another.
static void test_purposes(void **context)
{
    static uint8_t body[8192];
    struct kept account, made;
    struct wr wr = WR_OF(body);
    struct record of_account;
    struct msg_tls_key key;

    (void)context;
    account.n = vaulthost_account(&host, &accounts_id, account.b);
    make_key(&made);
    must(!record_read(&of_account, kept(&account)).code);
    assert_int_equal(try_open(kept(&account)), ERR_MISMATCH);
    expect_code("TLS record as account", vaulthost_call(&host, MSG_ACCOUNT_OPEN, kept(&made)),
                ERR_MISMATCH);
    expect_code("TLS record signs", vaulthost_sign(&host, kept(&made)), ERR_DENIED);
    key = open_key(kept(&made));
    assert_int_equal(vaulthost_sign(&host, kept(&account)).verdict.code, ERR_NONE);
    assert_int_equal(try_sign(&of_account.id), ERR_NOT_FOUND);
    msg_write_sign_tx(&wr, &(struct msg_sign_tx) { .account = key.key });
    assert_int_not_equal(vaulthost_call(&host, MSG_SIGN_TX, wr_done(&wr)).verdict.code, ERR_NONE);
    expect_code("unrestricted TLS key",
                vaulthost_call(&host, MSG_ACCOUNT_CREATE,
                               vaulthost_account_body(&tls_id, POLICY_UNRESTRICTED)),
                ERR_MISMATCH);
    expect_code("import of one",
                vaulthost_call(&host, MSG_IMPORT_BEGIN,
                               vaulthost_account_body(&tls_id, POLICY_UNRESTRICTED)),
                ERR_MISMATCH);
}

static void leave(struct record *record)
{
    (void)record;
}

static void change_key_type(struct record *record)
{
    record->key_type = RECORD_SECP256K1;
}

static void change_purpose(struct record *record)
{
    record->purpose = RECORD_ACCOUNT;
}

static void change_provenance(struct record *record)
{
    record->provenance = RECORD_EXPOSED;
}

static void change_generation(struct record *record)
{
    record->generation = 2;
}

static void change_keyset(struct record *record)
{
    record->keyset = accounts_id;
}

static void change_deployment(struct record *record)
{
    record->deployment.b[0] ^= 1;
}

static void change_id(struct record *record)
{
    record->id.b[0] ^= 1;
}

static void change_policy(struct record *record)
{
    record->policy = BYTES_LIT("\0\1\1");
    policy_hash(record->policy_hash, record->policy);
}

static void change_public_key(struct record *record)
{
    static uint8_t other[P256_PUBLIC_BYTES];

    must(!hex_decode(other, sizeof(other), BYTES_LIT("03" G_X)).code);
    record->public_key = BYTES_OF(other);
}

// Sealed anew after PROTOCOL.md section 6, as who has the keyset key could.
static void seal_anew(struct record *record, uint8_t sealed[static SEAL_BYTES],
                      const struct seckey *keyset_key, const struct seckey *key)
{
    struct seckey under;
    uint8_t info[128];
    struct wr wr = WR_OF(info);

    record_write_key_info(&wr, record);
    must(!mac_hkdf256(&under, keyset_key, wr_done(&wr)).code);
    memset(sealed, 7, AEAD_NONCE_BYTES);
    must(!aead_seal(sealed + AEAD_NONCE_BYTES, &under, sealed, record->public_bytes,
                    BYTES_OF(key->b))
              .code);
    record->sealed = bytes_of(sealed, SEAL_BYTES);
}

static struct bytes rewritten(struct bytes bytes, void (*change)(struct record *record),
                              const struct seckey *keyset_key)
{
    static uint8_t out[RECORD_BYTES_MAX], public_bytes[512], sealed[SEAL_BYTES];
    struct wr wr = WR_OF(out), public_wr = WR_OF(public_bytes);
    struct record record;
    struct seckey key;

    must(!record_read(&record, bytes).code);
    if (keyset_key)
        must(!seal_open_record(&key, keyset_key, &record).code);
    change(&record);
    record_write_public(&public_wr, &record);
    record.public_bytes = wr_done(&public_wr);
    if (keyset_key)
        seal_anew(&record, sealed, keyset_key, &key);
    record_write(&wr, &record);
    must(!wr_end(&wr).code);
    return wr_done(&wr);
}

static void test_records_rewritten(void **context)
{
    static const struct {
        const char *name;
        void (*change)(struct record *record);
        enum err_code stored, sealed; // by the store's owner; by who has the keyset key
    } cases[] = {
        { "key type secp256k1", change_key_type, ERR_UNSUPPORTED, ERR_UNSUPPORTED },
        { "purpose account", change_purpose, ERR_MISMATCH, ERR_MISMATCH },
        { "keyset of accounts", change_keyset, ERR_MISMATCH, ERR_MISMATCH },
        { "another deployment", change_deployment, ERR_MISMATCH, ERR_MISMATCH },
        { "unrestricted", change_policy, ERR_UNSUPPORTED, ERR_UNSUPPORTED },
        { "another public key", change_public_key, ERR_CORRUPT, ERR_CORRUPT },
        { "another id", change_id, ERR_CORRUPT, ERR_NONE },
        { "a later generation", change_generation, ERR_CORRUPT, ERR_NONE },
        { "exposed", change_provenance, ERR_CORRUPT, ERR_NONE },
        { "as it was", leave, ERR_NONE, ERR_NONE },
    };
    struct seckey keyset_key;
    struct kept made;

    (void)context;
    make_key(&made);
    vaulthost_keyset_key(&host, kept(&tls_keyset), &keyset_key);
    for (size_t open = 0; open < 2; open++) {
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
            expect_code(
                cases[i].name,
                vaulthost_call(&host, MSG_TLS_OPEN, rewritten(kept(&made), cases[i].change, NULL)),
                cases[i].stored);
        (void)open_key(kept(&made)); // all the same while the genuine one is open
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_code(cases[i].name,
                    vaulthost_call(&host, MSG_TLS_OPEN,
                                   rewritten(kept(&made), cases[i].change, &keyset_key)),
                    cases[i].sealed);
}

static void test_other_keysets(void **context)
{
    struct kept made;

    make_key(&made);
    stop(context);
    start(context);
    assert_int_equal(try_open(kept(&made)), ERR_NOT_FOUND); // a keyset that is not open
    memcpy(made.b + 2 + 16, tls_id.b, sizeof(tls_id.b));
    assert_int_equal(try_open(kept(&made)), ERR_CORRUPT); // made to name one that is
}

// Eight are open; a ninth takes the place of the one not used for longest. Nothing fails.
static void test_eviction(void **context)
{
    static struct kept made[VAULT_TLS_KEYS + 1];
    struct msg_tls_key key[VAULT_TLS_KEYS + 1];
    struct vaulthost_answer answer;

    (void)context;
    for (size_t i = 0; i <= VAULT_TLS_KEYS; i++) {
        make_key(&made[i]);
        key[i] = open_key(kept(&made[i]));
        assert_int_equal(try_sign(&key[0].key), ERR_NONE); // the first stays in use
    }
    for (size_t i = 0; i <= VAULT_TLS_KEYS; i++)
        assert_int_equal(try_sign(&key[i].key), i == 1 ? ERR_NOT_FOUND : ERR_NONE);
    for (size_t i = 0; i <= VAULT_TLS_KEYS; i++) {
        (void)open_key(kept(&made[i]));
        (void)open_key(kept(&made[i])); // again: nothing changes
        answer = ask_signature(&key[i].key, MSG_TLS_VERIFY13, BYTES_OF(key[i].public_key));
        assert_int_equal(answer.verdict.code, ERR_MALFORMED);
        assert_int_equal(try_sign(&key[i].key), ERR_NONE);
    }
}

static void test_sealed(void **context)
{
    struct msg_tls_key key;
    struct kept made;

    (void)context;
    make_key(&made);
    key = open_key(kept(&made));
    assert_int_equal(try_sign(&key.key), ERR_NONE);
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, BYTES_NONE).verdict.code, ERR_NONE);
    assert_int_equal(try_sign(&key.key), ERR_PHASE);
    assert_int_equal(try_open(kept(&made)), ERR_PHASE);
}

// Nothing of a key that was only created can be used.
static void test_created_is_not_open(void **context)
{
    static const struct id zero;
    struct record record;
    struct kept made;

    (void)context;
    make_key(&made);
    must(!record_read(&record, kept(&made)).code);
    assert_int_equal(try_sign(&record.id), ERR_NOT_FOUND);
    assert_int_equal(try_sign(&zero), ERR_NOT_FOUND);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tls13, start, stop),
        cmocka_unit_test_setup_teardown(test_tls12, start, stop),
        cmocka_unit_test_setup_teardown(test_no_der, start, stop),
        cmocka_unit_test_setup_teardown(test_no_other_input, start, stop),
        cmocka_unit_test_setup_teardown(test_purposes, start, stop),
        cmocka_unit_test_setup_teardown(test_records_rewritten, start, stop),
        cmocka_unit_test_setup_teardown(test_other_keysets, start, stop),
        cmocka_unit_test_setup_teardown(test_eviction, start, stop),
        cmocka_unit_test_setup_teardown(test_sealed, start, stop),
        cmocka_unit_test_setup_teardown(test_created_is_not_open, start, stop),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("vault tls", tests, NULL, NULL);
}
