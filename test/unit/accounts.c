// SPDX-License-Identifier: Apache-2.0
// vault/accounts.h: the account not used for longest goes first, its key is wiped, and bucket
// chains stay whole whatever is evicted.
#include "vault/accounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"

#include <string.h>

static struct accounts accounts;

static int fresh(void **state)
{
    (void)state;
    memset(&accounts, 0, sizeof(accounts));
    accounts_init(&accounts);
    return 0;
}

// Ids that fall into different buckets as far as there are, told apart by `n`.
static struct id id_of(uint32_t n)
{
    struct id id = { { 0 } };

    memcpy(id.b, &n, sizeof(n));
    id.b[8] = 1;
    return id;
}

// Ids that all fall into one bucket.
static struct id id_in_bucket(uint32_t bucket, uint8_t n)
{
    struct id id = id_of(bucket + n * ACCOUNTS_BUCKETS);

    id.b[15] = n;
    return id;
}

static struct accounts_slot *place(struct id id)
{
    struct accounts_slot *slot = accounts_place(&accounts, &id);

    memset(slot->key.b, 0xee, sizeof(slot->key.b));
    slot->policy = POLICY_UNRESTRICTED;
    memset(slot->address, 0xad, sizeof(slot->address));
    return slot;
}

static struct accounts_slot *find(struct id id)
{
    return accounts_find(&accounts, &id);
}

// Order of use and buckets, looked at from every side.
static void check_whole(void)
{
    uint32_t seen = 0, chained = 0, newer = ACCOUNTS_NONE;

    for (uint32_t at = accounts.newest; at != ACCOUNTS_NONE; at = accounts.slot[at].older) {
        assert_true(at < accounts.used && seen++ < accounts.used);
        assert_int_equal(accounts.slot[at].newer, newer);
        newer = at;
    }
    assert_int_equal(accounts.oldest, newer);
    assert_int_equal(seen, accounts.used);
    for (size_t i = 0; i < ACCOUNTS_BUCKETS; i++)
        for (uint32_t at = accounts.bucket[i]; at != ACCOUNTS_NONE; at = accounts.slot[at].chain)
            assert_true(at < accounts.used && chained++ < accounts.used);
    assert_int_equal(chained, accounts.used);
}

static void empty(void **state)
{
    struct id zero = { { 0 } };

    (void)state;
    assert_null(find(id_of(1)));
    assert_null(find(zero)); // the unused slots have this id
    assert_int_equal(accounts.used, 0);
    check_whole();
}

static void places_and_finds(void **state)
{
    struct accounts_slot *one = place(id_of(1)), *two = place(id_of(2));

    (void)state;
    assert_ptr_not_equal(one, two);
    assert_ptr_equal(find(id_of(1)), one);
    assert_ptr_equal(find(id_of(2)), two);
    assert_null(find(id_of(3)));
    assert_int_equal(accounts.used, 2);
    check_whole();
}

// Ids that differ in one byte only, wherever it stands.
static void tells_ids_apart(void **state)
{
    struct accounts_slot *slot = place(id_of(1));

    (void)state;
    for (size_t i = 0; i < sizeof(slot->id.b); i++) {
        struct id near = id_of(1);

        near.b[i] ^= 0x80;
        assert_null(find(near));
    }
    assert_ptr_equal(find(id_of(1)), slot);
}

// The same account again: the same slot, and nothing of what was in it.
static void replaces(void **state)
{
    struct accounts_slot *slot = place(id_of(1));
    struct id id = id_of(1);

    (void)state;
    (void)place(id_of(2));
    assert_ptr_equal(accounts_place(&accounts, &id), slot);
    assert_int_equal(accounts.used, 2);
    assert_true(id_equal(&slot->id, &id));
    assert_true(ct_is_zero(BYTES_OF(slot->key.b)));
    assert_true(ct_is_zero(BYTES_OF(slot->address)));
    assert_true(ct_is_zero(BYTES_OF(slot->record_hash)));
    assert_int_equal(slot->policy, POLICY_NOTHING);
    assert_ptr_equal(&accounts.slot[accounts.newest], slot);
    check_whole();
}

static void fill(void)
{
    for (uint32_t i = 0; i < VAULT_ACCOUNTS; i++)
        (void)place(id_of(i));
    assert_int_equal(accounts.used, VAULT_ACCOUNTS);
    check_whole();
}

static void evicts_the_oldest(void **state)
{
    struct accounts_slot *first, *slot;
    struct id id = id_of(VAULT_ACCOUNTS);

    (void)state;
    fill();
    first = &accounts.slot[accounts.oldest];
    assert_true(id_equal(&first->id, &(struct id) { { 0, 0, 0, 0, 0, 0, 0, 0, 1 } }));
    slot = accounts_place(&accounts, &id);
    assert_ptr_equal(slot, first);
    assert_true(ct_is_zero(BYTES_OF(slot->key.b)));
    assert_null(find(id_of(0)));
    assert_non_null(find(id_of(1)));
    assert_non_null(find(id));
    assert_int_equal(accounts.used, VAULT_ACCOUNTS);
    check_whole();
}

static void use_keeps_an_account(void **state)
{
    (void)state;
    fill();
    assert_non_null(find(id_of(0)));
    (void)place(id_of(2)); // opened anew: used, too
    for (uint32_t i = 0; i < VAULT_ACCOUNTS - 2; i++)
        (void)place(id_of(VAULT_ACCOUNTS + i));
    assert_non_null(find(id_of(0)));
    assert_non_null(find(id_of(2)));
    assert_null(find(id_of(1)));
    assert_null(find(id_of(3)));
    assert_null(find(id_of(VAULT_ACCOUNTS - 1)));
    assert_non_null(find(id_of(VAULT_ACCOUNTS)));
    check_whole();
}

// Three rounds of new accounts: each leaves in the order in which it came.
static void evicts_in_order(void **state)
{
    (void)state;
    fill();
    for (uint32_t i = 0; i < 3 * VAULT_ACCOUNTS; i++) {
        struct id oldest = accounts.slot[accounts.oldest].id, expected = id_of(i);

        assert_true(id_equal(&oldest, &expected));
        (void)place(id_of(VAULT_ACCOUNTS + i));
    }
    check_whole();
}

// A look, not a use: the order stays.
static bool is_open(const struct id *id, uint32_t bucket)
{
    uint32_t at = accounts.bucket[bucket];

    while (at != ACCOUNTS_NONE && !id_equal(&accounts.slot[at].id, id))
        at = accounts.slot[at].chain;
    return at != ACCOUNTS_NONE;
}

// Four accounts of one bucket among others, used in this order, then evicted in this order.
static void chain_in_order(const uint8_t order[static 4])
{
    enum { BUCKET = 99, OTHERS = VAULT_ACCOUNTS - 4 };

    for (uint8_t n = 0; n < 4; n++)
        (void)place(id_in_bucket(BUCKET, n));
    for (uint32_t n = 0; n < OTHERS; n++)
        (void)place(id_of(100 + n));
    for (size_t n = 0; n < 4; n++)
        assert_non_null(find(id_in_bucket(BUCKET, order[n])));
    for (uint32_t n = 0; n < OTHERS; n++)
        (void)place(id_of(100 + VAULT_ACCOUNTS + n));
    for (uint32_t evicted = 0; evicted < 4; evicted++) {
        (void)place(id_of(50000 + evicted));
        for (uint32_t n = 0; n < 4; n++) {
            struct id id = id_in_bucket(BUCKET, order[n]);

            assert_int_equal(is_open(&id, BUCKET), n > evicted);
        }
    }
    check_whole();
}

// First, middle and last of a chain are each taken out once.
static void chains(void **state)
{
    static const uint8_t orders[][4] = {
        { 0, 1, 2, 3 },
        { 3, 2, 1, 0 },
        { 1, 3, 0, 2 },
        { 2, 0, 3, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        (void)fresh(state);
        chain_in_order(orders[i]);
    }
}

// All accounts in one bucket: slow, and still right.
static void one_bucket(void **state)
{
    (void)state;
    for (uint32_t n = 0; n <= VAULT_ACCOUNTS; n++)
        (void)place(id_of(3 + n * ACCOUNTS_BUCKETS));
    assert_null(find(id_of(3)));
    assert_non_null(find(id_of(3 + ACCOUNTS_BUCKETS)));
    assert_non_null(find(id_of(3 + VAULT_ACCOUNTS * ACCOUNTS_BUCKETS)));
    check_whole();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(empty, fresh),
        cmocka_unit_test_setup(places_and_finds, fresh),
        cmocka_unit_test_setup(tells_ids_apart, fresh),
        cmocka_unit_test_setup(replaces, fresh),
        cmocka_unit_test_setup(evicts_the_oldest, fresh),
        cmocka_unit_test_setup(use_keeps_an_account, fresh),
        cmocka_unit_test_setup(evicts_in_order, fresh),
        cmocka_unit_test_setup(chains, fresh),
        cmocka_unit_test_setup(one_bucket, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
