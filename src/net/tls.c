// SPDX-License-Identifier: Apache-2.0
// TLS contexts. Duty: that no connection can be made with less than TLS 1.2, forward secrecy and an
// AEAD suite, and that a client verifies its server's chain; the name is checked by net/stream.c.
// It trusts the roots it is given. No configuration file is read; the environment only has a say in
// tls_client_new_system, whose roots are the system's by definition.
#include "net/tls.h"

#include "base/must.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509err.h>
#include <openssl/x509v3.h>

#define CHAIN_DEPTH_MAX 6
#define SECURITY_LEVEL  2 // 112 bits: no RSA below 2048, no SHA-1 signatures

static void tls_free_ctx(SSL_CTX **ctx)
{
    SSL_CTX_free(*ctx);
    *ctx = NULL;
}

struct err tls_new(struct ssl_ctx_st **out, struct ossl_lib_ctx_st *lib, bool is_server)
{
    AUTO(tls_free_ctx) SSL_CTX *ctx = NULL;

    ENSURE(OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1, ERR_INTERNAL,
           "TLS: libssl does not start");
    ctx = SSL_CTX_new_ex(lib, NULL, is_server ? TLS_server_method() : TLS_client_method());
    ENSURE(ctx, ERR_INTERNAL, "TLS: no context");
    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    ENSURE(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
               SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
               SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:!PSK:!aNULL") == 1 &&
               SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:"
                                             "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
               SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1,
           ERR_INTERNAL, "TLS: versions, suites or groups not accepted");
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    *out = ctx;
    ctx = NULL;
    return OK;
}

// `host_flags` say which names in a certificate count (X509_check_host); never its subject.
static struct err tls_new_client(SSL_CTX **out, unsigned host_flags)
{
    TRY(tls_new(out, NULL, false));
    X509_VERIFY_PARAM_set_hostflags(SSL_CTX_get0_param(*out),
                                    host_flags | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    SSL_CTX_set_verify(*out, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify_depth(*out, CHAIN_DEPTH_MAX);
    return OK;
}

static void tls_free_x509(X509 **certificate)
{
    X509_free(*certificate);
    *certificate = NULL;
}

static struct err tls_add_root(SSL_CTX *ctx, struct bytes der)
{
    AUTO(tls_free_x509) X509 *root = NULL;
    const uint8_t *at = der.p;

    ENSURE(der.n > 0 && der.n <= LONG_MAX, ERR_MALFORMED, "TLS: root is no certificate");
    root = d2i_X509(NULL, &at, (long)der.n);
    ENSURE(root && at == der.p + der.n, ERR_MALFORMED, "TLS: root is no certificate");
    ENSURE(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root) == 1, ERR_MALFORMED,
           "TLS: root not accepted");
    return OK;
}

static struct err tls_add_roots(SSL_CTX *ctx, const struct bytes *roots, size_t count)
{
    ENSURE(count > 0, ERR_MALFORMED, "TLS: no roots to trust");
    for (size_t i = 0; i < count; i++)
        TRY(tls_add_root(ctx, roots[i]));
    return OK;
}

// Hands the context over; drops libssl's error queue, whose texts nobody reads.
static struct err tls_give(struct tls_context **out, SSL_CTX **ctx, struct err err)
{
    ERR_clear_error();
    *out = NULL;
    TRY(err);
    *out = (struct tls_context *)*ctx;
    *ctx = NULL;
    return OK;
}

struct err tls_client_new(struct tls_context **out, const struct bytes *roots, size_t count)
{
    AUTO(tls_free_ctx) SSL_CTX *ctx = NULL;
    struct err err = tls_new_client(&ctx, X509_CHECK_FLAG_NO_WILDCARDS);

    if (!err.code)
        err = tls_add_roots(ctx, roots, count);
    return tls_give(out, &ctx, err);
}

// Public JSON-RPC providers live on certificates for *.example.com: a whole leftmost label.
struct err tls_client_new_system(struct tls_context **out)
{
    AUTO(tls_free_ctx) SSL_CTX *ctx = NULL;
    struct err err = tls_new_client(&ctx, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);

    if (!err.code && SSL_CTX_set_default_verify_paths(ctx) != 1)
        err = FAIL(ERR_IO, "TLS: the system's roots cannot be read");
    return tls_give(out, &ctx, err);
}

// In place of libssl's judgement of a chain (SSL_CTX_set_cert_verify_callback).
static int tls_take_any(X509_STORE_CTX *chain, void *context)
{
    (void)context;
    X509_STORE_CTX_set_error(chain, X509_V_OK);
    return 1;
}

// The handshake still proves that the peer has the key of the certificate that it shows.
struct err tls_client_new_unjudged(struct tls_context **out)
{
    AUTO(tls_free_ctx) SSL_CTX *ctx = NULL;
    struct err err = tls_new_client(&ctx, X509_CHECK_FLAG_NO_WILDCARDS);

    if (!err.code)
        SSL_CTX_set_cert_verify_callback(ctx, tls_take_any, NULL);
    return tls_give(out, &ctx, err);
}

static struct err tls_load_identity(SSL_CTX *ctx, const char *chain_path, const char *key_path)
{
    bool is_loaded, is_mismatch;

    ENSURE(SSL_CTX_use_certificate_chain_file(ctx, chain_path) == 1, ERR_IO,
           "TLS: certificate chain (PEM) cannot be read");
    is_loaded = SSL_CTX_use_PrivateKey_file(ctx, key_path, SSL_FILETYPE_PEM) == 1;
    // libssl compares key and certificate already while it loads the second of them.
    is_mismatch = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
    ENSURE(is_loaded || !is_mismatch, ERR_MISMATCH,
           "TLS: private key does not belong to the certificate");
    ENSURE(is_loaded, ERR_IO, "TLS: private key (PEM) cannot be read");
    ENSURE(SSL_CTX_check_private_key(ctx) == 1, ERR_MISMATCH,
           "TLS: private key does not belong to the certificate");
    return OK;
}

struct err tls_server_new(struct tls_context **out, const char *chain_path, const char *key_path)
{
    AUTO(tls_free_ctx) SSL_CTX *ctx = NULL;
    struct err err = tls_new(&ctx, NULL, true);

    if (!err.code) {
        // Without tickets no key of the process outlives a connection and forward secrecy is whole.
        (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        (void)SSL_CTX_set_num_tickets(ctx, 0);
        err = tls_load_identity(ctx, chain_path, key_path);
    }
    return tls_give(out, &ctx, err);
}

void tls_context_free(struct tls_context **context)
{
    SSL_CTX_free((SSL_CTX *)*context);
    *context = NULL;
}
