// SPDX-License-Identifier: Apache-2.0
#include "cli/openssl/p256spki.h"

#include "base/must.h"
#include "crypto/openssl/sha2.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <string.h>

#define POINT_BYTES 65U

// id-ecPublicKey with secp256r1; the uncompressed point follows.
static const uint8_t head[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00 };

struct err p256spki_sha256(uint8_t out[static 32], const uint8_t point[static 33])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *on_curve = group ? EC_POINT_new(group) : NULL;
    uint8_t der[sizeof(head) + POINT_BYTES];
    size_t n = 0;

    memcpy(der, head, sizeof(head));
    if (on_curve && EC_POINT_oct2point(group, on_curve, point, 33, NULL) == 1)
        n = EC_POINT_point2oct(group, on_curve, POINT_CONVERSION_UNCOMPRESSED, der + sizeof(head),
                               POINT_BYTES, NULL);
    EC_POINT_free(on_curve);
    EC_GROUP_free(group);
    ERR_clear_error();
    ENSURE(n == POINT_BYTES, ERR_MALFORMED, "public key: expected a compressed point on P-256");
    sha2_256(out, BYTES_OF(der));
    return OK;
}
