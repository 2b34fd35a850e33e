// SPDX-License-Identifier: Apache-2.0
// net/json.h: what is read, what is refused, and what the writer makes.
#include "net/json.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "expect.h"

#define NODES 64

static struct json nodes[NODES];
static uint8_t text[4096];
static uint8_t written[8192];

static struct err parse(const struct json **root, struct bytes in)
{
    assert_true(in.n <= sizeof(text));
    if (in.n)
        memcpy(text, in.p, in.n);
    return json_parse(root, nodes, NODES, text, in.n);
}

static struct bytes rewritten(const struct json *root)
{
    struct wr wr = WR_OF(written);
    struct jw jw = jw_of(&wr);

    jw_value(&jw, root);
    return wr_done(&wr);
}

static void read_and_rewritten(void **state)
{
    static const struct {
        const char *in, *out; // out NULL: the same
    } cases[] = {
        { "null", NULL },
        { " \t\r\n true \n", "true" },
        { "false", NULL },
        { "0", NULL },
        { "-0", NULL },
        { "-12.50e+07", NULL },
        { "1E-2", NULL },
        { "115792089237316195423570985008687907853269984665640564039457584007913129639936", NULL },
        { "\"\"", NULL },
        { "[]", NULL },
        { "{}", NULL },
        { "[ 1 , [ ] , { } , \"x\" ]", "[1,[],{},\"x\"]" },
        { "{ \"b\" : 1 , \"a\" : { \"b\" : 2 } , \"\" : null }",
          "{\"b\":1,\"a\":{\"b\":2},\"\":null}" },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\u0008\\u000c\\u000a\\u000d\\u0009\"" },
        { "\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { "\"\\uFFFF\\uDBFF\\uDFFF\"", "\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\"" },
        { "\"\x7f \xc2\x80 \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80\"", NULL },
        { "{\"c\":1,\"b\":2,\"a\":3,\"ab\":4,\"B\":5,\"bb\":6,\"aa\":7,\"d\":8,\"0\":9}", NULL },
        { "{\"\\u0061\":1,\"\\u0041\":2}", "{\"a\":1,\"A\":2}" },
    };
    const struct json *root;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_ok(cases[i].in, parse(&root, bytes_str(cases[i].in)));
        if (!bytes_equal_str(rewritten(root), cases[i].out ? cases[i].out : cases[i].in))
            fail_msg("%s became %.*s", cases[i].in, (int)rewritten(root).n, (const char *)written);
    }
}

static void refused(void **state)
{
    static const struct {
        const char *in, *what;
    } cases[] = {
        { "", "value" },
        { " ", "value" },
        { "nul", "value" },
        { "True", "value" },
        { "truefalse", "nothing after" },
        { "1 2", "nothing after" },
        { "{}{}", "nothing after" },
        { "\xef\xbb\xbf{}", "value" },
        { "+1", "value" },
        { ".5", "value" },
        { "NaN", "value" },
        { "'a'", "value" },
        { "//", "value" },
        { "-", "digit" },
        { "-a", "digit" },
        { "01", "leading zero" },
        { "-00", "leading zero" },
        { "1.", "point" },
        { "1.e1", "point" },
        { "1e", "exponent" },
        { "1e+", "exponent" },
        { "0x10", "nothing after" },
        { "1_000", "nothing after" },
        { "[", "value" },
        { "[1", "end of the object or array" },
        { "[1 2]", "end of the object or array" },
        { "[1,]", "value" },
        { "[,1]", "value" },
        { "[1}", "end of the object or array" },
        { "{", "key in quotes" },
        { "{1:2}", "key in quotes" },
        { "{\"a\"}", "colon" },
        { "{\"a\":}", "value" },
        { "{\"a\":1", "end of the object or array" },
        { "{\"a\":1,}", "key in quotes" },
        { "{\"a\":1]", "end of the object or array" },
        { "{\"a\":1,\"a\":1}", "twice" },
        { "{\"a\":1,\"b\":2,\"c\":3,\"\\u0062\":4}", "twice" },
        { "[{\"x\":{\"\":1,\"\":2}}]", "twice" },
        { "\"", "without an end" },
        { "\"a", "without an end" },
        { "\"a\\", "without an end" },
        { "\"\\\"", "without an end" },
        { "\"\\x\"", "escape" },
        { "\"\\U0041\"", "escape" },
        { "\"\\u12\"", "hex digits" },
        { "\"\\u12g4\"", "hex digits" },
        { "\"\\u", "hex digits" },
        { "\"\\u0000\"", "NUL" },
        { "\"\\ud800\"", "surrogate" },
        { "\"\\ud800x\"", "surrogate" },
        { "\"\\ud800\\n\"", "surrogate" },
        { "\"\\ud800\\ud800\"", "surrogate" },
        { "\"\\ud800\\u0041\"", "surrogate" },
        { "\"\\udc00\"", "surrogate" },
        { "\"\n\"", "control" },
        { "\"\x1f\"", "control" },
        { "\"\x80\"", "UTF-8" },
        { "\"\xc0\x80\"", "UTF-8" },
        { "\"\xc1\xbf\"", "UTF-8" },
        { "\"\xc3\"", "UTF-8" },
        { "\"\xc3(\"", "UTF-8" },
        { "\"\xe0\x9f\xbf\"", "UTF-8" },
        { "\"\xed\xa0\x80\"", "UTF-8" },
        { "\"\xe2\x82\"", "UTF-8" },
        { "\"\xf0\x8f\xbf\xbf\"", "UTF-8" },
        { "\"\xf4\x90\x80\x80\"", "UTF-8" },
        { "\"\xf5\x80\x80\x80\"", "UTF-8" },
        { "\"\xff\"", "UTF-8" },
        { "{\"\xff\":1}", "UTF-8" },
    };
    const struct json *root;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].in, parse(&root, bytes_str(cases[i].in)), ERR_MALFORMED, cases[i].what);
    expect_err("raw NUL", parse(&root, BYTES_LIT("\"a\0b\"")), ERR_MALFORMED, "control");
    expect_err("NUL after", parse(&root, BYTES_LIT("1\0")), ERR_MALFORMED, "nothing after");
}

static void every_cut_is_refused(void **state)
{
    struct bytes all =
        BYTES_LIT("{\"a\":[1.5e3,\"\\ud83d\\ude00\xe2\x82\xac\"],\"b\":{\"c\":true}}");
    const struct json *root;

    (void)state;
    expect_ok("whole", parse(&root, all));
    for (size_t n = 0; n < all.n; n++)
        expect_err("cut", parse(&root, bytes_take(all, n)), ERR_MALFORMED, NULL);
}

static void limits(void **state)
{
    uint8_t deep[80];
    const struct json *root;

    (void)state;
    memset(deep, '[', 40);
    memset(deep + 40, ']', 40);
    expect_ok("32 levels", parse(&root, bytes_of(deep + 8, 64)));
    assert_true(bytes_equal(rewritten(root), bytes_of(deep + 8, 64)));
    expect_err("33 levels", parse(&root, bytes_of(deep + 7, 66)), ERR_MALFORMED, "32 levels");
    expect_err("no nodes", json_parse(&root, nodes, 0, deep + 39, 2), ERR_TOO_LARGE, "values");
    memcpy(text, "[1,2,3]", 7);
    expect_ok("four values", json_parse(&root, nodes, 4, text, 7));
    memcpy(text, "[1,2,3]", 7);
    expect_err("three nodes", json_parse(&root, nodes, 3, text, 7), ERR_TOO_LARGE, "values");
}

// 1 MiB of members must not cost one comparison for each pair.
static void many_keys_are_cheap(void **state)
{
    size_t count = 100000, n = 0;
    uint8_t *big = malloc(count * 12 + 2);
    struct json *many = malloc((count + 1) * sizeof(*many));
    const struct json *root;
    clock_t before = clock();

    (void)state;
    assert_true(big && many);
    big[n++] = '{';
    for (size_t i = 0; i < count; i++) {
        char member[16];

        (void)snprintf(member, sizeof(member), "\"%05u\":%u,", (unsigned)(i * 7919 % count),
                       (unsigned)(i % 10));
        memcpy(big + n, member, 10);
        n += 10;
    }
    big[n - 1] = '}';
    expect_ok("many keys", json_parse(&root, many, count + 1, big, n));
    assert_int_equal(root->count, count);
    assert_true(bytes_equal_str(root->child->key, "00000"));
    assert_true(bytes_equal_str(root->child->next->key, "07919"));
    assert_true(clock() - before < 5 * CLOCKS_PER_SEC);
    free(big);
    free(many);
}

static void members(void **state)
{
    static const char *const known[] = { "a", "b", NULL };
    const struct json *root, *inner;

    (void)state;
    expect_ok("object", parse(&root, BYTES_LIT("{\"a\":\"x\",\"b\":true,\"c\":[1,\"2\"]}")));
    assert_true(bytes_equal_str(json_string(json_get(root, "a")), "x"));
    assert_null(json_string(json_get(root, "b")).p);
    assert_null(json_string(json_get(root, "z")).p);
    assert_true(json_is_true(json_get(root, "b")));
    assert_false(json_is_true(json_get(root, "a")));
    assert_false(json_is_true(NULL));
    assert_null(json_get(root, "A"));
    assert_null(json_get(NULL, "a"));
    inner = json_get(root, "c");
    assert_null(json_get(inner, "a"));
    assert_int_equal(inner->count, 2);
    assert_int_equal(inner->child->next->type, JSON_STRING);
    assert_null(inner->child->next->next);
    assert_true(json_unknown(root, known) == inner);
    assert_null(json_unknown(inner, known));
    assert_null(json_unknown(NULL, known));
}

static void numbers(void **state)
{
    static const struct {
        const char *in;
        enum err_code code;
        uint64_t value;
    } cases[] = {
        { "0", ERR_NONE, 0 },
        { "18446744073709551615", ERR_NONE, UINT64_MAX },
        { "\"42\"", ERR_NONE, 42 },
        { "\"0x2a\"", ERR_NONE, 42 },
        { "\"0x002A\"", ERR_NONE, 42 },
        { "18446744073709551616", ERR_TOO_LARGE, 0 },
        { "\"0x10000000000000000\"", ERR_TOO_LARGE, 0 },
        { "-1", ERR_MALFORMED, 0 },
        { "-0", ERR_MALFORMED, 0 },
        { "1.0", ERR_MALFORMED, 0 },
        { "1e3", ERR_MALFORMED, 0 },
        { "\"\"", ERR_MALFORMED, 0 },
        { "\"0x\"", ERR_MALFORMED, 0 },
        { "\"0X1\"", ERR_MALFORMED, 0 },
        { "\"007\"", ERR_MALFORMED, 0 },
        { "\" 1\"", ERR_MALFORMED, 0 },
        { "\"+1\"", ERR_MALFORMED, 0 },
        { "true", ERR_MALFORMED, 0 },
        { "null", ERR_MALFORMED, 0 },
        { "[1]", ERR_MALFORMED, 0 },
    };
    const struct json *root;
    struct u256 wide;
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_ok(cases[i].in, parse(&root, bytes_str(cases[i].in)));
        value = 0;
        expect_err(cases[i].in, json_u64(&value, root), cases[i].code, NULL);
        assert_int_equal(value, cases[i].value);
    }
    expect_err("absent", json_u256(&wide, NULL), ERR_MALFORMED, "integer");
    expect_ok("2^256 - 1", parse(&root, BYTES_LIT("\"0xffffffffffffffffffffffffffffffffffffffffffff"
                                                  "ffffffffffffffffffff\"")));
    expect_ok("2^256 - 1", json_u256(&wide, root));
    assert_int_equal(wide.limb[3], UINT64_MAX);
}

static void writer(void **state)
{
    static const uint8_t raw[] = { 0x00, 0xab };
    struct wr wr = WR_OF(written);
    struct jw jw = jw_of(&wr);

    (void)state;
    jw_object(&jw);
    jw_key(&jw, "s\"");
    jw_string(&jw, BYTES_LIT("a\0\n\"\\\xff\xc3\xa9\xed\xa0\x80z"));
    jw_key(&jw, "list");
    jw_array(&jw);
    jw_u64(&jw, UINT64_MAX);
    jw_u64(&jw, 7);
    jw_bool(&jw, true);
    jw_null(&jw);
    jw_object(&jw);
    jw_object_end(&jw);
    jw_array_end(&jw);
    jw_key(&jw, "hex");
    jw_hex(&jw, BYTES_OF(raw));
    jw_key(&jw, "digits");
    jw_digits(&jw, BYTES_OF(raw));
    jw_key(&jw, "base64");
    jw_base64(&jw, BYTES_OF(raw));
    jw_key(&jw, "decimal");
    jw_decimal(&jw, u256_of(1000));
    jw_key(&jw, "quantity");
    jw_quantity(&jw, u256_of(1000));
    jw_key(&jw, "c");
    jw_cstring(&jw, "");
    jw_object_end(&jw);
    assert_true(bytes_equal_str(
        wr_done(&wr),
        "{\"s\\\"\":"
        "\"a\xef\xbf\xbd\\u000a\\\"\\\\\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\","
        "\"list\":[18446744073709551615,7,true,null,{}],\"hex\":\"0x00ab\","
        "\"digits\":\"00ab\",\"base64\":\"AKs=\",\"decimal\":\"1000\",\"quantity\":\"0x3e8\",\"c\":"
        "\"\"}"));
}

static void writer_refuses(void **state)
{
    uint8_t small[4];
    struct wr wr = WR_OF(small);
    struct jw jw = jw_of(&wr);

    (void)state;
    jw_cstring(&jw, "abc");
    expect_err("no room", wr_end(&wr), ERR_TOO_LARGE, NULL);
    wr = WR_OF(written);
    jw = jw_of(&wr);
    jw_object_end(&jw);
    expect_err("end without start", wr_end(&wr), ERR_TOO_LARGE, NULL);
    wr = WR_OF(written);
    jw = jw_of(&wr);
    for (size_t i = 0; i < 100; i++)
        jw_array(&jw);
    expect_err("too deep", wr_end(&wr), ERR_TOO_LARGE, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_and_rewritten),
        cmocka_unit_test(refused),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(limits),
        cmocka_unit_test(many_keys_are_cheap),
        cmocka_unit_test(members),
        cmocka_unit_test(numbers),
        cmocka_unit_test(writer),
        cmocka_unit_test(writer_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
