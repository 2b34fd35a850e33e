// SPDX-License-Identifier: Apache-2.0
// parent/rest*.h and parent/accounts.h: the REST interface over HTTP, with a fake enclave and a
// fake node behind it. Refusals first of all.
#include "base/must.h"
#include "parent/accounts.h"
#include "parent/keysets.h"
#include "parent/rest_query.h"
#include "parent/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "rest_fixture.h"

static const struct {
    const char *name, *method, *target, *authorization;
} strangers[] = {
    { "no token", "GET", "/v1/status", NULL },
    { "wrong token", "GET", "/v1/status", "Bearer 0123456789abcdef0123456789abcdeX" },
    { "short token", "GET", "/v1/status", "Bearer 0123" },
    { "empty token", "GET", "/v1/status", "Bearer " },
    { "longer token", "GET", "/v1/status", "Bearer " TOKEN "0" },
    { "other scheme", "GET", "/v1/status", "Basic " TOKEN },
    { "no scheme", "GET", "/v1/status", TOKEN },
    { "accounts", "POST", "/v1/accounts", NULL },
    { "unknown method", "DELETE", "/v1/accounts", NULL },
    { "unknown path", "GET", "/v1/secret", NULL },
};

static void strangers_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        struct answer *answer = ask_all(&(struct ask) { strangers[i].method, strangers[i].target,
                                                        "", strangers[i].authorization, NULL });

        expect_refusal(strangers[i].name, answer, 401, "unauthorized", "bearer token");
    }
}

static void health_needs_no_token(void **state)
{
    struct answer *answer = ask_all(&(struct ask) { "GET", "/healthz", "", NULL, NULL });

    (void)state;
    assert_int_equal(answer->status, 200);
    assert_string_equal(text_of(answer, "status"), "ok");
    assert_string_equal(text_of(answer, "phase"), "READY");
    free(answer);
}

static void show_state(void **state)
{
    struct answer *answer = get("/v1/status");

    (void)state;
    assert_int_equal(answer->status, 200);
    assert_non_null(json_get(json_get(answer->root, "enclave"), "pcr16"));
    assert_true(json_is_true(json_get(json_get(answer->root, "cloisterd"), "ready")));
    free(answer);
    answer = get("/v1/attestation?nonce=0xab");
    assert_string_equal(text_of(answer, "document_b64"), "0xab");
    free(answer);
    answer = get("/v1/keysets");
    assert_int_equal(json_get(answer->root, "keysets")->count, 1);
    free(answer);
}

#define LONG_NAME                                                              \
    "\"0123456789012345678901234567890123456789012345678901234567890123456789" \
    "01234567890123456789012345678901234567890123456789012345678\""
static const struct {
    const char *name, *method, *target, *body, *code, *words;
    unsigned status;
} refusals[] = {
    { "path", "GET", "/v1/secret", "", "not_found", "path", 404 },
    { "path prefix", "GET", "/v1/statusx", "", "not_found", "path", 404 },
    { "method", "DELETE", "/v1/accounts", "", "unsupported", "Allow", 405 },
    { "method of another path", "POST", "/v1/status", "{}", "unsupported", "method", 405 },
    { "method in lower case", "get", "/v1/status", "", "unsupported", "method", 405 },
    { "method before the id", "PUT", "/v1/accounts/xyz", "", "unsupported", "method", 405 },
    { "id", "GET", "/v1/accounts/xyz", "", "malformed", "32 lower-case", 400 },
    { "no account", "GET", "/v1/accounts/00000000000000000000000000000001", "", "not_found",
      "account", 404 },
    { "query", "GET", "/v1/status?x=1", "", "malformed", "unknown parameter: x", 400 },
    { "query twice", "GET", "/v1/accounts?user=a&user=b", "", "malformed", "twice", 400 },
    { "query encoding", "GET", "/v1/accounts?user=%4", "", "malformed", "query", 400 },
    { "limit 0", "GET", "/v1/accounts?limit=0", "", "malformed", "limit", 400 },
    { "limit 101", "GET", "/v1/accounts?limit=101", "", "malformed", "limit", 400 },
    { "after", "GET", "/v1/accounts?after=none", "", "not_found", "account", 404 },
    { "body with GET", "GET", "/v1/status", "{}", "malformed", "body", 400 },
    { "no body", "POST", "/v1/accounts", "", "malformed", "", 400 },
    { "no JSON", "POST", "/v1/accounts", "{", "malformed", "", 400 },
    { "duplicate key", "POST", "/v1/accounts", "{\"user\":\"a\",\"user\":\"b\"}", "malformed", "",
      400 },
    { "no object", "POST", "/v1/accounts", "[]", "malformed", "object", 400 },
    { "unknown field", "POST", "/v1/accounts", "{\"colour\":1}", "malformed",
      "unknown field: colour", 400 },
    { "no user", "POST", "/v1/accounts", "{\"name\":\"n\",\"unrestricted\":true}", "malformed",
      "user", 400 },
    { "control character", "POST", "/v1/accounts",
      "{\"user\":\"a\\n\",\"name\":\"n\",\"unrestricted\":true}", "malformed", "control", 400 },
    { "C1 character", "POST", "/v1/accounts",
      "{\"user\":\"a\\u0085\",\"name\":\"n\",\"unrestricted\":true}", "malformed", "control", 400 },
    { "long name", "POST", "/v1/accounts",
      "{\"user\":\"a\",\"name\":" LONG_NAME ",\"unrestricted\":true}", "malformed", "128", 400 },
    { "no policy", "POST", "/v1/accounts", "{\"user\":\"a\",\"name\":\"n\"}", "malformed",
      "unrestricted", 400 },
    { "no such keyset", "POST", "/v1/accounts",
      "{\"user\":\"a\",\"name\":\"n\",\"unrestricted\":true,\"keyset\":\"x\"}", "not_found",
      "keyset", 404 },
    { "nonce", "POST", "/v1/accounts",
      "{\"user\":\"a\",\"name\":\"n\",\"unrestricted\":true,\"nonce\":\"ab\"}", "malformed",
      "nonce", 400 },
    { "sign for nobody", "POST", "/v1/accounts/00000000000000000000000000000001/sign-transaction",
      "{" TX "}", "not_found", "account", 404 },
    { "sign nothing", "POST", "/v1/accounts/00000000000000000000000000000001/sign-transaction",
      "{}", "malformed", "tx", 400 },
    { "no idempotency key", "POST",
      "/v1/accounts/00000000000000000000000000000001/send-transaction", "{" TX "}", "malformed",
      "Idempotency-Key", 400 },
};

static void requests_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct answer *answer = ask_all(&(struct ask) { refusals[i].method, refusals[i].target,
                                                        refusals[i].body, "bearer " TOKEN, NULL });

        expect_refusal(refusals[i].name, answer, refusals[i].status, refusals[i].code,
                       refusals[i].words);
    }
    assert_int_equal(atomic_load(&enclave.creates), 0);
}

static void account_is_made_once(void **state)
{
    struct answer *first = post("/v1/accounts", ALICE, NULL);
    struct answer *again = post("/v1/accounts", ALICE, NULL);
    char target[128];

    (void)state;
    assert_int_equal(first->status, 201);
    assert_int_equal(again->status, 200);
    assert_string_equal(text_of(first, "account"), text_of(again, "account"));
    assert_string_equal(text_of(first, "address"), "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
    assert_string_equal(text_of(first, "policy"), "unrestricted");
    assert_int_equal(json_get(first->root, "nonce")->type, JSON_NULL);
    assert_int_equal(atomic_load(&enclave.creates), 1);
    (void)snprintf(target, sizeof(target), "/v1/accounts/%s", text_of(first, "account"));
    free(again);
    again = get(target);
    assert_string_equal(text_of(first, "record_b64"), text_of(again, "record_b64"));
    free(first);
    free(again);
    first = post("/v1/accounts",
                 "{\"user\":\"alice\",\"name\":\"main\",\"unrestricted\":true,"
                 "\"nonce\":\"0x01\"}",
                 NULL);
    expect_refusal("other content", first, 409, "exists", "other content");
}

static void *post_alice(void *context)
{
    return *(struct answer **)context = post("/v1/accounts", ALICE, NULL);
}

static void account_by_many_at_once(void **state)
{
    struct answer *answers[8];
    pthread_t threads[8];
    unsigned created = 0;

    (void)state;
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_alice, &answers[i]), 0);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < 8; i++) {
        created += answers[i]->status == 201;
        assert_string_equal(text_of(answers[i], "account"), text_of(answers[0], "account"));
    }
    assert_int_equal(created, 1);
    for (size_t i = 0; i < 8; i++)
        free(answers[i]);
}

static void account_pages(void **state)
{
    struct answer *answer;
    char target[128];

    (void)state;
    for (char c = 'a'; c <= 'e'; c++) {
        char body[128];

        (void)snprintf(body, sizeof(body),
                       "{\"user\":\"u \\u00e9\",\"name\":\"%c\",\"unrestricted\":true}", c);
        answer = post("/v1/accounts", body, NULL);
        assert_int_equal(answer->status, 201);
        free(answer);
    }
    answer = get("/v1/accounts?user=u+%C3%A9&limit=3");
    assert_int_equal(json_get(answer->root, "accounts")->count, 3);
    (void)snprintf(target, sizeof(target), "/v1/accounts?limit=3&after=%s",
                   text_of(answer, "next"));
    free(answer);
    answer = get(target);
    assert_int_equal(json_get(answer->root, "accounts")->count, 2);
    assert_null(json_get(answer->root, "next"));
    free(answer);
    answer = get("/v1/accounts?user=nobody");
    assert_int_equal(json_get(answer->root, "accounts")->count, 0);
    free(answer);
}

static const struct {
    enum err_code code;
    unsigned status;
} mapping[] = {
    { ERR_MALFORMED, 400 }, { ERR_UNSUPPORTED, 400 }, { ERR_UNAUTHORIZED, 401 },
    { ERR_DENIED, 403 },    { ERR_NOT_FOUND, 404 },   { ERR_MISMATCH, 409 },
    { ERR_TOO_LARGE, 413 }, { ERR_BUSY, 503 },        { ERR_FULL, 503 },
    { ERR_PHASE, 503 },     { ERR_KMS, 502 },         { ERR_EXPIRED, 502 },
    { ERR_TIMEOUT, 504 },   { ERR_CORRUPT, 500 },     { ERR_DEVICE, 500 },
};

static void errors_of_the_enclave(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mapping); i++) {
        const char *name = err_name(mapping[i].code);

        atomic_store(&enclave.refuse, (int)mapping[i].code);
        expect_refusal(name, post("/v1/accounts", ALICE, NULL), mapping[i].status, name,
                       "words of the enclave");
    }
    fake_enclave_stop(&enclave);
    for (int i = 0; i < 3000 && enclave_link_is_up(connection); i++)
        (void)poll(NULL, 0, 10);
    expect_refusal("gone", post("/v1/accounts", ALICE, NULL), 502, "unreachable", "enclave");
    fake_enclave_start(&enclave, dir);
}

#define FULL_TX                                                            \
    "\"tx\":{\"chainId\":31337,\"nonce\":0,\"gas\":21000,\"value\":\"1\"," \
    "\"maxFeePerGas\":\"0x2\",\"maxPriorityFeePerGas\":1}"

static void sign(void **state)
{
    struct answer *account = post("/v1/accounts", ALICE, NULL), *answer;
    char target[128];

    (void)state;
    (void)snprintf(target, sizeof(target), "/v1/accounts/%s/sign-transaction",
                   text_of(account, "account"));
    answer = post(target, "{" FULL_TX "}", NULL);
    assert_int_equal(answer->status, 200);
    assert_int_equal(strlen(text_of(answer, "hash")), 66);
    assert_non_null(json_get(answer->root, "audit"));
    free(answer);
    atomic_store(&enclave.refuse, ERR_DENIED);
    expect_refusal("denied", post(target, "{\"tx\":{}}", NULL), 403, "denied", "words");
    free(account);
}

// Rows that do not hang together, as the owner of the store may make them from good ones.
static const struct {
    const char *name, *id, *keyset, *address;
    bool no_record;
    const char *words;
    unsigned signs; // by the enclave, which cannot know
} odd_rows[] = {
    { "id", "00000000000000000000000000000009", NULL, NULL, false, "another one's", 0 },
    { "keyset", NULL, "00000000000000000000000000000009", NULL, false, "another one's", 0 },
    { "no record", NULL, NULL, NULL, true, "another one's", 0 },
    { "address", NULL, NULL, "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", false, "address", 1 },
    { "no address", NULL, NULL, "", false, "address", 1 },
};

// Another keyset of the store, for rows that name it.
static void add_keyset(char out[static ID_TEXT], const char *id)
{
    struct store_keyset keyset = { .name = "other",
                                   .record = BYTES_LIT("r"),
                                   .receipt = BYTES_LIT("q") };

    (void)snprintf(keyset.id, sizeof(keyset.id), "%s", id);
    (void)snprintf(out, ID_TEXT, "%s", id);
    expect_ok("keyset", store_add_keyset(store, &keyset));
}

static void odd_row_is_refused(size_t i)
{
    AUTO(store_account_free) struct store_account row = { 0 };
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    const struct accounts accounts = { store, connection, &config };
    const struct keysets keysets = { store, &config };
    char request[128], target[128];

    (void)snprintf(row.user, sizeof(row.user), "odd");
    (void)snprintf(row.name, sizeof(row.name), "%s", odd_rows[i].name);
    expect_ok("keyset", keysets_find(&keysets, CONFIG_ACCOUNTS, BYTES_NONE, row.keyset));
    (void)snprintf(request, sizeof(request), "{\"keyset\":\"%s\",\"unrestricted\":true}",
                   row.keyset);
    expect_ok("create", enclave_link_call(connection, &reply, "account.create", bytes_str(request),
                                          deadline_in(60000)));
    expect_ok("take", accounts_take(&accounts, &row, reply.result, BYTES_NONE));
    if (odd_rows[i].id)
        (void)snprintf(row.id, sizeof(row.id), "%s", odd_rows[i].id);
    if (odd_rows[i].address)
        (void)snprintf(row.address, sizeof(row.address), "%s", odd_rows[i].address);
    if (odd_rows[i].no_record)
        row.record = BYTES_LIT("none");
    if (odd_rows[i].keyset)
        add_keyset(row.keyset, odd_rows[i].keyset);
    expect_ok("add", store_account_add(store, &row));
    (void)snprintf(target, sizeof(target), "/v1/accounts/%s/sign-transaction", row.id);
    atomic_store(&enclave.signs, 0);
    expect_refusal(odd_rows[i].name, post(target, "{" FULL_TX "}", NULL), 500, "corrupt",
                   odd_rows[i].words);
    (void)snprintf(target, sizeof(target), "/v1/accounts/%s/send-transaction", row.id);
    expect_refusal(odd_rows[i].name, post(target, "{" TX "}", "k"), 500, "corrupt",
                   odd_rows[i].words);
    assert_int_equal(atomic_load(&enclave.signs), 2 * odd_rows[i].signs);
    assert_int_equal(node.raw_calls, 0);
}

static void odd_rows_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(odd_rows); i++)
        odd_row_is_refused(i);
}

static void send(void **state)
{
    struct answer *account = post("/v1/accounts", ALICE, NULL), *answer;
    char target[128];

    (void)state;
    (void)snprintf(target, sizeof(target), "/v1/accounts/%s/send-transaction",
                   text_of(account, "account"));
    node.mines = true;
    answer = post(target, "{" TX ",\"wait_ms\":2000}", "key 1");
    assert_int_equal(answer->status, 200);
    assert_string_equal(text_of(answer, "status"), "mined");
    assert_non_null(json_get(answer->root, "receipt"));
    free(answer);
    expect_refusal("wait", post(target, "{" TX ",\"wait_ms\":30001}", "k"), 400, "malformed",
                   "wait_ms");
    expect_refusal("unknown field", post(target, "{\"tx\":{\"colour\":1}}", "k"), 400, "malformed",
                   "colour");
    expect_refusal("other content", post(target, "{\"tx\":{\"value\":2}}", "key 1"), 409, "exists",
                   "Idempotency-Key");
    free(account);
}

static void tokens(void **state)
{
    struct token a, b;
    char path[128];
    FILE *file;

    (void)state;
    fake_path(path, sizeof(path), dir, "token");
    expect_ok("made", token_load(&a, path));
    expect_ok("read", token_load(&b, path));
    assert_int_equal(a.n, 64);
    assert_memory_equal(a.b, b.b, 64);
    assert_int_equal(strspn((char *)a.b, "0123456789abcdef"), 64);
    assert_int_equal(chmod(path, 0640), 0);
    expect_err("open to others", token_load(&b, path), ERR_DENIED, "0600");
    file = fopen(path, "w");
    assert_int_equal(chmod(path, 0600), 0);
    (void)fputs("short\n", file);
    (void)fclose(file);
    expect_err("short", token_load(&b, path), ERR_MALFORMED, "32 characters");
}

int main(void)
{
#define REST_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        REST_TEST(strangers_are_refused),
        REST_TEST(health_needs_no_token),
        REST_TEST(show_state),
        REST_TEST(requests_are_refused),
        REST_TEST(account_is_made_once),
        REST_TEST(account_by_many_at_once),
        REST_TEST(account_pages),
        REST_TEST(errors_of_the_enclave),
        REST_TEST(sign),
        REST_TEST(odd_rows_are_refused),
        REST_TEST(send),
        REST_TEST(tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
