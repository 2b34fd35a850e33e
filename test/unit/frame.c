// SPDX-License-Identifier: Apache-2.0
// proto/frame.h: lengths, partial frames, limits.
#include "proto/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

static uint8_t room[FRAME_HEAD_BYTES + FRAME_BYTES_MAX + 1];

static void round_trip(void **state)
{
    struct wr wr = WR_OF(room);
    struct bytes body;
    size_t whole;
    size_t at;

    (void)state;
    wr_str(&wr, "before");
    at = frame_begin(&wr);
    wr_str(&wr, "{}");
    frame_end(&wr, at);
    assert_int_equal(wr.len, 6 + 4 + 2);
    for (size_t n = 0; n < 6; n++) {
        expect_ok("partial", frame_next(bytes_of(room + 6, n), &whole, &body));
        assert_int_equal(whole, 0);
    }
    expect_ok("whole", frame_next(bytes_of(room + 6, 100), &whole, &body));
    assert_int_equal(whole, 6);
    assert_true(bytes_equal_str(body, "{}"));
}

static void refusals(void **state)
{
    static const struct {
        const char *name;
        uint8_t head[4];
        enum err_code code;
    } cases[] = {
        { "nothing", { 0, 0, 0, 0 }, ERR_MALFORMED },
        { "1 MiB and a byte", { 0, 0x10, 0, 1 }, ERR_TOO_LARGE },
        { "4 GiB", { 255, 255, 255, 255 }, ERR_TOO_LARGE },
        { "1 MiB", { 0, 0x10, 0, 0 }, ERR_NONE },
    };
    struct bytes body;
    size_t whole;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_err(cases[i].name, frame_next(BYTES_OF(cases[i].head), &whole, &body), cases[i].code,
                   NULL);
}

static void writer_refusals(void **state)
{
    struct wr wr = WR_OF(room);
    struct wr tight = wr_of(room, 3);
    size_t at = frame_begin(&wr);

    (void)state;
    frame_end(&wr, at);
    assert_true(wr.bad);
    wr = WR_OF(room);
    at = frame_begin(&wr);
    (void)wr_room(&wr, FRAME_BYTES_MAX + 1);
    frame_end(&wr, at);
    assert_true(wr.bad);
    at = frame_begin(&tight);
    frame_end(&tight, at);
    assert_true(tight.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(refusals),
        cmocka_unit_test(writer_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
