// SPDX-License-Identifier: Apache-2.0
// TLS contexts over libssl: TLS 1.2 and 1.3, AEAD suites with forward secrecy, no compression, no
// renegotiation. Clients verify the chain to their roots and that a DNS SAN is the host they meant.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct tls_context; // SSL_CTX

// A client that trusts exactly these roots (DER, at least one) and exact names, no wildcards.
// ERR_MALFORMED when one is no certificate.
FALLIBLE tls_client_new(struct tls_context **out, const struct bytes *roots, size_t count);
// A client that trusts the system's roots (JSON-RPC nodes on https); a name may be covered by a
// wildcard for its whole leftmost label.
FALLIBLE tls_client_new_system(struct tls_context **out);
// A client that judges no certificate, neither chain, name nor time: for a caller that knows the
// peer by its key (wire_peer_spki) and believes nothing before it has compared it.
FALLIBLE tls_client_new_unjudged(struct tls_context **out);
// A server with a PEM certificate chain and key (files). ERR_IO when one cannot be read,
// ERR_MISMATCH when they do not belong together.
FALLIBLE tls_server_new(struct tls_context **out, const char *chain_path, const char *key_path);
void tls_context_free(struct tls_context **context);

// For net: what clients and servers share, in this context of libcrypto (NULL: the usual one).
// SSL_CTX is what struct tls_context stands for.
struct ssl_ctx_st;
struct ossl_lib_ctx_st;
FALLIBLE tls_new(struct ssl_ctx_st **out, struct ossl_lib_ctx_st *lib, bool is_server);
