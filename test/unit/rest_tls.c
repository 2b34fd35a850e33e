// SPDX-License-Identifier: Apache-2.0
// parent/rest_tls.h and parent/tls_keys.h over HTTP: TLS keys are made, get certificates, and the
// one in use is opened again whenever the enclave has lost it. Refusals first of all.
#include "parent/tls_keys.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "rest_fixture.h"

#define KEYS   "/v1/tls-keys"
#define NOBODY "/v1/tls-keys/nobody"
#define IMPORT "/v1/tls-imports/00000000000000000000000000000001"
#define NAMES  "{\"names\":[\"signer.example\",\"10.0.0.1\"]}"
#define LONG   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" // 33
#define DAY_S  86400U

static int set_up_tls(void **state)
{
    fake_has_tls = true;
    return set_up(state);
}

static const struct {
    const char *name, *method, *target, *body, *code, *words;
    unsigned status;
} refusals[] = {
    { "no name", "POST", KEYS, "{}", "malformed", "name", 400 },
    { "name of another kind", "POST", KEYS, "{\"name\":1}", "malformed", "name", 400 },
    { "name in capitals", "POST", KEYS, "{\"name\":\"Web\"}", "malformed", "name", 400 },
    { "name with a slash", "POST", KEYS, "{\"name\":\"a/b\"}", "malformed", "name", 400 },
    { "name too long", "POST", KEYS, "{\"name\":\"" LONG "\"}", "malformed", "name", 400 },
    { "unknown field", "POST", KEYS, "{\"name\":\"a\",\"colour\":1}", "malformed", "colour", 400 },
    { "bad nonce", "POST", KEYS, "{\"name\":\"a\",\"nonce\":\"1\"}", "malformed", "nonce", 400 },
    { "no such keyset", "POST", KEYS, "{\"name\":\"a\",\"keyset\":\"x\"}", "not_found", "keyset",
      404 },
    { "keyset for accounts", "POST", KEYS, "{\"name\":\"a\",\"keyset\":\"main\"}", "mismatch",
      "purpose tls", 409 },
    { "account in it", "POST", "/v1/accounts",
      "{\"user\":\"u\",\"name\":\"n\",\"unrestricted\":true,\"keyset\":\"web\"}", "mismatch",
      "for accounts", 409 },
    { "PUT a key", "PUT", KEYS, "{}", "unsupported", "method", 405 },
    { "show nobody", "GET", NOBODY, "", "not_found", "tls-keys", 404 },
    { "show an odd name", "GET", KEYS "/No", "", "malformed", "name", 400 },
    { "show no name", "GET", KEYS "/", "", "not_found", "tls-keys", 404 },
    { "drop nobody", "DELETE", NOBODY, "", "not_found", "tls-keys", 404 },
    { "drop with fields", "DELETE", NOBODY, "{\"colour\":1}", "malformed", "colour", 400 },
    { "request for nobody", "POST", NOBODY "/csr", NAMES, "not_found", "tls-keys", 404 },
    { "request without names", "POST", NOBODY "/csr", "{}", "malformed", "names", 400 },
    { "request for no name", "POST", NOBODY "/csr", "{\"names\":[]}", "malformed", "names", 400 },
    { "request for a number", "POST", NOBODY "/csr", "{\"names\":[1]}", "malformed", "names", 400 },
    { "request for an empty name", "POST", NOBODY "/csr", "{\"names\":[\"\"]}", "malformed",
      "names", 400 },
    { "request for two in one", "POST", NOBODY "/csr", "{\"names\":[\"a\\nb\"]}", "malformed",
      "names", 400 },
    { "request with days", "POST", NOBODY "/csr", "{\"names\":[\"a\"],\"days\":1}", "malformed",
      "days", 400 },
    { "request for 17", "POST", NOBODY "/csr",
      "{\"names\":[\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\","
      "\"a\",\"a\",\"a\",\"a\"]}",
      "malformed", "1 to 16", 400 },
    { "install nothing", "PUT", NOBODY "/certificate", "{}", "malformed", "names", 400 },
    { "install both", "PUT", NOBODY "/certificate", "{\"certificate_pem\":\"x\",\"names\":[\"a\"]}",
      "malformed", "not together", 400 },
    { "install for days", "PUT", NOBODY "/certificate", "{\"certificate_pem\":\"x\",\"days\":1}",
      "malformed", "not together", 400 },
    { "install an empty chain", "PUT", NOBODY "/certificate", "{\"certificate_pem\":\"\"}",
      "malformed", "certificate_pem", 400 },
    { "install a number", "PUT", NOBODY "/certificate", "{\"certificate_pem\":1}", "malformed",
      "certificate_pem", 400 },
    { "for no day", "PUT", NOBODY "/certificate", "{\"names\":[\"a\"],\"days\":0}", "malformed",
      "1 to 3650", 400 },
    { "for too many days", "PUT", NOBODY "/certificate", "{\"names\":[\"a\"],\"days\":3651}",
      "malformed", "1 to 3650", 400 },
    { "install for nobody", "PUT", NOBODY "/certificate", NAMES, "not_found", "tls-keys", 404 },
    { "import without name", "POST", "/v1/tls-imports", "{}", "malformed", "name", 400 },
    { "import among accounts", "POST", "/v1/tls-imports", "{\"name\":\"a\",\"keyset\":\"main\"}",
      "mismatch", "purpose tls", 409 },
    { "envelope without enc", "POST", IMPORT, "{\"ciphertext_b64\":\"AA==\"}", "malformed", "enc",
      400 },
    { "envelope for nothing", "POST", IMPORT, "{\"enc\":\"0x01\",\"ciphertext_b64\":\"AA==\"}",
      "not_found", "import", 404 },
};

static void requests_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct answer *answer = ask_all(&(struct ask) { refusals[i].method, refusals[i].target,
                                                        refusals[i].body, "Bearer " TOKEN, NULL });

        expect_refusal(refusals[i].name, answer, refusals[i].status, refusals[i].code,
                       refusals[i].words);
    }
    assert_int_equal(atomic_load(&enclave.tls_creates), 0);
    assert_int_equal(atomic_load(&enclave.tls_opens), 0);
}

static struct answer *put(const char *target, const char *body)
{
    return ask_all(&(struct ask) { "PUT", target, body, "Bearer " TOKEN, NULL });
}

// The answer's status, and its text under a key.
static void expect_text(struct answer *answer, unsigned status, const char *key, const char *text)
{
    assert_int_equal(answer->status, status);
    assert_string_equal(text_of(answer, key), text);
    free(answer);
}

static void make(const char *name)
{
    char body[96];

    (void)snprintf(body, sizeof(body), "{\"name\":\"%s\"}", name);
    expect_text(post(KEYS, body, NULL), 201, "state", "new");
}

static void created_once(void **state)
{
    struct answer *answer = post(KEYS, "{\"name\":\"a\",\"nonce\":\"0x01\"}", NULL);
    char id[64];

    (void)state;
    assert_int_equal(answer->status, 201);
    (void)snprintf(id, sizeof(id), "%s", text_of(answer, "key"));
    assert_int_equal(strlen(id), 32);
    assert_int_equal(strlen(text_of(answer, "spki_sha256")), 64);
    assert_string_equal(text_of(answer, "name"), "a");
    assert_string_equal(text_of(answer, "provenance"), "generated");
    assert_string_equal(text_of(answer, "nonce"), "0x01");
    assert_int_equal(strlen(text_of(answer, "public_key")), 68);
    assert_null(json_get(answer->root, "certificate_pem"));
    free(answer);
    expect_text(post(KEYS, "{\"name\":\"a\",\"nonce\":\"0x01\"}", NULL), 200, "key", id);
    expect_text(post(KEYS, "{\"name\":\"a\",\"nonce\":\"0x01\",\"keyset\":\"web\"}", NULL), 200,
                "key", id);
    expect_text(get(KEYS "/a"), 200, "key", id);
    expect_refusal("other nonce", post(KEYS, "{\"name\":\"a\",\"nonce\":\"0x02\"}", NULL), 409,
                   "exists", "of this name");
    expect_refusal("no nonce", post(KEYS, "{\"name\":\"a\"}", NULL), 409, "exists", "");
    assert_int_equal(atomic_load(&enclave.tls_creates), 1);
    answer = get(KEYS);
    assert_int_equal(json_get(answer->root, "tls_keys")->count, 1);
    free(answer);
    expect_text(ask_all(&(struct ask) { "DELETE", KEYS "/a", "", "Bearer " TOKEN, NULL }), 200, "",
                "");
    expect_refusal("dropped", get(KEYS "/a"), 404, "not_found", "");
}

static void certificates(void **state)
{
    struct answer *answer;

    (void)state;
    make("a");
    make("b");
    expect_text(post(KEYS "/a/csr", NAMES, NULL), 200, "csr_pem", "signer.example");
    answer = put(KEYS "/a/certificate", NAMES);
    assert_int_equal(answer->status, 200);
    assert_string_equal(text_of(answer, "state"), "in_use");
    assert_true(json_is_true(json_get(answer->root, "in_use")));
    assert_true(json_is_true(json_get(answer->root, "self_signed")));
    assert_int_equal(json_get(answer->root, "names")->count, 2);
    assert_int_equal(memcmp(text_of(answer, "certificate_pem"), "self ", 5), 0);
    assert_int_equal(strlen(text_of(answer, "certificate_sha256")), 64);
    free(answer);
    atomic_store(&enclave.tls_not_after, (uint64_t)time(NULL) + 365U * DAY_S);
    expect_text(put(KEYS "/b/certificate", "{\"certificate_pem\":\"the chain\\n\"}"), 200,
                "certificate_pem", "the chain\n");
    expect_text(get(KEYS "/a"), 200, "state", "installed");
    expect_text(get(KEYS "/b"), 200, "state", "in_use");
    // The enclave refuses: nothing changes.
    atomic_store(&enclave.tls_refuse, ERR_MISMATCH);
    expect_refusal("refused", put(KEYS "/a/certificate", "{\"certificate_pem\":\"wrong\"}"), 409,
                   "mismatch", "words of the enclave");
    expect_text(get(KEYS "/b"), 200, "state", "in_use");
    expect_refusal("in use",
                   ask_all(&(struct ask) { "DELETE", KEYS "/b", "", "Bearer " TOKEN, NULL }), 409,
                   "mismatch", "in use");
}

static void wait_opens(unsigned opens)
{
    for (int i = 0; i < 3000 && atomic_load(&enclave.tls_opens) < opens; i++)
        (void)poll(NULL, 0, 10);
    if (atomic_load(&enclave.tls_opens) < opens)
        fail_msg("the key is not opened again");
}

static void opened_again(void **state)
{
    AUTO(store_tls_free) struct store_tls key = { 0 };

    (void)state;
    make("a");
    atomic_store(&enclave.tls_not_after, (uint64_t)time(NULL) + 365U * DAY_S);
    expect_text(put(KEYS "/a/certificate", "{\"certificate_pem\":\"chain\"}"), 200, "state",
                "in_use");
    atomic_store(&enclave.tls_lost, true); // a new front
    wait_opens(2);
    fake_enclave_stop(&enclave);
    fake_enclave_start(&enclave, dir); // another enclave, which counts from zero
    atomic_store(&enclave.tls_not_after, (uint64_t)time(NULL) + 365U * DAY_S);
    wait_opens(1);
    assert_int_equal(atomic_load(&enclave.tls_renewals), 0); // with the same chain
    expect_ok("kept", store_tls_used(store, &key));
    assert_true(bytes_equal_str(key.certificate.chain, "chain"));
}

static bool is_ready_with(const char *problem)
{
    struct supervise_view view;

    supervise_look(supervise, &view);
    return view.ready && strstr(view.problem, problem) != NULL && (problem[0] || !view.problem[0]);
}

static void wait_problem(const char *problem)
{
    for (int i = 0; i < 3000 && !is_ready_with(problem); i++)
        (void)poll(NULL, 0, 10);
    if (!is_ready_with(problem))
        fail_msg("not READY with the problem \"%s\"", problem);
}

// The enclave has counted a renewal before the parent has stored it.
static void wait_used(const char *prefix, struct store_tls *key)
{
    for (int i = 0; i < 3000; i++) {
        expect_ok("in use", store_tls_used(store, key));
        if (key->certificate.chain.n >= strlen(prefix) &&
            memcmp(key->certificate.chain.p, prefix, strlen(prefix)) == 0)
            return;
        store_tls_free(key);
        *key = (struct store_tls) { 0 };
        (void)poll(NULL, 0, 10);
    }
    fail_msg("no certificate in use begins with \"%s\"", prefix);
}

// A self-signed certificate comes from the enclave, stays the same over restarts, and is made anew
// when two thirds of its time are over.
static void self_signed(void **state)
{
    AUTO(store_tls_free) struct store_tls key = { 0 };
    struct store_tls_certificate old = {
        .chain = BYTES_LIT("old"), .names = BYTES_LIT("signer.example\n"), .days = 30, .sha256 = ""
    };

    (void)state;
    make("a");
    free(put(KEYS "/a/certificate", "{\"names\":[\"signer.example\"],\"days\":30}"));
    atomic_store(&enclave.tls_not_after, (uint64_t)time(NULL) + 30U * DAY_S);
    atomic_store(&enclave.tls_lost, true);
    wait_opens(2);
    assert_int_equal(atomic_load(&enclave.tls_renewals), 1); // the one of `put`
    old.not_after_s = (uint64_t)time(NULL) + 9U * DAY_S;
    expect_ok("nearly over", store_tls_use(store, "a", &old));
    for (int i = 0; i < 3000 && atomic_load(&enclave.tls_renewals) < 2; i++)
        (void)poll(NULL, 0, 10);
    assert_int_equal(atomic_load(&enclave.tls_renewals), 2);
    wait_problem("");
    wait_used("self ", &key);
    assert_true(bytes_equal_str(key.certificate.names, "signer.example\n"));
    assert_true(key.certificate.not_after_s > (uint64_t)time(NULL) + 29U * DAY_S);
}

// Whatever is wrong with the certificate is said, and everything else goes on.
static void trouble_is_shown(void **state)
{
    struct answer *answer;

    (void)state;
    make("a");
    atomic_store(&enclave.tls_not_after, (uint64_t)time(NULL) - 1);
    expect_text(put(KEYS "/a/certificate", "{\"certificate_pem\":\"chain\"}"), 200, "state",
                "in_use");
    wait_problem("has expired");
    atomic_store(&enclave.tls_refuse, ERR_EXPIRED);
    atomic_store(&enclave.tls_lost, true);
    wait_problem("words of the enclave");
    answer = post("/v1/accounts", ALICE, NULL);
    assert_int_equal(answer->status, 201);
    free(answer);
    atomic_store(&enclave.tls_refuse, 0);
    atomic_store(&enclave.tls_not_after, (uint64_t)time(NULL) + 365U * DAY_S);
    expect_text(put(KEYS "/a/certificate", "{\"certificate_pem\":\"chain 2\"}"), 200, "state",
                "in_use");
    wait_problem("");
}

static void imported(void **state)
{
    struct answer *answer = post("/v1/tls-imports", "{\"name\":\"old\",\"nonce\":\"0x01\"}", NULL);
    const char *envelope = "{\"enc\":\"0x01\",\"ciphertext_b64\":\"AA==\",\"nonce\":\"0x02\"}";
    char id[64], target[128], as_account[128];

    (void)state;
    assert_int_equal(answer->status, 200);
    (void)snprintf(id, sizeof(id), "%s", text_of(answer, "key"));
    assert_string_equal(text_of(answer, "document_b64"), "ZG9j");
    free(answer);
    (void)snprintf(target, sizeof(target), "/v1/tls-imports/%s", id);
    (void)snprintf(as_account, sizeof(as_account), "/v1/imports/%s", id);
    expect_refusal("as an account", post(as_account, envelope, NULL), 404, "not_found", "TLS key");
    expect_text(post(target, envelope, NULL), 201, "key", id);
    expect_text(post(target, envelope, NULL), 200, "name", "old");
    expect_refusal("another envelope",
                   post(target, "{\"enc\":\"0x03\",\"ciphertext_b64\":\"AA==\"}", NULL), 409,
                   "exists", "another envelope");
    expect_refusal("name taken", post("/v1/tls-imports", "{\"name\":\"old\"}", NULL), 409, "exists",
                   "of this name");
    assert_int_equal(atomic_load(&enclave.tls_creates), 1);
}

static void account_import_is_none(void **state)
{
    struct answer *answer =
        post("/v1/imports", "{\"user\":\"bob\",\"name\":\"old\",\"unrestricted\":true}", NULL);
    char target[128];

    (void)state;
    assert_int_equal(answer->status, 200);
    (void)snprintf(target, sizeof(target), "/v1/tls-imports/%s", text_of(answer, "account"));
    free(answer);
    expect_refusal("as a TLS key",
                   post(target, "{\"enc\":\"0x01\",\"ciphertext_b64\":\"AA==\"}", NULL), 404,
                   "not_found", "of an account");
}

int main(void)
{
#define REST_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_tls, tear_down)
    const struct CMUnitTest tests[] = {
        REST_TEST(requests_are_refused),
        REST_TEST(created_once),
        REST_TEST(certificates),
        REST_TEST(opened_again),
        REST_TEST(self_signed),
        REST_TEST(trouble_is_shown),
        REST_TEST(imported),
        REST_TEST(account_import_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
