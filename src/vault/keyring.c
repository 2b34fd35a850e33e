// SPDX-License-Identifier: Apache-2.0
#include "vault/keyring.h"

#include "base/must.h"

#include <string.h>

static size_t keyring_index(const struct keyring *ring, const struct id *id);

struct err keyring_put(struct keyring *ring, const struct id *id,
                       const struct config_keyset *keyset, const struct seckey *key)
{
    struct keyring_entry *entry;
    size_t at = 0;

    if (keyring_index(ring, id) < ARRAY_LEN(ring->entry))
        return OK;
    while (at < ARRAY_LEN(ring->entry) && ring->entry[at].used)
        at++;
    ENSURE(at < ARRAY_LEN(ring->entry), ERR_FULL, "keyset: all places for open keysets are taken");
    entry = &ring->entry[at];
    must(keyset->name.n <= sizeof(entry->name));
    entry->id = *id;
    entry->purpose = keyset->purpose;
    entry->name_len = keyset->name.n;
    memcpy(entry->name, keyset->name.p, keyset->name.n);
    memcpy(entry->key.b, key->b, sizeof(key->b));
    entry->used = true;
    return OK;
}

// Its place, or the number of places when it is not open.
static size_t keyring_index(const struct keyring *ring, const struct id *id)
{
    size_t at = 0;

    while (at < ARRAY_LEN(ring->entry) &&
           !(ring->entry[at].used && id_equal(&ring->entry[at].id, id)))
        at++;
    return at;
}

struct keyring_entry *keyring_entry_of(struct keyring *ring, const struct id *id)
{
    size_t at = keyring_index(ring, id);

    return at < ARRAY_LEN(ring->entry) ? &ring->entry[at] : NULL;
}

const struct keyring_entry *keyring_find(const struct keyring *ring, const struct id *id)
{
    size_t at = keyring_index(ring, id);

    return at < ARRAY_LEN(ring->entry) ? &ring->entry[at] : NULL;
}

void keyring_drop(struct keyring_entry *entry)
{
    ct_wipe(entry, sizeof(*entry));
}

unsigned keyring_count(const struct keyring *ring)
{
    unsigned count = 0;

    for (size_t i = 0; i < ARRAY_LEN(ring->entry); i++)
        count += ring->entry[i].used ? 1U : 0U;
    return count;
}
