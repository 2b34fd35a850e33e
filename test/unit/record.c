// SPDX-License-Identifier: Apache-2.0
// proto/record.h: the sealed record's form. What it seals is the vault's to check.
#include "proto/record.h"

#include "base/must.h"
#include "proto/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

static uint8_t buf[RECORD_BYTES_MAX + 1];
static uint8_t public_buf[512];
static const uint8_t policy[] = { 0, 1, 1 };
static const uint8_t nobody[] = { 0, 1, 0 };
static const uint8_t point[48] = { 2, 1 };
static const uint8_t sealed[RECORD_SEALED_BYTES] = { 0xaa };

static struct record sample(void)
{
    struct record record = {
        .deployment = { { 1 } },
        .keyset = { { 2 } },
        .id = { { 3 } },
        .key_type = RECORD_SECP256K1,
        .purpose = RECORD_ACCOUNT,
        .public_key = bytes_of(point, 33),
        .provenance = RECORD_GENERATED,
        .generation = 1,
        .created_ms = 1700000000000,
        .policy = BYTES_OF(policy),
        .authorisers = BYTES_OF(nobody),
        .sealed = BYTES_OF(sealed),
    };

    policy_hash(record.policy_hash, record.policy);
    policy_authoriser_hash(record.authoriser_hash, record.authorisers);
    return record;
}

static struct bytes encode(struct record *record)
{
    struct wr fields = WR_OF(public_buf);
    struct wr wr = WR_OF(buf);

    record_write_public(&fields, record);
    record->public_bytes = wr_done(&fields);
    record_write(&wr, record);
    return wr_done(&wr);
}

static void round_trip(void **state)
{
    struct record in = sample();
    struct record out;

    (void)state;
    expect_ok("record", record_read(&out, encode(&in)));
    assert_true(bytes_equal(out.public_bytes, in.public_bytes));
    assert_true(id_equal(&out.id, &in.id));
    assert_int_equal(out.created_ms, in.created_ms);
    assert_true(bytes_equal(out.public_key, in.public_key));
    assert_true(bytes_equal(out.sealed, in.sealed));
    in.key_type = RECORD_BLS12381;
    in.public_key = BYTES_OF(point);
    expect_ok("BLS", record_read(&out, encode(&in)));
}

struct change {
    const char *name;
    void (*change)(struct record *r);
    enum err_code code;
    const char *what;
};

#define CHANGE(name, ...)              \
    static void name(struct record *r) \
    {                                  \
        __VA_ARGS__;                   \
    }

CHANGE(no_deployment, r->deployment = (struct id) { { 0 } })
CHANGE(no_keyset, r->keyset = (struct id) { { 0 } })
CHANGE(no_account, r->id = (struct id) { { 0 } })
CHANGE(type_0, r->key_type = (enum record_key_type)0)
CHANGE(type_4, r->key_type = (enum record_key_type)4)
CHANGE(purpose_0, r->purpose = (enum record_purpose)0)
CHANGE(purpose_4, r->purpose = (enum record_purpose)4)
CHANGE(key_32, r->public_key = bytes_of(point, 32))
CHANGE(key_48, r->public_key = BYTES_OF(point))
CHANGE(provenance_0, r->provenance = (enum record_provenance)0)
CHANGE(provenance_4, r->provenance = (enum record_provenance)4)
CHANGE(generation_0, r->generation = 0)
CHANGE(other_policy, r->policy = BYTES_OF(nobody))
CHANGE(other_policy_hash, r->policy_hash[31] ^= 1)
CHANGE(no_policy, r->policy = BYTES_NONE)
CHANGE(other_authorisers, r->authorisers = BYTES_OF(policy))
CHANGE(other_authoriser_hash, r->authoriser_hash[0] ^= 1)
CHANGE(sealed_short, r->sealed = bytes_of(sealed, 59))
CHANGE(not_sealed, r->sealed = BYTES_NONE)

static void refusals(void **state)
{
    static const struct change cases[] = {
        { "no deployment", no_deployment, ERR_MALFORMED, "deployment" },
        { "no keyset", no_keyset, ERR_MALFORMED, "keyset" },
        { "no account", no_account, ERR_MALFORMED, "account" },
        { "key type 0", type_0, ERR_UNSUPPORTED, "key type" },
        { "key type 4", type_4, ERR_UNSUPPORTED, "key type" },
        { "purpose 0", purpose_0, ERR_UNSUPPORTED, "purpose" },
        { "purpose 4", purpose_4, ERR_UNSUPPORTED, "purpose" },
        { "key of 32 bytes", key_32, ERR_MALFORMED, "public key" },
        { "key of 48 bytes", key_48, ERR_MALFORMED, "public key" },
        { "provenance 0", provenance_0, ERR_UNSUPPORTED, "provenance" },
        { "provenance 4", provenance_4, ERR_UNSUPPORTED, "provenance" },
        { "generation 0", generation_0, ERR_MALFORMED, "generation" },
        { "swapped policy", other_policy, ERR_CORRUPT, "policy" },
        { "other policy hash", other_policy_hash, ERR_CORRUPT, "policy" },
        { "policy left out", no_policy, ERR_CORRUPT, "policy" },
        { "swapped authorisers", other_authorisers, ERR_CORRUPT, "authorisers" },
        { "other authoriser hash", other_authoriser_hash, ERR_CORRUPT, "authorisers" },
        { "sealed of 59 bytes", sealed_short, ERR_MALFORMED, "sealed" },
        { "nothing sealed", not_sealed, ERR_MALFORMED, "sealed" },
    };
    struct record out;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct record record = sample();

        cases[i].change(&record);
        expect_err(cases[i].name, record_read(&out, encode(&record)), cases[i].code, cases[i].what);
    }
}

static void structure(void **state)
{
    struct record record = sample();
    struct bytes whole = encode(&record);
    struct record out;

    (void)state;
    for (size_t n = 0; n < whole.n; n++)
        assert_int_not_equal(record_read(&out, bytes_take(whole, n)).code, 0);
    expect_err("trailing byte", record_read(&out, bytes_of(buf, whole.n + 1)), ERR_MALFORMED, NULL);
    expect_err("too large", record_read(&out, BYTES_OF(buf)), ERR_TOO_LARGE, NULL);
    buf[1] = 2;
    expect_err("version 2", record_read(&out, whole), ERR_UNSUPPORTED, "version");
}

static void key_info(void **state)
{
    struct record record = sample();
    uint8_t info[128];
    struct wr wr = WR_OF(info);
    struct rd rd;

    (void)state;
    record_write_key_info(&wr, &record);
    rd = rd_of(wr_done(&wr));
    assert_true(bytes_equal(rd_bytes(&rd, 22), bytes_of("cloister-record-key-1", 22)));
    assert_int_equal(rd_u16(&rd), 1);
    assert_int_equal(id_read(&rd).b[0], 2);
    assert_int_equal(id_read(&rd).b[0], 3);
    assert_int_equal(rd_u8(&rd), RECORD_ACCOUNT);
    assert_int_equal(rd_u8(&rd), RECORD_SECP256K1);
    assert_int_equal(rd_end(&rd).code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(refusals),
        cmocka_unit_test(structure),
        cmocka_unit_test(key_info),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
