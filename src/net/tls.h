// SPDX-License-Identifier: Apache-2.0
// TLS contexts over libssl: TLS 1.2 and 1.3, AEAD suites with forward secrecy, no compression, no
// renegotiation. Clients verify the chain to roots given as DER, and one exact DNS SAN.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct tls_context; // SSL_CTX

// A client that trusts exactly these roots (DER, at least one).
FALLIBLE tls_client_new(struct tls_context **out, const struct bytes *roots, size_t count);
// A client that trusts the system's roots (JSON-RPC nodes on https).
FALLIBLE tls_client_new_system(struct tls_context **out);
// A server with a PEM certificate chain and key (files).
FALLIBLE tls_server_new(struct tls_context **out, const char *chain_path, const char *key_path);
void tls_context_free(struct tls_context **context);
