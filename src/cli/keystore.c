// SPDX-License-Identifier: Apache-2.0
// Reads the file strictly where it matters (cipher, function, costs, sizes) and ignores what else
// stands in it (id, names, other clients' additions). The MAC is checked before anything is
// decrypted, the address after: a file whose address is another's must not be imported under it.
// Never asks for a password, and never writes one or a key anywhere.
#include "cli/keystore.h"

#include "base/hex.h"
#include "base/must.h"
#include "cli/openssl/aesctr.h"
#include "crypto/ecdsa.h"
#include "crypto/keccak.h"
#include "net/json.h"

#include <string.h>

#define VERSION   3
#define NODES_MAX 256

// What the MAC is computed over: the second half of the derived key, and the ciphertext.
struct maced {
    uint8_t b[16 + 32];
};

static void maced_wipe(struct maced *maced)
{
    ct_wipe(maced, sizeof(*maced));
}

static FALLIBLE derive(struct seckey *out, const struct keystore *from, struct bytes password);
static FALLIBLE check_mac(const struct keystore *from, const struct seckey *derived);
static FALLIBLE check_address(const struct keystore *from, const struct seckey *key);

struct err keystore_open(struct seckey *out, struct bytes file, struct bytes password)
{
    struct keystore from;

    TRY(keystore_read(&from, file));
    return keystore_unlock(out, &from, password);
}

struct err keystore_unlock(struct seckey *out, const struct keystore *from, struct bytes password)
{
    AUTO(seckey_wipe) struct seckey derived = { 0 };
    AUTO(seckey_wipe) struct seckey key = { 0 };

    TRY(derive(&derived, from, password));
    TRY(check_mac(from, &derived));
    TRY(aesctr_128(key.b + sizeof(key.b) - from->ciphertext_len, derived.b, from->iv,
                   bytes_of(from->ciphertext, from->ciphertext_len)));
    TRY(check_address(from, &key));
    memcpy(out->b, key.b, sizeof(out->b));
    return OK;
}

static FALLIBLE derive(struct seckey *out, const struct keystore *from, struct bytes password)
{
    struct bytes salt = bytes_of(from->salt, from->salt_len);

    return from->is_scrypt ? kdf_scrypt(out, password, salt, &from->scrypt)
                           : kdf_pbkdf2(out, password, salt, from->rounds);
}

static FALLIBLE check_mac(const struct keystore *from, const struct seckey *derived)
{
    AUTO(maced_wipe) struct maced maced;
    struct wr wr = WR_OF(maced.b);
    uint8_t mac[32];

    wr_bytes(&wr, bytes_of(derived->b + 16, 16));
    wr_bytes(&wr, bytes_of(from->ciphertext, from->ciphertext_len));
    keccak_256(mac, wr_done(&wr));
    ENSURE(ct_equal(BYTES_OF(mac), BYTES_OF(from->mac)), ERR_CORRUPT,
           "key file: the password is wrong, or the file is damaged");
    return OK;
}

static FALLIBLE check_address(const struct keystore *from, const struct seckey *key)
{
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t address[sizeof(from->address)];

    ENSURE(!ecdsa_public(public_key, key).code, ERR_CORRUPT, "key file: holds no private key");
    TRY(ecdsa_address(address, public_key));
    ENSURE(!from->has_address || bytes_equal(BYTES_OF(address), BYTES_OF(from->address)),
           ERR_MISMATCH, "key file: its address is not its key's");
    return OK;
}

static FALLIBLE read_crypto(struct keystore *out, const struct json *crypto);
static FALLIBLE read_address(struct keystore *out, const struct json *address);

struct err keystore_read(struct keystore *out, struct bytes file)
{
    uint8_t text[KEYSTORE_BYTES_MAX];
    struct json nodes[NODES_MAX];
    const struct json *root;
    const struct json *lower;
    const struct json *upper;
    uint64_t version;

    *out = (struct keystore) { 0 };
    ENSURE(file.n > 0 && file.n <= sizeof(text), ERR_MALFORMED,
           "key file: expected at most 16384 bytes of JSON");
    memcpy(text, file.p, file.n);
    TRY(json_parse(&root, nodes, NODES_MAX, text, file.n));
    ENSURE(root->type == JSON_OBJECT, ERR_MALFORMED, "key file: expected a JSON object");
    ENSURE(!json_u64(&version, json_get(root, "version")).code && version == VERSION,
           ERR_UNSUPPORTED, "key file: expected version 3");
    lower = json_get(root, "crypto");
    upper = json_get(root, "Crypto"); // as the first clients wrote it
    ENSURE(!lower || !upper, ERR_MALFORMED, "key file: expected crypto once");
    TRY(read_address(out, json_get(root, "address")));
    return read_crypto(out, lower ? lower : upper);
}

// 40 digits, mostly without 0x.
static FALLIBLE read_address(struct keystore *out, const struct json *address)
{
    struct bytes digits = json_string(address);

    if (!address || address->type == JSON_NULL)
        return OK;
    if (bytes_equal_str(bytes_take(digits, 2), "0x"))
        digits = bytes_skip(digits, 2);
    ENSURE(!hex_decode(out->address, sizeof(out->address), digits).code, ERR_MALFORMED,
           "address: expected 40 hex digits");
    out->has_address = true;
    return OK;
}

// Hex digits without 0x, at least one byte. Returns the number of bytes; 0 when it is none of that.
static size_t hex_of(uint8_t *out, size_t cap, const struct json *object, const char *key)
{
    struct bytes digits = json_string(json_get(object, key));
    size_t n = digits.n / 2;

    return n <= cap && !hex_decode(out, n, digits).code ? n : 0;
}

static FALLIBLE read_kdf(struct keystore *out, struct bytes name, const struct json *params);

static FALLIBLE read_crypto(struct keystore *out, const struct json *crypto)
{
    ENSURE(crypto && crypto->type == JSON_OBJECT, ERR_MALFORMED, "crypto: expected an object");
    ENSURE(bytes_equal_str(json_string(json_get(crypto, "cipher")), "aes-128-ctr"), ERR_UNSUPPORTED,
           "crypto.cipher: expected aes-128-ctr");
    ENSURE(hex_of(out->iv, sizeof(out->iv), json_get(crypto, "cipherparams"), "iv") ==
               sizeof(out->iv),
           ERR_MALFORMED, "crypto.cipherparams.iv: expected 16 bytes of hex");
    out->ciphertext_len = hex_of(out->ciphertext, sizeof(out->ciphertext), crypto, "ciphertext");
    ENSURE(out->ciphertext_len > 0, ERR_MALFORMED,
           "crypto.ciphertext: expected 1 to 32 bytes of hex");
    ENSURE(hex_of(out->mac, sizeof(out->mac), crypto, "mac") == sizeof(out->mac), ERR_MALFORMED,
           "crypto.mac: expected 32 bytes of hex");
    return read_kdf(out, json_string(json_get(crypto, "kdf")), json_get(crypto, "kdfparams"));
}

static FALLIBLE read_scrypt(struct kdf_scrypt *out, const struct json *params)
{
    ENSURE(!json_u64(&out->n, json_get(params, "n")).code, ERR_MALFORMED,
           "crypto.kdfparams.n: expected a number");
    ENSURE(!json_u64(&out->r, json_get(params, "r")).code, ERR_MALFORMED,
           "crypto.kdfparams.r: expected a number");
    ENSURE(!json_u64(&out->p, json_get(params, "p")).code, ERR_MALFORMED,
           "crypto.kdfparams.p: expected a number");
    return OK;
}

static FALLIBLE read_pbkdf2(uint64_t *rounds, const struct json *params)
{
    ENSURE(bytes_equal_str(json_string(json_get(params, "prf")), "hmac-sha256"), ERR_UNSUPPORTED,
           "crypto.kdfparams.prf: expected hmac-sha256");
    ENSURE(!json_u64(rounds, json_get(params, "c")).code, ERR_MALFORMED,
           "crypto.kdfparams.c: expected a number");
    return OK;
}

static FALLIBLE read_kdf(struct keystore *out, struct bytes name, const struct json *params)
{
    uint64_t bytes;

    out->is_scrypt = bytes_equal_str(name, "scrypt");
    ENSURE(out->is_scrypt || bytes_equal_str(name, "pbkdf2"), ERR_UNSUPPORTED,
           "crypto.kdf: expected scrypt or pbkdf2");
    ENSURE(!json_u64(&bytes, json_get(params, "dklen")).code && bytes == 32, ERR_UNSUPPORTED,
           "crypto.kdfparams.dklen: expected 32");
    out->salt_len = hex_of(out->salt, sizeof(out->salt), params, "salt");
    ENSURE(out->salt_len > 0, ERR_MALFORMED,
           "crypto.kdfparams.salt: expected 1 to 128 bytes of hex");
    return out->is_scrypt ? read_scrypt(&out->scrypt, params) : read_pbkdf2(&out->rounds, params);
}
