// SPDX-License-Identifier: Apache-2.0
// The anchor as the vault sees it: what outlasts a restart, what is refused, what a front that lies
// can and cannot do.
#include "anchorstore.h"

#include "crypto/openssl/mac.h"
#include "crypto/openssl/sha2.h"

// The item byte for byte after PROTOCOL.md, its MAC from the keyset key that the test unseals.
static void test_item(void **context)
{
    uint8_t fields[ANCHOR_ITEM_BYTES], message[32], mac[32], digest[32];
    struct wr wr = WR_OF(fields);
    struct seckey keyset_key = { 0 }, key = { 0 };
    struct manifest m = admitting(7);
    struct bytes whole = signed_body(&m, 3), field;
    struct rd rd = rd_of(whole);

    (void)context;
    sha2_256(digest, rd_var32(&rd, MANIFEST_BYTES_MAX));
    assert_int_equal(item.version, 1);
    assert_int_equal(item_now().serial, 0);
    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(item.version, 1); // nothing is open: nothing is written
    assert_false(status_now().anchored);
    assert_int_equal(open_keyset(), ERR_NONE);
    assert_int_equal(item.version, 2);
    assert_true(status_now().anchored);
    wr_u8(&wr, 1);
    for (size_t i = 0; i < 16; i++)
        wr_u8(&wr, 1); // deployment
    wr_bytes(&wr, bytes_of(entry, 16));
    wr_u64(&wr, 2);
    wr_u64(&wr, 7);
    wr_bytes(&wr, BYTES_OF(digest));
    wr_u8(&wr, 0);
    field = wr_done(&wr);
    assert_int_equal(field.n, ANCHOR_ITEM_BYTES - 32);
    assert_memory_equal(field.p, item.bytes, field.n);
    vaulthost_keyset_key(&host, bytes_of(keyset_record, keyset_len), &keyset_key);
    must(!mac_hkdf256(&key, &keyset_key, bytes_of("cloister-anchor-key-1", 22)).code);
    tag_hash(message, "cloister-anchor-1", &field, 1);
    mac_hmac256_key(mac, &key, BYTES_OF(message));
    assert_memory_equal(mac, item.bytes + field.n, 32);
}

static void test_restart_with_the_old_manifest(void **context)
{
    struct manifest other = admitting(2);

    (void)context;
    assert_int_equal(apply_serial(2), ERR_NONE);
    assert_int_equal(item_now().serial, 2);
    restart();
    assert_int_equal(open_keyset(), ERR_DENIED); // no manifest, not admitted
    assert_int_equal(apply_serial(1), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_DENIED);
    other.created_ms = 99; // of the same serial: signed as well, but not the one
    assert_int_equal(apply(&other), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_DENIED);
    restart();
    assert_int_equal(apply_serial(2), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
    assert_int_equal(item.version, 3); // nothing to write
}

// A policy change raises the floor of the account; the old record and the old manifest come back.
static void old_record(bool anchored)
{
    uint8_t account[RECORD_BYTES_MAX], floor[MANIFEST_FLOOR_BYTES];
    struct manifest m = admitting(1);
    struct record record;
    struct id id;
    size_t n;

    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
    memcpy(id.b, entry, sizeof(id.b));
    n = vaulthost_account(&host, &id, account);
    must(!record_read(&record, bytes_of(account, n)).code);
    assert_int_equal(vaulthost_sign(&host, bytes_of(account, n)).verdict.code, ERR_NONE);
    memcpy(floor, record.id.b, 16);
    memcpy(floor + 16, "\0\0\0\2", 4);
    m = admitting(2);
    m.floors = BYTES_OF(floor);
    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(vaulthost_sign(&host, bytes_of(account, n)).verdict.code, ERR_DENIED);
    restart();
    assert_int_equal(apply_serial(1), ERR_NONE);
    assert_int_equal(open_keyset(), anchored ? ERR_DENIED : ERR_NONE);
    assert_int_equal(vaulthost_sign(&host, bytes_of(account, n)).verdict.code,
                     anchored ? ERR_PHASE : ERR_NONE);
    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
    assert_int_equal(vaulthost_sign(&host, bytes_of(account, n)).verdict.code, ERR_DENIED);
}

static void test_old_record_with_anchor(void **context)
{
    (void)context;
    old_record(true);
}

static void test_old_record_without_anchor(void **context)
{
    (void)context;
    old_record(false);
}

// A manifest that leaves the keyset out closes it for good: the item is written before.
static void test_deleted_keyset_stays_closed(void **context)
{
    struct manifest m = manifest_of(2);

    (void)context;
    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(item_now().serial, 2);
    assert_true(status_now().anchored);
    restart();
    assert_int_equal(apply_serial(1), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_DENIED);
    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_DENIED);
}

static void test_damaged_items(void **context)
{
    struct item good = item;

    (void)context;
    restart();
    assert_int_equal(apply_serial(1), ERR_NONE);
    for (size_t bit = 0; bit < 8 * ANCHOR_ITEM_BYTES; bit += 7) { // in every byte
        enum err_code code;

        item.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        code = open_keyset();
        assert_true(code == ERR_UNTRUSTED || code == ERR_MISMATCH || code == ERR_MALFORMED ||
                    code == ERR_UNSUPPORTED);
        item = good;
    }
    item.version++; // the counter is not the version
    assert_int_equal(open_keyset(), ERR_UNTRUSTED);
    item = (struct item) { 0 };
    assert_int_equal(open_keyset(), ERR_NOT_FOUND);
    create_keyset(); // the item of another keyset of this deployment, under its own key
    recorded = item;
    item = (struct item) { 0 };
    create_keyset();
    item = recorded;
    assert_int_equal(apply_serial(2), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_MISMATCH);
    memcpy(item.bytes + 17, entry, 16); // and renamed
    assert_int_equal(open_keyset(), ERR_UNTRUSTED);
    assert_int_equal(status_now().phase, PHASE_CONFIGURED);
}

static void test_anchor_down(void **context)
{
    (void)context;
    restart();
    assert_int_equal(apply_serial(1), ERR_NONE);
    set_lie(MSG_STEP_ANCHOR_READ, MSG_ANCHOR_FAILED);
    assert_int_equal(open_keyset(), ERR_UNREACHABLE);
    assert_int_equal(status_now().keysets_open, 0);
    lie.active = false;
    assert_int_equal(open_keyset(), ERR_NONE);
    // At apply: the old manifest stays in force, the keyset is closed; trying again works.
    set_lie(MSG_STEP_ANCHOR_WRITE, MSG_ANCHOR_FAILED);
    assert_int_equal(apply_serial(2), ERR_UNREACHABLE);
    assert_int_equal(status_now().manifest_serial, 1);
    assert_int_equal(status_now().keysets_open, 0);
    assert_int_equal(status_now().phase, PHASE_CONFIGURED);
    assert_false(status_now().anchored);
    lie.active = false;
    assert_int_equal(apply_serial(2), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
    // The same when only the answer was lost.
    set_lie(MSG_STEP_ANCHOR_WRITE, MSG_ANCHOR_FAILED);
    lie.carried_out = true;
    assert_int_equal(apply_serial(3), ERR_UNREACHABLE);
    assert_int_equal(item_now().serial, 3);
    lie.active = false;
    assert_int_equal(open_keyset(), ERR_DENIED); // the old manifest is not enough any more
    assert_int_equal(apply_serial(3), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
    // At create: no record.
    set_lie(MSG_STEP_ANCHOR_WRITE, MSG_ANCHOR_FAILED);
    assert_int_equal(carry_out(MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00")).verdict.code,
                     ERR_UNREACHABLE);
}

// Another enclave of the deployment has written in between.
static void test_two_enclaves(void **context)
{
    struct item before = item;

    (void)context;
    item.version++; // whatever the other one wrote
    assert_int_equal(apply_serial(2), ERR_EXISTS);
    assert_int_equal(status_now().manifest_serial, 1);
    assert_int_equal(status_now().keysets_open, 0);
    item = before;
    assert_int_equal(apply_serial(2), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
    set_lie(MSG_STEP_ANCHOR_WRITE, MSG_ANCHOR_CONFLICT);
    restart();
    assert_int_equal(apply_serial(3), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_EXISTS); // the open that has to write meets another
    lie.active = false;
    assert_int_equal(open_keyset(), ERR_NONE);
}

static void test_seal_outlasts_a_restart(void **context)
{
    (void)context;
    assert_int_equal(seal(), ERR_NONE);
    assert_true(item_now().sealed);
    assert_true(status_now().anchored);
    restart();
    assert_int_equal(apply_serial(1), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_PHASE);
    assert_int_equal(status_now().phase, PHASE_SEALED);
    assert_int_equal(status_now().seals, 1);
    assert_int_equal(open_keyset(), ERR_PHASE);
    assert_int_equal(unseal(0), ERR_UNTRUSTED);
    assert_int_equal(unseal(1), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
    assert_false(item_now().sealed);
    restart(); // cleared for good
    assert_int_equal(apply_serial(1), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
    // Unsealing in the boot that sealed clears it as well.
    assert_int_equal(seal(), ERR_NONE);
    assert_int_equal(unseal(1), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
    assert_false(item_now().sealed);
}

// An approval means the seals that this boot knew of, not one of another enclave that it had yet to
// meet.
static void test_unsealing_is_for_known_seals(void **context)
{
    struct item before = item;

    (void)context;
    assert_int_equal(apply_serial(2), ERR_NONE);
    assert_int_equal(seal(), ERR_NONE); // so to speak by the other enclave
    recorded = item;
    item = before;
    restart();
    assert_int_equal(apply_serial(1), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
    set_lie(MSG_STEP_ANCHOR_WRITE, MSG_ANCHOR_FAILED);
    assert_int_equal(seal(), ERR_NONE);
    lie.active = false;
    assert_int_equal(unseal(1), ERR_NONE);
    item = recorded;
    assert_int_equal(apply_serial(2), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_PHASE);
    assert_int_equal(status_now().seals, 2);
    assert_int_equal(unseal(1), ERR_UNTRUSTED);
    assert_int_equal(unseal(2), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_NONE);
}

static void test_seal_while_the_anchor_is_down(void **context)
{
    (void)context;
    set_lie(MSG_STEP_ANCHOR_WRITE, MSG_ANCHOR_FAILED);
    assert_int_equal(seal(), ERR_NONE);
    assert_int_equal(status_now().phase, PHASE_SEALED);
    assert_false(status_now().anchored);
    assert_int_equal(seal(), ERR_NONE); // again: tries again, seals no second time
    assert_false(status_now().anchored);
    assert_int_equal(status_now().seals, 1);
    lie.carried_out = true; // the answer alone is lost
    assert_int_equal(seal(), ERR_NONE);
    assert_false(status_now().anchored);
    lie.active = false;
    assert_int_equal(seal(), ERR_NONE); // a conflict; the item that stands there is the very one
    assert_true(status_now().anchored);
    assert_true(item_now().sealed);
}

// Sealing wipes before the anchor is asked, and an operation that waits for it ends.
static void test_seal_wipes_first(void **context)
{
    struct manifest m = admitting(2);
    struct vaulthost_answer answer = vaulthost_call(&host, MSG_MANIFEST, signed_body(&m, 3));
    struct msg_step step = vaulthost_step(&answer);
    struct msg_anchor_answer written = { .operation = step.operation,
                                         .outcome = MSG_ANCHOR_WRITTEN };
    uint8_t sealed[ANCHOR_ITEM_BYTES];

    (void)context;
    assert_int_equal(step.kind, MSG_STEP_ANCHOR_WRITE);
    assert_int_equal(vaulthost_call(&host, MSG_MANIFEST, signed_body(&m, 3)).verdict.code,
                     ERR_BUSY);
    answer = vaulthost_call(&host, MSG_SEAL, BYTES_NONE);
    step = vaulthost_step(&answer);
    assert_int_equal(step.kind, MSG_STEP_ANCHOR_WRITE);
    memcpy(sealed, step.blob.p, sizeof(sealed));
    step.blob = BYTES_OF(sealed);
    assert_int_equal(status_now().phase, PHASE_SEALED);
    assert_int_equal(status_now().keysets_open, 0);
    assert_int_equal(anchor_answer(&written).verdict.code, ERR_NOT_FOUND);
    assert_int_equal(status_now().manifest_serial, 1);
    assert_int_equal(store_step(&step).verdict.code, ERR_NONE);
    assert_true(status_now().anchored);
}

// A front that answers something else than was asked for, or KMS in place of the anchor.
static void test_answers_out_of_turn(void **context)
{
    struct vaulthost_answer answer;
    struct msg_step step;
    uint8_t body[512];
    struct wr wr = WR_OF(body);
    struct msg_anchor_answer m = { .outcome = MSG_ANCHOR_FOUND };

    (void)context;
    assert_int_equal(anchor_answer(&m).verdict.code, ERR_NOT_FOUND); // operation 0
    restart();
    assert_int_equal(apply_serial(1), ERR_NONE);
    answer = vaulthost_call(&host, MSG_KEYSET_OPEN, bytes_of(keyset_record, keyset_len));
    step = vaulthost_step(&answer);
    m.operation = step.operation;
    assert_int_equal(anchor_answer(&m).verdict.code, ERR_NOT_FOUND); // it waits for KMS
    answer = vaulthost_call(&host, MSG_KEYSET_OPEN, bytes_of(keyset_record, keyset_len));
    step = vaulthost_step(&answer);
    answer = vaulthost_kms(&host, &step);
    step = vaulthost_step(&answer);
    m.operation = step.operation;
    assert_int_equal(step.kind, MSG_STEP_ANCHOR_READ);
    msg_write_kms_answer(&wr, &(struct msg_kms_answer) { .operation = step.operation,
                                                         .cmk = BYTES_LIT(VAULTHOST_ARN) });
    assert_int_equal(vaulthost_call(&host, MSG_KMS_ANSWER, wr_done(&wr)).verdict.code,
                     ERR_NOT_FOUND);
    assert_int_equal(vaulthost_call(&host, MSG_KMS_FAILED, bytes_of(body, 8)).verdict.code,
                     ERR_NOT_FOUND);
    m.outcome = MSG_ANCHOR_WRITTEN; // to a read
    assert_int_equal(anchor_answer(&m).verdict.code, ERR_UNREACHABLE);
    m.outcome = MSG_ANCHOR_FOUND; // the operation has ended
    assert_int_equal(anchor_answer(&m).verdict.code, ERR_NOT_FOUND);
    set_lie(MSG_STEP_ANCHOR_WRITE, MSG_ANCHOR_FOUND); // to a write
    assert_int_equal(apply_serial(2), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_UNREACHABLE);
    assert_true(vaulthost_alive(&host));
}

// What remains, as SECURITY.md says: a front taken over shows an older genuine item, and the vault
// cannot know. It can neither make one nor move one.
static void test_front_shows_an_older_item(void **context)
{
    (void)context;
    recorded = item; // of manifest 1
    assert_int_equal(apply_serial(2), ERR_NONE);
    restart();
    assert_int_equal(apply_serial(1), ERR_NONE);
    assert_int_equal(open_keyset(), ERR_DENIED);
    item = recorded;
    assert_int_equal(open_keyset(), ERR_NONE);
}

// A release takes no anchor that is for development, and says so by name; without it, it goes on.
static void test_release_refuses_the_kind_file(void **context)
{
    struct vaulthost_answer answer;

    (void)context;
    admins_make();
    options.anchor = true;
    vaulthost_start_as(&host, getenv("CLOISTER_PKI"), true, false);
    answer = vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config_of(&options));
    assert_int_equal(answer.verdict.code, ERR_DENIED);
    assert_string_equal(answer.text, "anchor: the kind file is for development only");
    options.anchor = false;
    assert_int_equal(
        vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config_of(&options)).verdict.code, ERR_NONE);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_item, start, stop),
        cmocka_unit_test_teardown(test_release_refuses_the_kind_file, stop),
        cmocka_unit_test_setup_teardown(test_restart_with_the_old_manifest, start_open, stop),
        cmocka_unit_test_setup_teardown(test_old_record_with_anchor, start, stop),
        cmocka_unit_test_setup_teardown(test_old_record_without_anchor, start_without, stop),
        cmocka_unit_test_setup_teardown(test_deleted_keyset_stays_closed, start_open, stop),
        cmocka_unit_test_setup_teardown(test_damaged_items, start_open, stop),
        cmocka_unit_test_setup_teardown(test_anchor_down, start_open, stop),
        cmocka_unit_test_setup_teardown(test_two_enclaves, start_open, stop),
        cmocka_unit_test_setup_teardown(test_seal_outlasts_a_restart, start_open, stop),
        cmocka_unit_test_setup_teardown(test_unsealing_is_for_known_seals, start_open, stop),
        cmocka_unit_test_setup_teardown(test_seal_while_the_anchor_is_down, start_open, stop),
        cmocka_unit_test_setup_teardown(test_seal_wipes_first, start_open, stop),
        cmocka_unit_test_setup_teardown(test_answers_out_of_turn, start_open, stop),
        cmocka_unit_test_setup_teardown(test_front_shows_an_older_item, start_open, stop),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("vault anchor", tests, NULL, NULL);
}
