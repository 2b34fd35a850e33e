// SPDX-License-Identifier: Apache-2.0
// How much of the vault's fixed memory its work needs (vault/limits.h): the depth of the worker's
// stack and the most of libcrypto's pool, and that neither grows with use. The vault here is the
// product's code on the product's stack, but for vault.c's loop, which would wipe the traces.
#include "vaulthost.h"

#include "base/fd.h"
#include "base/must.h"
#include "crypto/ecdsa.h"
#include "crypto/openssl/libcrypto.h"
#include "crypto/selftest.h"
#include "enclave/env.h"
#include "eth/tx.h"
#include "vault/channel.h"
#include "vault/deployment.h"
#include "vault/memory.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAINT     0xa5
#define REPORT_MS 60000

// What the vault says of itself when its channel ends.
struct report {
    uint64_t stack, pool_live, pool_live_max, pool_used;
};

static struct memory memory;
static struct state state;

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

static size_t stack_depth(void)
{
    size_t clean = 0;

    while (clean < VAULT_STACK_BYTES && memory.stack[clean] == PAINT)
        clean++;
    return VAULT_STACK_BYTES - clean;
}

// The child: the vault's memory and worker, then the report on the NSM's socket.
_Noreturn static void vault_main(char **argv)
{
    static struct vault_env env;
    int supervisor = (int)strtol(argv[2], NULL, 10);
    pthread_attr_t attr;
    pthread_t thread;
    struct report report;

    env.nsm_call = env_this.nsm_call;
    env.nsm_fd = (int)strtol(argv[1], NULL, 10);
    must(!memory_init(&memory).code);
    memset(memory.stack, PAINT, VAULT_STACK_BYTES);
    state.env = &env;
    state.nsm = (struct nsm) { env.nsm_call, env.nsm_fd };
    state.secret = memory.secrets;
    must(pthread_attr_init(&attr) == 0);
    must(pthread_attr_setstack(&attr, memory.stack, VAULT_STACK_BYTES) == 0);
    must(pthread_create(&thread, &attr, work, &supervisor) == 0);
    must(pthread_join(thread, NULL) == 0);
    report = (struct report) { stack_depth(), memory.pool.live_bytes, memory.pool.live_bytes_max,
                               memory.pool.used };
    must(!fd_write_all(env.nsm_fd, BYTES_OF(report), deadline_in(REPORT_MS)).code);
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

    for (uint16_t type = MSG_STATUS; type <= MSG_ATTESTATION; type++)
        (void)vaulthost_call(&host, type, BYTES_OF(none));
}

// Everything that the vault does, `rounds` times; its report afterwards.
static struct report measure(unsigned rounds)
{
    struct report report = { 0 };
    struct id id;

    vaulthost_start(&host, getenv("CLOISTER_PKI"));
    vaulthost_configure(&host, 1);
    for (unsigned i = 0; i < rounds; i++) {
        host.data_keys = 0;
        (void)vaulthost_keyset(&host, keyset_record, &id);
        if (i < CONFIG_KEYSETS - 1U)
            sign_largest(vaulthost_account(&host, &id, account_record));
        refusals();
    }
    fd_close(&host.channel);
    must(!fd_read_all(host.nsm_fd, &report, sizeof(report), deadline_in(REPORT_MS)).code);
    vaulthost_stop(&host);
    return report;
}

static void test_sizes(void **context)
{
    struct report once = measure(1), often = measure(CONFIG_KEYSETS - 1);

    (void)context;
    (void)fprintf(stderr,
                  "# stack: %llu of %u bytes; pool: %llu live, at most %llu, %llu of %u used\n",
                  (unsigned long long)often.stack, VAULT_STACK_BYTES,
                  (unsigned long long)often.pool_live, (unsigned long long)often.pool_live_max,
                  (unsigned long long)often.pool_used, VAULT_POOL_BYTES);
    // Half of the stack and a quarter of the pool stay free for another compiler or libcrypto.
    assert_in_range(often.stack, 4096, VAULT_STACK_BYTES / 2);
    assert_in_range(often.pool_used, 4096, VAULT_POOL_BYTES / 4 * 3);
    // What is kept does not grow with use.
    assert_in_range(often.pool_live, 0, once.pool_live + 4096);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = { cmocka_unit_test(test_sizes) };

    if (argc == 3)
        vault_main(argv);
    return cmocka_run_group_tests_name("vault sizes", tests, NULL, NULL);
}
