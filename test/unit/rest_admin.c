// SPDX-License-Identifier: Apache-2.0
// parent/rest_{admin,custody,import,metrics}.h over HTTP: manifests, sealing, imports, accounts
// that are taken out of use, metrics. Refusals first of all.
#include "base/base64.h"
#include "base/must.h"
#include "parent/metrics.h"
#include "parent/store_manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest_fixture.h"

#define NOBODY "/v1/accounts/00000000000000000000000000000001"
#define IMPORT "/v1/imports/00000000000000000000000000000001"

static const struct {
    const char *name, *method, *target, *body, *code, *words;
    unsigned status;
} refusals[] = {
    { "no manifest", "PUT", "/v1/manifest", "{}", "malformed", "manifest_b64", 400 },
    { "no base64", "PUT", "/v1/manifest", "{\"manifest_b64\":\"?\"}", "malformed", "manifest_b64",
      400 },
    { "no manifest in it", "PUT", "/v1/manifest", "{\"manifest_b64\":\"AAAA\"}", "malformed", "",
      400 },
    { "unknown field", "PUT", "/v1/manifest", "{\"colour\":1}", "malformed", "colour", 400 },
    { "none stored", "GET", "/v1/manifest", "", "not_found", "none yet", 404 },
    { "POST a manifest", "POST", "/v1/manifest", "{}", "unsupported", "method", 405 },
    { "seal with fields", "POST", "/v1/seal", "{\"colour\":1}", "malformed", "colour", 400 },
    { "no approvals", "POST", "/v1/unseal", "{}", "malformed", "approvals_b64", 400 },
    { "disable nobody", "POST", NOBODY "/disable", "", "not_found", "account", 404 },
    { "enable nobody", "POST", NOBODY "/enable", "", "not_found", "account", 404 },
    { "delete nobody", "POST", NOBODY "/delete", "{\"after_days\":7}", "not_found", "account",
      404 },
    { "delete when", "POST", NOBODY "/delete", "", "malformed", "7 to 30", 400 },
    { "delete at once", "POST", NOBODY "/delete", "{\"after_days\":0}", "malformed", "7 to 30",
      400 },
    { "delete in 6 days", "POST", NOBODY "/delete", "{\"after_days\":6}", "malformed", "7 to 30",
      400 },
    { "delete in 31 days", "POST", NOBODY "/delete", "{\"after_days\":31}", "malformed", "7 to 30",
      400 },
    { "delete in text", "POST", NOBODY "/delete", "{\"after_days\":\"7\"}", "malformed", "7 to 30",
      400 },
    { "undelete nobody", "POST", NOBODY "/undelete", "", "not_found", "account", 404 },
    { "import without user", "POST", "/v1/imports", "{\"name\":\"n\",\"unrestricted\":true}",
      "malformed", "user", 400 },
    { "import without policy", "POST", "/v1/imports", "{\"user\":\"u\",\"name\":\"n\"}",
      "malformed", "unrestricted", 400 },
    { "import into nothing", "POST", "/v1/imports",
      "{\"user\":\"u\",\"name\":\"n\",\"unrestricted\":true,\"keyset\":\"x\"}", "not_found",
      "keyset", 404 },
    { "envelope without enc", "POST", IMPORT, "{\"ciphertext_b64\":\"AA==\"}", "malformed", "enc",
      400 },
    { "envelope without key", "POST", IMPORT, "{\"enc\":\"0x01\"}", "malformed", "ciphertext_b64",
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
    assert_int_equal(atomic_load(&enclave.creates), 0);
    assert_int_equal(atomic_load(&enclave.applies), 0);
    assert_int_equal(atomic_load(&enclave.seals), 0);
}

static struct answer *put_manifest(uint64_t serial)
{
    uint8_t space[512];
    char body[1024];
    struct wr wr = wr_of(body, sizeof(body) - 1);

    wr_str(&wr, "{\"manifest_b64\":\"");
    base64_write(&wr, fake_manifest(space, sizeof(space), serial));
    wr_str(&wr, "\"}");
    body[wr.len] = 0;
    return ask_all(&(struct ask) { "PUT", "/v1/manifest", body, "Bearer " TOKEN, NULL });
}

static void manifest(void **state)
{
    struct answer *answer = put_manifest(3);
    uint64_t serial = 0;

    (void)state;
    assert_int_equal(answer->status, 200);
    expect_ok("serial", json_u64(&serial, json_get(answer->root, "serial")));
    assert_int_equal(serial, 3);
    free(answer);
    assert_int_equal(atomic_load(&enclave.serial), 3);
    answer = get("/v1/manifest");
    assert_int_equal(answer->status, 200);
    assert_true(strlen(text_of(answer, "manifest_b64")) > 40);
    free(answer);
    // The enclave refuses: nothing is kept.
    atomic_store(&enclave.sealed, true);
    fake_enclave_stop(&enclave);
    answer = put_manifest(4);
    assert_int_equal(answer->status, 502);
    free(answer);
    fake_enclave_start(&enclave, dir);
    answer = get("/v1/manifest");
    expect_ok("serial", json_u64(&serial, json_get(answer->root, "serial")));
    assert_int_equal(serial, 3);
    free(answer);
}

static void seal_and_unseal(void **state)
{
    struct answer *answer = post("/v1/seal", "", NULL);

    (void)state;
    assert_int_equal(answer->status, 200);
    assert_string_equal(text_of(answer, "phase"), "SEALED");
    assert_int_equal(strlen(text_of(answer, "boot")), 32);
    assert_non_null(json_get(answer->root, "seals"));
    free(answer);
    for (int i = 0; i < 3000; i++) {
        answer = ask_all(&(struct ask) { "GET", "/healthz", "", NULL, NULL });
        if (answer->status == 503 && strcmp(text_of(answer, "phase"), "SEALED") == 0)
            break;
        free(answer);
        answer = NULL;
        (void)poll(NULL, 0, 10);
    }
    assert_non_null(answer);
    free(answer);
    expect_refusal("twice", post("/v1/seal", "{}", NULL), 503, "phase", "");
    answer = post("/v1/unseal", "{\"approvals_b64\":\"AA==\"}", NULL);
    assert_int_equal(answer->status, 200);
    assert_string_equal(text_of(answer, "phase"), "CONFIGURED");
    free(answer);
    for (int i = 0; i < 3000 && !atomic_load(&enclave.keyset_open); i++)
        (void)poll(NULL, 0, 10);
    assert_true(atomic_load(&enclave.keyset_open));
}

// The target of an action on the account.
static const char *target_of(const char *id, const char *action)
{
    static char targets[4][128];
    static unsigned next;
    char *target = targets[next++ % 4];

    (void)snprintf(target, sizeof(targets[0]), "/v1/accounts/%s/%s", id, action);
    return target;
}

static void expect_state(const char *id, const char *action, const char *body, const char *expected)
{
    struct answer *answer = post(target_of(id, action), body, NULL);

    if (answer->status != 200 || strcmp(text_of(answer, "state"), expected) != 0)
        fail_msg("%s: %u, %s", action, answer->status, text_of(answer, "state"));
    assert_string_equal(text_of(answer, "enforcement"), "best_effort");
    assert_int_equal(strlen(text_of(answer, "delete_at")) > 0,
                     strcmp(expected, "delete_scheduled") == 0);
    free(answer);
}

static void expect_silent(const char *name, const char *id, const char *words)
{
    unsigned signs = atomic_load(&enclave.signs);

    expect_refusal(name, post(target_of(id, "sign-transaction"), "{" TX "}", NULL), 403, "denied",
                   words);
    expect_refusal(name, post(target_of(id, "send-transaction"), "{" TX "}", "k"), 403, "denied",
                   words);
    assert_int_equal(atomic_load(&enclave.signs), signs);
}

static void accounts_out_of_use(void **state)
{
    struct answer *account = post("/v1/accounts", ALICE, NULL), *answer;
    char id[64];

    (void)state;
    (void)snprintf(id, sizeof(id), "%s", text_of(account, "account"));
    assert_string_equal(text_of(account, "state"), "active");
    free(account);
    expect_state(id, "disable", "", "disabled");
    expect_silent("disabled", id, "disabled");
    expect_state(id, "delete", "{\"after_days\":30}", "delete_scheduled");
    expect_silent("deleted", id, "undelete");
    expect_refusal("enable", post(target_of(id, "enable"), "", NULL), 403, "denied", "undelete");
    expect_state(id, "undelete", "{}", "disabled");
    expect_state(id, "enable", "", "active");
    answer = post(target_of(id, "send-transaction"), "{" TX "}", "k");
    assert_int_equal(answer->status, 200);
    free(answer);
}

static struct answer *import_begin(void)
{
    return post("/v1/imports",
                "{\"user\":\"bob\",\"name\":\"old\",\"unrestricted\":true,\"nonce\":\"0x01\"}",
                NULL);
}

static void imports(void **state)
{
    struct answer *offer = import_begin(), *answer;
    char target[128];

    (void)state;
    assert_int_equal(offer->status, 200);
    assert_string_equal(text_of(offer, "public_key"), "0x09");
    assert_string_equal(text_of(offer, "document_b64"), "ZG9j");
    assert_int_equal(strlen(text_of(offer, "keyset")), 32);
    (void)snprintf(target, sizeof(target), "/v1/imports/%s", text_of(offer, "account"));
    atomic_store(&enclave.refuse, ERR_CORRUPT);
    expect_refusal("refused", post(target, "{\"enc\":\"0x01\",\"ciphertext_b64\":\"AA==\"}", NULL),
                   500, "corrupt", "words");
    atomic_store(&enclave.refuse, 0);
    answer =
        post(target, "{\"enc\":\"0x01\",\"ciphertext_b64\":\"AA==\",\"nonce\":\"0x02\"}", NULL);
    assert_int_equal(answer->status, 201);
    assert_string_equal(text_of(answer, "account"), text_of(offer, "account"));
    assert_string_equal(text_of(answer, "user"), "bob");
    assert_string_equal(text_of(answer, "nonce"), "0x02");
    free(answer);
    answer =
        post(target, "{\"enc\":\"0x01\",\"ciphertext_b64\":\"AA==\",\"nonce\":\"0x02\"}", NULL);
    assert_int_equal(answer->status, 200);
    free(answer);
    expect_refusal("another", post(target, "{\"enc\":\"0x02\",\"ciphertext_b64\":\"AA==\"}", NULL),
                   409, "exists", "another envelope");
    assert_int_equal(atomic_load(&enclave.creates), 1);
    free(offer);
    expect_refusal("name is taken", import_begin(), 409, "exists", "name");
}

static struct client_response fetch(uint8_t *buf, size_t cap, const char *authorization)
{
    const struct http_field field = { BYTES_LIT("Authorization"), bytes_str(authorization) };
    const struct client_request request = {
        .method = "GET", .target = "/metrics", .field = &field, .fields = 1
    };
    struct client_response response;
    struct client client;

    client_init(&client, &address, "127.0.0.1", NULL);
    expect_ok("metrics", client_call(&client, &request, buf, cap, &response, deadline_in(60000)));
    client_done(&client);
    return response;
}

static const struct {
    enum err_code code;
    const char *words;
} kms_ends[] = {
    { ERR_NONE, "" },
    { ERR_KMS, "ThrottlingException: Rate exceeded" },
    { ERR_KMS, "KMSInternalException" },
    { ERR_KMS, "UnknownError" },
    { ERR_KMS, "AccessDeniedException: not authorized to perform kms:Decrypt" },
    { ERR_KMS, "" },
    { ERR_EXPIRED, "ExpiredTokenException: expired" },
    { ERR_UNREACHABLE, "ThrottlingException" },
    { ERR_CLOSED, "" },
    { ERR_TIMEOUT, "" },
    { ERR_UNTRUSTED, "TLS: the certificate does not verify" },
    { ERR_DENIED, "ThrottlingException" },
    { ERR_PHASE, "" },
};

static void metrics(void **state)
{
    static const char *const expected[] = {
        "cloister_ready 1\n",
        "cloister_enclave_phase{phase=\"READY\"} 1\n",
        "cloister_enclave_phase{phase=\"SEALED\"} 0\n",
        "cloister_credentials_expire_timestamp_seconds 4070908800\n",
        "# TYPE cloister_request_seconds histogram\n",
        "cloister_requests_total{method=\"GET\",route=\"/v1/status\",status=\"200\"} ",
        "cloister_requests_total{method=\"other\",route=\"other\",status=\"404\"} ",
        "cloister_request_seconds_bucket{method=\"GET\",route=\"/v1/status\",le=\"+Inf\"} ",
        "cloister_kms_operations_total{operation=\"keyset.create\",outcome=\"success\"} ",
        "cloister_kms_operations_total{operation=\"keyset.test\",outcome=\"success\"} 1\n",
        "cloister_kms_operations_total{operation=\"keyset.test\",outcome=\"throttled\"} 1\n",
        "cloister_kms_operations_total{operation=\"keyset.test\",outcome=\"5xx\"} 2\n",
        "cloister_kms_operations_total{operation=\"keyset.test\",outcome=\"denied\"} 3\n",
        "cloister_kms_operations_total{operation=\"keyset.test\",outcome=\"unreachable\"} 4\n",
        "cloister_kms_operations_total{operation=\"keyset.test\",outcome=\"other\"} 2\n",
        "cloister_enclave_call_seconds_sum{method=\"keyset.test\"} 19.500000000\n",
        "cloister_enclave_call_seconds_count{method=\"keyset.test\"} 13\n",
        "cloister_sends_total{status=\"sent\"} ",
        "cloister_relay_bytes_total{direction=\"to_enclave\"} ",
        "cloister_store_bytes ",
        "cloister_tls_certificate_expire_timestamp_seconds 0\n",
        "cloister_tunnel_connections_total{result=\"evicted\"} 0\n",
        "# TYPE cloister_fakes_total counter\ncloister_fakes_total{route=\"/a/*\",",
        "status=\"2xx\"} 7\ncloister_fakes_total{route=\"other\",status=\"2xx\"} 8\n# HELP ",
        "# TYPE cloister_fakes_now gauge\ncloister_fakes_now 9\n",
    };
    static uint8_t buf[1 << 18];
    struct client_response response;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kms_ends); i++)
        metrics_call("keyset.test", kms_ends[i].code, kms_ends[i].words, 1500000000);
    free(get("/v1/status"));
    free(get("/v1/nothing"));
    response = fetch(buf, sizeof(buf), "Bearer " TOKEN);
    assert_int_equal(response.head.status, 200);
    assert_int_equal(http_field_get(&response.head, "Content-Type").p[0], 't');
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        if (!memmem(response.body.p, response.body.n, expected[i], strlen(expected[i])))
            fail_msg("missing: %s in %.*s", expected[i], (int)response.body.n,
                     (const char *)response.body.p);
    assert_null(memmem(response.body.p, response.body.n, "bad", 3));
    assert_null(memmem(response.body.p, response.body.n, "Bad", 3));
    assert_int_equal(fetch(buf, sizeof(buf), "Bearer no").head.status, 401);
    rest.metrics_open = true;
    assert_int_equal(fetch(buf, sizeof(buf), "Bearer no").head.status, 200);
}

int main(void)
{
#define REST_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        REST_TEST(requests_are_refused), REST_TEST(manifest), REST_TEST(seal_and_unseal),
        REST_TEST(accounts_out_of_use),  REST_TEST(imports),  REST_TEST(metrics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
