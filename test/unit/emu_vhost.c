// SPDX-License-Identifier: Apache-2.0
// emu/vhost.h and emu/nsmvirt.h: what a machine monitor may say, and the NSM as a guest's driver
// meets it, well-behaved and hostile. The guest is this program; QEMU and Linux are in test/boot.
#include "emu/vhost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine.h"

// -- NSM -----------------------------------------------------------------------------------------

// As Linux does it: a request and the room for its answer are two chains, and one interrupt comes.
static struct bytes ask(struct bytes request)
{
    uint32_t used[2] = { 0 };

    memcpy(vmm_slot(&vmm, 0, 0), request.p, request.n);
    vmm_give(&vmm, 0, 0, (uint32_t)request.n, false);
    vmm_give(&vmm, 0, 1, 4096, true);
    vmm_kick(&vmm, 0);
    assert_true(vmm_used(&vmm, 0, used));
    assert_int_equal(used[0], 0);
    assert_true(vmm_used(&vmm, 0, used));
    assert_int_equal(used[0], 1);
    return bytes_of(vmm_slot(&vmm, 0, 1), used[1]);
}

#define DESCRIBE_16 \
    "\xa1\x6b"      \
    "DescribePCR"   \
    "\xa1\x65"      \
    "index\x10"
#define LOCK_16 \
    "\xa1\x67"  \
    "LockPCR"   \
    "\xa1\x65"  \
    "index\x10"

static void nsm_answers(void **state)
{
    struct bytes random;

    (void)state;
    vmm_on(&vmm, nsm_path, 1);
    random = ask(BYTES_LIT("\x69"
                           "GetRandom"));
    assert_int_equal(random.n, 278);
    assert_memory_equal(random.p, "\xa1\x69GetRandom\xa1\x66random\x59\x01\x00", 22);
    assert_true(bytes_equal(ask(BYTES_LIT("nonsense")), BYTES_LIT("\xa1\x65"
                                                                  "Error\x70InvalidOperation")));
}

// Locked PCRs stay locked, until the machine is switched off and on.
static void nsm_is_fresh_for_each_machine(void **state)
{
    (void)state;
    vmm_on(&vmm, nsm_path, 1);
    assert_true(bytes_equal(ask(BYTES_LIT(LOCK_16)), BYTES_LIT("\x67"
                                                               "LockPCR")));
    assert_true(bytes_equal(ask(BYTES_LIT(LOCK_16)), BYTES_LIT("\xa1\x65"
                                                               "Error\x6dReadOnlyIndex")));
    vmm_off(&vmm);
    vmm_on(&vmm, nsm_path, 1);
    assert_int_equal(ask(BYTES_LIT(DESCRIBE_16)).p[74], 0xf4);
}

// Room that comes without a request, a request that comes twice, one that is too long, and one
// chain of both: each is given back, and the next one is answered.
static void nsm_takes_odd_chains(void **state)
{
    uint32_t used[2] = { 0 };

    (void)state;
    vmm_on(&vmm, nsm_path, 1);
    vmm_give(&vmm, 0, 4, 64, true);
    vmm_kick(&vmm, 0);
    assert_true(vmm_used(&vmm, 0, used));
    assert_int_equal(used[1], 0);
    vmm_give(&vmm, 0, 5, 4, false);
    vmm_give(&vmm, 0, 6, 4, false);
    vmm_kick(&vmm, 0);
    assert_true(vmm_used(&vmm, 0, used));
    assert_int_equal(used[0], 5);
    vmm_give(&vmm, 0, 7, 64, true);
    vmm_kick(&vmm, 0);
    assert_true(vmm_used(&vmm, 0, used) && used[0] == 6);
    assert_true(vmm_used(&vmm, 0, used) && used[0] == 7 && used[1] > 0);
    vmm_put(&vmm, 0, 2, (struct vmm_descriptor) { VMM_GUEST, 8192, 1, 3 });
    vmm_put(&vmm, 0, 3, (struct vmm_descriptor) { VMM_GUEST + 8192, 64, 2, 0 });
    vmm_offer(&vmm, 0, 2);
    vmm_kick(&vmm, 0);
    assert_true(vmm_used(&vmm, 0, used));
    assert_memory_equal(vmm.memory + 8192,
                        "\xa1\x65"
                        "Error\x6dInputTooLarge",
                        21);
    assert_int_equal(ask(BYTES_LIT(DESCRIBE_16)).p[74], 0xf4);
}

// -- the monitor ---------------------------------------------------------------------------------

static const struct message {
    const char *name;
    uint32_t request, n;
    uint64_t body[5];
} refused[] = {
    { "unknown request", 99, 0, { 0 } },
    { "too long", 2, 4096, { 0 } },
    { "features that were not offered", 2, 8, { 1ULL << 28 } },
    { "a body that is too short", 9, 8, { 0 } },
    { "memory without a descriptor", 5, 40, { 1, VMM_GUEST, VMM_SIZE, VMM_USER, 0 } },
    { "nine regions", 5, 8, { 9 } },
    { "queue 2 of 2", 8, 8, { 8ULL << 32 | 2 } },
    { "a queue of 3", 8, 8, { 3ULL << 32 } },
    { "a queue of 2048", 8, 8, { 2048ULL << 32 } },
    { "configuration space beyond its end", 24, 16, { 8ULL << 32 | 4, 0 } },
    { "a queue without its kick", 12, 8, { 0x100 } },
};

static void monitor_is_dropped(void **state)
{
    static uint8_t body[4096];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        vmm_on(&vmm, vsock_path, 2);
        memcpy(body, refused[i].body, sizeof(refused[i].body));
        vmm_send(&vmm, refused[i].request, body, refused[i].n);
        if (!vmm_is_dropped(&vmm))
            fail_msg("%s: taken", refused[i].name);
        vmm_off(&vmm);
    }
}

static void memory_must_lie_in_its_file(void **state)
{
    uint64_t region[5] = { 1, VMM_GUEST, VMM_SIZE, VMM_USER, 4096 };

    (void)state;
    vmm_on(&vmm, vsock_path, 2);
    vmm_send_fd(&vmm, 5, region, sizeof(region), vmm.memory_fd);
    assert_true(vmm_is_dropped(&vmm));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nsm_answers),        TEST(nsm_is_fresh_for_each_machine), TEST(nsm_takes_odd_chains),
        TEST(monitor_is_dropped), TEST(memory_must_lie_in_its_file),
    };

    return cmocka_run_group_tests(tests, scene_setup, scene_teardown);
}
