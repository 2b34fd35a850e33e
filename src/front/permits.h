// SPDX-License-Identifier: Apache-2.0
// Who may do what on the data plane: the clients, hosts and origins of the manifest in force, as
// the vault tells them. Deny by default: before the vault has told, and when what it told is not of
// its form, nobody may do anything. Every request is judged anew. Who may include it: front.
#pragma once

#include "front/core.h"
#include "proto/clients.h"

#define PERMITS_AUTHORITIES 256U // more than CLIENTS_BYTES_MAX holds

struct permits;

FALLIBLE permits_new(struct permits **out);
void permits_free(struct permits **permits);
// Takes over a copy of what the vault told, as msg_read_clients has checked it.
void permits_load(struct permits *permits, const struct msg_clients *told);
// Nothing is allowed until the next load.
void permits_clear(struct permits *permits);
// Asks the vault for what is in force now and loads it; until then the old ones hold, and with an
// error nothing is allowed.
FALLIBLE permits_ask(struct core *core);
// True for a client certificate that the manifest names (SHA-256 of its DER).
bool permits_knows(const struct permits *permits, const uint8_t leaf[static 32]);
// The DER of the authorities whose certificates are accepted; views valid until the next load.
size_t permits_authorities(const struct permits *permits,
                           struct bytes der[static PERMITS_AUTHORITIES]);
// The manifest's further names of this server and its origins; "*" allows any.
bool permits_host(const struct permits *permits, struct bytes host);
bool permits_origin(const struct permits *permits, struct bytes origin);

// What a request shows of itself.
struct permits_shown {
    const uint8_t *leaf;      // SHA-256 of the client's certificate; NULL: none
    const uint8_t *authority; // of the CA it chains to; NULL or zero: none
    struct bytes token;       // p NULL: none
};

// Whose permissions it has. Views are valid until the next load.
struct permits_who {
    const struct clients_entry *entry[4];
    unsigned entries;
    bool known;           // one of them is more than "anyone"
    uint8_t identity[32]; // the first that was shown, known or not; zero: none
};
void permits_identify(const struct permits *permits, struct permits_who *out,
                      const struct permits_shown *shown);

// The key that an operation is on, in the two forms that patterns may name; empty ones match
// nothing.
struct permits_key {
    struct bytes id, address;
};
// `operation` is one of enum clients_operation; key NULL: some key, which is judged later.
// ERR_UNAUTHORIZED when an identity is missing, ERR_DENIED when none of them may.
FALLIBLE permits_check(const struct permits_who *who, uint16_t operation,
                       const struct permits_key *key);
