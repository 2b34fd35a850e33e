// SPDX-License-Identifier: Apache-2.0
// TLS servers with a key elsewhere. Duty: nobody gets through a handshake under a certificate that
// is neither known nor of an authority, and who it was is remembered with the session, so that a
// resumed one is the same peer. What that peer may do now is for others to say, at each request.
#include "net/tls_server.h"

#include "base/deadline.h"
#include "base/must.h"
#include "net/tls_chain.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TICKET_MS       (6LL * 3600 * 1000)
#define TICKET_BYTES    80 // libssl's: name, MAC key, cipher key
#define PEER_CHAIN_MAX  (32L << 10)
#define PEER_DEPTH_MAX  3 // certificates between a client's and its authority
#define AUTHORITIES_MAX 256U
// What we sign with, and what clients may.
#define OWN_ALGORITHMS "ECDSA+SHA256"
#define CLIENT_ALGORITHMS                                                                    \
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:rsa_pss_pss_sha256:rsa_pss_rsae_sha256:" \
    "rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512"

// Beside an SSL_CTX. Lives as long as its key, which lives as long as the context.
struct own {
    struct tls_server_options options; // without the chain's bytes
    struct tls_chain chain;
    int64_t tickets_since_ms;
};

// Kept in a session's ticket.
struct ticket {
    uint8_t leaf[32], authority[32];
    uint64_t shown_s; // when the certificate was judged
};

static int tls_server_index = -1; // of struct own in an SSL_CTX

static void tls_server_release(void *context)
{
    struct own *own = context;

    tls_chain_done(&own->chain);
    free(own);
}

static void tls_server_open_index(void)
{
    tls_server_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

// NULL: a context of another kind.
static struct own *tls_server_own(const SSL_CTX *ctx)
{
    return tls_server_index < 0 ? NULL : SSL_CTX_get_ex_data(ctx, tls_server_index);
}

// -- clients -----------------------------------------------------------------------------------

// Chains that lead to an authority: valid now, for client authentication, not too long.
static bool tls_server_leads(X509_STORE_CTX *store, const struct own *own, struct ticket *ticket)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store);
    STACK_OF(X509) * chain;
    int n;

    X509_VERIFY_PARAM_set_time(param, (time_t)own->options.clock(own->options.context));
    X509_VERIFY_PARAM_set_depth(param, PEER_DEPTH_MAX);
    if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) != 1 ||
        X509_verify_cert(store) != 1)
        return false;
    chain = X509_STORE_CTX_get0_chain(store);
    n = sk_X509_num(chain);
    return n > 1 && tls_chain_digest(ticket->authority, sk_X509_value(chain, n - 1));
}

// In place of libssl's own judgement.
static int tls_server_judge(X509_STORE_CTX *store, void *context)
{
    const struct own *own = context;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct ticket ticket = { .shown_s = own->options.clock(own->options.context) };
    bool is_taken;

    if (!ssl || !tls_chain_digest(ticket.leaf, X509_STORE_CTX_get0_cert(store)))
        return 0;
    is_taken = own->options.known(own->options.context, ticket.leaf) ||
               tls_server_leads(store, own, &ticket);
    if (!is_taken && X509_STORE_CTX_get_error(store) == X509_V_OK)
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
    if (is_taken)
        X509_STORE_CTX_set_error(store, X509_V_OK);
    return is_taken &&
           SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), &ticket, sizeof(ticket)) == 1;
}

bool tls_server_identify(struct tls_peer *out, struct ssl_st *ssl)
{
    const struct own *own = tls_server_own(SSL_get_SSL_CTX(ssl));
    SSL_SESSION *session = SSL_get_session(ssl);
    struct ticket ticket;
    void *data = NULL;
    size_t n = 0;

    *out = (struct tls_peer) { .resumed = SSL_session_reused(ssl) == 1 };
    if (!own)
        return false;
    memcpy(out->server, own->chain.spki_sha256, sizeof(out->server));
    if (session && SSL_SESSION_get0_ticket_appdata(session, &data, &n) == 1 &&
        n == sizeof(ticket)) {
        memcpy(&ticket, data, sizeof(ticket));
        out->has_certificate = true;
        memcpy(out->leaf, ticket.leaf, sizeof(out->leaf));
        memcpy(out->authority, ticket.authority, sizeof(out->authority));
    }
    return true;
}

// Not libssl's own lifetime alone: with TLS 1.3 each resumption gives another ticket, which would
// make one handshake with a certificate last for as long as somebody comes back.
static bool tls_server_lasts(const struct own *own, SSL_SESSION *session)
{
    uint64_t now_s = own->options.clock(own->options.context);
    struct ticket ticket;
    void *data = NULL;
    size_t n = 0;

    if (SSL_SESSION_get0_ticket_appdata(session, &data, &n) != 1 || n == 0)
        return true; // of nobody
    if (n != sizeof(ticket))
        return false;
    memcpy(&ticket, data, sizeof(ticket));
    return now_s >= ticket.shown_s && now_s - ticket.shown_s <= TICKET_MS / 1000;
}

static SSL_TICKET_RETURN tls_server_resume(SSL *ssl, SSL_SESSION *session, const unsigned char *key,
                                           size_t key_n, SSL_TICKET_STATUS status, void *context)
{
    bool is_read = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;

    (void)ssl;
    (void)key;
    (void)key_n;
    if (!is_read || !tls_server_lasts(context, session))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

static struct err tls_server_add_authority(X509_STORE *store, struct bytes der)
{
    X509 *authority = NULL;
    const uint8_t *at = der.p;
    bool is_added;

    ENSURE(der.n > 0 && der.n <= TLS_CHAIN_BYTES_MAX, ERR_MALFORMED,
           "authority: expected a DER certificate");
    authority = d2i_X509(NULL, &at, (long)der.n);
    is_added = authority && at == der.p + der.n && X509_STORE_add_cert(store, authority) == 1;
    X509_free(authority);
    ENSURE(is_added, ERR_MALFORMED, "authority: expected a DER certificate");
    return OK;
}

static void tls_server_free_store(X509_STORE **store)
{
    X509_STORE_free(*store);
    *store = NULL;
}

struct err tls_server_set_authorities(struct tls_context *context, const struct bytes *der,
                                      size_t count)
{
    AUTO(tls_server_free_store) X509_STORE *store = X509_STORE_new();

    ENSURE(count <= AUTHORITIES_MAX, ERR_TOO_LARGE, "authorities: more than 256");
    ENSURE(store, ERR_FULL, "TLS: out of memory");
    for (size_t i = 0; i < count; i++) {
        struct err err = tls_server_add_authority(store, der[i]);

        ERR_clear_error();
        TRY(err);
    }
    SSL_CTX_set_cert_store((SSL_CTX *)context, store); // which is the context's then
    store = NULL;
    return OK;
}

// -- contexts ----------------------------------------------------------------------------------

static bool tls_server_new_tickets(SSL_CTX *ctx, struct own *own)
{
    uint8_t keys[TICKET_BYTES];
    bool is_set = RAND_priv_bytes_ex(tls_key_library(), keys, sizeof(keys), 0) == 1 &&
                  SSL_CTX_set_tlsext_ticket_keys(ctx, keys, sizeof(keys)) == 1;

    OPENSSL_cleanse(keys, sizeof(keys));
    own->tickets_since_ms = deadline_now_ms();
    return is_set;
}

void tls_server_refresh(struct tls_context *context)
{
    SSL_CTX *ctx = (SSL_CTX *)context;
    struct own *own = tls_server_own(ctx);

    if (own && deadline_now_ms() - own->tickets_since_ms >= TICKET_MS)
        must(tls_server_new_tickets(ctx, own));
}

static struct err tls_server_use_key(SSL_CTX *ctx, const struct own *own, EVP_PKEY *key)
{
    ENSURE(SSL_CTX_use_certificate(ctx, own->chain.certificate[0]) == 1, ERR_MALFORMED,
           "certificate: not accepted");
    ENSURE(SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1,
           ERR_MISMATCH, "certificate: of another key than the one in use");
    for (unsigned i = 1; i < own->chain.count; i++)
        ENSURE(SSL_CTX_add1_chain_cert(ctx, own->chain.certificate[i]) == 1, ERR_MALFORMED,
               "certificate chain: not accepted");
    return OK;
}

static struct err tls_server_settle(SSL_CTX *ctx, struct own *own)
{
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ASYNC);
    SSL_CTX_set_read_ahead(ctx, 1); // a record in one recv
    SSL_CTX_set_max_cert_list(ctx, PEER_CHAIN_MAX);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, tls_server_judge, own);
    (void)SSL_CTX_set_timeout(ctx, TICKET_MS / 1000);
    ENSURE(SSL_CTX_set_ex_data(ctx, tls_server_index, own) == 1 &&
               SSL_CTX_set1_sigalgs_list(ctx, OWN_ALGORITHMS) == 1 &&
               SSL_CTX_set1_client_sigalgs_list(ctx, CLIENT_ALGORITHMS) == 1 &&
               SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
               SSL_CTX_set_session_ticket_cb(ctx, NULL, tls_server_resume, own) == 1 &&
               SSL_CTX_set_session_id_context(ctx, own->chain.leaf_sha256,
                                              sizeof(own->chain.leaf_sha256)) == 1,
           ERR_INTERNAL, "TLS: algorithms or tickets not accepted");
    ENSURE(tls_server_new_tickets(ctx, own), ERR_INTERNAL, "TLS: no keys for tickets");
    return OK;
}

// With a key that releases `own` in the end.
static struct err tls_server_fill(struct tls_context **out, struct own *own, EVP_PKEY *key)
{
    SSL_CTX *ctx = NULL;
    struct err err = tls_new(&ctx, tls_key_library(), true);

    if (!err.code)
        err = tls_server_use_key(ctx, own, key);
    if (!err.code)
        err = tls_server_settle(ctx, own);
    *out = (struct tls_context *)ctx;
    if (err.code)
        tls_context_free(out);
    return err;
}

struct err tls_server_remote_new(struct tls_context **out, const struct tls_server_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct own *own = calloc(1, sizeof(*own));
    EVP_PKEY *key = NULL;
    struct err err;

    *out = NULL;
    (void)pthread_once(&once, tls_server_open_index);
    ENSURE(own && tls_server_index >= 0, ERR_FULL, "TLS: out of memory");
    own->options = *options;
    own->options.chain_pem = BYTES_NONE;
    err = tls_chain_read(&own->chain, options->chain_pem, options->now_s);
    if (!err.code)
        err = tls_key_new(&key, &options->key, tls_server_release, own);
    if (err.code)
        tls_server_release(own);
    else
        err = tls_server_fill(out, own, key);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return err;
}

void tls_server_leaf(struct tls_server_leaf *out, const struct tls_context *context)
{
    const struct own *own = tls_server_own((const SSL_CTX *)context);

    must(own);
    memcpy(out->sha256, own->chain.leaf_sha256, sizeof(out->sha256));
    memcpy(out->spki_sha256, own->chain.spki_sha256, sizeof(out->spki_sha256));
    out->not_after_s = own->chain.not_after_s;
    out->names = own->chain.names;
}

bool tls_server_is_name(const struct tls_context *context, struct bytes host)
{
    const struct own *own = tls_server_own((const SSL_CTX *)context);

    return own && tls_chain_is_name(&own->chain, host);
}
