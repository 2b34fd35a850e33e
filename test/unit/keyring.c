// SPDX-License-Identifier: Apache-2.0
// vault/keyring.h, vault/pending.h and vault/clock.h: a key that is in stays as it is, what waited
// too long is wiped, and time only moves forward.
#include "vault/keyring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/must.h"
#include "expect.h"
#include "vault/clock.h"
#include "vault/pending.h"

#include <string.h>

static struct keyring ring;
static const struct config_keyset configured = { .name = { (const uint8_t *)"main", 4 },
                                                 .purpose = CONFIG_ACCOUNTS };

static int fresh(void **state)
{
    (void)state;
    memset(&ring, 0, sizeof(ring));
    return 0;
}

static struct err put(uint8_t id, uint8_t key)
{
    struct id full = { { id } };
    struct seckey secret = { { key } };

    return keyring_put(&ring, &full, &configured, &secret);
}

static const struct keyring_entry *find(uint8_t id)
{
    struct id full = { { id } };

    return keyring_find(&ring, &full);
}

static void empty(void **state)
{
    (void)state;
    assert_null(find(0)); // unused places have this id
    assert_null(find(1));
    assert_int_equal(keyring_count(&ring), 0);
}

static void puts_and_finds(void **state)
{
    const struct keyring_entry *entry;

    (void)state;
    expect_ok("first", put(1, 11));
    expect_ok("second", put(2, 22));
    assert_int_equal(keyring_count(&ring), 2);
    entry = find(2);
    assert_non_null(entry);
    assert_int_equal(entry->key.b[0], 22);
    assert_int_equal(entry->purpose, CONFIG_ACCOUNTS);
    assert_true(bytes_equal_str(bytes_of(entry->name, entry->name_len), "main"));
    assert_null(find(3));
}

// Who could replace a key could have accounts created under one of his own.
static void same_id_replaces_nothing(void **state)
{
    (void)state;
    expect_ok("first", put(1, 11));
    expect_ok("again", put(1, 99));
    assert_int_equal(keyring_count(&ring), 1);
    assert_int_equal(find(1)->key.b[0], 11);
}

static void full(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < CONFIG_KEYSETS; i++)
        expect_ok("place", put((uint8_t)(i + 1), i));
    expect_err("one more", put(CONFIG_KEYSETS + 1, 1), ERR_FULL, "keyset");
    expect_ok("known one", put(CONFIG_KEYSETS, 77));
    assert_null(find(CONFIG_KEYSETS + 1));
    assert_int_equal(keyring_count(&ring), CONFIG_KEYSETS);
    for (uint8_t i = 0; i < CONFIG_KEYSETS; i++)
        assert_int_equal(find((uint8_t)(i + 1))->key.b[0], i);
}

static struct state whole;
static struct state_secrets secrets;

static int fresh_pending(void **state)
{
    (void)state;
    memset(&whole, 0, sizeof(whole));
    memset(&secrets, 0, sizeof(secrets));
    whole.secret = &secrets;
    return 0;
}

// An operation that KMS was asked about, with a secret of its own.
static struct state_pending *asked(void)
{
    struct state_pending *pending = pending_take(&whole, &configured);

    pending->until = deadline_in(1000);
    pending_keys(&whole, pending)[CONFIG_CMKS - 1].b[31] = 1;
    return pending;
}

static void pending_of_its_number(void **state)
{
    struct state_pending *first = asked(), *second = asked();

    (void)state;
    assert_ptr_equal(pending_find(&whole, first->operation), first);
    assert_ptr_equal(pending_find(&whole, second->operation), second);
    assert_null(pending_find(&whole, 0));
    assert_null(pending_find(&whole, second->operation + 1));
}

static void pending_never_asked(void **state)
{
    struct state_pending *pending = pending_take(&whole, &configured);

    (void)state;
    assert_null(pending_find(&whole, pending->operation));
}

static void pending_oldest_gives_way(void **state)
{
    struct state_pending *first = asked();
    uint64_t operation = first->operation;

    (void)state;
    for (unsigned i = 1; i < VAULT_PENDING; i++)
        (void)asked();
    assert_ptr_equal(pending_find(&whole, operation), first);
    assert_ptr_equal(pending_take(&whole, &configured), first);
    assert_null(pending_find(&whole, operation));
    assert_true(ct_is_zero(BYTES_OF(secrets.pending_key[first - whole.pending])));
}

// Whoever asks next, about whatever: what has waited too long is gone.
static void pending_too_late(void **state)
{
    struct state_pending *late = asked(), *other = asked();
    uint64_t operation = late->operation;

    (void)state;
    late->until = deadline_in(-1);
    assert_ptr_equal(pending_find(&whole, other->operation), other);
    assert_true(ct_is_zero(BYTES_OF(secrets.pending_key[late - whole.pending])));
    assert_false(ct_is_zero(BYTES_OF(secrets.pending_key[other - whole.pending])));
    assert_null(pending_find(&whole, operation));
    pending_drop_all(&whole);
    assert_true(ct_is_zero(BYTES_OF(secrets.pending_key)));
}

static void no_time_before_a_document(void **state)
{
    struct clock clock = { 0 };

    (void)state;
    assert_int_equal(clock_now_ms(&clock), 0);
    clock_feed(&clock, 0);
    assert_int_equal(clock_now_ms(&clock), 0);
}

static void forward_only(void **state)
{
    static const struct {
        const char *name;
        uint64_t feed;
        bool taken;
    } cases[] = {
        { "first", 1800000000000, true },
        { "the same again", 1800000000000, false },
        { "zero", 0, false },
        { "a second earlier", 1799999999000, false },
        { "years earlier", 1500000000000, false },
        { "an hour later", 1800003600000, true },
        { "the first again", 1800000000000, false },
        { "years later", 1900000000000, true },
    };
    struct clock clock = { 0 };
    uint64_t least = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        clock_feed(&clock, cases[i].feed);
        if ((clock.wall_ms == cases[i].feed) != cases[i].taken && cases[i].feed != least)
            fail_msg("%s", cases[i].name);
        if (cases[i].taken)
            least = cases[i].feed;
        if (clock_now_ms(&clock) < least || clock_now_ms(&clock) > least + 60000)
            fail_msg("%s: now is %llu", cases[i].name, (unsigned long long)clock_now_ms(&clock));
    }
}

// Between documents the kernel's clock counts on, also over what has passed already.
static void counts_on(void **state)
{
    struct clock clock = { .wall_ms = 1800000000000, .boot_ms = deadline_now_ms() - 5000 };
    uint64_t now = clock_now_ms(&clock);

    (void)state;
    assert_true(now >= 1800000005000 && now < 1800000065000);
    clock_feed(&clock, 1800000001000); // later than the last document, earlier than now
    assert_int_equal(clock.wall_ms, 1800000000000);
    assert_true(clock_now_ms(&clock) >= now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(empty, fresh),
        cmocka_unit_test_setup(puts_and_finds, fresh),
        cmocka_unit_test_setup(same_id_replaces_nothing, fresh),
        cmocka_unit_test_setup(full, fresh),
        cmocka_unit_test_setup(pending_of_its_number, fresh_pending),
        cmocka_unit_test_setup(pending_never_asked, fresh_pending),
        cmocka_unit_test_setup(pending_oldest_gives_way, fresh_pending),
        cmocka_unit_test_setup(pending_too_late, fresh_pending),
        cmocka_unit_test(no_time_before_a_document),
        cmocka_unit_test(forward_only),
        cmocka_unit_test(counts_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
