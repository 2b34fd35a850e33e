// SPDX-License-Identifier: Apache-2.0
// The certificate with which the data plane greets new connections, and the keys of the vault that
// it and those before it speak for. Who may include it: front.
#pragma once

#include "front/core.h"
#include "net/tls_server.h"

struct tlscert;

FALLIBLE tlscert_new(struct tlscert **out, struct core *core);
void tlscert_free(struct tlscert **cert);
// From now on this chain and its key, which is open in the vault. Open connections go on. Errors as
// of tls_server_remote_new, and then nothing changes.
FALLIBLE tlscert_use(struct tlscert *cert, const struct msg_tls_key *key, struct bytes chain_pem);
// The vault has no TLS key any more, or not this one: while there is no other, new connections are
// closed at once.
void tlscert_drop(struct tlscert *cert);
void tlscert_lost(struct tlscert *cert, const struct id *key);
// The manifest in force is another one: the authorities of clients' certificates follow it.
void tlscert_follow(struct tlscert *cert);

struct tlscert_facts {
    struct msg_tls_key key;
    struct tls_server_leaf leaf;
};
// NULL: none is in use.
const struct tlscert_facts *tlscert_facts(const struct tlscert *cert);
// Is the host a name of the certificate, the last one in use?
bool tlscert_is_name(const struct tlscert *cert, struct bytes host);
// The id of the key with this SHA-256 of its SubjectPublicKeyInfo; NULL when none was in use
// lately.
const struct id *tlscert_key(const struct tlscert *cert, const uint8_t spki_sha256[static 32]);
