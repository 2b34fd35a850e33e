// SPDX-License-Identifier: Apache-2.0
// A vault that answers by itself, with a TLS key in it, and HTTPS clients of the data plane: libssl
// on a Unix socket. Who may include it: test/unit/front_data*.c, front_tls.c.
#pragma once

#include "front_fixture.h"

#include "base/hex.h"
#include "crypto/openssl/sha2.h"
#include "net/http.h"
#include "proto/clients.h"
#include "proto/policy.h"
#include "proto/record.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#define SERVER_NAME "signer.test"
#define HOST        "Host: " SERVER_NAME "\r\n"
#define ID          "00112233445566778899aabbccddeeff"
#define ADDRESS     "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf" // of the private key 1
#define POINT       "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
#define TX                                                                          \
    "\"tx\":{\"chainId\":1,\"nonce\":9,\"gas\":21000,\"gasPrice\":\"20000000000\"," \
    "\"to\":\"0x3535353535353535353535353535353535353535\",\"value\":\"1000000000000000000\"}"

// What the vault does; the front's thread and the test look at it under the lock.
struct bot {
    pthread_t thread;
    pthread_mutex_t lock;
    uint8_t phase;
    EVP_PKEY *key[2]; // TLS keys; the record's first byte says which
    uint8_t id[2];    // each byte of their ids
    enum err_code refuse_sign, refuse_open;
    bool holds; // ATTESTATION and SIGN_TX are not answered
    uint8_t provenance;
    struct bytes clients, web;
    unsigned seen[64]; // messages by type
    struct msg_attestation attestation;
    uint8_t attestation_nonce[64], attestation_key[16];
    struct msg_sign_tx sign_tx;
    struct msg_denial denial;
    char source[65];
    struct msg_tls_certify certify;
    uint8_t names[16][254];
};
static struct bot bot = { .lock = PTHREAD_MUTEX_INITIALIZER };

static inline unsigned bot_seen(uint16_t type)
{
    unsigned seen;

    must(pthread_mutex_lock(&bot.lock) == 0);
    seen = bot.seen[type];
    must(pthread_mutex_unlock(&bot.lock) == 0);
    return seen;
}

static inline void bot_wait(uint16_t type, unsigned seen)
{
    struct deadline until = deadline_in(WAIT_MS);

    while (bot_seen(type) < seen && deadline_left_ms(until) > 0)
        (void)poll(NULL, 0, 2);
    assert_in_range(bot_seen(type), seen, 1000000);
}

static inline void point_of(uint8_t out[static 33], EVP_PKEY *key)
{
    uint8_t full[65];
    size_t n = 0;

    must(EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", full, sizeof(full), &n) &&
         n == 65);
    out[0] = full[64] & 1 ? 3 : 2;
    memcpy(out + 1, full + 1, 32);
}

// SHA-256 of the DER SubjectPublicKeyInfo, by libcrypto.
static inline void spki_of(uint8_t out[static 32], EVP_PKEY *key)
{
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(key, &der);

    must(n > 0);
    sha2_256(out, bytes_of(der, (size_t)n));
    OPENSSL_free(der);
}

static inline EVP_PKEY *bot_key(const struct id *id)
{
    return bot.key[id->b[0] == bot.id[1]];
}

// RFC 8446 4.4.3 and RFC 8422 5.4, from the kind and the input.
static inline void bot_sign(struct wr *out, struct rd rd)
{
    struct msg_tls_sign m;
    uint8_t space[512], der[80];
    struct wr input = WR_OF(space);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t n = sizeof(der);

    must(!msg_read_tls_sign(&m, &rd).code);
    if (m.kind == MSG_TLS_VERIFY13) {
        for (int i = 0; i < 64; i++)
            wr_u8(&input, ' ');
        wr_bytes(&input, BYTES_LIT("TLS 1.3, server CertificateVerify\0"));
    }
    wr_bytes(&input, m.input);
    must(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, bot_key(&m.key)) == 1);
    must(EVP_DigestSign(context, der, &n, space, input.len) == 1);
    EVP_MD_CTX_free(context);
    wr_bytes(out, bytes_of(der, n));
}

static inline void bot_open(struct wr *out, struct bytes record)
{
    struct msg_tls_key key = { .provenance = bot.provenance };
    unsigned which = record.p[0] == '1';

    memset(key.key.b, bot.id[which], sizeof(key.key.b));
    point_of(key.public_key, bot.key[which]);
    msg_write_tls_key(out, &key);
}

// A certificate of the key for these names ("DNS:a,IP:1.2.3.4"), as DER.
static inline X509 *certificate(EVP_PKEY *key, const char *names, long days, X509 *issuer,
                                EVP_PKEY *issuer_key)
{
    static long serial = 100;
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    X509_EXTENSION *extension;
    const char *who = issuer ? "client" : "authority";

    must(X509_set_version(cert, 2) && ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial));
    must(X509_gmtime_adj(X509_getm_notBefore(cert), -86400 * 10));
    must(X509_gmtime_adj(X509_getm_notAfter(cert), 86400 * days));
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                    (const uint8_t *)(names ? names : who), -1, -1, 0));
    must(X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : name));
    must(X509_set_pubkey(cert, key));
    extension = names ? X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names)
                      : X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                                            issuer ? "CA:FALSE" : "critical,CA:TRUE");
    must(extension && X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
    must(X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()));
    return cert;
}

static inline void bot_certify(struct wr *out, struct rd rd)
{
    uint8_t der[4096], *at = der;
    X509 *cert;

    must(!msg_read_tls_certify(&bot.certify, &rd).code);
    for (size_t i = 0; i < bot.certify.names; i++) {
        memcpy(bot.names[i], bot.certify.name[i].name.p, bot.certify.name[i].name.n);
        bot.certify.name[i].name.p = bot.names[i];
    }
    if (bot.certify.kind == MSG_TLS_REQUEST) {
        wr_str(out, "a request, which the front does not look into");
        return;
    }
    cert = certificate(bot_key(&bot.certify.key), "DNS:" SERVER_NAME, bot.certify.days, NULL, NULL);
    wr_bytes(out, bytes_of(der, (size_t)i2d_X509(cert, &at)));
    X509_free(cert);
}

static inline void bot_signed(struct wr *out, struct rd rd)
{
    struct msg_signed got = { .address = { 0x7e } };

    must(!msg_read_sign_tx(&bot.sign_tx, &rd).code);
    memset(got.signature, 1, 64);
    msg_write_signed(out, &got);
}

static inline void bot_attest(struct wr *out, struct rd rd)
{
    struct msg_attestation *m = &bot.attestation;

    must(!msg_read_attestation(m, &rd).code);
    memcpy(bot.attestation_nonce, m->nonce.p, m->nonce.n);
    m->nonce.p = bot.attestation_nonce;
    if (m->key.n)
        memcpy(bot.attestation_key, m->key.p, m->key.n);
    m->key.p = bot.attestation_key;
    wr_str(out, "document");
}

static inline void bot_denied(struct rd rd)
{
    must(!msg_read_denial(&bot.denial, &rd).code);
    must(bytes_to_str(bot.denial.source, bot.source, sizeof(bot.source)));
}

static inline void bot_status(struct wr *out)
{
    struct msg_status status = { .phase = bot.phase, .sequence = 6, .accounts_slots = 1000 };

    status.manifest_serial = 41;
    memset(status.boot.b, 0xb0, 16);
    status.now_ms = (uint64_t)time(NULL) * 1000;
    msg_write_status(out, &status);
}

static inline enum err_code bot_work(struct wr *out, const struct msg *msg)
{
    struct rd rd = rd_of(msg->body);

    if (msg->type == MSG_TLS_SIGN && !bot.refuse_sign)
        bot_sign(out, rd);
    else if (msg->type == MSG_TLS_OPEN && !bot.refuse_open)
        bot_open(out, msg->body);
    else if (msg->type == MSG_TLS_CERTIFY)
        bot_certify(out, rd);
    else if (msg->type == MSG_SIGN_TX)
        bot_signed(out, rd);
    else if (msg->type == MSG_ATTESTATION)
        bot_attest(out, rd);
    else if (msg->type == MSG_STATUS)
        bot_status(out);
    else if (msg->type == MSG_CLIENTS)
        msg_write_clients(
            out, &(struct msg_clients) { 41, CONFIG_PARENT_TRUSTED, bot.clients, bot.web });
    else if (msg->type == MSG_DENIAL)
        bot_denied(rd);
    else if (msg->type == MSG_SEAL || msg->type == MSG_MANIFEST)
        msg_write_step(out, &(struct msg_step) { .kind = MSG_STEP_DONE });
    else if (msg->type == MSG_TLS_SIGN)
        return bot.refuse_sign;
    else
        return bot.refuse_open ? bot.refuse_open : ERR_UNSUPPORTED;
    return ERR_NONE;
}

// Answers whatever comes, until the channel ends.
static inline void *bot_main(void *context)
{
    static uint8_t space[MSG_BODY_MAX];

    (void)context;
    while (!fd_wait(fixture.vault, POLLIN, deadline_in(WAIT_MS)).code) {
        uint8_t byte;
        struct wr wr = WR_OF(space);
        struct msg msg;
        enum err_code code;
        bool answers;

        if (recv(fixture.vault, &byte, 1, MSG_PEEK) != 1)
            return NULL;
        msg = vault_next();
        must(pthread_mutex_lock(&bot.lock) == 0);
        code = bot_work(&wr, &msg);
        bot.seen[msg.type]++;
        answers = !bot.holds || (msg.type != MSG_ATTESTATION && msg.type != MSG_SIGN_TX);
        must(pthread_mutex_unlock(&bot.lock) == 0);
        // The end of a test may come in between: then nobody waits for the answer.
        if (answers &&
            vault_try_answer(&msg, code, code ? BYTES_LIT("vault: no") : wr_done(&wr)).code)
            return NULL;
    }
    return NULL;
}

static inline int bot_start(uint8_t phase)
{
    must(signal(SIGPIPE, SIG_IGN) != SIG_ERR); // libssl's own BIO raises it
    bot.phase = phase;
    bot.refuse_open = bot.refuse_sign = ERR_NONE;
    bot.holds = false;
    bot.provenance = RECORD_GENERATED;
    bot.clients = bot.web = BYTES_NONE;
    memset(bot.seen, 0, sizeof(bot.seen));
    for (int i = 0; i < 2; i++) {
        bot.id[i] = (uint8_t)(0xa0 + i);
        if (!bot.key[i])
            must((bot.key[i] = EVP_EC_gen("P-256")) != NULL);
    }
    fixture_start(phase);
    return pthread_create(&bot.thread, NULL, bot_main, NULL);
}

static inline int bot_stop(void)
{
    (void)shutdown(fixture.vault, SHUT_RDWR);
    must(pthread_join(bot.thread, NULL) == 0);
    fixture_stop();
    return 0;
}

// What the manifest in force says from now on.
static inline void bot_permit(struct bytes clients, struct bytes web)
{
    int fd = client_dial();

    must(pthread_mutex_lock(&bot.lock) == 0);
    bot.clients = clients;
    bot.web = web;
    must(pthread_mutex_unlock(&bot.lock) == 0);
    client_send(fd, "{\"method\":\"manifest.apply\",\"params\":{\"manifest_b64\":\"AAEC\"}}");
    client_expect(fd, "\"serial\":41");
    (void)close(fd);
}

// tls.open of key 0 or 1, self-signed for SERVER_NAME.
static inline void bot_open_tls(unsigned which)
{
    char text[200];
    int fd = client_dial();

    (void)snprintf(
        text, sizeof(text),
        "{\"method\":\"tls.open\",\"params\":{\"record_b64\":\"%s\",\"names\":[\"%s\"]}}",
        which ? "MQ==" : "MA==", SERVER_NAME);
    client_send(fd, text);
    client_expect(fd, "{\"result\":{\"key\":\"a");
    (void)close(fd);
}

// -- clients of the data plane --------------------------------------------------------------------

struct https {
    int fd;
    SSL_CTX *context;
    SSL *ssl;
    struct http_head head; // of the last answer; views into `text`
    char *body;            // the same, closed with NUL
    char text[128 << 10];
};

static inline void https_close(struct https *https)
{
    SSL_free(https->ssl);
    SSL_CTX_free(https->context);
    (void)close(https->fd);
    free(https);
    ERR_clear_error();
}

// With this client certificate, or none. The handshake is the first request's.
static inline struct https *https_dial(X509 *cert, EVP_PKEY *key)
{
    struct https *https = calloc(1, sizeof(*https));
    struct timeval patience = { .tv_sec = WAIT_MS / 1000 };

    must(https);
    https->fd = client_dial_at(fixture.data);
    must(setsockopt(https->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    https->context = SSL_CTX_new(TLS_client_method());
    must(!cert || (SSL_CTX_use_certificate(https->context, cert) == 1 &&
                   SSL_CTX_use_PrivateKey(https->context, key) == 1));
    https->ssl = SSL_new(https->context);
    must(https->ssl && SSL_set_fd(https->ssl, https->fd) == 1);
    SSL_set_connect_state(https->ssl);
    return https;
}

static inline bool https_send(struct https *https, const char *request)
{
    int n = (int)strlen(request);

    return SSL_write(https->ssl, request, n) == n;
}

// Reads the one answer that comes. False: the connection ended.
static inline bool https_read(struct https *https, bool has_body)
{
    size_t head_len = 0, len = 0, whole = SIZE_MAX;

    while (len < whole) {
        int got = SSL_read(https->ssl, https->text + len, (int)(sizeof(https->text) - 1 - len));

        if (got <= 0)
            return false;
        len += (size_t)got;
        https->text[len] = 0;
        must(!http_parse_response(&https->head, &head_len, bytes_of(https->text, len)).code);
        if (head_len > 0)
            whole = head_len + (has_body ? (size_t)https->head.content_length : 0);
    }
    assert_int_equal(len, whole);
    https->body = https->text + head_len;
    return true;
}

// One request and its answer's status; 0 when the connection ended.
static inline unsigned https_ask(struct https *https, const char *request)
{
    bool has_body = strncmp(request, "HEAD", 4) != 0;

    return https_send(https, request) && https_read(https, has_body) ? https->head.status : 0;
}

static inline void https_expect(struct https *https, const char *request, unsigned status,
                                const char *part)
{
    unsigned got = https_ask(https, request);

    if (got != status || !strstr(https->text, part))
        fail_msg("%s: %u %s\nexpected %u %s", request, got, got ? https->text : "", status, part);
}

// The same on a connection of its own.
static inline void https_expect_anew(const char *request, unsigned status, const char *part)
{
    struct https *https = https_dial(NULL, NULL);

    https_expect(https, request, status, part);
    https_close(https);
}
