// SPDX-License-Identifier: Apache-2.0
// emu/fault.h: orders that are refused, how they are counted, and what each does to an answer.
#include "emu/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "emu_request.h"

static void order(const char *spec)
{
    expect_ok("clear", fault_clear(scene_dir));
    expect_ok(spec, fault_add(scene_dir, bytes_str(spec)));
}

static struct fault take(const char *operation)
{
    struct fault fault;

    expect_ok(operation, fault_take(&fault, scene_dir, operation));
    return fault;
}

static void refuses_orders(void **state)
{
    static const char *const bad[] = {
        "",
        "slow",
        "throttle,count=0",
        "throttle,count=1000001",
        "throttle,percent=101",
        "throttle,percent=0",
        "throttle,count=x",
        "throttle,count",
        "throttle,speed=1",
        "throttle,operation=",
        "throttle,operation=a b",
        "throttle,operation=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "internal,status=501",
        "internal,status=404",
        "latency",
        "latency,ms=60001",
        "cut",
        "cut,bytes=0",
        "corrupt-cms,at=6144",
    };

    (void)state;
    expect_ok("clear", fault_clear(scene_dir));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        expect_err(bad[i], fault_add(scene_dir, bytes_str(bad[i])), ERR_MALFORMED, "fault");
    for (size_t i = 0; i < FAULT_LINES_MAX; i++)
        expect_ok("add", fault_add(scene_dir, BYTES_LIT("throttle,operation=X")));
    expect_err("33", fault_add(scene_dir, BYTES_LIT("throttle")), ERR_FULL, "32");
    expect_ok("clear", fault_clear(scene_dir));
    expect_ok("clear again", fault_clear(scene_dir));
}

static void counts(void **state)
{
    unsigned met = 0;

    (void)state;
    order("throttle,count=2,operation=Decrypt");
    assert_false(take("Encrypt").throttle);
    assert_true(take("Decrypt").throttle);
    assert_true(take("Decrypt").throttle);
    assert_false(take("Decrypt").throttle);
    order("throttle,percent=50");
    for (unsigned i = 0; i < 400; i++)
        met += take("Decrypt").throttle;
    // Outside with a probability below 10^-15.
    assert_in_range(met, 120, 280);
    order("latency,ms=7");
    expect_ok("second", fault_add(scene_dir, BYTES_LIT("cut,bytes=9,count=1")));
    assert_int_equal(take("x").cut, 9);
    assert_int_equal(take("x").cut, 0);
    assert_int_equal(take("x").latency_ms, 7);
    order("corrupt-cms");
    assert_true(take("x").corrupt_at == SIZE_MAX);
}

// A file that nobody can read is an error, so that a test does not pass for want of its fault.
static void bad_file(void **state)
{
    static const struct scene_case any = { .name = "bad file" };
    char path[DISK_PATH_MAX];
    struct fault fault;
    unsigned status;

    (void)state;
    expect_ok("path", disk_path(path, sizeof(path), scene_dir, "faults"));
    expect_ok("write", disk_write(path, BYTES_LIT("nonsense\n"), 0600));
    expect_err("take", fault_take(&fault, scene_dir, "x"), ERR_MALFORMED, "fault");
    (void)call(&any, &status);
    assert_int_equal(status, 500);
    expect_ok("clear", fault_clear(scene_dir));
    (void)call(&any, &status);
    assert_int_equal(status, 200);
}

static void expect_error(const char *spec, unsigned expected, const char *type)
{
    static const struct scene_case any = { .name = "fault" };
    unsigned status;
    struct bytes got;

    order(spec);
    got = json_string(json_get(call(&any, &status), "__type"));
    if (status != expected || !bytes_equal_str(got, type))
        fail_msg("%s: %u %.*s", spec, status, (int)got.n, (const char *)got.p);
}

static void service_faults(void **state)
{
    static const struct scene_case any = { .name = "fault" };
    int64_t before;
    unsigned status;

    (void)state;
    expect_error("throttle", 400, "ThrottlingException");
    expect_error("internal", 500, "KMSInternalException");
    expect_error("internal,status=503,count=1", 503, "KMSInternalException");
    (void)call(&any, &status);
    assert_int_equal(status, 200);
    order("latency,ms=120");
    before = deadline_now_ms();
    (void)call(&any, &status);
    assert_int_equal(status, 200);
    assert_true(deadline_now_ms() - before >= 120);
    order("cut,bytes=17");
    (void)call(&any, &status);
    assert_int_equal(response_cut, 17);
}

static void open_with(struct err *e, uint8_t out[static 32], const struct json *root)
{
    uint8_t ber[CMS_BYTES_MAX];
    size_t ber_n = 0;

    expect_ok("base64", base64_decode(ber, sizeof(ber), &ber_n,
                                      json_string(json_get(root, "CiphertextForRecipient"))));
    *e = cms_open(out, 32, recipient, bytes_of(ber, ber_n));
}

static void answer_faults(void **state)
{
    static const struct scene_case any = { .name = "fault" };
    const struct json *root;
    unsigned status;
    uint8_t out[32];
    struct err e;

    (void)state;
    order("wrong-key-id");
    root = call(&any, &status);
    assert_int_equal(json_string(json_get(root, "KeyId")).n, strlen(cmk.arn));
    assert_false(bytes_equal_str(json_string(json_get(root, "KeyId")), cmk.arn));
    order("plaintext");
    root = call(&any, &status);
    assert_non_null(json_get(root, "Plaintext"));
    open_with(&e, out, root);
    expect_ok("opens", e);
    order("corrupt-cms");
    open_with(&e, out, call(&any, &status));
    expect_err("corrupt", e, ERR_CORRUPT, NULL);
    order("corrupt-cms,at=0");
    open_with(&e, out, call(&any, &status));
    assert_true(e.code != ERR_NONE);
    order("wrong-recipient");
    open_with(&e, out, call(&any, &status));
    expect_err("wrong recipient", e, ERR_CORRUPT, NULL);
    order("other-data-key");
    open_with(&e, out, call(&any, &status));
    expect_ok("opens", e);
    assert_memory_not_equal(out, DATA_KEY, 32);
    expect_ok("clear", fault_clear(scene_dir));
    open_with(&e, out, call(&any, &status));
    assert_memory_equal(out, DATA_KEY, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_orders), cmocka_unit_test(counts),
        cmocka_unit_test(bad_file),       cmocka_unit_test(service_faults),
        cmocka_unit_test(answer_faults),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
