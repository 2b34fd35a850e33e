// SPDX-License-Identifier: Apache-2.0
// Permissions. The manifest's bytes are kept as the vault told them, with an index over the
// entries, which ascend by identity: looking one up is a binary search. A token is looked up by its
// SHA-256, so the time that takes tells nothing about tokens. An identity counts only as what the
// manifest says it is: a certificate's bytes are no token.
#include "front/permits.h"

#include "base/ct.h"
#include "base/must.h"
#include "crypto/openssl/sha2.h"
#include "front/tlscert.h"

#include <stdlib.h>
#include <string.h>

// An entry has at least its identity, kind, operations, label of one byte, and three lengths.
#define ENTRIES_MAX (CLIENTS_BYTES_MAX / 40U)

struct permits {
    unsigned entries;
    struct clients_entry entry[ENTRIES_MAX]; // views into `clients`
    size_t web_len;
    uint8_t clients[CLIENTS_BYTES_MAX];
    uint8_t web[WEB_BYTES_MAX];
};

struct err permits_new(struct permits **out)
{
    *out = calloc(1, sizeof(**out));
    ENSURE(*out, ERR_FULL, "permits: out of memory");
    return OK;
}

void permits_free(struct permits **permits)
{
    free(*permits);
    *permits = NULL;
}

void permits_clear(struct permits *permits)
{
    permits->entries = 0;
    permits->web_len = 0;
}

void permits_load(struct permits *permits, const struct msg_clients *told)
{
    struct bytes rest = bytes_of(permits->clients, told->clients.n);

    must(told->clients.n <= CLIENTS_BYTES_MAX && told->web.n <= WEB_BYTES_MAX);
    permits_clear(permits);
    if (told->clients.n)
        memcpy(permits->clients, told->clients.p, told->clients.n);
    if (told->web.n)
        memcpy(permits->web, told->web.p, told->web.n);
    permits->web_len = told->web.n;
    while (rest.n) {
        must(permits->entries < ENTRIES_MAX);
        must(clients_next(&rest, &permits->entry[permits->entries++]));
    }
}

static void permits_told(void *context, struct link_answer *answer)
{
    struct core *core = context;
    struct msg_clients told;

    permits_clear(core->permits);
    if (!answer->verdict.code && !msg_read_clients(&told, &answer->result).code)
        permits_load(core->permits, &told);
    tlscert_follow(core->tlscert);
}

struct err permits_ask(struct core *core)
{
    struct link_done done = { permits_told, core };
    struct err err = link_send(core->link, MSG_CLIENTS, BYTES_NONE, done);

    if (err.code)
        permits_clear(core->permits);
    return err;
}

// The entry of this identity, if it is of this kind.
static const struct clients_entry *permits_find(const struct permits *permits, uint8_t kind,
                                                const uint8_t identity[static 32])
{
    unsigned from = 0, to = permits->entries;

    while (from < to) {
        unsigned middle = from + (to - from) / 2;
        const struct clients_entry *entry = &permits->entry[middle];
        int order = bytes_compare(bytes_of(identity, 32), BYTES_OF(entry->identity));

        if (order == 0)
            return entry->kind == kind ? entry : NULL;
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

bool permits_knows(const struct permits *permits, const uint8_t leaf[static 32])
{
    return permits_find(permits, CLIENTS_CERTIFICATE, leaf) != NULL;
}

size_t permits_authorities(const struct permits *permits,
                           struct bytes der[static PERMITS_AUTHORITIES])
{
    size_t n = 0;

    for (unsigned i = 0; i < permits->entries && n < PERMITS_AUTHORITIES; i++)
        if (permits->entry[i].kind == CLIENTS_AUTHORITY)
            der[n++] = permits->entry[i].certificate;
    return n;
}

static bool permits_web(const struct permits *permits, enum clients_web_kind kind,
                        struct bytes text)
{
    struct bytes rest = bytes_of(permits->web, permits->web_len);
    struct clients_web web;

    while (rest.n && clients_next_web(&rest, &web))
        if (web.kind == kind && (bytes_equal_str(web.text, "*") || bytes_equal(web.text, text)))
            return true;
    return false;
}

bool permits_host(const struct permits *permits, struct bytes host)
{
    return permits_web(permits, CLIENTS_HOST, host);
}

bool permits_origin(const struct permits *permits, struct bytes origin)
{
    return permits_web(permits, CLIENTS_ORIGIN, origin);
}

// Something was shown: it is what the audit names, and perhaps an entry.
static void permits_add(const struct permits *permits, struct permits_who *who, uint8_t kind,
                        const uint8_t identity[static 32])
{
    const struct clients_entry *entry = permits_find(permits, kind, identity);

    if (ct_is_zero(BYTES_OF(who->identity)))
        memcpy(who->identity, identity, 32);
    if (!entry)
        return;
    who->known = who->known || kind != CLIENTS_ANYONE;
    who->entry[who->entries++] = entry;
}

void permits_identify(const struct permits *permits, struct permits_who *out,
                      const struct permits_shown *shown)
{
    static const uint8_t nobody[32];
    uint8_t token[32];

    *out = (struct permits_who) { .entries = 0 };
    if (shown->leaf)
        permits_add(permits, out, CLIENTS_CERTIFICATE, shown->leaf);
    if (shown->authority && !ct_is_zero(bytes_of(shown->authority, 32)))
        permits_add(permits, out, CLIENTS_AUTHORITY, shown->authority);
    if (shown->token.p) {
        sha2_256(token, shown->token);
        permits_add(permits, out, CLIENTS_TOKEN, token);
    }
    permits_add(permits, out, CLIENTS_ANYONE, nobody);
}

static bool permits_allows(const struct clients_entry *entry, uint16_t operation,
                           const struct permits_key *key)
{
    if (!(entry->operations & operation))
        return false;
    return !key || clients_matches(entry, key->id) ||
           (key->address.n > 0 && clients_matches(entry, key->address));
}

struct err permits_check(const struct permits_who *who, uint16_t operation,
                         const struct permits_key *key)
{
    for (unsigned i = 0; i < who->entries; i++)
        if (permits_allows(who->entry[i], operation, key))
            return OK;
    ENSURE(who->known, ERR_UNAUTHORIZED,
           "expected a client certificate or a bearer token that the manifest names");
    return FAIL(ERR_DENIED, "the manifest does not allow this client to do that");
}
