// SPDX-License-Identifier: Apache-2.0
// proto/keyset.h: the record, its public fields, the AAD of a share, and every refusal.
#include "proto/keyset.h"

#include "base/must.h"
#include "proto/tag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define CMK(digit)                                      \
    BYTES_LIT("arn:aws:kms:eu-west-1:111122223333:key/" \
              "1234abcd-12ab-34cd-56ef-1234567890a" digit)

static uint8_t buf[KEYSET_BYTES_MAX + 1];
static const uint8_t sealed[60] = { 0xaa };
static const uint8_t check[32] = { 0xcc };

static struct keyset sample(void)
{
    return (struct keyset) {
        .deployment = { { 1 } },
        .id = { { 2 } },
        .name = BYTES_LIT("main"),
        .purpose = CONFIG_ACCOUNTS,
        .created_ms = 1700000000000,
        .k = 2,
        .n = 2,
        .wrap = { { 1, 1, CMK("1"), BYTES_LIT("blob one"), BYTES_OF(sealed) },
                  { 1, 2, CMK("2"), BYTES_LIT("blob two"), BYTES_OF(sealed) } },
        .check = BYTES_OF(check),
    };
}

static struct bytes encode(const struct keyset *keyset)
{
    struct wr wr = WR_OF(buf);

    keyset_write(&wr, keyset);
    return wr_done(&wr);
}

static void round_trip(void **state)
{
    struct keyset in = sample();
    struct keyset out;

    (void)state;
    expect_ok("two shares", keyset_read(&out, encode(&in)));
    assert_true(id_equal(&out.id, &in.id));
    assert_true(bytes_equal_str(out.name, "main"));
    assert_int_equal(out.created_ms, in.created_ms);
    assert_int_equal(out.wrap[1].x, 2);
    assert_true(bytes_equal_str(out.wrap[1].blob, "blob two"));
    assert_true(bytes_equal(out.check, in.check));
}

struct change {
    const char *name;
    void (*change)(struct keyset *k);
    enum err_code code;
    const char *what;
};

#define CHANGE(name, ...)              \
    static void name(struct keyset *k) \
    {                                  \
        __VA_ARGS__;                   \
    }

CHANGE(no_deployment, k->deployment = (struct id) { { 0 } })
CHANGE(no_id, k->id = (struct id) { { 0 } })
CHANGE(no_name, k->name = BYTES_NONE)
CHANGE(bad_name, k->name = BYTES_LIT("a b"))
CHANGE(purpose_0, k->purpose = (enum config_purpose)0)
CHANGE(purpose_4, k->purpose = (enum config_purpose)4)
CHANGE(k_0, k->k = 0)
CHANGE(k_3, k->k = 3)
CHANGE(n_0, k->n = 0)
CHANGE(kind_0, k->wrap[0].kind = 0)
CHANGE(kind_2, k->wrap[1].kind = 2)
CHANGE(x_0, k->wrap[0].x = 0)
CHANGE(x_3, k->wrap[0].x = 3)
CHANGE(x_twice, k->wrap[1].x = 1)
CHANGE(cmk_bad, k->wrap[0].cmk = BYTES_LIT("alias/x"))
CHANGE(cmk_twice, k->wrap[1].cmk = k->wrap[0].cmk)
CHANGE(no_blob, k->wrap[0].blob = BYTES_NONE)
CHANGE(sealed_short, k->wrap[0].sealed = bytes_of(sealed, 59))
CHANGE(recovery_31, k->recovery = bytes_of(check, 31))

static void refusals(void **state)
{
    static const struct change cases[] = {
        { "no deployment", no_deployment, ERR_MALFORMED, "deployment" },
        { "no id", no_id, ERR_MALFORMED, "id" },
        { "no name", no_name, ERR_MALFORMED, "name" },
        { "bad name", bad_name, ERR_MALFORMED, "name" },
        { "purpose 0", purpose_0, ERR_UNSUPPORTED, "purpose" },
        { "purpose 4", purpose_4, ERR_UNSUPPORTED, "purpose" },
        { "k 0", k_0, ERR_MALFORMED, "threshold" },
        { "k 3 of 2", k_3, ERR_MALFORMED, "threshold" },
        { "n 0", n_0, ERR_MALFORMED, "threshold" },
        { "kind 0", kind_0, ERR_UNSUPPORTED, "wrap kind" },
        { "kind 2", kind_2, ERR_UNSUPPORTED, "wrap kind" },
        { "x 0", x_0, ERR_MALFORMED, "coordinate" },
        { "x 3 of 2", x_3, ERR_MALFORMED, "coordinate" },
        { "x twice", x_twice, ERR_MALFORMED, "coordinate is repeated" },
        { "alias", cmk_bad, ERR_MALFORMED, "ARN" },
        { "CMK twice", cmk_twice, ERR_MALFORMED, "CMK is repeated" },
        { "no blob", no_blob, ERR_MALFORMED, "blob" },
        { "sealed of 59 bytes", sealed_short, ERR_MALFORMED, "sealed" },
        { "recovery of 31 bytes", recovery_31, ERR_MALFORMED, "recovery" },
    };
    struct keyset out;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct keyset keyset = sample();

        cases[i].change(&keyset);
        expect_err(cases[i].name, keyset_read(&out, encode(&keyset)), cases[i].code, cases[i].what);
    }
}

static void structure(void **state)
{
    struct keyset keyset = sample();
    struct bytes whole = encode(&keyset);
    struct keyset out;

    (void)state;
    for (size_t n = 0; n < whole.n; n++)
        assert_int_not_equal(keyset_read(&out, bytes_take(whole, n)).code, 0);
    expect_err("trailing byte", keyset_read(&out, bytes_of(buf, whole.n + 1)), ERR_MALFORMED, NULL);
    expect_err("too large", keyset_read(&out, BYTES_OF(buf)), ERR_TOO_LARGE, NULL);
    keyset.n = 6;
    buf[2 + 16 + 16 + 5 + 1 + 8 + 1] = 6;
    expect_err("six wrappings", keyset_read(&out, whole), ERR_MALFORMED, "at most 5");
    buf[1] = 0;
    expect_err("version 0", keyset_read(&out, whole), ERR_UNSUPPORTED, "version");
}

// The public fields leave out sealed and check and nothing else.
static void public_fields(void **state)
{
    static uint8_t one[4096];
    static uint8_t two[4096];
    struct keyset keyset = sample();
    struct wr a = WR_OF(one);
    struct wr b = WR_OF(two);
    struct wr c = WR_OF(two);

    (void)state;
    keyset_write_public(&a, &keyset);
    assert_int_equal(wr_done(&a).n + 2 * 61 + 32, encode(&keyset).n);
    keyset.wrap[0].sealed = BYTES_NONE;
    keyset.check = BYTES_NONE;
    keyset_write_public(&b, &keyset);
    assert_true(bytes_equal(wr_done(&a), wr_done(&b)));
    assert_int_equal(encode(&keyset).n, 0);
    keyset.created_ms++;
    keyset_write_public(&c, &keyset);
    assert_false(bytes_equal(wr_done(&a), wr_done(&c)));
}

static void share_aad(void **state)
{
    static uint8_t aad[4096];
    struct keyset keyset = sample();
    struct wr wr = WR_OF(aad);
    struct rd rd;

    (void)state;
    keyset_write_share_aad(&wr, &keyset, &keyset.wrap[1]);
    rd = rd_of(wr_done(&wr));
    assert_true(bytes_equal(rd_bytes(&rd, 17), bytes_of("cloister-share-1", 17)));
    assert_int_equal(rd_u16(&rd), 1);
    assert_int_equal(id_read(&rd).b[0], 1);
    assert_int_equal(id_read(&rd).b[0], 2);
    assert_true(bytes_equal_str(rd_var8(&rd, 32), "main"));
    assert_int_equal(rd_u8(&rd), CONFIG_ACCOUNTS);
    assert_int_equal(rd_u8(&rd), 2);
    assert_int_equal(rd_u8(&rd), 2);
    assert_int_equal(rd_u8(&rd), 2);
    assert_true(bytes_equal(rd_var16(&rd, 256), keyset.wrap[1].cmk));
    assert_true(bytes_equal_str(rd_var16(&rd, 256), "blob two"));
    assert_int_equal(rd_end(&rd).code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),    cmocka_unit_test(refusals),  cmocka_unit_test(structure),
        cmocka_unit_test(public_fields), cmocka_unit_test(share_aad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
