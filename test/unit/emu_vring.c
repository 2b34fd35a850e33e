// SPDX-License-Identifier: Apache-2.0
// emu/vring.h: rings as virtio 1.2 describes them, and as a hostile guest would make them. The
// memory is allocated to the byte, so that ASan sees what goes beyond it.
#include "emu/vring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "expect.h"

#include <stdlib.h>

#define ENTRIES   4
#define GUEST     0x100000U
#define USER      0x7f0000000000U
#define SIZE      0x1000U
#define AVAILABLE 0x100U
#define USED      0x200U
#define DATA      0x400U
#define FAR_USER  0x7f1000000000U
#define FAR_GUEST (GUEST + SIZE) // follows the first region in the guest, nowhere else
#define FAR_SIZE  0x100U
#define NEXT      1
#define WRITE     2
#define INDIRECT  4

static struct vring_memory memory;
static struct vring ring;

struct descriptor {
    uint64_t guest;
    uint32_t n;
    uint16_t flags, next;
};

static void put16(size_t at, uint16_t value)
{
    memcpy(memory.region[0].at + at, &value, sizeof(value));
}

static uint32_t get32(size_t at)
{
    uint32_t value;

    memcpy(&value, memory.region[0].at + at, sizeof(value));
    return value;
}

static void put_descriptor(unsigned i, struct descriptor d)
{
    memcpy(memory.region[0].at + sizeof(d) * i, &d, sizeof(d));
}

static void offer(uint16_t head, uint16_t index)
{
    put16(AVAILABLE + 4 + 2U * ((index - 1U) % ENTRIES), head);
    put16(AVAILABLE + 2, index);
}

static int start(void **state)
{
    (void)state;
    memory.n = 2;
    memory.region[0] = (struct vring_region) { GUEST, USER, SIZE, calloc(1, SIZE) };
    memory.region[1] = (struct vring_region) { FAR_GUEST, FAR_USER, FAR_SIZE, calloc(1, FAR_SIZE) };
    ring = (struct vring) { .memory = &memory,
                            .descriptors = USER,
                            .available = USER + AVAILABLE,
                            .used = USER + USED,
                            .entries = ENTRIES };
    return 0;
}

static int stop(void **state)
{
    (void)state;
    free(memory.region[0].at);
    free(memory.region[1].at);
    return 0;
}

static void takes_and_gives_back(void **state)
{
    struct vring_chain chain;
    uint8_t text[64];
    struct wr wr = WR_OF(text);

    (void)state;
    assert_false(vring_pop(&ring, &chain));
    memcpy(memory.region[0].at + DATA, "question", 8);
    put_descriptor(2, (struct descriptor) { GUEST + DATA, 4, NEXT, 0 });
    put_descriptor(0, (struct descriptor) { GUEST + DATA + 4, 4, NEXT, 3 });
    put_descriptor(3, (struct descriptor) { GUEST + DATA + 64, 3, NEXT | WRITE, 1 });
    put_descriptor(1, (struct descriptor) { GUEST + DATA + 128, 8, WRITE, 0 });
    offer(2, 1);
    assert_true(vring_pop(&ring, &chain));
    assert_int_equal(chain.readable, 8);
    assert_int_equal(chain.writable, 11);
    vring_read(&ring, &chain, &wr, sizeof(text));
    assert_memory_equal(text, "question", wr_done(&wr).n);
    assert_int_equal(vring_write(&ring, &chain, BYTES_LIT("answer")), 6);
    assert_memory_equal(memory.region[0].at + DATA + 64, "ans", 3);
    assert_memory_equal(memory.region[0].at + DATA + 128, "wer", 3);
    vring_push(&ring, &chain, 6);
    assert_int_equal(get32(USED + 2) & 0xffff, 1);
    assert_int_equal(get32(USED + 4), 2);
    assert_int_equal(get32(USED + 8), 6);
    assert_true(vring_wants_notice(&ring));
    put16(AVAILABLE, 1);
    assert_false(vring_wants_notice(&ring));
    assert_false(vring_pop(&ring, &chain));
    assert_false(ring.broken);
}

static void crosses_regions(void **state)
{
    struct vring_chain chain;
    uint8_t text[16];
    struct wr wr = WR_OF(text);

    (void)state;
    put_descriptor(0, (struct descriptor) { FAR_GUEST - 4, 8, NEXT, 1 });
    put_descriptor(1, (struct descriptor) { FAR_GUEST - 2, 4, WRITE, 0 });
    memcpy(memory.region[0].at + SIZE - 4, "left", 4);
    memcpy(memory.region[1].at, "side", 4);
    offer(0, 1);
    assert_true(vring_pop(&ring, &chain));
    vring_read(&ring, &chain, &wr, 6);
    assert_memory_equal(text, "leftsi", wr_done(&wr).n);
    assert_int_equal(vring_write(&ring, &chain, BYTES_LIT("much too long")), 4);
    assert_memory_equal(memory.region[1].at, "ch", 2);
}

// Indices run over and start again; a chain stays what it was when it was taken.
static void runs_round(void **state)
{
    struct vring_chain chain;

    (void)state;
    ring.next = ring.done = 0xfffe;
    put16(AVAILABLE + 2, 0xfffe);
    put_descriptor(3, (struct descriptor) { GUEST + DATA, 1, 0, 0 });
    for (uint32_t i = 0xffff; i < 0x10003; i++) {
        offer(3, (uint16_t)i);
        assert_true(vring_pop(&ring, &chain));
        put_descriptor(3, (struct descriptor) { UINT64_MAX, UINT32_MAX, INDIRECT, 9 });
        assert_int_equal(chain.part[0].guest, GUEST + DATA);
        vring_push(&ring, &chain, 0);
        put_descriptor(3, (struct descriptor) { GUEST + DATA, 1, 0, 0 });
    }
    assert_int_equal(get32(USED + 2) & 0xffff, 2);
    assert_false(ring.broken);
}

static const struct hostile {
    const char *name;
    struct descriptor first, second;
    uint16_t head, index;
    uint64_t descriptors, available, used; // in place of the good ones
    bool pops;                             // what is wrong shows later
} hostile[] = {
    { .name = "head past the table", .head = ENTRIES, .index = 1 },
    { .name = "index far ahead", .head = 0, .index = ENTRIES + 1 },
    { .name = "index behind", .head = 0, .index = 0xffff },
    { .name = "next past the table", .first = { GUEST, 1, NEXT, ENTRIES }, .index = 1 },
    { .name = "circle of one", .first = { GUEST, 1, NEXT, 0 }, .index = 1 },
    { .name = "circle of two",
      .first = { GUEST, 1, NEXT, 1 },
      .second = { GUEST, 1, NEXT, 0 },
      .index = 1 },
    { .name = "indirect", .first = { GUEST, 16, INDIRECT, 0 }, .index = 1 },
    { .name = "readable after writable",
      .first = { GUEST, 1, NEXT | WRITE, 1 },
      .second = { GUEST, 1, 0, 0 },
      .index = 1 },
    { .name = "descriptors outside", .index = 1, .descriptors = USER + SIZE },
    { .name = "descriptors half outside", .index = 1, .descriptors = USER + SIZE - 8 },
    { .name = "descriptors at the end of the numbers", .index = 1, .descriptors = UINT64_MAX - 3 },
    { .name = "available ring outside", .index = 1, .available = USER - 4 },
    { .name = "available ring at an odd address", .index = 1, .available = USER + 0x301 },
    { .name = "available ring at the end", .index = 1, .available = USER + SIZE - 4 },
    { .name = "used ring outside",
      .first = { GUEST, 1, WRITE, 0 },
      .index = 1,
      .used = USER + SIZE,
      .pops = true },
    { .name = "used ring half outside",
      .first = { GUEST, 1, WRITE, 0 },
      .index = 1,
      .used = USER + SIZE - 6,
      .pops = true },
    { .name = "used ring at the end of the numbers",
      .first = { GUEST, 1, WRITE, 0 },
      .index = 1,
      .used = UINT64_MAX - 1,
      .pops = true },
    { .name = "buffer outside", .first = { GUEST - 1, 2, WRITE, 0 }, .index = 1, .pops = true },
    { .name = "buffer beyond the last region",
      .first = { FAR_GUEST, FAR_SIZE + 1, WRITE, 0 },
      .index = 1,
      .pops = true },
    { .name = "buffer at the end of the numbers",
      .first = { UINT64_MAX, UINT32_MAX, WRITE, 0 },
      .index = 1,
      .pops = true },
};

static void breaks_one(const struct hostile *c)
{
    static uint8_t much[2 * SIZE];
    struct vring_chain chain;

    put_descriptor(0, c->first);
    put_descriptor(1, c->second);
    if (c->descriptors)
        ring.descriptors = c->descriptors;
    if (c->used)
        ring.used = c->used;
    offer(c->head, c->index);
    if (c->available) {
        memcpy(memory.region[0].at + 0x301 + 2, "\1", 1);
        memcpy(memory.region[0].at + SIZE - 2, "\1", 1);
        ring.available = c->available;
    }
    if (vring_pop(&ring, &chain) != c->pops)
        fail_msg("%s: %s", c->name, c->pops ? "not taken" : "taken");
    if (c->pops)
        vring_push(&ring, &chain, vring_write(&ring, &chain, BYTES_OF(much)));
    if (!ring.broken)
        fail_msg("%s: the ring goes on", c->name);
    ring.available = USER + AVAILABLE;
    offer(0, (uint16_t)(ring.next + 1));
    if (vring_pop(&ring, &chain))
        fail_msg("%s: a broken ring gives more", c->name);
}

static void breaks(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        (void)start(state);
        breaks_one(&hostile[i]);
        (void)stop(state);
    }
}

static void refuses_long_chains(void **state)
{
    struct vring_chain chain;

    (void)state;
    ring.entries = 128;
    ring.available = USER + 0x800;
    ring.used = USER + 0xa00;
    for (unsigned i = 0; i < 128; i++)
        put_descriptor(i, (struct descriptor) { GUEST, 1, NEXT, (uint16_t)(i + 1) });
    put_descriptor(VRING_PARTS_MAX - 1, (struct descriptor) { GUEST, 1, 0, 0 });
    put16(0x800 + 2, 1);
    assert_true(vring_pop(&ring, &chain));
    assert_int_equal(chain.parts, VRING_PARTS_MAX);
    put_descriptor(VRING_PARTS_MAX - 1, (struct descriptor) { GUEST, 1, NEXT, VRING_PARTS_MAX });
    put16(0x800 + 2, 2);
    assert_false(vring_pop(&ring, &chain));
    assert_true(ring.broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_and_gives_back, start, stop),
        cmocka_unit_test_setup_teardown(crosses_regions, start, stop),
        cmocka_unit_test_setup_teardown(runs_round, start, stop),
        cmocka_unit_test(breaks),
        cmocka_unit_test_setup_teardown(refuses_long_chains, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
