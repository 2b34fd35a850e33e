// SPDX-License-Identifier: Apache-2.0
// cli/confjson.h: the JSON form of a configuration, and errors that name the field.
#include "cli/confjson.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "expect.h"

#define ARN(region, digit)                       \
    "\"arn:aws:kms:" region ":111122223333:key/" \
    "1234abcd-12ab-34cd-56ef-1234567890a" digit "\""
#define SAMPLE                                                                                     \
    "{\"version\":1,\"deployment\":\"101112131415161718191a1b1c1d1e1f\","                          \
    "\"mode\":\"parent-trusted\",\"slashing\":\"parent-trusted\","                                 \
    "\"administrators\":{\"threshold\":0,\"keys\":[]},"                                            \
    "\"keysets\":[{\"name\":\"main\",\"purpose\":\"accounts\",\"threshold\":1,\"keys\":[" ARN(     \
        "eu-west-1", "1") "," ARN("us-east-1",                                                     \
                                  "2") "," ARN("eu-west-1",                                        \
                                               "3") "]}],"                                         \
                                                    "\"networks\":[{\"name\":\"mainnet\",\"chain_" \
                                                    "id\":1}],\"anchor\":{\"kind\":\"none\"}}"

#define ADMINS_NONE "\"threshold\":0,\"keys\":[]"
// RFC 8410 10.1, the public key of its example.
#define ADMIN                \
    "{\"type\":\"ed25519\"," \
    "\"key\":\"19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1\"}"

static struct json nodes[256];
static struct confjson form;

// The sample with the first occurrence of one text replaced by another.
static struct err read_changed(const char *from, const char *to)
{
    static char text[4096];
    const struct json *root = NULL;
    const char *at = strstr(SAMPLE, from);
    int n;

    assert_non_null(at);
    n = snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - SAMPLE), SAMPLE, to, at + strlen(from));
    assert_true(n > 0 && (size_t)n < sizeof(text));
    expect_ok(to, json_parse(&root, nodes, ARRAY_LEN(nodes), (uint8_t *)text, (size_t)n));
    return confjson_read(&form, root, NULL);
}

static void taken(void **state)
{
    static uint8_t canonical[CONFIG_BYTES_MAX];
    struct wr wr = WR_OF(canonical);
    struct config back;

    (void)state;
    expect_ok("sample", read_changed("", ""));
    assert_int_equal(form.config.hosts, 2);
    assert_true(bytes_equal_str(form.config.host[0], "kms.eu-west-1.amazonaws.com"));
    assert_true(bytes_equal_str(form.config.host[1], "kms.us-east-1.amazonaws.com"));
    assert_int_equal(form.config.keyset[0].n, 3);
    config_write(&wr, &form.config);
    expect_ok("canonical", config_read(&back, wr_done(&wr)));
    expect_ok("administrators", read_changed(ADMINS_NONE, "\"threshold\":1,\"keys\":[" ADMIN "]"));
    assert_int_equal(form.config.admin_threshold, 1);
    assert_int_equal(form.config.admin[0].key.n, 32);
    expect_ok("2 of 3", read_changed("\"threshold\":1", "\"threshold\":2"));
    assert_int_equal(form.config.keyset[0].k, 2);
    expect_ok("no network", read_changed("{\"name\":\"mainnet\",\"chain_id\":1}", ""));
}

static void refused(void **state)
{
    static const struct {
        const char *from, *to, *where;
        enum err_code code;
    } cases[] = {
        { "\"version\":1", "\"version\":2", "version", ERR_UNSUPPORTED },
        { "\"version\":1", "\"version\":\"x\"", "version", ERR_MALFORMED },
        { "\"version\":1,", "", "version", ERR_MALFORMED },
        { "\"version\":1", "\"version\":1,\"extra\":1", "extra", ERR_MALFORMED },
        { "1c1d1e1f", "1C1D1E1F", "deployment", ERR_MALFORMED },
        { "1c1d1e1f", "1c1d1e", "deployment", ERR_MALFORMED },
        { "\"mode\":\"parent-trusted\"", "\"mode\":\"trusted\"", "mode", ERR_MALFORMED },
        { "\"slashing\":\"parent-trusted\",", "", "slashing", ERR_MALFORMED },
        { "\"administrators\":{\"threshold\":0,\"keys\":[]},", "", "administrators",
          ERR_MALFORMED },
        { "\"threshold\":0", "\"threshold\":1", "administrators.threshold", ERR_MALFORMED },
        { "\"keys\":[]", "\"keys\":[1]", "administrators.keys[0]", ERR_MALFORMED },
        { "\"keys\":[]", "\"keys\":[" ADMIN "]", "administrators.threshold", ERR_MALFORMED },
        { ADMINS_NONE, "\"threshold\":2,\"keys\":[" ADMIN "]", "administrators.threshold",
          ERR_MALFORMED },
        { "\"keys\":[]", "\"keys\":[{\"type\":\"rsa\",\"key\":\"00\"}]",
          "administrators.keys[0].type", ERR_MALFORMED },
        { "\"keys\":[]", "\"keys\":[{\"type\":\"p256\",\"key\":\"00\"}]",
          "administrators.keys[0].key", ERR_MALFORMED },
        { "\"keys\":[]", "\"keys\":[{\"pem\":\"a.pem\"}]", "administrators.keys[0].pem",
          ERR_UNSUPPORTED },
        { "\"keys\":[]", "\"keys\":[{\"pem\":\"a.pem\",\"type\":\"p256\"}]",
          "administrators.keys[0].type", ERR_MALFORMED },
        { "\"keys\":[]", "\"keys\":[],\"m\":1", "administrators.m", ERR_MALFORMED },
        { "\"name\":\"main\"", "\"name\":\"Main\"", "keysets[0].name", ERR_MALFORMED },
        { "\"name\":\"main\",", "", "keysets[0].name", ERR_MALFORMED },
        { "\"name\":\"main\"", "\"name\":\"main\",\"k\":1", "keysets[0].k", ERR_MALFORMED },
        { "accounts", "account", "keysets[0].purpose", ERR_MALFORMED },
        { "\"threshold\":1", "\"threshold\":0", "keysets[0].threshold", ERR_MALFORMED },
        { "\"threshold\":1", "\"threshold\":4", "keysets[0].threshold", ERR_MALFORMED },
        { ARN("us-east-1", "2"), "\"alias/x\"", "keysets[0].keys[1]", ERR_MALFORMED },
        { ARN("us-east-1", "2"), "7", "keysets[0].keys[1]", ERR_MALFORMED },
        { "mainnet", "main net", "networks[0].name", ERR_MALFORMED },
        { "\"chain_id\":1", "\"chain_id\":0", "networks[0].chain_id", ERR_MALFORMED },
        { "\"chain_id\":1", "\"chain_id\":1.5", "networks[0].chain_id", ERR_MALFORMED },
        { "\"chain_id\":1", "\"chain\":1", "networks[0].chain", ERR_MALFORMED },
        { "{\"name\":\"mainnet\",\"chain_id\":1}", "1", "networks[0]", ERR_MALFORMED },
        { "\"none\"", "\"dynamodb\"", "anchor.kind", ERR_UNSUPPORTED },
        { "{\"kind\":\"none\"}", "\"none\"", "anchor", ERR_MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_err(cases[i].to, read_changed(cases[i].from, cases[i].to), cases[i].code, NULL);
        if (strcmp(form.where, cases[i].where) != 0)
            fail_msg("%s: said %s, expected %s", cases[i].to, form.where, cases[i].where);
    }
}

static void other_values(void **state)
{
    static const char *const texts[] = { "[]", "null", "7", "{}" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const struct json *root = NULL;
        uint8_t text[8];

        memcpy(text, texts[i], strlen(texts[i]));
        expect_ok(texts[i], json_parse(&root, nodes, 256, text, strlen(texts[i])));
        assert_int_not_equal(confjson_read(&form, root, NULL).code, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken),
        cmocka_unit_test(refused),
        cmocka_unit_test(other_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
