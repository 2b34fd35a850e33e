// SPDX-License-Identifier: Apache-2.0
#include "vault/accounts.h"

#include <string.h>

void accounts_init(struct accounts *accounts)
{
    for (size_t i = 0; i < ACCOUNTS_BUCKETS; i++)
        accounts->bucket[i] = ACCOUNTS_NONE;
    accounts->newest = accounts->oldest = ACCOUNTS_NONE;
    accounts->used = 0;
}

void accounts_close_all(struct accounts *accounts)
{
    ct_wipe(accounts->slot, sizeof(accounts->slot));
    accounts_init(accounts);
}

// Account ids are random bytes of the vault itself, so their first bytes are a fair hash; a parent
// that repeats records makes no new ids.
static uint32_t *accounts_bucket(struct accounts *accounts, const struct id *id)
{
    uint32_t hash;

    memcpy(&hash, id->b, sizeof(hash));
    return &accounts->bucket[hash % ACCOUNTS_BUCKETS];
}

static void accounts_detach(struct accounts *accounts, uint32_t at)
{
    struct accounts_slot *slot = &accounts->slot[at];

    if (slot->newer != ACCOUNTS_NONE)
        accounts->slot[slot->newer].older = slot->older;
    else
        accounts->newest = slot->older;
    if (slot->older != ACCOUNTS_NONE)
        accounts->slot[slot->older].newer = slot->newer;
    else
        accounts->oldest = slot->newer;
}

static void accounts_attach(struct accounts *accounts, uint32_t at)
{
    struct accounts_slot *slot = &accounts->slot[at];

    slot->newer = ACCOUNTS_NONE;
    slot->older = accounts->newest;
    if (accounts->newest != ACCOUNTS_NONE)
        accounts->slot[accounts->newest].newer = at;
    else
        accounts->oldest = at;
    accounts->newest = at;
}

static uint32_t accounts_lookup(struct accounts *accounts, const struct id *id)
{
    uint32_t at = *accounts_bucket(accounts, id);

    while (at != ACCOUNTS_NONE && !id_equal(&accounts->slot[at].id, id))
        at = accounts->slot[at].chain;
    return at;
}

struct accounts_slot *accounts_find(struct accounts *accounts, const struct id *id)
{
    uint32_t at = accounts_lookup(accounts, id);

    if (at == ACCOUNTS_NONE)
        return NULL;
    if (at != accounts->newest) {
        accounts_detach(accounts, at);
        accounts_attach(accounts, at);
    }
    return &accounts->slot[at];
}

// Takes the oldest account out of its bucket, wipes its slot and returns its index.
static uint32_t accounts_evict(struct accounts *accounts)
{
    uint32_t at = accounts->oldest;
    uint32_t *link = accounts_bucket(accounts, &accounts->slot[at].id);

    while (*link != at)
        link = &accounts->slot[*link].chain;
    *link = accounts->slot[at].chain;
    accounts_detach(accounts, at);
    return at;
}

struct accounts_slot *accounts_place(struct accounts *accounts, const struct id *id)
{
    struct accounts_slot *slot = accounts_find(accounts, id);
    uint32_t *bucket = accounts_bucket(accounts, id);
    uint32_t at, chain, newer, older;

    if (!slot) {
        at = accounts->used < VAULT_ACCOUNTS ? accounts->used++ : accounts_evict(accounts);
        slot = &accounts->slot[at];
        slot->chain = *bucket;
        *bucket = at;
        accounts_attach(accounts, at);
    }
    chain = slot->chain;
    newer = slot->newer;
    older = slot->older;
    ct_wipe(slot, sizeof(*slot));
    *slot = (struct accounts_slot) { .id = *id, .chain = chain, .newer = newer, .older = older };
    return slot;
}
