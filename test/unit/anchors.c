// SPDX-License-Identifier: Apache-2.0
// The trust anchors of a release are what AWS and Amazon Trust Services publish: the fingerprints
// here were taken from their pages, not from the object under test.
#include "crypto/anchors.h"
#include "base/hex.h"
#include "base/must.h"
#include "crypto/openssl/sha2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void fingerprint_is(struct bytes der, const char *expected)
{
    uint8_t digest[32];
    char text[65];

    sha2_256(digest, der);
    hex_encode(text, BYTES_OF(digest));
    assert_string_equal(text, expected);
}

static void nitro_root(void **state)
{
    (void)state;
    assert_string_equal(anchors_this.name, "aws");
    assert_false(anchors_this.development);
    fingerprint_is(anchors_this.nsm_root,
                   "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b");
}

static void tls_roots(void **state)
{
    static const char *const expected[] = {
        "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e", // Amazon Root CA 1
        "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4", // Amazon Root CA 2
        "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4", // Amazon Root CA 3
        "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092", // Amazon Root CA 4
        "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5", // Starfield Services G2
    };

    (void)state;
    assert_int_equal(anchors_this.tls_roots, ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        fingerprint_is(anchors_this.tls_root[i], expected[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nitro_root),
        cmocka_unit_test(tls_roots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
