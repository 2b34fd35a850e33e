// SPDX-License-Identifier: Apache-2.0
// TLS servers whose private key is elsewhere (net/tls_key.h), with client certificates: asked for,
// not required; one that is presented must be known or lead to an authority, or the handshake
// fails. TLS 1.2 and 1.3 with ECDHE and AEAD suites and the ECDSA P-256 certificate given;
// resumption by tickets under keys that never leave this process and live for six hours; no
// renegotiation, no early data. Who may include it: net, httpd, front.
#pragma once

#include "net/tls.h"
#include "net/tls_key.h"

// Who the other side is, and to which key of ours it speaks. In a resumed session: as in the first.
struct tls_peer {
    bool has_certificate;
    bool resumed;
    uint8_t leaf[32];      // SHA-256 of its certificate's DER
    uint8_t authority[32]; // of the authority that it leads to; zero: it is known by itself
    uint8_t server[32];    // SHA-256 of the SubjectPublicKeyInfo that this server has shown
};

struct tls_server_options {
    struct bytes chain_pem; // as net/tls_chain.h says
    struct tls_key key;
    uint64_t now_s; // the chain must be valid at these Unix seconds
    // Is a client's certificate with this fingerprint known? Its dates do not matter then.
    bool (*known)(void *context, const uint8_t leaf[static 32]);
    // The Unix seconds at which certificates of clients are judged.
    uint64_t (*clock)(void *context);
    void *context; // of both; lives as long as connections do
};

struct tls_server_leaf {
    uint8_t sha256[32];      // of its DER
    uint8_t spki_sha256[32]; // of its SubjectPublicKeyInfo
    uint64_t not_after_s;    // Unix seconds
    unsigned names;          // DNS and IP subjectAltNames, at least one
};

// ERR_MALFORMED, ERR_TOO_LARGE: no chain of certificates, or no name; ERR_UNSUPPORTED: not a P-256
// key; ERR_MISMATCH: of another key; ERR_EXPIRED: some certificate is not valid now.
FALLIBLE tls_server_remote_new(struct tls_context **out, const struct tls_server_options *options);
// From now on clients may lead to these authorities (DER; possibly none). ERR_MALFORMED, and
// nothing changes, when one is no certificate.
FALLIBLE tls_server_set_authorities(struct tls_context *context, const struct bytes *der,
                                    size_t count);
void tls_server_leaf(struct tls_server_leaf *out, const struct tls_context *context);
// Is the host (no port; an IPv6 address in brackets or not) one of the leaf's names? A wildcard
// stands for one whole label.
bool tls_server_is_name(const struct tls_context *context, struct bytes host);
// From time to time (at least each hour): new keys for tickets when these are old. No matter for
// other contexts.
void tls_server_refresh(struct tls_context *context);

// For net: who is at the other side of a connection whose handshake is complete. False: its context
// is not of this kind.
struct ssl_st;
bool tls_server_identify(struct tls_peer *out, struct ssl_st *ssl);
