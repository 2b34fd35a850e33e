// SPDX-License-Identifier: Apache-2.0
// What a TLS server has beside its private key. Duty: greet with one certificate at a time, ask the
// vault for every signature under the key that belongs to it, and let in no client certificate that
// the manifest does not know.
#include "front/tlscert.h"

#include "base/must.h"
#include "front/data.h"
#include "front/permits.h"
#include "front/tlssign.h"

#include <stdlib.h>
#include <string.h>

#define KEYS 16U // keys whose connections may still be open; the vault has fewer

// A key that was in use. Its place is taken again when KEYS others have come.
struct used {
    struct core *core;
    struct id id;
    uint8_t spki_sha256[32];
};

struct tlscert {
    struct core *core;
    struct tls_context *tls; // stays for its names when it is not in use any more
    struct tlscert_facts facts;
    bool in_use;
    struct used used[KEYS];
    unsigned next;
};

struct err tlscert_new(struct tlscert **out, struct core *core)
{
    struct tlscert *cert = calloc(1, sizeof(*cert));

    *out = cert;
    ENSURE(cert, ERR_FULL, "TLS: out of memory");
    cert->core = core;
    return OK;
}

void tlscert_free(struct tlscert **cert)
{
    if (!*cert)
        return;
    tls_context_free(&(*cert)->tls);
    free(*cert);
    *cert = NULL;
}

static struct err tlscert_sign(void *context, struct tls_key_job *job, enum tls_key_kind kind,
                               struct bytes input)
{
    const struct used *used = context;
    struct msg_tls_sign m = { .key = used->id, .kind = (uint8_t)kind, .input = input };

    return tlssign_ask(used->core->tlssign, job, &m);
}
_Static_assert(TLS_KEY_VERIFY13 == (int)MSG_TLS_VERIFY13 &&
                   TLS_KEY_EXCHANGE12 == (int)MSG_TLS_EXCHANGE12,
               "kinds are the same");

static bool tlscert_knows(void *context, const uint8_t leaf[static 32])
{
    const struct core *core = context;

    return permits_knows(core->permits, leaf);
}

static uint64_t tlscert_clock(void *context)
{
    const struct core *core = context;

    return core_now_s(&core->clock);
}

static struct used *tlscert_find(struct tlscert *cert, const struct id *key)
{
    for (unsigned i = 0; i < KEYS; i++)
        if (id_equal(&cert->used[i].id, key))
            return &cert->used[i];
    return NULL;
}

struct err tlscert_use(struct tlscert *cert, const struct msg_tls_key *key, struct bytes chain_pem)
{
    struct core *core = cert->core;
    struct used *known = tlscert_find(cert, &key->key);
    struct used *used = known ? known : &cert->used[cert->next % KEYS];
    struct tls_server_options options = { .chain_pem = chain_pem,
                                          .key = { .sign = tlscert_sign, .context = used },
                                          .now_s = core_now_s(&core->clock),
                                          .known = tlscert_knows,
                                          .clock = tlscert_clock,
                                          .context = core };
    struct tls_context *tls, *old = cert->tls;

    memcpy(options.key.point, key->public_key, sizeof(options.key.point));
    TRY(tls_server_remote_new(&tls, &options));
    cert->tls = tls;
    cert->in_use = true;
    cert->facts.key = *key;
    tls_server_leaf(&cert->facts.leaf, tls);
    cert->next += !known;
    *used = (struct used) { .core = core, .id = key->key };
    memcpy(used->spki_sha256, cert->facts.leaf.spki_sha256, sizeof(used->spki_sha256));
    tlscert_follow(cert);
    data_set_tls(core->data, tls);
    tls_context_free(&old); // connections keep it as long as they need it
    core_event(CORE_EVENT_TLS, (int64_t)cert->facts.leaf.not_after_s, 0);
    return OK;
}

void tlscert_drop(struct tlscert *cert)
{
    if (!cert->in_use)
        return;
    cert->in_use = false;
    data_set_tls(cert->core->data, NULL);
    core_event(CORE_EVENT_TLS, 0, 0);
}

void tlscert_lost(struct tlscert *cert, const struct id *key)
{
    if (id_equal(&cert->facts.key.key, key))
        tlscert_drop(cert);
}

// What is no certificate is nobody's authority, and the others of the same manifest go with it.
void tlscert_follow(struct tlscert *cert)
{
    struct bytes der[PERMITS_AUTHORITIES];
    size_t n = permits_authorities(cert->core->permits, der);

    if (!cert->tls || !tls_server_set_authorities(cert->tls, der, n).code)
        return;
    core_event(CORE_EVENT_AUTHORITIES, (int64_t)n, 0);
    must(!tls_server_set_authorities(cert->tls, der, 0).code);
}

const struct tlscert_facts *tlscert_facts(const struct tlscert *cert)
{
    return cert->in_use ? &cert->facts : NULL;
}

bool tlscert_is_name(const struct tlscert *cert, struct bytes host)
{
    return cert->tls && tls_server_is_name(cert->tls, host);
}

const struct id *tlscert_key(const struct tlscert *cert, const uint8_t spki_sha256[static 32])
{
    for (unsigned i = 0; i < KEYS; i++)
        if (!id_is_zero(&cert->used[i].id) &&
            bytes_equal(BYTES_OF(cert->used[i].spki_sha256), bytes_of(spki_sha256, 32)))
            return &cert->used[i].id;
    return NULL;
}
