// SPDX-License-Identifier: Apache-2.0
// cli/keystore.h: key files as they come ('r'), opened when their costs are small or past the
// limits (which must be refused before anything is computed), and a genuine one that was changed
// ('c'): it opens to its key only, but for the IV of a file without an address, which no MAC
// covers.
#include "fuzz.h"

#include "cli/keystore.h"
#include "cli/openssl/aesctr.h"
#include "crypto/ecdsa.h"
#include "crypto/keccak.h"
#include "crypto/openssl/libcrypto.h"

#define COST_SMALL 1024U // n r p, and rounds: what one input may cost
#define PASSWORD   BYTES_LIT("foo")

enum cost { COST_OF_SECONDS, COST_FITS, COST_REFUSED };

static const struct seckey key = { { 0, 0xc1, 0x01, 0x57, 0xe4 } }; // its first byte is left out
static uint8_t genuine[1024];
static struct bytes file;
static struct keystore unchanged;

static enum cost cost_of_scrypt(const struct kdf_scrypt *cost)
{
    const uint64_t most = KDF_SCRYPT_WORK_MAX;

    if (cost->n > most || cost->r > most || cost->p > most || cost->n < 2 || cost->r < 1 ||
        cost->p < 1 || (cost->n & (cost->n - 1)) != 0)
        return COST_REFUSED;
    if (128 * cost->n * cost->r > KDF_SCRYPT_MEMORY_MAX || cost->n * cost->r > most / cost->p)
        return COST_REFUSED;
    return cost->n * cost->r * cost->p <= COST_SMALL ? COST_FITS : COST_OF_SECONDS;
}

static enum cost cost_of(const struct keystore *from)
{
    if (from->is_scrypt)
        return cost_of_scrypt(&from->scrypt);
    if (from->rounds < 1 || from->rounds > KDF_PBKDF2_ROUNDS_MAX)
        return COST_REFUSED;
    return from->rounds <= COST_SMALL ? COST_FITS : COST_OF_SECONDS;
}

static bool opens(struct seckey *out, const struct keystore *from)
{
    enum cost cost = cost_of(from);
    struct err err;

    if (cost == COST_OF_SECONDS)
        return false;
    err = keystore_unlock(out, from, PASSWORD);
    must(cost == COST_FITS || err.code == ERR_MALFORMED || err.code == ERR_TOO_LARGE);
    must(err.code != ERR_INTERNAL);
    return err.code == ERR_NONE;
}

static bool reads(struct keystore *out, struct bytes in)
{
    if (keystore_read(out, in).code)
        return false;
    must(out->salt_len >= 1 && out->salt_len <= sizeof(out->salt));
    must(out->ciphertext_len >= 1 && out->ciphertext_len <= sizeof(out->ciphertext));
    return true;
}

static void fuzz_raw(struct bytes in)
{
    struct keystore from;
    struct seckey out;

    if (reads(&from, in))
        (void)opens(&out, &from);
}

static void fuzz_changed(struct bytes changes)
{
    static uint8_t changed[sizeof(genuine)];
    struct bytes in = fuzz_change(changed, sizeof(changed), file, changes);
    struct keystore from;
    struct seckey out;

    if (!reads(&from, in) || !opens(&out, &from))
        return;
    must(memcmp(out.b, key.b, sizeof(out.b)) == 0 ||
         (!from.has_address && memcmp(from.iv, unchanged.iv, sizeof(from.iv)) != 0));
}

static void put_hex(struct wr *wr, const char *before, struct bytes b)
{
    static const char digits[] = "0123456789abcdef";

    wr_str(wr, before);
    for (size_t i = 0; i < b.n; i++) {
        wr_u8(wr, (uint8_t)digits[b.p[i] >> 4]);
        wr_u8(wr, (uint8_t)digits[b.p[i] & 15]);
    }
    wr_str(wr, "\"");
}

// A file with the smallest costs, as Ethereum's clients lay it out.
static void start(void)
{
    static const uint8_t salt[4] = { 1, 2, 3, 4 }, iv[16] = { 5 };
    struct wr wr = WR_OF(genuine);
    uint8_t point[ECDSA_PUBLIC_BYTES], address[20], maced[16 + 31], mac[32];
    struct seckey derived, opened;

    fuzz_ok(libcrypto_init());
    ecdsa_init(key.b);
    fuzz_ok(ecdsa_public(point, &key));
    fuzz_ok(ecdsa_address(address, point));
    fuzz_ok(kdf_scrypt(&derived, PASSWORD, BYTES_OF(salt), &(struct kdf_scrypt) { 2, 1, 1 }));
    memcpy(maced, derived.b + 16, 16);
    fuzz_ok(aesctr_128(maced + 16, derived.b, iv, bytes_of(key.b + 1, 31)));
    keccak_256(mac, BYTES_OF(maced));
    put_hex(&wr, "{\"address\":\"", BYTES_OF(address));
    put_hex(&wr, ",\"version\":3,\"crypto\":{\"cipher\":\"aes-128-ctr\",\"ciphertext\":\"",
            bytes_of(maced + 16, 31));
    put_hex(&wr, ",\"cipherparams\":{\"iv\":\"", BYTES_OF(iv));
    put_hex(&wr,
            "},\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":32,\"n\":2,\"p\":1,\"r\":1,\"salt\":\"",
            BYTES_OF(salt));
    put_hex(&wr, "},\"mac\":\"", BYTES_OF(mac));
    wr_str(&wr, "}}");
    file = wr_done(&wr);
    fuzz_ok(keystore_open(&opened, file, PASSWORD));
    must(memcmp(opened.b, key.b, sizeof(key.b)) == 0);
    fuzz_ok(keystore_read(&unchanged, file));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = bytes_skip(bytes_of(data, n), 1);

    if (!file.p)
        start();
    if (n == 0)
        return 0;
    if (data[0] == 'r')
        fuzz_raw(in);
    else if (data[0] == 'c')
        fuzz_changed(in);
    return 0;
}
