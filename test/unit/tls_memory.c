// SPDX-License-Identifier: Apache-2.0
// crypto/openssl/libcrypto.h and net/tls_server.h: what a stranger's handshake makes the front
// allocate, with memory bounded as in the enclave (enclave/main.c).
#include "crypto/openssl/libcrypto.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tlshost.h"

#define LARGEST (48U << 10)
#define EACH    65536U // of a connection whose handshake has begun
#define CONNS   40U

static void wait_until_gone(unsigned count)
{
    for (int i = 0; i < WAIT_MS && atomic_load(&host.gone) < count; i++)
        (void)poll(NULL, 0, 1);
    assert_int_equal(atomic_load(&host.gone), count);
}

// A record with the head of a ClientHello of 130,816 bytes: there is no room for it.
static void test_large_hellos(void **state)
{
    int fd[CONNS];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
        fd[i] = host_dial();
        expect_ok("head",
                  fd_write_all(fd[i], BYTES_LIT("\x16\3\1\0\5\1\1\xff\0\3"), deadline_in(WAIT_MS)));
    }
    wait_until_gone(CONNS);
    for (size_t i = 0; i < ARRAY_LEN(fd); i++)
        (void)close(fd[i]);
}

// One of 20,000 bytes gets it, and waits.
static void test_hellos_that_wait(void **state)
{
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd, after;
    int fd[CONNS];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
        fd[i] = host_dial();
        expect_ok("head", fd_write_all(fd[i], BYTES_LIT("\x16\3\1\0\5\1\0\x4e\x20\3"),
                                       deadline_in(WAIT_MS)));
    }
    (void)poll(NULL, 0, 300);
    after = mallinfo2().uordblks + mallinfo2().hblkhd;
    assert_int_equal(atomic_load(&host.gone), 0);
    if (after > before)
        assert_in_range((after - before) / CONNS, 0, EACH);
    for (size_t i = 0; i < ARRAY_LEN(fd); i++)
        (void)close(fd[i]);
}

// The most that a client may show (net/tls_server.h).
static void test_long_chains(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct tlspki client = tlspki_make(&(struct tlspki_form) { .name = "client" }, NULL);

    (void)state;
    tlspki_fingerprint(host.known, &client);
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        SSL_CTX *ctx = host_client(versions[i], &client);
        uint8_t der[2048];
        size_t each = tlspki_der(der, &client).n + 5; // a length and, in TLS 1.3, no extensions
        SSL *ssl;

        for (size_t n = 2; n * each < 32768 - 8; n++)
            must(SSL_CTX_add1_chain_cert(ctx, client.certificate) == 1);
        ssl = host_tls(ctx, host_dial(), NULL);
        assert_non_null(ssl);
        assert_memory_not_equal(host_ask(ssl, "/"), "nobody", 6);
        assert_int_equal(SSL_get_verify_result(ssl), X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
        host_hang_up(ssl);
        SSL_CTX_free(ctx);
    }
    tlspki_done(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_large_hellos, host_set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_hellos_that_wait, host_set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_long_chains, host_set_up, host_tear_down),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    (void)mallopt(M_ARENA_MAX, 1);
    must(!libcrypto_init_bounded(LARGEST).code && libcrypto_init_bounded(LARGEST).code);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
