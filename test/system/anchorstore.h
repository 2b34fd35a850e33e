// SPDX-License-Identifier: Apache-2.0
// A front and an anchor's store that a test plays to a vault, honest or not, and administrators who
// decide. Who may include it: test/system/vault_anchor.c, vault_sealing.c.
#pragma once

#include "vaultadmins.h"

#include "eth/tx.h"
#include "proto/anchor.h"
#include "proto/tag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

// One keyset's item, as a store keeps it.
struct item {
    uint64_t version; // 0: none
    uint8_t bytes[ANCHOR_ITEM_BYTES];
};

static struct vaulthost host;
static struct item item, recorded;
static unsigned reads, writes;
// What becomes of the exchanges from the `from`-th write or read on: FAILED, or another lie.
static struct {
    bool active;
    enum msg_step_kind on;
    unsigned skip;
    enum msg_anchor_outcome outcome; // in place of the true one
    bool carried_out;                // a write whose answer was lost
} lie;
static uint8_t keyset_record[KEYSET_BYTES_MAX], entry[MANIFEST_KEYSET_BYTES];
static size_t keyset_len;

static void boot(void)
{
    const char *pki = getenv("CLOISTER_PKI");

    must(pki);
    vaulthost_start(&host, pki);
    must(vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config_of(&options)).verdict.code == 0);
}

// A new boot of the same image: KMS has its keys, the vault remembers nothing.
static void restart(void)
{
    static struct seckey data_key[VAULTHOST_DATA_KEYS];
    unsigned count = host.data_keys;

    memcpy(data_key, host.data_key, sizeof(data_key));
    vaulthost_stop(&host);
    boot();
    memcpy(host.data_key, data_key, sizeof(data_key));
    host.data_keys = count;
}

static enum msg_anchor_outcome store_write(struct bytes bytes)
{
    struct anchor_item new;

    must(bytes.n == ANCHOR_ITEM_BYTES && !anchor_read(&new, bytes).code);
    if (new.counter != item.version + 1)
        return MSG_ANCHOR_CONFLICT;
    item.version++;
    memcpy(item.bytes, bytes.p, bytes.n);
    return MSG_ANCHOR_WRITTEN;
}

static struct vaulthost_answer anchor_answer(const struct msg_anchor_answer *m)
{
    uint8_t body[256];
    struct wr wr = WR_OF(body);

    msg_write_anchor_answer(&wr, m);
    return vaulthost_call(&host, MSG_ANCHOR_ANSWER, wr_done(&wr));
}

// Plays front and store for one step of the anchor.
static struct vaulthost_answer store_step(const struct msg_step *step)
{
    struct msg_anchor_answer m = { .operation = step->operation };
    bool is_write = step->kind == MSG_STEP_ANCHOR_WRITE;
    bool lies = lie.active && lie.on == step->kind && lie.skip == 0;

    *(is_write ? &writes : &reads) += 1;
    if (lie.active && lie.on == step->kind && lie.skip > 0)
        lie.skip--;
    if (is_write && (!lies || lie.carried_out))
        m.outcome = store_write(step->blob);
    if (!is_write && item.version > 0) {
        m.outcome = MSG_ANCHOR_FOUND;
        m.version = item.version;
        m.item = BYTES_OF(item.bytes);
    } else if (!is_write) {
        m.outcome = MSG_ANCHOR_ABSENT;
    }
    if (lies)
        m.outcome = lie.outcome;
    return anchor_answer(&m);
}

// All steps until the vault is done or refuses.
static struct vaulthost_answer carry_out(uint16_t type, struct bytes body)
{
    struct vaulthost_answer answer = vaulthost_call(&host, type, body);

    while (answer.verdict.code == ERR_NONE) {
        struct msg_step step = vaulthost_step(&answer);

        if (step.kind == MSG_STEP_DONE)
            break;
        answer =
            step.kind >= MSG_STEP_ANCHOR_READ ? store_step(&step) : vaulthost_kms(&host, &step);
    }
    return answer;
}

static enum err_code open_keyset(void)
{
    return (enum err_code)carry_out(MSG_KEYSET_OPEN, bytes_of(keyset_record, keyset_len))
        .verdict.code;
}

static enum err_code apply(const struct manifest *manifest)
{
    return (enum err_code)carry_out(MSG_MANIFEST, signed_body(manifest, 3)).verdict.code;
}

static enum err_code seal(void)
{
    return (enum err_code)carry_out(MSG_SEAL, BYTES_NONE).verdict.code;
}

static struct manifest admitting(uint64_t serial)
{
    struct manifest m = manifest_of(serial);

    m.keysets = BYTES_OF(entry);
    return m;
}

static enum err_code apply_serial(uint64_t serial)
{
    struct manifest m = admitting(serial);

    return apply(&m);
}

static struct msg_status status_now(void)
{
    struct vaulthost_answer answer = vaulthost_call(&host, MSG_STATUS, BYTES_NONE);
    struct rd rd = rd_of(answer.result);
    struct msg_status status;

    must(answer.verdict.code == 0 && !msg_read_status(&status, &rd).code);
    return status;
}

static enum err_code unseal(uint32_t seals)
{
    uint8_t space[ADMINS * APPROVAL_BYTES], body[256], message[32];
    struct msg_status status = status_now();
    struct wr wr = WR_OF(body);
    struct id deployment;

    memset(deployment.b, 1, sizeof(deployment.b));
    approval_unseal_message(message, &deployment, &status.boot, seals);
    approval_write_list(&wr, approvals(space, message, 3));
    return (enum err_code)vaulthost_call(&host, MSG_UNSEAL, wr_done(&wr)).verdict.code;
}

// A new keyset, not open, and what a manifest says to admit it.
static void create_keyset(void)
{
    static uint8_t fields[KEYSET_BYTES_MAX];
    struct vaulthost_answer answer = carry_out(MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"));
    struct msg_step step = vaulthost_step(&answer);
    struct wr wr = WR_OF(fields);
    struct keyset keyset;
    struct bytes field;

    must(step.kind == MSG_STEP_DONE && step.record.n > 0 && step.document.n > 0);
    keyset_len = step.record.n;
    memcpy(keyset_record, step.record.p, keyset_len);
    must(!keyset_read(&keyset, bytes_of(keyset_record, keyset_len)).code);
    keyset_write_public(&wr, &keyset);
    field = wr_done(&wr);
    memcpy(entry, keyset.id.b, sizeof(keyset.id.b));
    tag_hash(entry + sizeof(keyset.id.b), TAG_KEYSET, &field, 1);
}

static int start(void **context)
{
    (void)context;
    memset(&item, 0, sizeof(item));
    memset(&lie, 0, sizeof(lie));
    admins_make();
    options.anchor = true;
    boot();
    create_keyset();
    return 0;
}

static inline int start_without(void **context)
{
    (void)context;
    memset(&lie, 0, sizeof(lie));
    admins_make();
    boot();
    create_keyset();
    return 0;
}

// A keyset that is open under manifest 1.
static int start_open(void **context)
{
    start(context);
    must(apply_serial(1) == ERR_NONE && open_keyset() == ERR_NONE);
    return 0;
}

static int stop(void **context)
{
    (void)context;
    vaulthost_stop(&host);
    return 0;
}

static struct anchor_item item_now(void)
{
    struct anchor_item now;

    must(!anchor_read(&now, BYTES_OF(item.bytes)).code);
    return now;
}

static void set_lie(enum msg_step_kind on, enum msg_anchor_outcome outcome)
{
    lie.active = true;
    lie.on = on;
    lie.skip = 0;
    lie.outcome = outcome;
    lie.carried_out = false;
}
