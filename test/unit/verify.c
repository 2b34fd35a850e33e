// SPDX-License-Identifier: Apache-2.0
// cli/verify.h: what a hostile parent can put into an account, and that none of it becomes an
// address. The root is the one that this build's development anchors hold.
#include "cli/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "crypto/ecdsa.h"
#include "documents.h"
#include "proto/policy.h"

#define HOST BYTES_LIT("kms.eu-west-1.amazonaws.com")

static struct trust trust;
static struct nsmdev *dev;
static uint8_t json_text[65536];
static struct json nodes[64];
static uint8_t public_key[33];

// An account's parts, before a test changes one.
struct scene {
    struct record record;
    struct documents_fields fields;
    struct nsmdev *dev;
    bool swap_record; // another record beside the receipt
    const char *account, *keyset;
};

static int set_up(void **state)
{
    static const uint8_t seed[32] = { 1 };
    struct config config = { .deployment = { { 1 } },
                             .mode = CONFIG_PARENT_TRUSTED,
                             .slashing = CONFIG_PARENT_TRUSTED,
                             .keysets = 1,
                             .keyset = { { BYTES_LIT("main"),
                                           CONFIG_ACCOUNTS,
                                           1,
                                           1,
                                           { BYTES_LIT("arn:aws:kms:eu-west-1:111122223333:key/"
                                                       "1234abcd-12ab-34cd-56ef-1234567890ab") },
                                           BYTES_NONE } },
                             .hosts = 1,
                             .host = { HOST } };
    struct seckey key = { { 7 } };
    struct wr wr = WR_OF(trust.config_bytes);
    uint8_t digest[48];

    (void)state;
    ecdsa_init(seed);
    expect_ok("key", ecdsa_public(public_key, &key));
    config_write(&wr, &config);
    expect_ok("configuration", config_read(&trust.config, wr_done(&wr)));
    config_pcr16(trust.pcr16, wr_done(&wr));
    config_digest(digest, wr_done(&wr));
    trust.has_config = true;
    trust.pcr0_len = 1;
    memset(trust.pcr0[0], 0xa0, 48);
    dev = documents_module(PKI_DIR, 0xa0, BYTES_OF(digest));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    nsmdev_free(&dev);
    return 0;
}

static struct scene sample(void)
{
    static const uint8_t policy[] = { 0, 1, 1 };
    static const uint8_t nobody[] = { 0, 1, 0 };
    static const uint8_t sealed[RECORD_SEALED_BYTES] = { 1 };
    struct scene scene = { .record = { .deployment = { { 1 } },
                                       .keyset = { { 2 } },
                                       .id = { { 3 } },
                                       .key_type = RECORD_SECP256K1,
                                       .purpose = RECORD_ACCOUNT,
                                       .public_key = BYTES_OF(public_key),
                                       .provenance = RECORD_GENERATED,
                                       .generation = 1,
                                       .policy = BYTES_OF(policy),
                                       .authorisers = BYTES_OF(nobody),
                                       .sealed = BYTES_OF(sealed) },
                           .fields = { .nonce = BYTES_LIT("nonce") },
                           .dev = dev,
                           .account = "03000000000000000000000000000000",
                           .keyset = "02000000000000000000000000000000" };

    policy_hash(scene.record.policy_hash, scene.record.policy);
    policy_authoriser_hash(scene.record.authoriser_hash, scene.record.authorisers);
    return scene;
}

// The account as JSON; the receipt is made for the record as it was before swap_record.
static const struct json *account_of(struct scene *scene)
{
    static uint8_t public_buf[512], record_buf[4096], data_buf[512];
    static uint8_t doc_buf[NSMDEV_RESPONSE_MAX];
    struct wr fields = WR_OF(public_buf);
    struct wr data = WR_OF(data_buf);
    struct wr record = WR_OF(record_buf);
    struct wr wr = WR_OF(json_text);
    struct jw jw = jw_of(&wr);
    const struct json *root = NULL;

    record_write_public(&fields, &scene->record);
    scene->record.public_bytes = wr_done(&fields);
    receipt_write_record(&data, wr_done(&fields));
    if (!scene->fields.user_data.p)
        scene->fields.user_data = wr_done(&data);
    public_buf[2 + 16 * 3 + 2 + 1] ^= scene->swap_record; // 02 and 03: both are points' signs
    record_write(&record, &scene->record);
    jw_object(&jw);
    jw_key(&jw, "account");
    jw_cstring(&jw, scene->account);
    jw_key(&jw, "keyset");
    jw_cstring(&jw, scene->keyset);
    jw_key(&jw, "address");
    jw_cstring(&jw, "0x000000000000000000000000000000000000dEaD");
    jw_key(&jw, "record_b64");
    jw_base64(&jw, wr_done(&record));
    if (scene->dev) {
        jw_key(&jw, "receipt_b64");
        jw_base64(&jw, documents_make(scene->dev, doc_buf, &scene->fields));
    }
    jw_object_end(&jw);
    expect_ok("JSON", json_parse(&root, nodes, 64, json_text, wr.len));
    return root;
}

static void verified(void **state)
{
    struct scene scene = sample();
    uint8_t address[20];
    char text[ADDRESS_TEXT];
    struct verify out;
    struct id id = { { 3 } };

    (void)state;
    verify_account(&out, &trust, account_of(&scene), &id, BYTES_LIT("nonce"));
    expect_ok("account", out.reason);
    assert_true(out.is_verified);
    expect_ok("address", ecdsa_address(address, public_key));
    address_text(text, address);
    assert_string_equal(out.address, text);
    assert_memory_equal(out.raw_address, address, 20);
    assert_string_equal(out.policy, "unrestricted");
    trust.keyset[0] = (struct id) { { 2 } };
    trust.keyset_len = 1;
    verify_account(&out, &trust, account_of(&scene), &id, BYTES_LIT("nonce"));
    expect_ok("keyset of the trust file", out.reason);
    trust.keyset_len = 0;
}

static void expect_unverified(const char *name, const struct json *account, const char *what)
{
    static const uint8_t zero[20];
    struct id id = { { 3 } };
    struct verify out;

    verify_account(&out, &trust, account, &id, BYTES_LIT("nonce"));
    if (out.is_verified)
        fail_msg("%s was verified", name);
    if (what && !strstr(err_text(out.reason), what))
        fail_msg("%s: %s", name, err_text(out.reason));
    assert_string_equal(out.address, "UNVERIFIED");
    assert_memory_equal(out.raw_address, zero, 20);
}

struct change {
    const char *name;
    void (*change)(struct scene *s);
    const char *what;
};

#define CHANGE(name, ...)             \
    static void name(struct scene *s) \
    {                                 \
        __VA_ARGS__;                  \
    }

CHANGE(no_receipt, s->dev = NULL)
CHANGE(other_record, s->swap_record = true)
CHANGE(other_nonce, s->fields.nonce = BYTES_LIT("older"))
CHANGE(no_nonce, s->fields.nonce = BYTES_NONE)
CHANGE(other_data, s->fields.user_data = BYTES_LIT("cloister-receipt-1\0made up"))
CHANGE(with_key, s->fields.public_key = BYTES_LIT("key"))
CHANGE(other_deployment, s->record.deployment.b[0] = 9)
CHANGE(other_account, s->record.id.b[0] = 9)
CHANGE(claims_other_account, {
    s->record.id.b[0] = 9;
    s->account = "09000000000000000000000000000000";
})
CHANGE(other_keyset, s->record.keyset.b[0] = 9)
CHANGE(no_keyset, s->keyset = "")
CHANGE(other_key_type, s->record.key_type = RECORD_P256)
CHANGE(other_purpose, s->record.purpose = RECORD_TLS)
CHANGE(no_point, {
    static const uint8_t none[33] = { 5 };

    s->record.public_key = BYTES_OF(none);
})
CHANGE(other_policy, s->record.policy_hash[0] ^= 1)

static void refusals(void **state)
{
    static const struct change cases[] = {
        { "no receipt", no_receipt, "no receipt" },
        { "another record", other_record, "another record" },
        { "another nonce", other_nonce, "nonce" },
        { "no nonce", no_nonce, "nonce" },
        { "made-up user data", other_data, "another record" },
        { "a public key", with_key, "public_key" },
        { "another deployment", other_deployment, "another deployment" },
        { "another account", other_account, "another account" },
        { "an account that was not asked for", claims_other_account, "another account" },
        { "another keyset", other_keyset, "another keyset" },
        { "no keyset", no_keyset, "id" },
        { "a P-256 key", other_key_type, "Ethereum" },
        { "a TLS key", other_purpose, "Ethereum" },
        { "no point of the curve", no_point, NULL },
        { "another policy", other_policy, "policy" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene scene = sample();

        cases[i].change(&scene);
        expect_unverified(cases[i].name, account_of(&scene), cases[i].what);
    }
}

// Other code, another configuration, and a trust file that pins nothing.
static void pins(void **state)
{
    struct scene scene = sample();

    (void)state;
    trust.pcr0[0][0] ^= 1;
    expect_unverified("other code", account_of(&scene), "PCR0");
    trust.pcr0[0][0] ^= 1;
    trust.pcr16[0] ^= 1;
    expect_unverified("other configuration", account_of(&scene), "PCR16");
    trust.pcr16[0] ^= 1;
    trust.pcr0_len = 0;
    expect_unverified("no PCR0", account_of(&scene), "pcr0");
    trust.pcr0_len = 1;
    trust.keyset_len = 2;
    trust.keyset[0] = (struct id) { { 8 } };
    trust.keyset[1] = (struct id) { { 9 } };
    expect_unverified("other keyset", account_of(&scene), "trust file");
    trust.keyset_len = 0;
    trust.has_config = false;
    expect_unverified("no configuration", account_of(&scene), "configuration");
    trust.has_config = true;
}

static void garbage(void **state)
{
    static const char *const texts[] = {
        "{}",
        "{\"record_b64\":1,\"receipt_b64\":2}",
        "{\"record_b64\":\"!\",\"receipt_b64\":\"!\"}",
        "{\"record_b64\":\"AAAA\",\"receipt_b64\":\"AAAA\"}",
        "[]",
        "null",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct json *root = NULL;

        memcpy(json_text, texts[i], strlen(texts[i]));
        expect_ok("JSON", json_parse(&root, nodes, 64, json_text, strlen(texts[i])));
        expect_unverified(texts[i], root, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verified),
        cmocka_unit_test(refusals),
        cmocka_unit_test(pins),
        cmocka_unit_test(garbage),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
