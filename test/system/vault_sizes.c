// SPDX-License-Identifier: Apache-2.0
// How much of the vault's fixed memory its work needs (vault/limits.h): the depth of the threads'
// stacks and the most of libcrypto's pool, and that neither grows with use. The vault here is the
// product's code on the product's stack, but for vault.c's loop, which would wipe the traces.
#include "vaulthost.h"

#include "base/fd.h"
#include "base/must.h"
#include "cli/openssl/pemkey.h"
#include "crypto/ecdsa.h"
#include "crypto/openssl/hpke.h"
#include "crypto/openssl/libcrypto.h"
#include "crypto/selftest.h"
#include "enclave/env.h"
#include "eth/tx.h"
#include "proto/approval.h"
#include "proto/manifest.h"
#include "proto/offer.h"
#include "proto/policy.h"
#include "proto/tag.h"
#include "vault/channel.h"
#include "vault/deployment.h"
#include "vault/memory.h"
#include "vault/nsm_worker.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAINT      0xa5
#define NEAR_BYTES 4096 // what is not painted, since it may be in use
#define REPORT_MS  60000

// What the vault says of itself when its channel ends.
struct report {
    uint64_t stack, nsm_stack, pool_live, pool_live_max, pool_used;
};

static struct memory memory;
static struct state state;
static size_t nsm_depth; // of the NSM's thread, at most

static FALLIBLE serve(int supervisor)
{
    static struct channel channel;
    struct err err = OK;
    uint8_t tag = 0;
    int fd = -1;

    TRY(fd_receive_fd(supervisor, &tag, &fd, deadline_in(REPORT_MS)));
    channel.fd = -1;
    channel_replace(&channel, &state, fd);
    while (!err.code)
        err = channel_serve(&channel, &state);
    return OK;
}

static void *work(void *context)
{
    AUTO(seckey_wipe) struct seckey blinding = { 0 };

    libcrypto_random(blinding.b, sizeof(blinding.b));
    ecdsa_init(blinding.b);
    must(!selftest_run().code);
    must(!deployment_boot(&state).code);
    must(!serve(*(const int *)context).code);
    return NULL;
}

static size_t stack_depth(const struct memory_stack *stack)
{
    size_t clean = 0;

    while (clean < stack->n && stack->base[clean] == PAINT)
        clean++;
    return stack->n - clean;
}

// On the NSM's thread, which wipes its stack after each request.
static FALLIBLE nsm_measured(int fd, struct bytes request, uint8_t *answer, size_t cap, size_t *n)
{
    const struct memory_stack *stack = &memory.nsm_stack;
    const uint8_t *below = (uint8_t *)__builtin_frame_address(0) - NEAR_BYTES;
    struct err err;
    size_t depth;

    memset(stack->base, PAINT, (size_t)(below - stack->base));
    err = env_this.nsm_call(fd, request, answer, cap, n);
    depth = stack_depth(stack);
    nsm_depth = depth > nsm_depth ? depth : nsm_depth;
    return err;
}

// The child: the vault's memory and worker, then the report on the NSM's socket.
_Noreturn static void vault_main(char **argv)
{
    static struct vault_env env;
    struct nsm nsm = { nsm_measured, (int)strtol(argv[1], NULL, 10), NULL };
    int supervisor = (int)strtol(argv[2], NULL, 10);
    pthread_t thread;
    struct report report;

    must(!memory_init(&memory).code);
    memset(memory.worker_stack.base, PAINT, memory.worker_stack.n);
    must(!nsm_worker_start(memory.nsm_worker, &nsm, &memory.nsm_stack).code);
    state.env = &env;
    state.nsm.worker = memory.nsm_worker;
    state.secret = memory.secrets;
    must(!memory_start_thread(&memory.worker_stack, work, &supervisor, &thread).code);
    must(pthread_join(thread, NULL) == 0);
    report = (struct report) { stack_depth(&memory.worker_stack), nsm_depth, memory.pool.live_bytes,
                               memory.pool.live_bytes_max, memory.pool.used };
    must(!fd_write_all(nsm.fd, BYTES_OF(report), deadline_in(REPORT_MS)).code);
    exit(0);
}

static struct vaulthost host;
static uint8_t keyset_record[KEYSET_BYTES_MAX], account_record[RECORD_BYTES_MAX];

// The largest transaction that the vault takes, signed by an account opened for it.
static void sign_largest(size_t account_len)
{
    static uint8_t body[MSG_BODY_MAX], payload[TX_PAYLOAD_MAX], data[TX_PAYLOAD_MAX - 128];
    struct wr wr = WR_OF(body), payload_wr = WR_OF(payload);
    struct tx tx = { .kind = TX_FEE_MARKET, .chain_id = 31337, .gas = 21000, .has_to = true };
    struct msg_sign_tx m = { .record = bytes_of(account_record, account_len) };

    tx.data = BYTES_OF(data);
    must(!tx_write_unsigned(&payload_wr, &tx).code);
    m.payload = wr_done(&payload_wr);
    msg_write_sign_tx(&wr, &m);
    must(!wr_end(&wr).code);
    assert_int_equal(vaulthost_call(&host, MSG_SIGN_TX, wr_done(&wr)).verdict.code, ERR_NONE);
}

static void refusals(void)
{
    static const uint8_t none = 0;

    for (uint16_t type = MSG_STATUS; type <= MSG_ANCHOR_ANSWER; type++)
        (void)vaulthost_call(&host, type, BYTES_OF(none));
}

struct admin {
    uint8_t pem[1024], public_key[APPROVE_KEY_MAX];
    size_t pem_len, public_len;
    enum approve_type type;
};

static struct admin admin[CONFIG_ADMINS]; // P-256 and Ed25519 by turns

static void admin_make(struct admin *a, bool p256)
{
    EVP_PKEY *key = p256 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_mem());

    must(key && bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    a->pem_len = (size_t)BIO_read(bio, a->pem, sizeof(a->pem));
    must(a->pem_len <= sizeof(a->pem));
    must(
        !pemkey_public(&a->type, a->public_key, &a->public_len, bytes_of(a->pem, a->pem_len)).code);
    BIO_free(bio);
    EVP_PKEY_free(key);
}

static void configure_with_admins(void)
{
    struct vaulthost_options options = {
        .deployment = 1, .k = 3, .n = 3, .admin_threshold = CONFIG_ADMINS, .admins = CONFIG_ADMINS
    };

    for (size_t i = 0; i < CONFIG_ADMINS; i++) {
        admin_make(&admin[i], i % 2);
        options.admin[i] =
            (struct config_key) { (enum config_admin)admin[i].type,
                                  bytes_of(admin[i].public_key, admin[i].public_len) };
    }
    must(vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config_of(&options)).verdict.code == 0);
}

// All of them.
static struct bytes approvals(const uint8_t message[static 32])
{
    static uint8_t space[CONFIG_ADMINS * APPROVAL_BYTES];

    for (uint8_t i = 0; i < CONFIG_ADMINS; i++) {
        space[i * APPROVAL_BYTES] = i;
        must(!pemkey_sign(space + i * APPROVAL_BYTES + 1, bytes_of(admin[i].pem, admin[i].pem_len),
                          message)
                  .code);
    }
    return BYTES_OF(space);
}

// The largest manifest: one keyset, and as many disabled accounts as there is room for.
static void apply_largest(uint64_t serial, const uint8_t entry[static MANIFEST_KEYSET_BYTES])
{
    static uint8_t disabled[(MANIFEST_BYTES_MAX - 128) / 16 * 16], bytes[MANIFEST_BYTES_MAX];
    static uint8_t body[MSG_BODY_MAX];
    struct manifest m = { .serial = serial, .keysets = bytes_of(entry, MANIFEST_KEYSET_BYTES) };
    struct manifest_signed whole;
    struct wr wr = WR_OF(bytes), body_wr = WR_OF(body);
    uint8_t message[32];

    memset(m.deployment.b, 1, sizeof(m.deployment.b));
    for (size_t i = 0; i < sizeof(disabled) / 16; i++) {
        disabled[16 * i] = (uint8_t)(i >> 8);
        disabled[16 * i + 1] = (uint8_t)i;
    }
    m.disabled = BYTES_OF(disabled);
    manifest_write(&wr, &m);
    whole.manifest = wr_done(&wr);
    manifest_message(message, whole.manifest);
    whole.signatures = approvals(message);
    manifest_signed_write(&body_wr, &whole);
    must(!body_wr.bad);
    assert_int_equal(vaulthost_call(&host, MSG_MANIFEST, wr_done(&body_wr)).verdict.code, ERR_NONE);
}

// Answers every question of KMS; the last step, whose views hold until the next call.
static struct msg_step finish(struct vaulthost_answer answer)
{
    struct msg_step step = vaulthost_step(&answer);

    while (step.kind != MSG_STEP_DONE) {
        answer = vaulthost_kms(&host, &step);
        step = vaulthost_step(&answer);
    }
    return step;
}

// A keyset under three CMKs, admitted and opened.
static struct id open_admitted(uint64_t serial)
{
    static uint8_t fields[KEYSET_BYTES_MAX];
    uint8_t entry[MANIFEST_KEYSET_BYTES];
    struct msg_step step =
        finish(vaulthost_call(&host, MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00")));
    struct bytes record = bytes_of(keyset_record, step.record.n), field;
    struct wr wr = WR_OF(fields);
    struct keyset keyset;

    memcpy(keyset_record, step.record.p, step.record.n);
    must(!keyset_read(&keyset, record).code);
    keyset_write_public(&wr, &keyset);
    field = wr_done(&wr);
    memcpy(entry, keyset.id.b, sizeof(keyset.id.b));
    tag_hash(entry + sizeof(keyset.id.b), TAG_KEYSET, &field, 1);
    apply_largest(serial, entry);
    (void)finish(vaulthost_call(&host, MSG_KEYSET_OPEN, record));
    return keyset.id;
}

// A key that opens as an envelope and one that does not.
static void import(const struct id *keyset)
{
    uint8_t body[512], plain[MSG_IMPORT_PLAIN_BYTES] = { [31] = 1 }, digest[32];
    uint8_t cipher[MSG_IMPORT_CIPHER_BYTES];
    struct wr wr = WR_OF(body), plain_wr = WR_OF(plain), cipher_wr = WR_OF(cipher);
    struct msg_account_create m = { .keyset = *keyset,
                                    .policy = BYTES_LIT("\0\1\1"),
                                    .authorisers = BYTES_LIT("\0\1\0") };
    struct offer_terms terms = { .keyset = *keyset };
    struct hpke_bound bound = { .info = offer_info(), .aad = BYTES_OF(digest) };
    struct msg_import_finish sealed = { 0 };
    struct vaulthost_answer answer;
    struct msg_import_ready ready;
    struct rd rd;

    msg_write_account_create(&wr, &m);
    answer = vaulthost_call(&host, MSG_IMPORT_BEGIN, wr_done(&wr));
    rd = rd_of(answer.result);
    must(answer.verdict.code == 0 && !msg_read_import_ready(&ready, &rd).code);
    memset(terms.deployment.b, 1, sizeof(terms.deployment.b));
    sealed.account = terms.account = ready.account;
    policy_hash(terms.policy_hash, m.policy);
    policy_authoriser_hash(terms.authoriser_hash, m.authorisers);
    offer_digest(digest, ready.public_key, &terms);
    plain_wr.len = 32;
    offer_write_terms(&plain_wr, &terms);
    must(!hpke_seal(&cipher_wr, sealed.enc, ready.public_key, &bound, wr_done(&plain_wr)).code);
    sealed.ciphertext = wr_done(&cipher_wr);
    for (uint8_t damage = 2; damage-- > 0;) {
        cipher[0] ^= damage;
        wr.len = 0;
        msg_write_import_finish(&wr, &sealed);
        assert_int_equal(vaulthost_call(&host, MSG_IMPORT_FINISH, wr_done(&wr)).verdict.code,
                         damage ? ERR_MISMATCH : ERR_NONE);
        cipher[0] ^= damage;
    }
}

static void seal_and_unseal(uint32_t seals)
{
    uint8_t body[2048], message[32];
    struct wr wr = WR_OF(body);
    struct vaulthost_answer answer = vaulthost_call(&host, MSG_STATUS, BYTES_NONE);
    struct rd rd = rd_of(answer.result);
    struct msg_status status;
    struct id deployment;

    memset(deployment.b, 1, sizeof(deployment.b));
    must(!msg_read_status(&status, &rd).code);
    approval_unseal_message(message, &deployment, &status.boot, seals);
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, BYTES_NONE).verdict.code, ERR_NONE);
    approval_write_list(&wr, approvals(message));
    assert_int_equal(vaulthost_call(&host, MSG_UNSEAL, wr_done(&wr)).verdict.code, ERR_NONE);
}

// The vault's report. `rounds` days, the first being number 1.
static struct report measure(unsigned rounds, void (*set_up)(void), void (*day)(unsigned round))
{
    struct report report = { 0 };

    vaulthost_start(&host, getenv("CLOISTER_PKI"));
    set_up();
    for (unsigned i = 1; i <= rounds; i++) {
        host.data_keys = 0;
        day(i);
        refusals();
    }
    fd_close(&host.channel);
    must(!fd_read_all(host.nsm_fd, &report, sizeof(report), deadline_in(REPORT_MS)).code);
    vaulthost_stop(&host);
    return report;
}

static void judge(struct report once, struct report often)
{
    (void)fprintf(stderr,
                  "# stacks: %llu of %u and %llu of %u bytes; pool: %llu live, at most %llu, %llu "
                  "of %u used\n",
                  (unsigned long long)often.stack, VAULT_STACK_BYTES,
                  (unsigned long long)often.nsm_stack, VAULT_NSM_STACK,
                  (unsigned long long)often.pool_live, (unsigned long long)often.pool_live_max,
                  (unsigned long long)often.pool_used, VAULT_POOL_BYTES);
    // Half of the stacks and a quarter of the pool stay free for another compiler or libcrypto.
    assert_in_range(often.stack, 4096, VAULT_STACK_BYTES / 2);
    assert_in_range(often.nsm_stack, 1024, VAULT_NSM_STACK / 2);
    assert_in_range(often.pool_used, 4096, VAULT_POOL_BYTES / 4 * 3);
    // What is kept does not grow with use.
    assert_in_range(often.pool_live, 0, once.pool_live + 4096);
}

static void configure(void)
{
    vaulthost_configure(&host, 1);
}

static void open_and_sign(unsigned round)
{
    struct id id;

    (void)round;
    (void)vaulthost_keyset(&host, keyset_record, &id);
    sign_largest(vaulthost_account(&host, &id, account_record));
}

static void test_accounts(void **context)
{
    (void)context;
    judge(measure(1, configure, open_and_sign),
          measure(CONFIG_KEYSETS - 1, configure, open_and_sign));
}

static void administer(unsigned round)
{
    struct id id = open_admitted(round);

    sign_largest(vaulthost_account(&host, &id, account_record));
    import(&id);
    seal_and_unseal(round);
}

static void test_administration(void **context)
{
    (void)context;
    judge(measure(1, configure_with_admins, administer),
          measure(8, configure_with_admins, administer));
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = { cmocka_unit_test(test_accounts),
                                               cmocka_unit_test(test_administration) };

    if (argc == 4)
        vault_main(argv);
    return cmocka_run_group_tests_name("vault sizes", tests, NULL, NULL);
}
