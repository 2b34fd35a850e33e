// SPDX-License-Identifier: Apache-2.0
// proto/policy.h: the two policies, the empty list, and everything else refused. Hashes computed
// with Python's hashlib.
#include "proto/policy.h"

#include "base/hex.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

static void round_trip(void **state)
{
    uint8_t buf[8];
    uint8_t hash[32];
    char hex[65];

    (void)state;
    for (int kind = POLICY_NOTHING; kind <= POLICY_UNRESTRICTED; kind++) {
        struct policy policy = { (enum policy_kind)kind };
        struct wr wr = WR_OF(buf);
        struct policy back;

        policy_write(&wr, &policy);
        expect_ok("policy", policy_read(&back, wr_done(&wr)));
        assert_int_equal(back.kind, kind);
        policy_hash(hash, wr_done(&wr));
    }
    hex_encode(hex, BYTES_OF(hash));
    assert_string_equal(hex, "53409912da65e9163027b1c0d5e62e45ec3e4c643493034bff1220e78ee971b3");
}

static void refusals(void **state)
{
    static const struct {
        const char *name;
        uint8_t b[4];
        size_t n;
        enum err_code code;
    } cases[] = {
        { "empty", { 0 }, 0, ERR_MALFORMED },
        { "short", { 0, 1 }, 2, ERR_MALFORMED },
        { "trailing byte", { 0, 1, 1, 0 }, 4, ERR_MALFORMED },
        { "version 0", { 0, 0, 1 }, 3, ERR_UNSUPPORTED },
        { "version 2", { 0, 2, 1 }, 3, ERR_UNSUPPORTED },
        { "kind 2", { 0, 1, 2 }, 3, ERR_UNSUPPORTED },
        { "kind 255", { 0, 1, 255 }, 3, ERR_UNSUPPORTED },
    };
    struct policy policy;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].name, policy_read(&policy, bytes_of(cases[i].b, cases[i].n)),
                   cases[i].code, NULL);
}

static void authorisers(void **state)
{
    static const struct {
        const char *name;
        uint8_t b[4];
        size_t n;
    } refused[] = {
        { "empty", { 0 }, 0 },
        { "one", { 0, 1, 1 }, 3 },
        { "version 2", { 0, 2, 0 }, 3 },
        { "trailing byte", { 0, 1, 0, 0 }, 4 },
    };
    uint8_t buf[8];
    uint8_t hash[32];
    char hex[65];
    struct wr wr = WR_OF(buf);

    (void)state;
    policy_write_no_authorisers(&wr);
    expect_ok("none", policy_check_authorisers(wr_done(&wr)));
    policy_authoriser_hash(hash, wr_done(&wr));
    hex_encode(hex, BYTES_OF(hash));
    assert_string_equal(hex, "b0e9d95cc65dae26ab699cbd5741eb57f893b863a08ab9eef60bce8895c37cb8");
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        expect_err(refused[i].name, policy_check_authorisers(bytes_of(refused[i].b, refused[i].n)),
                   ERR_UNSUPPORTED, "authorisers");
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(policy_kind_name(POLICY_NOTHING), "nothing");
    assert_string_equal(policy_kind_name(POLICY_UNRESTRICTED), "unrestricted");
    assert_string_equal(policy_kind_name((enum policy_kind)7), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(refusals),
        cmocka_unit_test(authorisers),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
