// SPDX-License-Identifier: Apache-2.0
// proto/config.h: each field's refusal by name. The digest and PCR16 of the sample were computed
// with Python's hashlib from PROTOCOL.md section 4.
#include "proto/config.h"

#include "base/hex.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define ARN_WITH(digit)                                 \
    BYTES_LIT("arn:aws:kms:eu-west-1:111122223333:key/" \
              "1234abcd-12ab-34cd-56ef-1234567890a" digit)
#define HOST BYTES_LIT("kms.eu-west-1.amazonaws.com")

static uint8_t buf[CONFIG_BYTES_MAX];
static uint8_t key_of_ones[33] = { 1 };
// The base point of P-256 and its double (SEC 2, 2.4.2), compressed: keys that are on the curve.
static uint8_t key_of_g[33] = { 0x03, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc,
                                0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d,
                                0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96 };
static uint8_t key_of_2g[33] = { 0x03, 0x7c, 0xf2, 0x7b, 0x18, 0x8d, 0x03, 0x4f, 0x7e, 0x8a, 0x52,
                                 0x38, 0x03, 0x04, 0xb5, 0x1a, 0xc3, 0xc0, 0x89, 0x69, 0xe2, 0x77,
                                 0xf2, 0x1b, 0x35, 0xa6, 0x0b, 0x48, 0xfc, 0x47, 0x66, 0x99, 0x78 };

static struct config sample(void)
{
    return (struct config) {
        .deployment = { { 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b,
                          0x1c, 0x1d, 0x1e, 0x1f } },
        .mode = CONFIG_PARENT_TRUSTED,
        .slashing = CONFIG_PARENT_TRUSTED,
        .keysets = 1,
        .keyset = { { BYTES_LIT("main"), CONFIG_ACCOUNTS, 1, 1, { ARN_WITH("b") }, BYTES_NONE } },
        .networks = 1,
        .network = { { BYTES_LIT("mainnet"), 1 } },
        .hosts = 1,
        .host = { HOST },
    };
}

static struct bytes encode(const struct config *config)
{
    struct wr wr = WR_OF(buf);

    config_write(&wr, config);
    assert_int_equal(wr_end(&wr).code, 0);
    return wr_done(&wr);
}

static void round_trip(void **state)
{
    struct config in = sample();
    struct config out;

    (void)state;
    in.keysets = 2;
    in.keyset[1] = (struct config_keyset) {
        BYTES_LIT("a_b-9"), CONFIG_TLS, 2, 3, { ARN_WITH("1"), ARN_WITH("2"), ARN_WITH("3") },
        BYTES_NONE,
    };
    in.networks = 2;
    in.network[1] = (struct config_network) { BYTES_LIT("hoodi"), CONFIG_CHAIN_ID_MAX };
    in.hosts = 2;
    in.host[1] = BYTES_LIT("dynamodb.eu-west-1.amazonaws.com");
    expect_ok("two of everything", config_read(&out, encode(&in)));
    assert_true(id_equal(&out.deployment, &in.deployment));
    assert_int_equal(out.keyset[1].k, 2);
    assert_int_equal(out.keyset[1].n, 3);
    assert_true(bytes_equal(out.keyset[1].cmk[2], ARN_WITH("3")));
    assert_int_equal(out.network[1].chain_id, CONFIG_CHAIN_ID_MAX);
    assert_true(bytes_equal_str(out.host[1], "dynamodb.eu-west-1.amazonaws.com"));
}

struct change {
    const char *name;
    void (*change)(struct config *c);
    enum err_code code;
    const char *what;
};

#define CHANGE(name, ...)              \
    static void name(struct config *c) \
    {                                  \
        __VA_ARGS__;                   \
    }

CHANGE(no_deployment, c->deployment = (struct id) { { 0 } })
CHANGE(mode_0, c->mode = (enum config_mode)0)
CHANGE(mode_3, c->mode = (enum config_mode)3)
CHANGE(mode_hostile, c->mode = CONFIG_HOSTILE_PARENT)
CHANGE(slashing_0, c->slashing = (enum config_mode)0)
CHANGE(slashing_hostile, c->slashing = CONFIG_HOSTILE_PARENT)
CHANGE(threshold_alone, c->admin_threshold = 1)
CHANGE(admin_without_threshold, {
    c->admins = 1;
    c->admin[0] = (struct config_key) { CONFIG_ADMIN_P256, BYTES_OF(key_of_ones) };
})
CHANGE(admin_of_wrong_length, {
    c->admins = 1;
    c->admin_threshold = 1;
    c->admin[0] = (struct config_key) { CONFIG_ADMIN_ED25519, BYTES_OF(key_of_ones) };
})
CHANGE(admin_of_unknown_type, {
    c->admins = 1;
    c->admin_threshold = 1;
    c->admin[0] = (struct config_key) { (enum config_admin)3, BYTES_OF(key_of_ones) };
})
CHANGE(admin_off_curve, {
    c->admins = 1;
    c->admin_threshold = 1;
    c->admin[0] = (struct config_key) { CONFIG_ADMIN_P256, BYTES_OF(key_of_ones) };
})
CHANGE(admin_twice, {
    c->admins = 2;
    c->admin_threshold = 2;
    c->admin[0] = (struct config_key) { CONFIG_ADMIN_P256, BYTES_OF(key_of_g) };
    c->admin[1] = c->admin[0];
})
CHANGE(admins_well_formed, {
    c->admins = 2;
    c->admin_threshold = 2;
    c->admin[0] = (struct config_key) { CONFIG_ADMIN_P256, BYTES_OF(key_of_g) };
    c->admin[1] = (struct config_key) { CONFIG_ADMIN_P256, BYTES_OF(key_of_2g) };
})
CHANGE(no_keyset, c->keysets = 0)
CHANGE(keyset_empty_name, c->keyset[0].name = BYTES_NONE)
CHANGE(keyset_upper_case, c->keyset[0].name = BYTES_LIT("Main"))
CHANGE(keyset_path, c->keyset[0].name = BYTES_LIT("../x"))
CHANGE(keyset_name_long, c->keyset[0].name = BYTES_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))
CHANGE(keyset_purpose_0, c->keyset[0].purpose = (enum config_purpose)0)
CHANGE(keyset_purpose_4, c->keyset[0].purpose = (enum config_purpose)4)
CHANGE(keyset_k_0, c->keyset[0].k = 0)
CHANGE(keyset_k_2_of_1, c->keyset[0].k = 2)
CHANGE(keyset_n_0, c->keyset[0].n = 0; c->keyset[0].k = 0)
CHANGE(keyset_recovery_33, c->keyset[0].recovery = BYTES_OF(key_of_ones))
CHANGE(keyset_recovery, c->keyset[0].recovery = bytes_of(key_of_ones, 32))
CHANGE(keyset_alias, c->keyset[0].cmk[0] = BYTES_LIT("alias/main"))
CHANGE(keyset_cmk_twice, {
    c->keyset[0].n = 2;
    c->keyset[0].cmk[1] = c->keyset[0].cmk[0];
})
CHANGE(keyset_name_twice, {
    c->keysets = 2;
    c->keyset[1] = c->keyset[0];
})
CHANGE(network_name_bad, c->network[0].name = BYTES_LIT("main net"))
CHANGE(network_id_0, c->network[0].chain_id = 0)
CHANGE(network_id_large, c->network[0].chain_id = CONFIG_CHAIN_ID_MAX + 1)
CHANGE(network_id_twice, {
    c->networks = 2;
    c->network[1] = (struct config_network) { BYTES_LIT("other"), 1 };
})
CHANGE(network_name_twice, {
    c->networks = 2;
    c->network[1] = (struct config_network) { BYTES_LIT("mainnet"), 2 };
})
CHANGE(anchor_3, c->anchor = (enum config_anchor)3)
CHANGE(anchor_none_with_parameters, c->anchor_parameters = BYTES_LIT("x"))
static void anchor_well_formed(struct config *c)
{
    admins_well_formed(c);
    c->anchor = CONFIG_ANCHOR_FILE;
    c->hosts = 2;
    c->host[1] = BYTES_LIT("anchor.cloister.test");
}

CHANGE(anchor_file_without_host, {
    anchor_well_formed(c);
    c->hosts = 1;
})
CHANGE(anchor_file_without_admins, {
    anchor_well_formed(c);
    c->admins = c->admin_threshold = 0;
})
CHANGE(anchor_file_with_parameters, {
    anchor_well_formed(c);
    c->anchor_parameters = BYTES_LIT("x");
})
CHANGE(anchor_host_alone, {
    anchor_well_formed(c);
    c->anchor = CONFIG_ANCHOR_NONE;
})
CHANGE(anchor_host_longer, {
    anchor_well_formed(c);
    c->host[1] = BYTES_LIT("anchor.cloister.test.evil.example");
})
CHANGE(anchor_host_of_dynamodb, {
    anchor_well_formed(c);
    c->anchor = CONFIG_ANCHOR_DYNAMODB;
})
CHANGE(anchor_dynamodb, {
    admins_well_formed(c);
    c->anchor = CONFIG_ANCHOR_DYNAMODB;
})
CHANGE(host_missing, c->hosts = 0)
CHANGE(host_of_another_region, c->host[0] = BYTES_LIT("kms.eu-west-2.amazonaws.com"))
CHANGE(host_foreign, c->host[0] = BYTES_LIT("kms.example.com"))
CHANGE(host_twice, {
    c->hosts = 2;
    c->host[1] = HOST;
})

static void administrators_are_taken(void **state)
{
    struct config config = sample(), out;

    (void)state;
    admins_well_formed(&config);
    expect_ok("two administrators", config_read(&out, encode(&config)));
    assert_int_equal(out.admins, 2);
    assert_int_equal(out.admin_threshold, 2);
}

static void file_anchor_is_taken(void **state)
{
    struct config config = sample(), out;

    (void)state;
    anchor_well_formed(&config);
    expect_ok("file", config_read(&out, encode(&config)));
    assert_int_equal(out.anchor, CONFIG_ANCHOR_FILE);
    assert_int_equal(config_find_host(&out, BYTES_LIT("anchor.cloister.test")), 1);
}

static void refusals(void **state)
{
    static const struct change cases[] = {
        { "zero deployment", no_deployment, ERR_MALFORMED, "deployment" },
        { "mode 0", mode_0, ERR_MALFORMED, "mode" },
        { "mode 3", mode_3, ERR_MALFORMED, "mode" },
        { "hostile parent", mode_hostile, ERR_UNSUPPORTED, "mode" },
        { "slashing 0", slashing_0, ERR_MALFORMED, "slashing" },
        { "slashing hostile", slashing_hostile, ERR_UNSUPPORTED, "slashing" },
        { "threshold without keys", threshold_alone, ERR_MALFORMED, "administrators: threshold" },
        { "key without threshold", admin_without_threshold, ERR_MALFORMED,
          "administrators: threshold" },
        { "Ed25519 of 33 bytes", admin_of_wrong_length, ERR_MALFORMED, "administrators" },
        { "unknown key type", admin_of_unknown_type, ERR_MALFORMED, "administrators" },
        { "same key twice", admin_twice, ERR_MALFORMED, "administrators: key is repeated" },
        { "key that is no point", admin_off_curve, ERR_MALFORMED, "administrators" },
        { "no keyset", no_keyset, ERR_MALFORMED, "keysets" },
        { "empty name", keyset_empty_name, ERR_MALFORMED, "keysets: name" },
        { "upper-case name", keyset_upper_case, ERR_MALFORMED, "keysets: name" },
        { "name with a path", keyset_path, ERR_MALFORMED, "keysets: name" },
        { "name of 33 bytes", keyset_name_long, ERR_MALFORMED, NULL },
        { "purpose 0", keyset_purpose_0, ERR_MALFORMED, "keysets: purpose" },
        { "purpose 4", keyset_purpose_4, ERR_MALFORMED, "keysets: purpose" },
        { "threshold 0", keyset_k_0, ERR_MALFORMED, "keysets: threshold" },
        { "2 of 1", keyset_k_2_of_1, ERR_MALFORMED, "keysets: threshold" },
        { "0 of 0", keyset_n_0, ERR_MALFORMED, "keysets: threshold" },
        { "recovery of 33 bytes", keyset_recovery_33, ERR_MALFORMED, "keysets: recovery" },
        { "recovery key", keyset_recovery, ERR_UNSUPPORTED, "keysets: recovery" },
        { "alias", keyset_alias, ERR_MALFORMED, "ARN" },
        { "CMK twice", keyset_cmk_twice, ERR_MALFORMED, "keysets: key is repeated" },
        { "keyset twice", keyset_name_twice, ERR_MALFORMED, "keysets: name is repeated" },
        { "network name", network_name_bad, ERR_MALFORMED, "networks: name" },
        { "chain 0", network_id_0, ERR_MALFORMED, "networks: chain_id" },
        { "chain too large", network_id_large, ERR_MALFORMED, "networks: chain_id" },
        { "chain twice", network_id_twice, ERR_MALFORMED, "networks: chain_id is repeated" },
        { "network twice", network_name_twice, ERR_MALFORMED, "networks: name is repeated" },
        { "anchor 3", anchor_3, ERR_MALFORMED, "anchor" },
        { "none with parameters", anchor_none_with_parameters, ERR_MALFORMED, "anchor" },
        { "file without its host", anchor_file_without_host, ERR_MALFORMED, "hosts" },
        { "file without administrators", anchor_file_without_admins, ERR_MALFORMED, "anchor" },
        { "file with parameters", anchor_file_with_parameters, ERR_MALFORMED, "anchor" },
        { "its host without it", anchor_host_alone, ERR_MALFORMED, "hosts" },
        { "a longer host", anchor_host_longer, ERR_MALFORMED, "hosts" },
        { "its host with dynamodb", anchor_host_of_dynamodb, ERR_MALFORMED, "hosts" },
        { "dynamodb", anchor_dynamodb, ERR_UNSUPPORTED, "anchor" },
        { "no host", host_missing, ERR_MALFORMED, "hosts" },
        { "other region's host", host_of_another_region, ERR_MALFORMED, "hosts" },
        { "foreign host", host_foreign, ERR_MALFORMED, "hosts" },
        { "host twice", host_twice, ERR_MALFORMED, "hosts: host is repeated" },
    };
    struct config out;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config config = sample();

        cases[i].change(&config);
        expect_err(cases[i].name, config_read(&out, encode(&config)), cases[i].code, cases[i].what);
    }
}

// Every shorter and every longer input is refused; counts past the arrays never write past them.
static void structure(void **state)
{
    struct config config = sample();
    struct bytes whole = encode(&config);
    struct config out;

    (void)state;
    for (size_t n = 0; n < whole.n; n++)
        assert_int_not_equal(config_read(&out, bytes_take(whole, n)).code, 0);
    expect_err("trailing byte", config_read(&out, bytes_of(buf, whole.n + 1)), ERR_MALFORMED,
               "after its last field");
    expect_err("too large", config_read(&out, bytes_of(buf, CONFIG_BYTES_MAX + 1)), ERR_TOO_LARGE,
               "16384");
    for (size_t i = 0; i < whole.n; i++) {
        uint8_t before = buf[i];
        struct err err;

        buf[i] = 255;
        err = config_read(&out, whole);
        assert_true((unsigned)err.code < ERR_CODES);
        buf[i] = before;
    }
    buf[1] = 2;
    expect_err("version 2", config_read(&out, whole), ERR_UNSUPPORTED, "version");
}

static void measurement(void **state)
{
    struct config config = sample();
    struct bytes canonical = encode(&config);
    uint8_t hash[48];
    char hex[97];

    (void)state;
    config_digest(hash, canonical);
    hex_encode(hex, BYTES_OF(hash));
    assert_string_equal(hex, "da917563e87284e1a0cceb30d3b58a818957bf071bb08d93539dcc18cf16f922"
                             "c2f3a1b7a3922123e79e943252017776");
    config_pcr16(hash, canonical);
    hex_encode(hex, BYTES_OF(hash));
    assert_string_equal(hex, "5d8a707887bc8baa38c78366a79165e4e83f1f0110e2a0a5add44afd239aa740"
                             "8b7bd5fdb24ea6bcb347e91f0143626e");
}

static void finding(void **state)
{
    struct config config = sample();

    (void)state;
    assert_ptr_equal(config_find_keyset(&config, BYTES_LIT("main")), &config.keyset[0]);
    assert_null(config_find_keyset(&config, BYTES_LIT("other")));
    assert_null(config_find_keyset(&config, BYTES_NONE));
    assert_ptr_equal(config_find_chain(&config, 1), &config.network[0]);
    assert_null(config_find_chain(&config, 0));
    assert_int_equal(config_find_host(&config, HOST), 0);
    assert_int_equal(config_find_host(&config, BYTES_LIT("kms.eu-west-2.amazonaws.com")), -1);
    assert_false(config_name_ok(BYTES_NONE));
    assert_true(config_name_ok(BYTES_LIT("a-z_09")));
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(config_mode_name(CONFIG_PARENT_TRUSTED), "parent-trusted");
    assert_string_equal(config_mode_name((enum config_mode)9), "unknown");
    assert_string_equal(config_purpose_name(CONFIG_VALIDATORS), "validators");
    assert_string_equal(config_purpose_name((enum config_purpose)0), "unknown");
    assert_string_equal(config_anchor_name(CONFIG_ANCHOR_NONE), "none");
    assert_string_equal(config_anchor_name((enum config_anchor)9), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(administrators_are_taken),
        cmocka_unit_test(file_anchor_is_taken),
        cmocka_unit_test(refusals),
        cmocka_unit_test(structure),
        cmocka_unit_test(measurement),
        cmocka_unit_test(finding),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
