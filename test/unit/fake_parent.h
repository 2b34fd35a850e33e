// SPDX-License-Identifier: Apache-2.0
// What surrounds cloisterd in its tests: an enclave's control plane on a Unix socket, IMDSv2 and an
// Ethereum node on loopback, a directory, a configuration. They answer in the agreed forms and know
// no cryptography: records are of the right shape, signatures are numbers.
#pragma once

#include "base/bytes.h"
#include "eth/tx.h"
#include "httpd/server.h"
#include "net/json.h"
#include "proto/config.h"

#include <pthread.h>
#include <stdatomic.h>

#define FAKE_CHAIN 31337U

enum fake_mode { FAKE_NORMAL, FAKE_SILENT, FAKE_CLOSES, FAKE_SWAPS };

struct fake_enclave {
    char path[128];
    int listen_fd;
    pthread_t thread;
    atomic_bool stopping;
    atomic_int mode;
    atomic_int refuse; // enum err_code for account.create and sign_transaction; 0: none
    atomic_bool configured, credentials, keyset_open, foreign;
    atomic_bool administered; // keysets open under a manifest only
    atomic_bool sealed;
    atomic_uint serial, seals, applies;
    atomic_uint other_calls; // while sealed: anything but hello, status, manifest.apply, unseal
    atomic_uint creates, signs, keysets, configures, handed_over;
    // TLS keys (fake_tls.c): what `status` says is in use, and calls.
    char tls_key[33], tls_sha256[65];
    atomic_bool tls_lost;           // forget it at the next status, as a new front has
    _Atomic uint64_t tls_not_after; // of chains that are given
    atomic_int tls_refuse;          // enum err_code for tls.open; 0: none
    atomic_uint tls_opens, tls_renewals, tls_creates;
    struct bytes held; // FAKE_SWAPS: the first answer waits for the second
    uint8_t held_frame[65536];
};

struct fake_http {
    struct server *server;
    char url[64];
};

struct fake_node {
    struct fake_http http;
    pthread_mutex_t lock;
    _Atomic uint64_t count; // the pending nonce
    atomic_bool automatic;  // the pending nonce follows the transactions
    atomic_bool mines;      // receipts are there at once
    atomic_bool reverts;    // with status 0
    atomic_bool down;       // 500 without JSON
    char refuse[160];       // what eth_sendRawTransaction answers; "": it takes the transaction
    uint8_t hash[64][32];   // what it took
    uint64_t nonce[64];
    atomic_uint taken, raw_calls;
};

// A fresh directory below /tmp.
void fake_dir(char out[static 64]);
// Removes the plain files in it and the directory.
void fake_dir_remove(const char *dir);
// PATH = dir/name
void fake_path(char *out, size_t cap, const char *dir, const char *name);
// Set before anything is started: the configuration has a second keyset, "web" for TLS keys.
extern bool fake_has_tls;
// One keyset "main" for accounts, one network (FAKE_CHAIN), one host.
struct bytes fake_configuration(uint8_t buf[static CONFIG_BYTES_MAX], struct config *config);

// A signed manifest of this serial for the fake deployment, with no signature; the bytes go to
// buf[cap].
struct bytes fake_manifest(uint8_t *buf, size_t cap, uint64_t serial);

// For the enclave's own files: the record of a key of the fake deployment, of this id or, when that
// is zero, of a random one; and what TLS methods answer, false for other methods.
void fake_put_record(struct jw *jw, struct id *id, bool is_tls);
bool fake_tls_answer(struct fake_enclave *e, struct jw *jw, const struct json *root);
void fake_tls_status(struct fake_enclave *e, struct jw *jw);

void fake_enclave_start(struct fake_enclave *e, const char *dir);
void fake_enclave_stop(struct fake_enclave *e);
void fake_imds_start(struct fake_http *http);
void fake_node_start(struct fake_node *node);
void fake_http_stop(struct fake_http *http);
