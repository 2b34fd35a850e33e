// SPDX-License-Identifier: Apache-2.0
#include "vaulthost.h"

#include "base/fd.h"
#include "base/must.h"
#include "crypto/cms.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/envelope.h"
#include "emu/nsmdev.h"
#include "enclave/env.h"
#include "eth/tx.h"
#include "proto/anchor.h"
#include "proto/policy.h"
#include "vault/seal.h"
#include "vault/vault.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 240000 // under valgrind, on a busy machine

static void check(struct err err)
{
    if (err.code)
        fprintf(stderr, "%s:%u: %s\n", err.file, err.line, err_text(err));
    must(!err.code);
}

// The vault must be its process's first user of libcrypto, so it gets a fresh image of the program.
_Noreturn static void child(int nsm, int supervisor, bool release)
{
    char nsm_text[16], supervisor_text[16];
    char self[4096] = "";

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(nsm_text, sizeof(nsm_text), "%d", nsm);
    (void)snprintf(supervisor_text, sizeof(supervisor_text), "%d", supervisor);
    // The name, not the link: under valgrind the link leads to valgrind.
    must(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    (void)execl(self, "vaulthost", nsm_text, supervisor_text, release ? "release" : "development",
                (char *)NULL);
    _exit(127);
}

void vaulthost_main(int argc, char **argv)
{
    struct vault_env env = { .nsm_call = env_this.nsm_call };
    struct err err;

    if (argc != 4)
        return;
    env.nsm_fd = (int)strtol(argv[1], NULL, 10);
    env.supervisor_fd = (int)strtol(argv[2], NULL, 10);
    env.release = strcmp(argv[3], "release") == 0;
    err = vault_run(&env);
    if (err.code)
        fprintf(stderr, "vault: %s (%s:%u)\n", err_text(err), err.file, err.line);
    exit(err.code ? 1 : 0);
}

void vaulthost_start(struct vaulthost *host, const char *pki)
{
    vaulthost_start_as(host, pki, false, false);
}

void vaulthost_start_as(struct vaulthost *host, const char *pki, bool release, bool debug)
{
    static const struct nsmdev_options options = {
        .pcrs = { .image = { 0xAA, 1 }, .application = { 2 }, .role = { 0xBB, 3 } },
        .region = "eu-west-1",
        .instance_id = "i-00000000000000001",
        .module_id = "i-00000000000000001-enc0000000000000001",
    };
    struct nsmdev_options with_pki = options;
    int nsm[2], supervisor[2], channel[2];

    *host = (struct vaulthost) { .channel = -1 };
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, nsm) == 0);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, supervisor) == 0);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, channel) == 0);
    host->pid = fork();
    must(host->pid >= 0);
    if (host->pid == 0) {
        (void)close(nsm[0]);
        (void)close(supervisor[0]);
        (void)close(channel[0]);
        (void)close(channel[1]);
        child(nsm[1], supervisor[1], release);
    }
    (void)close(nsm[1]);
    (void)close(supervisor[1]);
    check(libcrypto_init());
    with_pki.pki = pki;
    with_pki.debug = debug;
    check(nsmdev_new(&host->nsm, &with_pki));
    host->nsm_fd = nsm[0];
    host->channel = channel[0];
    check(fd_send_fd(supervisor[0], 'C', channel[1], deadline_in(ANSWER_MS)));
    (void)close(channel[1]);
}

void vaulthost_stop(struct vaulthost *host)
{
    (void)kill(host->pid, SIGKILL);
    (void)waitpid(host->pid, NULL, 0);
    fd_close(&host->channel);
    fd_close(&host->nsm_fd);
    nsmdev_free(&host->nsm);
}

bool vaulthost_alive(struct vaulthost *host)
{
    return waitpid(host->pid, NULL, WNOHANG) == 0;
}

bool vaulthost_ends(struct vaulthost *host)
{
    for (int i = 0; i < 600; i++) {
        if (!vaulthost_alive(host))
            return true;
        usleep(50000);
    }
    return false;
}

// One NSM request of the vault.
static void nsm_serve(struct vaulthost *host)
{
    uint8_t head[4], request[NSMDEV_REQUEST_MAX], answer[4 + NSMDEV_RESPONSE_MAX];
    struct wr wr = WR_OF(answer);
    struct rd rd = rd_of(BYTES_OF(head));
    size_t n;

    if (fd_read_all(host->nsm_fd, head, 4, deadline_in(ANSWER_MS)).code)
        return;
    n = rd_u32(&rd);
    must(n <= sizeof(request));
    check(fd_read_all(host->nsm_fd, request, n, deadline_in(ANSWER_MS)));
    wr_u32(&wr, 0);
    nsmdev_answer(host->nsm, &wr, bytes_of(request, n));
    check(wr_end(&wr));
    n = wr.len - 4;
    if (host->module)
        n = host->module(answer + 4, n);
    for (unsigned i = 0; i < 4; i++)
        answer[i] = (uint8_t)(n >> (24 - 8 * i));
    check(fd_write_all(host->nsm_fd, bytes_of(answer, 4 + n), deadline_in(ANSWER_MS)));
}

// Serves the vault's NSM requests until it has sent something to us, or ended (false).
static bool channel_fill(struct vaulthost *host)
{
    struct deadline until = deadline_in(ANSWER_MS);
    ssize_t got;

    for (;;) {
        struct pollfd fds[2] = { { host->channel, POLLIN, 0 },
                                 { host->nsm_fd, host->silent ? 0 : POLLIN, 0 } };

        must(poll(fds, 2, deadline_left_ms(until)) > 0);
        if (fds[0].revents)
            break;
        if (fds[1].revents & POLLIN)
            nsm_serve(host);
        if (fds[1].revents & POLLHUP)
            return false;
    }
    got = read(host->channel, host->in + host->in_len, sizeof(host->in) - host->in_len);
    if (got <= 0)
        return false;
    if (host->seen)
        host->seen(host->seen_context, bytes_of(host->in + host->in_len, (size_t)got));
    host->in_len += (size_t)got;
    return true;
}

void vaulthost_send(struct vaulthost *host, struct bytes raw)
{
    struct err gone = fd_write_all(host->channel, raw, deadline_in(ANSWER_MS));

    (void)gone; // the vault may have closed the channel already: the answer tells
}

struct vaulthost_answer vaulthost_call(struct vaulthost *host, uint16_t type, struct bytes body)
{
    static uint8_t message[MSG_HEAD_BYTES + MSG_BODY_MAX + 1];
    struct wr wr = WR_OF(message);
    size_t at = msg_begin(&wr, type, ++host->last_id), whole = 0;
    struct vaulthost_answer out = { 0 };
    struct msg msg;
    struct rd rd;

    wr_bytes(&wr, body);
    msg_end(&wr, at);
    check(wr_end(&wr));
    host->in_len = 0;
    vaulthost_send(host, wr_done(&wr));
    while (whole == 0) {
        if (!channel_fill(host)) {
            out.verdict.code = ERR_CLOSED;
            return out;
        }
        check(msg_next(bytes_of(host->in, host->in_len), &whole, &msg));
    }
    must(msg.id == host->last_id && msg.type == (type | MSG_ANSWER) && whole == host->in_len);
    rd = rd_of(msg.body);
    out.verdict = msg_read_verdict(&rd);
    if (out.verdict.code)
        (void)bytes_to_str(rd_var8(&rd, WHAT_BYTES_MAX), out.text, sizeof(out.text));
    else
        out.result = rd.left;
    must(!rd.bad);
    return out;
}

static struct config_keyset keyset_of(struct bytes name, enum config_purpose purpose)
{
    return (struct config_keyset) {
        .name = name, .purpose = purpose, .k = 1, .n = 1, .cmk = { BYTES_LIT(VAULTHOST_ARN) }
    };
}

struct bytes vaulthost_config_of(const struct vaulthost_options *options)
{
    static uint8_t canonical[4096];
    static struct config config;
    struct wr wr = WR_OF(canonical);

    config = (struct config) {
        .mode = CONFIG_PARENT_TRUSTED,
        .slashing = CONFIG_PARENT_TRUSTED,
        .admin_threshold = options->admin_threshold,
        .admins = options->admins,
        .keysets = 1,
        .keyset[0] = { .name = BYTES_LIT("main"),
                       .purpose = CONFIG_ACCOUNTS,
                       .k = options->k ? options->k : 1,
                       .n = options->n ? options->n : 1,
                       .cmk = { BYTES_LIT(VAULTHOST_ARN), BYTES_LIT(VAULTHOST_ARN_2),
                                BYTES_LIT(VAULTHOST_ARN_3) } },
        .networks = 1,
        .network[0] = { BYTES_LIT("dev"), 31337 },
        .hosts = 1,
        .host[0] = BYTES_LIT("kms.eu-west-1.amazonaws.com"),
    };
    memset(config.deployment.b, options->deployment, sizeof(config.deployment.b));
    if (options->second)
        config.keyset[config.keysets++] = keyset_of(BYTES_LIT("next"), CONFIG_ACCOUNTS);
    if (options->tls)
        config.keyset[config.keysets++] = keyset_of(BYTES_LIT("tls"), CONFIG_TLS);
    for (size_t i = 0; i < options->admins; i++)
        config.admin[i] = options->admin[i];
    if (options->anchor) {
        config.anchor = CONFIG_ANCHOR_FILE;
        config.host[config.hosts++] = BYTES_LIT(ANCHOR_HOST);
    }
    config_write(&wr, &config);
    check(wr_end(&wr));
    check(config_read(&config, wr_done(&wr)));
    return wr_done(&wr);
}

struct bytes vaulthost_config(uint8_t deployment)
{
    return vaulthost_config_of(&(struct vaulthost_options) { .deployment = deployment });
}

void vaulthost_configure(struct vaulthost *host, uint8_t deployment)
{
    must(vaulthost_call(host, MSG_CONFIGURE, vaulthost_config(deployment)).verdict.code == 0);
}

static struct bytes recipient_of(struct bytes document)
{
    static struct attest attest;

    check(attest_parse(&attest, document));
    must(attest.public_key.n == RSA_SPKI_BYTES);
    return attest.public_key;
}

struct vaulthost_answer vaulthost_kms(struct vaulthost *host, const struct msg_step *step)
{
    static uint8_t cms[CMS_BYTES_MAX], body[MSG_BODY_MAX];
    struct wr cms_wr = WR_OF(cms), wr = WR_OF(body);
    uint8_t blob = (uint8_t)host->data_keys;
    struct msg_kms_answer m = { .operation = step->operation, .cmk = step->cmk };

    if (step->kind == MSG_STEP_GENERATE) {
        must(host->data_keys < VAULTHOST_DATA_KEYS);
        libcrypto_random(host->data_key[host->data_keys++].b, 32);
        m.blob = BYTES_OF(blob);
    } else {
        must(step->blob.n == 1);
        blob = step->blob.p[0];
    }
    check(envelope_seal(&cms_wr, recipient_of(step->document), BYTES_OF(host->data_key[blob].b),
                        true));
    m.cms = wr_done(&cms_wr);
    msg_write_kms_answer(&wr, &m);
    check(wr_end(&wr));
    return vaulthost_call(host, MSG_KMS_ANSWER, wr_done(&wr));
}

struct msg_step vaulthost_step(const struct vaulthost_answer *answer)
{
    struct msg_step step;
    struct rd rd = rd_of(answer->result);

    if (answer->verdict.code)
        fprintf(stderr, "vault refused: %s\n", answer->text);
    must(answer->verdict.code == 0);
    check(msg_read_step(&step, &rd));
    return step;
}

size_t vaulthost_keyset_create(struct vaulthost *host, const char *name,
                               uint8_t record[static KEYSET_BYTES_MAX])
{
    uint8_t body[64];
    struct wr wr = WR_OF(body);
    struct vaulthost_answer answer;
    struct msg_step step;

    msg_write_keyset_create(&wr, &(struct msg_keyset_create) { .name = bytes_str(name) });
    answer = vaulthost_call(host, MSG_KEYSET_CREATE, wr_done(&wr));
    for (step = vaulthost_step(&answer); step.kind != MSG_STEP_DONE; step = vaulthost_step(&answer))
        answer = vaulthost_kms(host, &step);
    must(step.record.n > 0 && step.record.n <= KEYSET_BYTES_MAX);
    memcpy(record, step.record.p, step.record.n);
    return step.record.n;
}

enum err_code vaulthost_keyset_open(struct vaulthost *host, struct bytes record)
{
    struct vaulthost_answer answer = vaulthost_call(host, MSG_KEYSET_OPEN, record);

    while (answer.verdict.code == ERR_NONE) {
        struct msg_step step = vaulthost_step(&answer);

        if (step.kind == MSG_STEP_DONE)
            return ERR_NONE;
        answer = vaulthost_kms(host, &step);
    }
    return (enum err_code)answer.verdict.code;
}

size_t vaulthost_keyset_of(struct vaulthost *host, const char *name,
                           uint8_t record[static KEYSET_BYTES_MAX], struct id *id)
{
    size_t n = vaulthost_keyset_create(host, name, record);
    struct keyset keyset;

    must(vaulthost_keyset_open(host, bytes_of(record, n)) == ERR_NONE);
    check(keyset_read(&keyset, bytes_of(record, n)));
    *id = keyset.id;
    return n;
}

size_t vaulthost_keyset(struct vaulthost *host, uint8_t record[static KEYSET_BYTES_MAX],
                        struct id *id)
{
    return vaulthost_keyset_of(host, "main", record, id);
}

struct bytes vaulthost_account_body(const struct id *keyset, enum policy_kind kind)
{
    static uint8_t body[256];
    uint8_t policy[8], authorisers[8];
    struct wr wr = WR_OF(body), policy_wr = WR_OF(policy), authorisers_wr = WR_OF(authorisers);

    policy_write(&policy_wr, &(struct policy) { kind });
    policy_write_no_authorisers(&authorisers_wr);
    msg_write_account_create(
        &wr, &(struct msg_account_create) { .keyset = *keyset,
                                            .policy = wr_done(&policy_wr),
                                            .authorisers = wr_done(&authorisers_wr) });
    return wr_done(&wr);
}

static size_t create(struct vaulthost *host, struct bytes body,
                     uint8_t record[static RECORD_BYTES_MAX])
{
    struct vaulthost_answer answer = vaulthost_call(host, MSG_ACCOUNT_CREATE, body);
    struct rd rd = rd_of(answer.result);
    struct msg_created created;

    must(answer.verdict.code == 0);
    check(msg_read_created(&created, &rd));
    must(created.record.n <= RECORD_BYTES_MAX);
    memcpy(record, created.record.p, created.record.n);
    return created.record.n;
}

size_t vaulthost_account(struct vaulthost *host, const struct id *keyset,
                         uint8_t record[static RECORD_BYTES_MAX])
{
    return create(host, vaulthost_account_body(keyset, POLICY_UNRESTRICTED), record);
}

size_t vaulthost_tls_key(struct vaulthost *host, const struct id *keyset,
                         uint8_t record[static RECORD_BYTES_MAX])
{
    return create(host, vaulthost_account_body(keyset, POLICY_NOTHING), record);
}

struct vaulthost_answer vaulthost_sign(struct vaulthost *host, struct bytes record)
{
    static uint8_t body[RECORD_BYTES_MAX + 512];
    uint8_t payload[256];
    struct wr wr = WR_OF(body), payload_wr = WR_OF(payload);
    struct tx tx = { .kind = TX_LEGACY, .chain_id = 31337, .gas = 21000, .has_to = true };

    must(!tx_write_unsigned(&payload_wr, &tx).code);
    msg_write_sign_tx(&wr,
                      &(struct msg_sign_tx) { .record = record, .payload = wr_done(&payload_wr) });
    return vaulthost_call(host, MSG_SIGN_TX, wr_done(&wr));
}

void vaulthost_keyset_key(struct vaulthost *host, struct bytes keyset_record, struct seckey *out)
{
    struct keyset keyset;

    check(keyset_read(&keyset, keyset_record));
    check(seal_open_share(out, &host->data_key[keyset.wrap[0].blob.p[0]],
                          &(struct seal_wrap) { &keyset, 0 }));
}

void vaulthost_account_key(const struct seckey *keyset_key, struct bytes bytes, struct seckey *out)
{
    struct record record;

    check(record_read(&record, bytes));
    check(seal_open_record(out, keyset_key, &record));
}
