// SPDX-License-Identifier: Apache-2.0
// A SubjectPublicKeyInfo of the two kinds has one encoding each, so that its bytes up to the key
// are compared, not parsed. Private keys are not accepted here: a configuration is no place for
// them.
#include "cli/pempub.h"

#include "base/base64.h"
#include "base/must.h"

#include <string.h>

#define BEGIN   "-----BEGIN PUBLIC KEY-----"
#define END     "-----END PUBLIC KEY-----"
#define DER_MAX 128U
#define B64_MAX 192U

// RFC 8410 4: id-Ed25519, 32 bytes follow. RFC 5480 2.1.1: id-ecPublicKey with secp256r1; x and y
// of an uncompressed point, or x of a compressed one with its sign byte, follow.
static const uint8_t ed25519[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                   0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
static const uint8_t p256[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04 };
static const uint8_t p256_short[] = { 0x30, 0x39, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x22, 0x00 };

static FALLIBLE read_block(uint8_t out[static DER_MAX], size_t *n, struct bytes text)
{
    const uint8_t *begin = text.n ? memmem(text.p, text.n, BEGIN, strlen(BEGIN)) : NULL;
    struct bytes body =
        begin ? bytes_skip(text, (size_t)(begin - text.p) + strlen(BEGIN)) : BYTES_NONE;
    const uint8_t *end = body.n ? memmem(body.p, body.n, END, strlen(END)) : NULL;
    uint8_t digits[B64_MAX];
    struct wr wr = WR_OF(digits);

    ENSURE(end, ERR_MALFORMED, "expected a PEM file with BEGIN PUBLIC KEY");
    for (; body.p < end; body = bytes_skip(body, 1))
        if (!strchr("\r\n", body.p[0]) || body.p[0] == 0)
            wr_u8(&wr, body.p[0]);
    ENSURE(!wr.bad && !base64_decode(out, DER_MAX, n, wr_done(&wr)).code, ERR_MALFORMED,
           "expected base64 of a public key of Ed25519 or P-256");
    return OK;
}

// The key bytes when `der` begins so and has `n` more.
static struct bytes after(struct bytes der, struct bytes prefix, size_t n)
{
    bool fits = der.n == prefix.n + n && bytes_equal(bytes_take(der, prefix.n), prefix);

    return fits ? bytes_skip(der, prefix.n) : BYTES_NONE;
}

static void take(struct pempub *out, enum approve_type type, struct bytes key)
{
    out->type = type;
    out->n = key.n;
    memcpy(out->key, key.p, key.n);
}

struct err pempub_read(struct pempub *out, struct bytes text)
{
    uint8_t buf[DER_MAX], point[33];
    struct bytes der = { buf, 0 };
    struct bytes key;

    *out = (struct pempub) { 0 };
    TRY(read_block(buf, &der.n, text));
    if ((key = after(der, BYTES_OF(ed25519), 32)).n) {
        take(out, APPROVE_ED25519, key);
    } else if ((key = after(der, BYTES_OF(p256_short), 33)).n) {
        take(out, APPROVE_P256, key);
    } else if ((key = after(der, BYTES_OF(p256), 64)).n) {
        point[0] = key.p[63] & 1 ? 3 : 2; // SEC 1 2.3.3: the sign of y is its lowest bit
        memcpy(point + 1, key.p, 32);
        take(out, APPROVE_P256, BYTES_OF(point));
    }
    ENSURE(out->n, ERR_UNSUPPORTED, "expected a public key of Ed25519 or P-256");
    return approve_check_key(out->type, bytes_of(out->key, out->n));
}
