// SPDX-License-Identifier: Apache-2.0
// proto/audit.h and proto/tag.h. The expected hashes were computed with Python's hashlib from the
// definition in PROTOCOL.md section 7.
#include "proto/audit.h"

#include "base/hex.h"
#include "proto/tag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

static void expect_hex(const uint8_t hash[32], const char *text)
{
    char hex[65];

    hex_encode(hex, bytes_of(hash, 32));
    assert_string_equal(hex, text);
}

static void tagged_hashes(void **state)
{
    const struct bytes fields[] = { BYTES_LIT("abc"), BYTES_NONE };
    const struct bytes moved[] = { BYTES_LIT("ab"), BYTES_LIT("c") };
    uint8_t hash[32];
    uint8_t other[32];

    (void)state;
    tag_hash(hash, TAG_POLICY, NULL, 0);
    expect_hex(hash, "7e95634010b8794bd024046cc96762dc0018dffa7f77a83cb589c82c61dbee6b");
    tag_hash(hash, TAG_POLICY, fields, 2);
    expect_hex(hash, "0d55fa34dbda4b71577790f800427b869f92f49bcb94e8f5fa9804bec33242d7");
    tag_hash(other, TAG_POLICY, moved, 2);
    assert_memory_not_equal(hash, other, 32);
    tag_hash(other, TAG_AUTHORISERS, fields, 2);
    assert_memory_not_equal(hash, other, 32);
}

static void chain(void **state)
{
    struct audit_entry entry = {
        .sequence = 1,
        .boot = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } },
        .method = 9,
        .account = { { 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x2b, 0x2c,
                       0x2d, 0x2e, 0x2f } },
    };
    uint8_t head[32] = { 0 };

    (void)state;
    audit_payload_hash(entry.payload_hash, BYTES_LIT("body"));
    expect_hex(entry.payload_hash,
               "576d7f360526b734515fde13f81d2c7ec1975014e8c8c94b8a88e4801d9b6abd");
    audit_extend(head, &entry);
    expect_hex(head, "835f66299cdfd477d78ffc03c47e8a5246a9eb5ca0cdd4275b312c2d300233ef");
    entry.sequence = 2;
    entry.method = 7;
    entry.verdict = 4;
    entry.account = (struct id) { { 0 } };
    audit_extend(head, &entry);
    expect_hex(head, "ce3e46e61855eb56d53132afdd53815cb468c9ac45a22a805911f6f28b1c00ea");
}

// Every field counts: a changed one gives another head.
static void every_field_counts(void **state)
{
    const struct audit_entry entry = { .sequence = 1, .method = 1 };
    struct audit_entry changed[7];
    uint8_t head[32] = { 0 };

    (void)state;
    audit_extend(head, &entry);
    for (size_t i = 0; i < 7; i++) {
        uint8_t other[32] = { 0 };

        changed[i] = entry;
        changed[i].sequence += i == 0;
        changed[i].boot.b[0] = i == 1;
        changed[i].method = (uint16_t)(entry.method + (i == 2));
        changed[i].account.b[15] = i == 3;
        changed[i].verdict = i == 4;
        changed[i].payload_hash[31] = i == 5;
        other[0] = i == 6;
        audit_extend(other, &changed[i]);
        assert_memory_not_equal(head, other, 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tagged_hashes),
        cmocka_unit_test(chain),
        cmocka_unit_test(every_field_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
