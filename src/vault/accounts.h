// SPDX-License-Identifier: Apache-2.0
// The open accounts: fixed slots in the arena, found by id through a hash index, the one not used
// for longest evicted when all are taken. Never fails for want of room.
#pragma once

#include "base/seckey.h"
#include "proto/id.h"
#include "proto/policy.h"
#include "vault/limits.h"

#define ACCOUNTS_BUCKETS (2 * VAULT_ACCOUNTS)

struct accounts_slot {
    struct id id;
    uint8_t record_hash[32]; // SHA-256 of the record that was opened: another one is opened anew
    uint8_t address[20];
    enum policy_kind policy;
    struct seckey key;
    uint32_t chain;        // next slot of the same bucket, or ACCOUNTS_NONE
    uint32_t newer, older; // order of use
};

#define ACCOUNTS_NONE UINT32_MAX

struct accounts {
    struct accounts_slot slot[VAULT_ACCOUNTS];
    uint32_t bucket[ACCOUNTS_BUCKETS];
    uint32_t newest, oldest;
    uint32_t used; // slots 0 .. used - 1 hold accounts
};

void accounts_init(struct accounts *accounts);
// The slot of an open account, now the newest; NULL when it is not open.
struct accounts_slot *accounts_find(struct accounts *accounts, const struct id *id);
// Wipes every slot.
void accounts_close_all(struct accounts *accounts);
// A slot for this id, with `id` set and all else zero: that of the same account, a free one, or
// the oldest one's, wiped.
struct accounts_slot *accounts_place(struct accounts *accounts, const struct id *id);
