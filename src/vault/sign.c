// SPDX-License-Identifier: Apache-2.0
#include "vault/sign.h"

#include "crypto/ecdsa.h"
#include "eth/tx.h"
#include "proto/policy.h"
#include "vault/account.h"

#include <string.h>

// What the account's policy says of this transaction.
static struct err policy_allows(const struct state *state, enum policy_kind policy,
                                const struct tx *tx)
{
    ENSURE(config_find_chain(&state->config, tx->chain_id), ERR_DENIED,
           "tx.chainId: not a network of the configuration");
    ENSURE(policy == POLICY_UNRESTRICTED, ERR_DENIED,
           "policy: an account without a policy signs nothing");
    return OK;
}

// The policy of a record is asked before the record is opened; opening then proves that it is the
// one that was sealed.
static struct err record_allows(struct turn *turn, struct bytes bytes, const struct tx *tx)
{
    struct record record;
    struct policy policy;

    TRY(record_read(&record, bytes));
    turn->account = record.id;
    TRY(policy_read(&policy, record.policy));
    return policy_allows(turn->state, policy.kind, tx);
}

static struct err slot_for(struct turn *turn, const struct msg_sign_tx *m, const struct tx *tx,
                           struct accounts_slot **slot)
{
    struct state *state = turn->state;

    if (m->record.n) {
        ENSURE(id_is_zero(&m->account), ERR_MALFORMED, "account: stands beside a record");
        TRY(record_allows(turn, m->record, tx));
        return account_slot_of_record(state, m->record, slot);
    }
    turn->account = m->account;
    *slot = accounts_find(&state->secret->accounts, &m->account);
    ENSURE(*slot, ERR_NOT_FOUND, "account: not open; send its record");
    return policy_allows(state, (*slot)->policy, tx);
}

struct err sign_tx(struct turn *turn)
{
    struct rd rd = rd_of(turn->body);
    struct msg_sign_tx m;
    struct msg_signed answer;
    struct accounts_slot *slot;
    struct tx tx;
    uint8_t digest[32];

    TRY(msg_read_sign_tx(&m, &rd));
    ENSURE(m.approvals.n == 0, ERR_UNSUPPORTED, "approvals: this release takes none");
    TRY(tx_read_unsigned(&tx, m.payload));
    TRY(slot_for(turn, &m, &tx, &slot));
    tx_hash(digest, m.payload);
    TRY(ecdsa_sign(answer.signature, digest, &slot->key));
    memcpy(answer.address, slot->address, sizeof(answer.address));
    msg_write_signed(turn->out, &answer);
    return OK;
}
