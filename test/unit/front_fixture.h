// SPDX-License-Identifier: Apache-2.0
// A front in a thread, with the test on both sides of it: clients on its control plane and its data
// plane, and the vault's end of the channel. Who may include it: test/unit/front_*.c.
#pragma once

#include "base/base64.h"
#include "base/fd.h"
#include "base/must.h"
#include "front/front.h"
#include "proto/config.h"
#include "proto/frame.h"
#include "proto/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FIXTURE_HOST "kms.eu-west-1.amazonaws.com"
#define FIXTURE_ARN  "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012"
// Another region, and another key in the first one.
#define FIXTURE_FAR_HOST "kms.us-west-2.amazonaws.com"
#define FIXTURE_FAR_ARN \
    "arn:aws:kms:us-west-2:111122223333:key/22222222-1234-1234-1234-123456789012"
#define FIXTURE_THIRD_ARN \
    "arn:aws:kms:eu-west-1:111122223333:key/33333333-1234-1234-1234-123456789012"
#define WAIT_MS 30000

struct fixture {
    pthread_t thread;
    struct front_env env;
    struct anchors anchors;
    struct bytes root;
    struct err ended; // what front_run returned
    int vault;        // the vault's end
    char dir[64];
    char socket[96]; // control plane
    char data[96];   // data plane
    uint8_t message[MSG_HEAD_BYTES + MSG_BODY_MAX];
};

static struct fixture fixture;
static atomic_uint fixture_sealed;

static inline struct err fixture_seal(void)
{
    atomic_fetch_add(&fixture_sealed, 1);
    return OK;
}

static inline struct err fixture_no_dial(int dial_fd, uint32_t port, int *fd, struct deadline until)
{
    (void)dial_fd;
    (void)port;
    (void)fd;
    (void)until;
    return FAIL(ERR_UNREACHABLE, "test: nobody there");
}

// A certificate for both hosts that is its own root; also written as PEM files into dir.
static inline void fixture_make_root(void)
{
    static uint8_t der[2048];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                                              "DNS:" FIXTURE_HOST ",DNS:" FIXTURE_FAR_HOST);
    X509_NAME *name = X509_get_subject_name(cert);
    uint8_t *at = der;
    char path[96];
    FILE *file;

    must(X509_set_version(cert, 2) && ASN1_INTEGER_set(X509_get_serialNumber(cert), 7));
    must(X509_gmtime_adj(X509_getm_notBefore(cert), -86400));
    must(X509_gmtime_adj(X509_getm_notAfter(cert), 864000));
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"test", -1, -1, 0));
    must(X509_set_issuer_name(cert, name) && X509_set_pubkey(cert, key));
    must(X509_add_ext(cert, san, -1) && X509_sign(cert, key, EVP_sha256()));
    fixture.root = bytes_of(der, (size_t)i2d_X509(cert, &at));
    (void)snprintf(path, sizeof(path), "%s/cert.pem", fixture.dir);
    must((file = fopen(path, "w")) && PEM_write_X509(file, cert) && fclose(file) == 0);
    (void)snprintf(path, sizeof(path), "%s/key.pem", fixture.dir);
    must((file = fopen(path, "w")) && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) &&
         fclose(file) == 0);
    X509_EXTENSION_free(san);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static inline void *fixture_main(void *context)
{
    (void)context;
    fixture.ended = front_run(&fixture.env);
    return NULL;
}

// The vault's side: the next message of the front.
static inline struct msg vault_next(void)
{
    struct msg msg;
    size_t whole = 0;
    uint8_t *p = fixture.message;
    struct err err = fd_read_all(fixture.vault, p, 4, deadline_in(WAIT_MS));

    if (err.code)
        fail_msg("vault: %s", err_text(err));
    assert_int_equal(fd_read_all(fixture.vault, p + 4,
                                 (size_t)p[2] << 8 | p[3] | (size_t)p[1] << 16,
                                 deadline_in(WAIT_MS))
                         .code,
                     0);
    assert_int_equal(msg_next(bytes_of(p, sizeof(fixture.message)), &whole, &msg).code, 0);
    return msg;
}

static inline struct msg vault_expect(uint16_t type)
{
    struct msg msg = vault_next();

    assert_int_equal(msg.type, type);
    return msg;
}

static inline struct err vault_try_answer(const struct msg *msg, enum err_code code,
                                          struct bytes result)
{
    static uint8_t space[MSG_HEAD_BYTES + MSG_BODY_MAX];
    struct msg_verdict verdict = { .code = (uint16_t)code, .audited = true, .sequence = 7 };
    struct wr wr = WR_OF(space);
    size_t at = msg_begin(&wr, (uint16_t)(msg->type | MSG_ANSWER), msg->id);

    memset(verdict.head, 0xab, sizeof(verdict.head));
    msg_write_verdict(&wr, &verdict);
    if (code)
        wr_var8(&wr, result);
    else
        wr_bytes(&wr, result);
    msg_end(&wr, at);
    return fd_write_all(fixture.vault, wr_done(&wr), deadline_in(WAIT_MS));
}

static inline void vault_answer(const struct msg *msg, enum err_code code, struct bytes result)
{
    assert_int_equal(vault_try_answer(msg, code, result).code, 0);
}

static inline struct bytes fixture_config(void)
{
    static uint8_t space[CONFIG_BYTES_MAX];
    struct wr wr = WR_OF(space);
    struct config config = { .mode = CONFIG_PARENT_TRUSTED, .slashing = CONFIG_PARENT_TRUSTED };

    memset(config.deployment.b, 0xd1, 16);
    config.keysets = config.hosts = 2;
    config.networks = 1;
    config.keyset[0] = (struct config_keyset) { .name = BYTES_LIT("main"), .k = 1, .n = 1 };
    config.keyset[0].purpose = CONFIG_ACCOUNTS;
    config.keyset[0].cmk[0] = BYTES_LIT(FIXTURE_ARN);
    config.keyset[1] = (struct config_keyset) { .name = BYTES_LIT("spread"), .k = 2, .n = 3 };
    config.keyset[1].purpose = CONFIG_ACCOUNTS;
    config.keyset[1].cmk[0] = BYTES_LIT(FIXTURE_ARN);
    config.keyset[1].cmk[1] = BYTES_LIT(FIXTURE_FAR_ARN);
    config.keyset[1].cmk[2] = BYTES_LIT(FIXTURE_THIRD_ARN);
    config.network[0] = (struct config_network) { BYTES_LIT("mainnet"), 1 };
    config.host[0] = BYTES_LIT(FIXTURE_HOST);
    config.host[1] = BYTES_LIT(FIXTURE_FAR_HOST);
    config_write(&wr, &config);
    return wr_done(&wr);
}

static inline void vault_answer_status(uint8_t phase)
{
    struct msg msg = vault_expect(MSG_STATUS);
    struct msg_status status = { .phase = phase, .sequence = 6, .accounts_slots = 1000 };
    uint8_t space[512];
    struct wr wr = WR_OF(space);

    status.manifest_serial = 41;
    status.seals = 3;
    status.anchored = true;
    memset(status.boot.b, 0xb0, 16);
    status.now_ms = (uint64_t)time(NULL) * 1000;
    msg_write_status(&wr, &status);
    vault_answer(&msg, ERR_NONE, wr_done(&wr));
}

// Who may use the data plane: sections of the manifest.
static inline void vault_answer_clients(struct bytes clients, struct bytes web)
{
    static uint8_t space[CLIENTS_BYTES_MAX + WEB_BYTES_MAX + 32];
    struct wr wr = WR_OF(space);
    struct msg msg = vault_expect(MSG_CLIENTS);

    msg_write_clients(&wr, &(struct msg_clients) { 41, CONFIG_PARENT_TRUSTED, clients, web });
    vault_answer(&msg, ERR_NONE, wr_done(&wr));
}

// After what may have changed the phase and the manifest: the front asks for both anew.
static inline void vault_answer_standing(uint8_t phase)
{
    vault_answer_clients(BYTES_NONE, BYTES_NONE);
    vault_answer_status(phase);
}

static inline int fixture_listen(const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(at.sun_path, path, strlen(path) + 1);
    must(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 1024) == 0);
    return fd;
}

// Starts a front that finds its vault in this phase.
static inline void fixture_start(uint8_t phase)
{
    int pair[2];
    struct msg msg;

    (void)snprintf(fixture.dir, sizeof(fixture.dir), "/tmp/front-XXXXXX");
    must(mkdtemp(fixture.dir));
    (void)snprintf(fixture.socket, sizeof(fixture.socket), "%s/control", fixture.dir);
    (void)snprintf(fixture.data, sizeof(fixture.data), "%s/data", fixture.dir);
    fixture_make_root();
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    fixture.vault = pair[0];
    fixture.anchors = (struct anchors) { .name = "DEVELOPMENT", .development = true };
    fixture.anchors.tls_root = &fixture.root;
    fixture.anchors.tls_roots = 1;
    fixture.env.anchors = &fixture.anchors;
    fixture.env.vault_fd = pair[1];
    fixture.env.dial_fd = -1;
    fixture.env.seal = fixture_seal;
    if (!fixture.env.dial)
        fixture.env.dial = fixture_no_dial;
    fixture.env.listen_fd = fixture_listen(fixture.socket);
    fixture.env.data_fd = fixture_listen(fixture.data);
    must(pthread_create(&fixture.thread, NULL, fixture_main, NULL) == 0);
    vault_answer_status(phase);
    if (phase == PHASE_UNCONFIGURED)
        return;
    msg = vault_expect(MSG_CONFIG);
    vault_answer(&msg, ERR_NONE, fixture_config());
    vault_answer_clients(BYTES_NONE, BYTES_NONE);
}

static inline void fixture_clean(void)
{
    static const char *const names[] = { "control", "data", "cert.pem", "key.pem" };
    char path[96];

    fd_close(&fixture.vault);
    fd_close(&fixture.env.vault_fd);
    fd_close(&fixture.env.listen_fd);
    fd_close(&fixture.env.data_fd);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", fixture.dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(fixture.dir);
}

// The vault hangs up, which ends the front.
static inline void fixture_stop(void)
{
    fd_close(&fixture.vault);
    must(pthread_join(fixture.thread, NULL) == 0);
    assert_int_equal(fixture.ended.code, ERR_CLOSED);
    fixture_clean();
}

static inline int client_dial_at(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(to.sun_path, path, strlen(path) + 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static inline int client_dial(void)
{
    return client_dial_at(fixture.socket);
}

static inline void client_send(int fd, const char *json)
{
    static uint8_t space[FRAME_BYTES_MAX + 4];
    struct wr wr = WR_OF(space);
    size_t at = frame_begin(&wr);

    wr_str(&wr, json);
    frame_end(&wr, at);
    assert_int_equal(fd_write_all(fd, wr_done(&wr), deadline_in(WAIT_MS)).code, 0);
}

// The next answer's JSON as a string.
static inline const char *client_read(int fd)
{
    static char text[FRAME_BYTES_MAX + 1];
    uint8_t head[4];
    size_t n;
    struct err err = fd_read_all(fd, head, 4, deadline_in(WAIT_MS));

    if (err.code)
        fail_msg("client: %s", err_text(err));
    n = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    assert_int_equal(fd_read_all(fd, text, n, deadline_in(WAIT_MS)).code, 0);
    text[n] = 0;
    return text;
}

static inline void client_expect(int fd, const char *part)
{
    const char *text = client_read(fd);

    if (!strstr(text, part))
        fail_msg("expected %s in %s", part, text);
}

static inline void client_expect_end(int fd)
{
    char byte;

    assert_int_equal(fd_wait(fd, POLLIN, deadline_in(WAIT_MS)).code, 0);
    assert_int_equal(read(fd, &byte, 1), 0);
}
