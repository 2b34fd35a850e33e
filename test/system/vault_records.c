// SPDX-License-Identifier: Apache-2.0
// Records moved and rewritten by who owns the store: fields of one in another, with everything that
// needs no secret made to fit. (Single bits: hostile_front.c.)
#include "vaulthost.h"

#include "base/must.h"
#include "eth/tx.h"
#include "proto/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vaultkept.h"

#define OTHER_DEPLOYMENT 2

static struct vaulthost host;

static void start_with(const struct vaulthost_options *options)
{
    const char *pki = getenv("CLOISTER_PKI");

    must(pki);
    vaulthost_start(&host, pki);
    must(!vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config_of(options)).verdict.code);
}

static int start(void **context)
{
    (void)context;
    start_with(&(struct vaulthost_options) { .deployment = 1, .second = true });
    return 0;
}

static int stop(void **context)
{
    (void)context;
    vaulthost_stop(&host);
    return 0;
}

// -- keyset records -----------------------------------------------------------------------------

// A new keyset, not opened.
static struct id create(struct kept *out, struct bytes request)
{
    struct vaulthost_answer answer = vaulthost_call(&host, MSG_KEYSET_CREATE, request);
    struct msg_step step = vaulthost_step(&answer);

    while (step.kind != MSG_STEP_DONE) {
        answer = vaulthost_kms(&host, &step);
        step = vaulthost_step(&answer);
    }
    keep(out, step.record);
    return step.keyset;
}

static struct vaulthost_answer open_keyset(struct bytes record)
{
    struct vaulthost_answer answer = vaulthost_call(&host, MSG_KEYSET_OPEN, record);
    struct msg_step step;

    if (answer.verdict.code)
        return answer;
    step = vaulthost_step(&answer);
    return step.kind == MSG_STEP_DONE ? answer : vaulthost_kms(&host, &step);
}

static struct kept first, second; // "main" and another keyset of that name

static struct keyset other_keyset(void)
{
    struct keyset keyset;

    must(!keyset_read(&keyset, kept(&second)).code);
    return keyset;
}

static void rename_it(struct keyset *k)
{
    k->name = BYTES_LIT("next");
}

static void rename_to_unknown(struct keyset *k)
{
    k->name = BYTES_LIT("none");
}

static void move_id(struct keyset *k)
{
    k->id = other_keyset().id;
}

static void move_sealed(struct keyset *k)
{
    k->wrap[0].sealed = other_keyset().wrap[0].sealed;
}

static void move_blob(struct keyset *k)
{
    k->wrap[0].blob = other_keyset().wrap[0].blob;
}

static void move_wrap(struct keyset *k)
{
    k->wrap[0] = other_keyset().wrap[0];
}

static void move_check(struct keyset *k)
{
    k->check = other_keyset().check;
}

static void move_cmk(struct keyset *k)
{
    k->wrap[0].cmk = BYTES_LIT(VAULTHOST_ARN_2);
}

static void change_purpose(struct keyset *k)
{
    k->purpose = CONFIG_VALIDATORS;
}

static void change_created(struct keyset *k)
{
    k->created_ms--;
}

static void change_coordinate(struct keyset *k)
{
    k->wrap[0].x = 2;
}

static void change_kind(struct keyset *k)
{
    k->wrap[0].kind = 2;
}

static void move_to_deployment(struct keyset *k)
{
    memset(k->deployment.b, OTHER_DEPLOYMENT, sizeof(k->deployment.b));
}

static void leave(struct keyset *k)
{
    (void)k;
}

static struct bytes keyset_changed(void (*change)(struct keyset *))
{
    static uint8_t out[KEYSET_BYTES_MAX];
    struct wr wr = WR_OF(out);
    struct keyset keyset;

    must(!keyset_read(&keyset, kept(&first)).code);
    change(&keyset);
    keyset_write(&wr, &keyset);
    must(!wr_end(&wr).code);
    return wr_done(&wr);
}

static void test_keyset_rewritten(void **context)
{
    static const struct {
        const char *name;
        void (*change)(struct keyset *);
        enum err_code code;
    } cases[] = {
        { "renamed to another configured keyset", rename_it, ERR_CORRUPT },
        { "renamed to an unknown one", rename_to_unknown, ERR_NOT_FOUND },
        { "id of another keyset", move_id, ERR_CORRUPT },
        { "sealed share of another keyset", move_sealed, ERR_CORRUPT },
        { "blob of another keyset", move_blob, ERR_CORRUPT },
        { "blob and sealed share of another keyset", move_wrap, ERR_CORRUPT },
        { "check value of another keyset", move_check, ERR_CORRUPT },
        { "another CMK", move_cmk, ERR_MISMATCH },
        { "purpose validators", change_purpose, ERR_MISMATCH },
        { "created earlier", change_created, ERR_CORRUPT },
        { "coordinate 2 of 1", change_coordinate, ERR_MALFORMED },
        { "unknown wrap kind", change_kind, ERR_UNSUPPORTED },
        { "another deployment", move_to_deployment, ERR_MISMATCH },
        { "as it was", leave, ERR_NONE },
    };

    (void)context;
    (void)create(&first, BYTES_LIT("\x04main\x00"));
    (void)create(&second, BYTES_LIT("\x04main\x00"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_code(cases[i].name, open_keyset(keyset_changed(cases[i].change)), cases[i].code);
}

// Version 0 (an older form that never was) and 2 (a later one): nobody guesses.
static void test_other_versions(void **context)
{
    static struct kept record;
    uint8_t account[RECORD_BYTES_MAX];
    struct id keyset = create(&record, BYTES_LIT("\x04main\x00"));
    size_t n;

    (void)context;
    for (uint8_t version = 0; version <= 2; version++) {
        record.b[1] = version;
        expect_code("keyset", open_keyset(kept(&record)),
                    version == 1 ? ERR_NONE : ERR_UNSUPPORTED);
    }
    record.b[1] = 1;
    expect_code("keyset", open_keyset(kept(&record)), ERR_NONE);
    n = vaulthost_account(&host, &keyset, account);
    for (uint8_t version = 0; version <= 2; version++) {
        account[1] = version;
        expect_code("account", vaulthost_call(&host, MSG_ACCOUNT_OPEN, bytes_of(account, n)),
                    version == 1 ? ERR_NONE : ERR_UNSUPPORTED);
    }
}

// The same CMK serves two deployments: the parent takes the record of one, and the record of one
// made to name the other, to an enclave of the other, and KMS decrypts its blob.
static void test_keyset_in_another_deployment(void **context)
{
    struct seckey data_key;

    (void)create(&first, BYTES_LIT("\x04main\x00"));
    data_key = host.data_key[0];
    stop(context);
    start_with(&(struct vaulthost_options) { .deployment = OTHER_DEPLOYMENT, .second = true });
    host.data_key[host.data_keys++] = data_key;
    expect_code("as it was", open_keyset(kept(&first)), ERR_MISMATCH);
    expect_code("made to fit", open_keyset(keyset_changed(move_to_deployment)), ERR_CORRUPT);
}

// -- account records ----------------------------------------------------------------------------

// Records of: an account, one without a policy, another one of the same keyset, and one of another.
static struct kept alice, nobody, bob, carol;
static struct id main_keyset, next_keyset;

static void make_nobody(void)
{
    uint8_t body[256], policy[8], authorisers[8];
    struct wr wr = WR_OF(body), policy_wr = WR_OF(policy), authorisers_wr = WR_OF(authorisers);
    struct msg_account_create m = { .keyset = main_keyset };
    struct vaulthost_answer answer;
    struct msg_created created;
    struct rd rd;

    policy_write(&policy_wr, &(struct policy) { POLICY_NOTHING });
    policy_write_no_authorisers(&authorisers_wr);
    m.policy = wr_done(&policy_wr);
    m.authorisers = wr_done(&authorisers_wr);
    msg_write_account_create(&wr, &m);
    answer = vaulthost_call(&host, MSG_ACCOUNT_CREATE, wr_done(&wr));
    expect_code("create", answer, ERR_NONE);
    rd = rd_of(answer.result);
    must(!msg_read_created(&created, &rd).code);
    keep(&nobody, created.record);
}

static void make_accounts(void)
{
    static struct kept record;

    main_keyset = create(&record, BYTES_LIT("\x04main\x00"));
    expect_code("open", open_keyset(kept(&record)), ERR_NONE);
    next_keyset = create(&record, BYTES_LIT("\x04next\x00"));
    expect_code("open", open_keyset(kept(&record)), ERR_NONE);
    alice.n = vaulthost_account(&host, &main_keyset, alice.b);
    bob.n = vaulthost_account(&host, &main_keyset, bob.b);
    carol.n = vaulthost_account(&host, &next_keyset, carol.b);
    make_nobody();
}

static struct record record_of(const struct kept *stored)
{
    struct record record;

    must(!record_read(&record, kept(stored)).code);
    return record;
}

static void take_policy(struct record *r)
{
    r->policy = record_of(&alice).policy;
    memcpy(r->policy_hash, record_of(&alice).policy_hash, sizeof(r->policy_hash));
}

static void take_policy_without_hash(struct record *r)
{
    r->policy = record_of(&alice).policy;
}

static void take_id(struct record *r)
{
    r->id = record_of(&bob).id;
}

static void take_public_key(struct record *r)
{
    r->public_key = record_of(&bob).public_key;
}

static void take_sealed(struct record *r)
{
    r->sealed = record_of(&bob).sealed;
}

static void take_all_but_id(struct record *r)
{
    struct id id = r->id;

    *r = record_of(&bob);
    r->id = id;
}

static void take_keyset(struct record *r)
{
    r->keyset = next_keyset;
}

static void take_deployment(struct record *r)
{
    memset(r->deployment.b, OTHER_DEPLOYMENT, sizeof(r->deployment.b));
}

static void take_unknown_keyset(struct record *r)
{
    r->keyset.b[0] ^= 1;
}

static void say_imported(struct record *r)
{
    r->provenance = RECORD_IMPORTED;
}

static void say_later_generation(struct record *r)
{
    r->generation++;
}

static void say_created_earlier(struct record *r)
{
    r->created_ms--;
}

static void say_validator(struct record *r)
{
    r->purpose = RECORD_VALIDATOR;
}

static void change_nothing(struct record *r)
{
    (void)r;
}

// The record with `change`, written anew.
static struct bytes record_changed(const struct kept *stored, void (*change)(struct record *))
{
    static uint8_t out[RECORD_BYTES_MAX];
    uint8_t public_bytes[512];
    struct wr wr = WR_OF(out), public_wr = WR_OF(public_bytes);
    struct record record = record_of(stored);

    change(&record);
    record_write_public(&public_wr, &record);
    record.public_bytes = wr_done(&public_wr);
    record_write(&wr, &record);
    must(!wr_end(&wr).code);
    return wr_done(&wr);
}

static void test_account_rewritten(void **context)
{
    static const struct {
        const char *name;
        const struct kept *stored;
        void (*change)(struct record *);
        enum err_code code;
    } cases[] = {
        { "no policy made unrestricted", &nobody, take_policy, ERR_CORRUPT },
        { "the same, hash left", &nobody, take_policy_without_hash, ERR_CORRUPT },
        { "id of another account", &alice, take_id, ERR_CORRUPT },
        { "public key of another account", &alice, take_public_key, ERR_CORRUPT },
        { "sealed key of another account", &alice, take_sealed, ERR_CORRUPT },
        { "another account under this id", &alice, take_all_but_id, ERR_CORRUPT },
        { "another open keyset", &alice, take_keyset, ERR_CORRUPT },
        { "an unknown keyset", &alice, take_unknown_keyset, ERR_NOT_FOUND },
        { "another deployment", &alice, take_deployment, ERR_MISMATCH },
        { "imported", &alice, say_imported, ERR_CORRUPT },
        { "later generation", &alice, say_later_generation, ERR_CORRUPT },
        { "created earlier", &alice, say_created_earlier, ERR_CORRUPT },
        { "a validator's", &alice, say_validator, ERR_MISMATCH },
        { "as it was", &alice, change_nothing, ERR_NONE },
        { "as it was, another keyset", &carol, change_nothing, ERR_NONE },
    };

    (void)context;
    make_accounts();
    for (int opened = 0; opened < 2; opened++) { // and while the genuine ones are open
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            struct bytes record = record_changed(cases[i].stored, cases[i].change);

            expect_code(cases[i].name, vaulthost_call(&host, MSG_ACCOUNT_OPEN, record),
                        cases[i].code);
            expect_code(cases[i].name, vaulthost_sign(&host, record), cases[i].code);
        }
        expect_code("bob", vaulthost_sign(&host, kept(&bob)), ERR_NONE);
        expect_code("nobody", vaulthost_sign(&host, kept(&nobody)), ERR_DENIED);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keyset_rewritten, start, stop),
        cmocka_unit_test_setup_teardown(test_other_versions, start, stop),
        cmocka_unit_test_setup_teardown(test_keyset_in_another_deployment, start, stop),
        cmocka_unit_test_setup_teardown(test_account_rewritten, start, stop),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("vault records", tests, NULL, NULL);
}
