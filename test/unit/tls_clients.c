// SPDX-License-Identifier: Apache-2.0
// net/tls_server.h: certificates of clients that are known, that lead to an authority, and all the
// others; and who a resumed session belongs to.
#include "net/tls_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tlshost.h"

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static struct tlspki root, middle, other_root, client;

// What the server says of a client, or "" when there was no handshake. TLS 1.3 clients learn that
// with their first read only.
static const char *who(SSL_CTX *ctx, SSL_SESSION *resumed, SSL_SESSION **session)
{
    SSL *ssl = host_tls(ctx, host_dial(), resumed);
    const char *said;

    if (session)
        *session = NULL;
    if (!ssl)
        return "";
    said = host_ask(ssl, "/");
    if (session)
        *session = SSL_get1_session(ssl);
    if (resumed)
        assert_int_equal(SSL_session_reused(ssl), 1);
    host_hang_up(ssl);
    return said;
}

static void set_authorities(const struct tlspki *const *authority, size_t count)
{
    static uint8_t der[4][2048];
    struct bytes all[4];
    struct tls_context *context = host_context();

    must(count <= ARRAY_LEN(der));
    for (size_t i = 0; i < count; i++)
        all[i] = tlspki_der(der[i], authority[i]);
    expect_ok("authorities", tls_server_set_authorities(context, all, count));
    atomic_store(&host.next, context);
    while (atomic_load(&host.next))
        (void)poll(NULL, 0, 1);
}

static void expected(char out[static 160], const struct tlspki *leaf,
                     const struct tlspki *authority)
{
    uint8_t fingerprint[32];
    struct wr wr = wr_of(out, 160);

    tlspki_fingerprint(fingerprint, leaf);
    host_write_hex(&wr, fingerprint);
    wr_str(&wr, " ");
    memset(fingerprint, 0, sizeof(fingerprint));
    if (authority)
        tlspki_fingerprint(fingerprint, authority);
    host_write_hex(&wr, fingerprint);
    wr_str(&wr, " ");
    wr_u8(&wr, 0);
}

static void test_known(void **state)
{
    static const struct tlspki_form forms[] = {
        { .name = "P-256" },
        { .name = "P-384", .key = "P-384" },
        { .name = "RSA", .key = "RSA" },
        { .name = "over", .from_days = -9, .days = 2 },
        { .name = "early", .from_days = 9, .days = 2 },
        { .name = "a server's", .usage = "serverAuth" },
    };

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(forms); i++) {
        struct tlspki made = tlspki_make(&forms[i / 2], NULL);
        SSL_CTX *ctx = host_client(versions[i % 2], &made);
        char wanted[160];

        tlspki_fingerprint(host.known, &made);
        expected(wanted, &made, NULL);
        if (strcmp(who(ctx, NULL, NULL), wanted) != 0)
            fail_msg("%s", forms[i / 2].name);
        atomic_store(&host.knows, false);
        if (who(ctx, NULL, NULL)[0] != 0)
            fail_msg("%s, unknown", forms[i / 2].name);
        atomic_store(&host.knows, true);
        SSL_CTX_free(ctx);
        tlspki_done(&made);
    }
}

static void test_authorities(void **state)
{
    const struct {
        struct tlspki_form form;
        const struct tlspki *issuer;
        const struct tlspki *sends; // with its certificate
        const struct tlspki *authority;
        bool is_served;
    } cases[] = {
        { { .name = "of the root" }, &root, NULL, &root, true },
        { { .name = "for clients", .usage = "clientAuth" }, &root, NULL, &root, true },
        { { .name = "for both", .usage = "clientAuth,serverAuth" }, &root, NULL, &root, true },
        { { .name = "of the middle", .key = "RSA" }, &middle, &middle, &root, true },
        { { .name = "middle is the authority" }, &middle, NULL, &middle, true },
        { { .name = "for servers", .usage = "serverAuth" }, &root, NULL, &root, false },
        { { .name = "over", .from_days = -3, .days = 2 }, &root, NULL, &root, false },
        { { .name = "early", .from_days = 1, .days = 2 }, &root, NULL, &root, false },
        { { .name = "of another" }, &other_root, NULL, &root, false },
        { { .name = "middle is missing" }, &middle, NULL, &root, false },
        { { .name = "by itself" }, NULL, NULL, &root, false },
        { { .name = "of a client" }, &client, &client, &root, false },
        { { .name = "no authority" }, &root, NULL, NULL, false },
    };

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        struct tlspki made = tlspki_make(&cases[i / 2].form, cases[i / 2].issuer);
        SSL_CTX *ctx = host_client(versions[i % 2], &made);
        char wanted[160] = "";

        if (cases[i / 2].sends)
            must(SSL_CTX_add1_chain_cert(ctx, cases[i / 2].sends->certificate) == 1);
        set_authorities(&cases[i / 2].authority, cases[i / 2].authority != NULL);
        if (cases[i / 2].is_served)
            expected(wanted, &made, cases[i / 2].authority);
        if (strcmp(who(ctx, NULL, NULL), wanted) != 0)
            fail_msg("%s", cases[i / 2].form.name);
        SSL_CTX_free(ctx);
        tlspki_done(&made);
    }
}

// The authority itself is no client of it.
static void test_authority_as_client(void **state)
{
    const struct tlspki *authority = &root;
    SSL_CTX *ctx = host_client(TLS1_3_VERSION, &root);

    (void)state;
    set_authorities(&authority, 1);
    assert_string_equal(who(ctx, NULL, NULL), "");
    SSL_CTX_free(ctx);
}

// Three certificates may stand between a client's and its authority's.
static void test_depth(void **state)
{
    static const char *const names[] = { "first", "second", "third", "fourth" };
    const struct tlspki *authority = &root;
    struct tlspki chain[ARRAY_LEN(names)];

    (void)state;
    set_authorities(&authority, 1);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct tlspki_form form = { .name = names[i], .is_authority = true };
        struct tlspki made;
        SSL_CTX *ctx;
        char wanted[160] = "";

        chain[i] = tlspki_make(&form, i ? &chain[i - 1] : &root);
        made = tlspki_make(&(struct tlspki_form) { .name = "client" }, &chain[i]);
        ctx = host_client(TLS1_3_VERSION, &made);
        for (size_t k = 0; k <= i; k++)
            must(SSL_CTX_add1_chain_cert(ctx, chain[k].certificate) == 1);
        if (i < 3)
            expected(wanted, &made, &root);
        assert_string_equal(who(ctx, NULL, NULL), wanted);
        SSL_CTX_free(ctx);
        tlspki_done(&made);
    }
    for (size_t i = 0; i < ARRAY_LEN(chain); i++)
        tlspki_done(&chain[i]);
}

// A client that holds another key than its certificate's.
static void test_stolen_certificate(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct tlspki thief = tlspki_make(&(struct tlspki_form) { .name = "thief" }, NULL);
        struct tlspki stolen = { .certificate = X509_dup(client.certificate), .key = thief.key };
        SSL_CTX *ctx;

        // libssl compares them; here the certificate gets the thief's key after it was signed
        must(X509_set_pubkey(stolen.certificate, thief.key) == 1);
        tlspki_fingerprint(host.known, &client);
        ctx = host_client(versions[i], &stolen);
        assert_string_equal(who(ctx, NULL, NULL), "");
        SSL_CTX_free(ctx);
        X509_free(stolen.certificate);
        tlspki_done(&thief);
    }
}

// A resumed session is its first peer's, whether that is still known or not: it is asked for again
// at each request. Nobody becomes somebody else by it.
static void test_resumed(void **state)
{
    const struct tlspki *authority = &root;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct tlspki made = tlspki_make(&(struct tlspki_form) { .name = "client" }, &root);
        SSL_CTX *ctx = host_client(versions[i], &made), *anyone = host_client(versions[i], NULL);
        SSL_SESSION *session, *again, *of_nobody;
        char wanted[160];

        set_authorities(&authority, 1);
        expected(wanted, &made, &root);
        assert_string_equal(who(ctx, NULL, &session), wanted);
        assert_string_equal(who(anyone, NULL, &of_nobody), "nobody ");
        assert_string_equal(who(anyone, session, &again), wanted);
        assert_string_equal(who(ctx, of_nobody, NULL), "nobody ");
        expect_ok("authorities", tls_server_set_authorities(host.context, NULL, 0));
        assert_string_equal(who(ctx, again, NULL), wanted);
        assert_string_equal(who(ctx, NULL, NULL), "");
        SSL_SESSION_free(session);
        SSL_SESSION_free(again);
        SSL_SESSION_free(of_nobody);
        SSL_CTX_free(ctx);
        SSL_CTX_free(anyone);
        tlspki_done(&made);
    }
}

// With TLS 1.3 each resumption gives another ticket: what was shown once counts for six hours, and
// not for as long as somebody comes back.
static void test_resumed_again_and_again(void **state)
{
    static const unsigned hours[] = { 0, 3, 6, 9, 12 };
    const struct tlspki *authority = &root;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct tlspki made = tlspki_make(&(struct tlspki_form) { .name = "client" }, &root);
        SSL_CTX *ctx = host_client(versions[i], &made), *anyone = host_client(versions[i], NULL);
        SSL_SESSION *session = NULL;
        char wanted[160];

        set_authorities(&authority, 1);
        expected(wanted, &made, &root);
        for (size_t j = 0; j < ARRAY_LEN(hours); j++) {
            SSL *ssl;

            atomic_store(&host.later_s, hours[j] * 3600);
            ssl = host_tls(j ? anyone : ctx, host_dial(), session);
            assert_string_equal(host_ask(ssl, "/"), hours[j] <= 6 ? wanted : "nobody ");
            SSL_SESSION_free(session);
            session = SSL_get1_session(ssl);
            host_hang_up(ssl);
        }
        atomic_store(&host.later_s, 0);
        SSL_SESSION_free(session);
        SSL_CTX_free(ctx);
        SSL_CTX_free(anyone);
        tlspki_done(&made);
    }
}

static void test_long_chain_is_refused(void **state)
{
    SSL_CTX *ctx = host_client(TLS1_2_VERSION, &client);

    (void)state;
    tlspki_fingerprint(host.known, &client);
    for (int i = 0; i < 150; i++) // some 45 KiB
        must(SSL_CTX_add1_chain_cert(ctx, root.certificate) == 1);
    assert_string_equal(who(ctx, NULL, NULL), "");
    SSL_CTX_free(ctx);
}

static int set_up_all(void **state)
{
    struct tlspki_form authority = { .name = "root", .is_authority = true };

    (void)state;
    root = tlspki_make(&authority, NULL);
    other_root = tlspki_make(&authority, NULL);
    authority.name = "middle";
    middle = tlspki_make(&authority, &root);
    client = tlspki_make(&(struct tlspki_form) { .name = "client" }, &root);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    tlspki_done(&root);
    tlspki_done(&other_root);
    tlspki_done(&middle);
    tlspki_done(&client);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_known, host_set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_authorities, host_set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_authority_as_client, host_set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_depth, host_set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_stolen_certificate, host_set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_resumed, host_set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_resumed_again_and_again, host_set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_long_chain_is_refused, host_set_up, host_tear_down),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
