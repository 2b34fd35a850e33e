// SPDX-License-Identifier: Apache-2.0
// The baseline: raw libsecp256k1 recoverable signatures in a loop, in nanoseconds of CPU time for
// each, next to the same through ecdsa_sign and to Keccak-256 of one block. What the whole service
// costs is given as a ratio to the first line. The same for P-256, which signs TLS handshakes:
// libcrypto's own ECDSA_sign, and p256_sign. Best of several rounds.
#define OPENSSL_SUPPRESS_DEPRECATED // the baseline is what p256_sign's way around it must not cost
#include "crypto/ecdsa.h"
#include "crypto/keccak.h"
#include "crypto/openssl/p256.h"

#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS  7
#define REPEATS 20000

static const struct seckey key = { { [0] = 1, [31] = 2 } };
static uint8_t digest[32] = { 3 };
static secp256k1_context *raw_context;

static void raw_sign(void)
{
    secp256k1_ecdsa_recoverable_signature signature;

    if (secp256k1_ecdsa_sign_recoverable(raw_context, &signature, digest, key.b, NULL, NULL) == 1)
        digest[0] ^= signature.data[0];
}

static void own_sign(void)
{
    uint8_t signature[ECDSA_SIGNATURE_BYTES];

    if (ecdsa_sign(signature, digest, &key).code == ERR_NONE)
        digest[0] ^= signature[0];
}

static EC_KEY *raw_p256_key;
static struct p256_key *own_p256_key;

static void raw_p256(void)
{
    uint8_t signature[P256_SIGNATURE_MAX];
    unsigned n = sizeof(signature);

    if (ECDSA_sign(0, digest, sizeof(digest), signature, &n, raw_p256_key) == 1)
        digest[0] ^= signature[8];
}

// Of the 130 bytes that a TLS 1.3 server signs.
static void own_p256(void)
{
    static uint8_t message[130];
    uint8_t signature[P256_SIGNATURE_MAX];
    struct wr wr = WR_OF(signature);

    message[0] = digest[0];
    if (p256_sign(&wr, own_p256_key, BYTES_OF(message)).code == ERR_NONE)
        digest[0] ^= signature[8];
}

static void own_keccak(void)
{
    keccak_256(digest, BYTES_OF(digest));
}

static double cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure(const char *name, void (*once)(void))
{
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        double before = cpu_ns();
        double each;

        for (int i = 0; i < REPEATS; i++)
            once();
        each = (cpu_ns() - before) / REPEATS;
        best = each < best ? each : best;
    }
    printf("%-28s %9.0f ns %10.0f /s of one core\n", name, best, 1e9 / best);
}

int main(void)
{
    static const uint8_t seed[32] = { 4 };

    ecdsa_init(seed);
    raw_context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    if (!raw_context || secp256k1_context_randomize(raw_context, seed) != 1)
        return 1;
    measure("libsecp256k1 sign (baseline)", raw_sign);
    measure("ecdsa_sign", own_sign);
    measure("keccak_256, one block", own_keccak);
    raw_p256_key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    if (!raw_p256_key || EC_KEY_generate_key(raw_p256_key) != 1 ||
        p256_key_of(&own_p256_key, &key).code)
        return 1;
    measure("ECDSA_sign, P-256 (baseline)", raw_p256);
    measure("p256_sign, 130 bytes", own_p256);
    p256_key_free(&own_p256_key);
    EC_KEY_free(raw_p256_key);
    secp256k1_context_destroy(raw_context);
    return 0;
}
