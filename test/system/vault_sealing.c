// SPDX-License-Identifier: Apache-2.0
// A seal that meets other writes to the anchor: of a manifest, of a keyset that opens, of another
// enclave. Whatever became of them, the seal is what stands there in the end, or `anchored` says
// that it does not.
#include "anchorstore.h"

#include "crypto/openssl/mac.h"

#define SEAL_STEPS_MAX 6 // three times write and look

// One step of the anchor that the vault has asked for, kept while other messages go.
struct asked {
    struct msg_step step;
    uint8_t blob[ANCHOR_ITEM_BYTES];
};

static struct asked asked_of(const struct vaulthost_answer *answer)
{
    struct asked asked = { .step = vaulthost_step(answer) };

    must(asked.step.blob.n <= sizeof(asked.blob));
    if (asked.step.blob.n)
        memcpy(asked.blob, asked.step.blob.p, asked.step.blob.n);
    asked.step.blob.p = NULL; // of a buffer that the next call takes
    return asked;
}

static struct bytes asked_blob(const struct asked *asked)
{
    return bytes_of(asked->blob, asked->step.blob.n);
}

static enum err_code tell(const struct asked *asked, enum msg_anchor_outcome outcome)
{
    struct msg_anchor_answer m = { .operation = asked->step.operation, .outcome = outcome };

    return (enum err_code)anchor_answer(&m).verdict.code;
}

// Applies manifest 2 as far as to the write, which is under way from now on.
static struct asked write_of_manifest(void)
{
    struct manifest m = admitting(2);
    struct vaulthost_answer answer = vaulthost_call(&host, MSG_MANIFEST, signed_body(&m, 3));
    struct asked asked = asked_of(&answer);

    assert_int_equal(asked.step.kind, MSG_STEP_ANCHOR_WRITE);
    assert_int_equal(item.version, 2);
    return asked;
}

// What another enclave of the deployment, which has the keyset's key as well, puts there.
static void other_enclave_writes(uint64_t serial, bool sealed)
{
    struct seckey keyset_key = { 0 }, key = { 0 };
    struct anchor_item theirs = item_now();
    struct wr wr = WR_OF(item.bytes);
    uint8_t message[32];

    theirs.counter = ++item.version;
    theirs.serial = serial;
    memset(theirs.digest, 0x5e, sizeof(theirs.digest));
    theirs.sealed = sealed;
    vaulthost_keyset_key(&host, bytes_of(keyset_record, keyset_len), &keyset_key);
    must(!mac_hkdf256(&key, &keyset_key, bytes_of("cloister-anchor-key-1", 22)).code);
    anchor_message(message, &theirs);
    mac_hmac256_key(theirs.mac, &key, BYTES_OF(message));
    anchor_write(&wr, &theirs);
    must(!wr_end(&wr).code);
}

static void assert_sealed(uint64_t version, uint64_t serial)
{
    assert_int_equal(status_now().phase, PHASE_SEALED);
    assert_true(status_now().anchored);
    assert_int_equal(item.version, version);
    assert_true(item_now().sealed);
    assert_int_equal(item_now().serial, serial);
}

// The seal outlasts the boot, under the manifest that its item has.
static void assert_outlasts(uint64_t serial)
{
    restart();
    assert_int_equal(apply_serial(serial), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_PHASE);
    assert_int_equal(status_now().phase, PHASE_SEALED);
    assert_true(status_now().anchored);
    assert_int_equal(unseal(1), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
    assert_false(item_now().sealed);
}

static void test_manifest_was_written_before(void **context)
{
    struct asked manifest = write_of_manifest();

    (void)context;
    assert_int_equal(store_write(asked_blob(&manifest)), MSG_ANCHOR_WRITTEN);
    writes = reads = 0;
    assert_int_equal(seal(), ERR_NONE);
    assert_int_equal(writes, 2);
    assert_int_equal(reads, 1);
    assert_sealed(4, 2);
    assert_int_equal(tell(&manifest, MSG_ANCHOR_WRITTEN), ERR_NOT_FOUND); // late, and nobody waits
    assert_int_equal(status_now().manifest_serial, 1);
    assert_sealed(4, 2);
    // Unsealed in this boot: the keyset waits for the manifest that its item has.
    assert_int_equal(unseal(1), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_DENIED);
    assert_int_equal(apply_serial(2), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
    assert_false(item_now().sealed);
    assert_int_equal(item_now().serial, 2);
}

static void test_manifest_was_written_before_and_a_restart(void **context)
{
    struct asked manifest = write_of_manifest();

    (void)context;
    assert_int_equal(store_write(asked_blob(&manifest)), MSG_ANCHOR_WRITTEN);
    assert_int_equal(seal(), ERR_NONE);
    assert_sealed(4, 2);
    assert_outlasts(2);
}

// The manifest's write comes to the anchor after the seal's, which has taken its version; whatever
// the front says about it comes when nobody waits.
static void test_manifest_comes_after(void **context)
{
    static const enum msg_anchor_outcome outcomes[] = { MSG_ANCHOR_CONFLICT, MSG_ANCHOR_WRITTEN,
                                                        MSG_ANCHOR_FAILED, MSG_ANCHOR_ABSENT };
    struct asked manifest = write_of_manifest();

    (void)context;
    assert_int_equal(seal(), ERR_NONE);
    assert_sealed(3, 1);
    assert_int_equal(store_write(asked_blob(&manifest)), MSG_ANCHOR_CONFLICT);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++)
        assert_int_equal(tell(&manifest, outcomes[i]), ERR_NOT_FOUND);
    assert_int_equal(status_now().manifest_serial, 1);
    assert_sealed(3, 1);
    assert_outlasts(1);
}

// Told in the middle of the seal's own exchange, it is not taken for the answer to that one.
static void test_manifest_is_answered_during_the_seal(void **context)
{
    struct asked manifest = write_of_manifest(), sealing;
    struct vaulthost_answer answer;

    (void)context;
    assert_int_equal(store_write(asked_blob(&manifest)), MSG_ANCHOR_WRITTEN);
    answer = vaulthost_call(&host, MSG_SEAL, BYTES_NONE);
    sealing = asked_of(&answer);
    assert_int_equal(sealing.step.kind, MSG_STEP_ANCHOR_WRITE);
    assert_int_equal(tell(&manifest, MSG_ANCHOR_WRITTEN), ERR_NOT_FOUND);
    assert_false(status_now().anchored);
    assert_int_equal(store_write(asked_blob(&sealing)), MSG_ANCHOR_CONFLICT);
    assert_int_equal(tell(&sealing, MSG_ANCHOR_CONFLICT), ERR_NONE);
    assert_int_equal(seal(), ERR_NONE); // from the start
    assert_sealed(4, 2);
    assert_outlasts(2);
}

// The anchor does not answer the seal, and what it did with the manifest is seen afterwards.
static void test_manifest_comes_between_two_seals(void **context)
{
    struct asked manifest = write_of_manifest();

    (void)context;
    set_lie(MSG_STEP_ANCHOR_WRITE, MSG_ANCHOR_FAILED);
    assert_int_equal(seal(), ERR_NONE);
    assert_false(status_now().anchored);
    assert_int_equal(store_write(asked_blob(&manifest)), MSG_ANCHOR_WRITTEN);
    assert_int_equal(seal(), ERR_NONE);
    assert_false(status_now().anchored);
    lie.active = false;
    set_lie(MSG_STEP_ANCHOR_READ, MSG_ANCHOR_FAILED);
    assert_int_equal(seal(), ERR_NONE);
    assert_false(status_now().anchored);
    lie.active = false;
    assert_int_equal(seal(), ERR_NONE);
    assert_sealed(4, 2);
    assert_int_equal(status_now().seals, 1);
    assert_outlasts(2);
}

static void test_another_enclave_was_first(void **context)
{
    struct asked manifest = write_of_manifest();

    (void)context;
    other_enclave_writes(5, false);
    assert_int_equal(store_write(asked_blob(&manifest)), MSG_ANCHOR_CONFLICT);
    assert_int_equal(seal(), ERR_NONE);
    assert_sealed(4, 5); // their manifest stays
}

// Told by the manifest's conflict, the vault has closed the keyset: then it is not its to seal.
static void test_seal_after_the_conflict(void **context)
{
    struct asked manifest = write_of_manifest();

    (void)context;
    other_enclave_writes(5, false);
    assert_int_equal(tell(&manifest, MSG_ANCHOR_CONFLICT), ERR_EXISTS);
    assert_int_equal(seal(), ERR_NONE);
    assert_int_equal(status_now().phase, PHASE_SEALED);
    assert_false(status_now().anchored);
    assert_int_equal(item.version, 3);
}

// It stands sealed already, and approvals from now on mean that seal as well.
static void test_another_enclave_has_sealed(void **context)
{
    (void)context;
    other_enclave_writes(1, true);
    memcpy(recorded.bytes, item.bytes, sizeof(item.bytes));
    assert_int_equal(seal(), ERR_NONE);
    assert_true(status_now().anchored);
    assert_int_equal(item.version, 3);
    assert_memory_equal(item.bytes, recorded.bytes, sizeof(item.bytes));
    assert_int_equal(unseal(1), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_DENIED); // of that serial it knows another manifest
    assert_int_equal(status_now().phase, PHASE_CONFIGURED);
}

// The anchor has lost the item; when it is back, the seal is written.
static void test_item_is_absent(void **context)
{
    struct asked manifest = write_of_manifest();
    struct item before = item;

    (void)context;
    item = (struct item) { 0 };
    assert_int_equal(tell(&manifest, MSG_ANCHOR_ABSENT), ERR_UNREACHABLE);
    assert_int_equal(seal(), ERR_NONE); // nothing is open any more
    assert_false(status_now().anchored);
    item = before;
    restart();
    assert_int_equal(apply_serial(1), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
    item = (struct item) { 0 };
    assert_int_equal(seal(), ERR_NONE);
    assert_false(status_now().anchored);
    item = before;
    assert_int_equal(seal(), ERR_NONE);
    assert_sealed(3, 1);
    assert_outlasts(1);
}

// Somebody is always faster: after three writes the vault says that the seal is not there.
static void test_the_seal_is_bounded(void **context)
{
    struct vaulthost_answer answer = vaulthost_call(&host, MSG_SEAL, BYTES_NONE);
    unsigned steps = 0;

    (void)context;
    for (struct msg_step step = vaulthost_step(&answer); step.kind != MSG_STEP_DONE;
         step = vaulthost_step(&answer)) {
        assert_true(++steps <= SEAL_STEPS_MAX);
        if (step.kind == MSG_STEP_ANCHOR_WRITE)
            other_enclave_writes(steps + 1, false);
        answer = store_step(&step);
    }
    assert_int_equal(steps, SEAL_STEPS_MAX);
    assert_false(status_now().anchored);
    assert_int_equal(seal(), ERR_NONE);
    assert_true(status_now().anchored);
    assert_true(item_now().sealed);
}

// A front that lies shows an older genuine item, a damaged one, one of no version: none is written
// over, and nothing is claimed.
static void test_what_is_not_written_over(void **context)
{
    struct item now, older = item; // of manifest 1

    (void)context;
    assert_int_equal(apply_serial(2), ERR_NONE);
    other_enclave_writes(3, false);
    now = item;
    set_lie(MSG_STEP_ANCHOR_WRITE, MSG_ANCHOR_CONFLICT);
    for (unsigned i = 0; i < 4; i++) {
        item = i == 0 ? older : now;
        item.bytes[i == 1 ? 45 : 0] ^= i == 1; // the serial
        item.version += i == 2;
        item.bytes[ANCHOR_ITEM_BYTES - 1] ^= i == 3;
        writes = 0;
        assert_int_equal(seal(), ERR_NONE);
        assert_int_equal(writes, 1);
        assert_false(status_now().anchored);
    }
    lie.active = false;
    item = now;
    assert_int_equal(seal(), ERR_NONE);
    assert_sealed(5, 3);
}

// As far as to the write that an opening has to make.
static struct asked write_of_opening(void)
{
    struct vaulthost_answer answer =
        vaulthost_call(&host, MSG_KEYSET_OPEN, bytes_of(keyset_record, keyset_len));
    struct msg_step step = vaulthost_step(&answer);

    answer = vaulthost_kms(&host, &step);
    step = vaulthost_step(&answer);
    assert_int_equal(step.kind, MSG_STEP_ANCHOR_READ);
    answer = store_step(&step);
    return asked_of(&answer);
}

// A keyset that had only to be written before it opens is sealed with the others: its write may
// have undone an older seal.
static void test_half_open_keysets(void **context)
{
    (void)context;
    for (unsigned landed = 0; landed < 2; landed++) {
        uint64_t before;
        struct asked opening;

        restart();
        assert_int_equal(apply_serial(2 + landed), ERR_NONE);
        before = item.version;
        opening = write_of_opening();
        assert_int_equal(opening.step.kind, MSG_STEP_ANCHOR_WRITE);
        if (landed)
            assert_int_equal(store_write(asked_blob(&opening)), MSG_ANCHOR_WRITTEN);
        assert_int_equal(seal(), ERR_NONE);
        assert_int_equal(tell(&opening, MSG_ANCHOR_WRITTEN), ERR_NOT_FOUND);
        assert_int_equal(status_now().keysets_open, 0);
        assert_sealed(before + 1 + landed, 2 + landed);
        assert_outlasts(2 + landed);
    }
}

// The seal of before stood there; an opening that came to nothing may have undone it, and what the
// vault has no key for any more it cannot seal: it looks, and says so.
static void test_openings_that_came_to_nothing(void **context)
{
    (void)context;
    for (unsigned landed = 0; landed < 2; landed++) {
        struct asked opening;

        assert_int_equal(seal(), ERR_NONE);
        assert_true(status_now().anchored);
        assert_int_equal(unseal(1), ERR_NONE);
        opening = write_of_opening();
        assert_int_equal(opening.step.kind, MSG_STEP_ANCHOR_WRITE);
        if (landed)
            assert_int_equal(store_write(asked_blob(&opening)), MSG_ANCHOR_WRITTEN);
        assert_int_equal(apply_serial(2 + landed), ERR_NONE); // ends what waits
        assert_int_equal(tell(&opening, MSG_ANCHOR_WRITTEN), ERR_NOT_FOUND);
        assert_int_equal(seal(), ERR_NONE);
        assert_int_equal(status_now().anchored, !landed);
        assert_int_equal(item_now().sealed, !landed);
        restart();
        assert_int_equal(apply_serial(2 + landed), ERR_NONE);
        assert_int_equal(open_keyset(), landed ? ERR_NONE : ERR_PHASE);
        if (landed)
            break;
        assert_int_equal(unseal(1), ERR_NONE);
        assert_int_equal(open_keyset(), ERR_NONE);
        restart();
        assert_int_equal(apply_serial(2), ERR_NONE);
        assert_int_equal(open_keyset(), ERR_NONE);
    }
}

// Another enclave, which administrators have unsealed as well, undid the seal of before; this one
// has seen it and does not claim the old seal.
static void test_undone_by_another(void **context)
{
    (void)context;
    assert_int_equal(seal(), ERR_NONE);
    assert_true(status_now().anchored);
    assert_int_equal(unseal(1), ERR_NONE);
    other_enclave_writes(5, false);
    assert_int_equal(open_keyset(), ERR_DENIED); // for want of that manifest
    assert_int_equal(seal(), ERR_NONE);
    assert_int_equal(status_now().phase, PHASE_SEALED);
    assert_false(status_now().anchored);
    assert_false(item_now().sealed);
}

// Manifests are applied while SEALED: the seal stands there as before.
static void test_manifest_while_sealed(void **context)
{
    (void)context;
    assert_int_equal(seal(), ERR_NONE);
    assert_sealed(3, 1);
    assert_int_equal(apply_serial(2), ERR_NONE);
    assert_int_equal(status_now().manifest_serial, 2);
    assert_sealed(3, 1);
    assert_outlasts(2);
}

// A second keyset, met sealed, seals the vault; the first was open and does not stand sealed until
// somebody seals again.
static void test_one_is_met_sealed(void **context)
{
    uint8_t entries[2 * MANIFEST_KEYSET_BYTES], first[MANIFEST_KEYSET_BYTES];
    struct manifest m = admitting(2);
    struct item item_of_first;
    uint8_t record[KEYSET_BYTES_MAX];
    size_t len = keyset_len;

    (void)context;
    memcpy(first, entry, sizeof(first));
    memcpy(record, keyset_record, len);
    item_of_first = item;
    item = (struct item) { 0 };
    create_keyset();
    other_enclave_writes(1, true);
    memcpy(entries, memcmp(first, entry, 16) < 0 ? first : entry, sizeof(first));
    memcpy(entries + sizeof(first), memcmp(first, entry, 16) < 0 ? entry : first, sizeof(first));
    m.keysets = BYTES_OF(entries);
    recorded = item;
    item = item_of_first;
    assert_int_equal(apply(&m), ERR_NONE);
    item_of_first = item;
    item = recorded;
    assert_int_equal(open_keyset(), ERR_PHASE);
    assert_int_equal(status_now().phase, PHASE_SEALED);
    assert_false(status_now().anchored);
    item = item_of_first;
    assert_int_equal(seal(), ERR_NONE);
    assert_sealed(4, 2);
    assert_int_equal(status_now().seals, 1);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_manifest_was_written_before, start_open, stop),
        cmocka_unit_test_setup_teardown(test_manifest_was_written_before_and_a_restart, start_open,
                                        stop),
        cmocka_unit_test_setup_teardown(test_manifest_comes_after, start_open, stop),
        cmocka_unit_test_setup_teardown(test_manifest_is_answered_during_the_seal, start_open,
                                        stop),
        cmocka_unit_test_setup_teardown(test_manifest_comes_between_two_seals, start_open, stop),
        cmocka_unit_test_setup_teardown(test_another_enclave_was_first, start_open, stop),
        cmocka_unit_test_setup_teardown(test_seal_after_the_conflict, start_open, stop),
        cmocka_unit_test_setup_teardown(test_another_enclave_has_sealed, start_open, stop),
        cmocka_unit_test_setup_teardown(test_item_is_absent, start_open, stop),
        cmocka_unit_test_setup_teardown(test_the_seal_is_bounded, start_open, stop),
        cmocka_unit_test_setup_teardown(test_what_is_not_written_over, start_open, stop),
        cmocka_unit_test_setup_teardown(test_half_open_keysets, start_open, stop),
        cmocka_unit_test_setup_teardown(test_openings_that_came_to_nothing, start_open, stop),
        cmocka_unit_test_setup_teardown(test_undone_by_another, start_open, stop),
        cmocka_unit_test_setup_teardown(test_manifest_while_sealed, start_open, stop),
        cmocka_unit_test_setup_teardown(test_one_is_met_sealed, start_open, stop),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("vault sealing", tests, NULL, NULL);
}
