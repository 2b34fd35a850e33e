// SPDX-License-Identifier: Apache-2.0
// A P-256 private key that TLS servers use without having it: libssl is given a key (of a provider
// inside this process) whose signatures an owner elsewhere makes, from input that the owner hashes
// itself. A handshake is suspended meanwhile, so many of them wait at once and their signatures can
// travel together. Nothing else than the two inputs of a TLS server is ever asked for.
// Who may include it: net, front.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define TLS_KEY_POINT_BYTES 33U // compressed
#define TLS_KEY_DER_MAX     72U // of a P-256 signature

enum tls_key_kind {
    // RFC 8446 4.4.3, a server's: the input is the transcript hash, 32 or 48 bytes.
    TLS_KEY_VERIFY13 = 1,
    // RFC 8422 5.4: client_random (32), server_random (32), ServerECDHParams of a named curve.
    TLS_KEY_EXCHANGE12 = 2,
};

struct tls_key_job; // a signature (SHA-256) that a handshake waits for

struct tls_key {
    uint8_t point[TLS_KEY_POINT_BYTES];
    // Starts a signature; `input` is valid during the call. Without an error the job is the owner's
    // until tls_key_done, which may be called at once.
    struct err (*sign)(void *context, struct tls_key_job *job, enum tls_key_kind kind,
                       struct bytes input);
    void *context;
};

// Ends a job, exactly once, in the loop's thread: with the DER signature, or nothing when there is
// none. Goes on with the handshake, unless its connection has gone.
void tls_key_done(struct tls_key_job *job, struct bytes der);

// For net: libcrypto's context with the provider in it (NULL: it cannot be made), in which contexts
// of such servers live; the key for them, freed by EVP_PKEY_free, which calls `release` when
// nothing uses it any more; and what a thread needs before its first handshake.
struct ossl_lib_ctx_st *tls_key_library(void);
struct evp_pkey_st;
FALLIBLE tls_key_new(struct evp_pkey_st **out, const struct tls_key *key,
                     void (*release)(void *context), void *context);
void tls_key_enter_thread(void);
