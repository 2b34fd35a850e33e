// SPDX-License-Identifier: Apache-2.0
// parent/rest.h: requests as they stand on the wire, head and body, against a real store with one
// account and one TLS key in it, an enclave that is not there and a node that refuses. Each answer
// is JSON with a status of PROTOCOL.md.
#include "fuzz.h"

#include "net/json.h"
#include "parent/broadcast.h"
#include "parent/log.h"
#include "parent/rest.h"
#include "parent/store_account.h"
#include "parent/tls_keys.h"
#include "proto/policy.h"
#include "proto/record.h"

#include <stdlib.h>
#include <unistd.h>

#define ACCOUNT   "0123456789abcdef0123456789abcdef"
#define NOBODY    "http://127.0.0.1:1"
#define NODES     4096
#define INPUT_MAX (64U << 10)

static struct rest rest;
static struct config config;
static uint8_t config_bytes[64];

// The sealed record of the account or the TLS key, as far as this program looks at it.
static struct bytes make_record(bool is_tls)
{
    static const uint8_t point[33] = { 2 }, sealed[RECORD_SEALED_BYTES] = { 1 };
    static const uint8_t policy[] = { 0, 1, 1 }, nobody[] = { 0, 1, 0 };
    static uint8_t public_bytes[512], bytes[2][1024];
    struct wr public_wr = WR_OF(public_bytes), wr = WR_OF(bytes[is_tls]);
    struct record record = { .deployment = config.deployment,
                             .key_type = is_tls ? RECORD_P256 : RECORD_SECP256K1,
                             .purpose = is_tls ? RECORD_TLS : RECORD_ACCOUNT,
                             .public_key = BYTES_OF(point),
                             .provenance = RECORD_GENERATED,
                             .generation = 1,
                             .policy = BYTES_OF(policy),
                             .authorisers = BYTES_OF(nobody),
                             .sealed = BYTES_OF(sealed) };

    fuzz_ok(id_parse(&record.id, BYTES_LIT(ACCOUNT)));
    record.keyset = record.id;
    policy_hash(record.policy_hash, record.policy);
    policy_authoriser_hash(record.authoriser_hash, record.authorisers);
    record_write_public(&public_wr, &record);
    record.public_bytes = wr_done(&public_wr);
    record_write(&wr, &record);
    return wr_done(&wr);
}

static void add_account(void)
{
    struct store_keyset keyset = { .id = ACCOUNT,
                                   .name = "main",
                                   .created_ms = 1800000000000,
                                   .record = BYTES_LIT("record"),
                                   .receipt = BYTES_LIT("receipt") };
    struct store_account account = {
        .id = ACCOUNT,
        .user = "alice",
        .name = "main",
        .keyset = ACCOUNT,
        .address = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94",
        .policy = "unrestricted",
        .created_ms = 1800000000000,
        .record = make_record(false),
        .receipt = BYTES_LIT("receipt"),
        .nonce = BYTES_LIT("nonce"),
    };

    fuzz_ok(store_add_keyset(rest.store, &keyset));
    fuzz_ok(store_account_add(rest.store, &account));
}

static void add_tls_key(void)
{
    const struct store_tls_certificate certificate = { .chain = BYTES_LIT("chain"),
                                                       .names = BYTES_LIT("a.example\n"),
                                                       .days = 1,
                                                       .not_after_s = 4102444800 };
    struct store_tls key = { .id = ACCOUNT,
                             .name = "web",
                             .keyset = ACCOUNT,
                             .record = make_record(true),
                             .receipt = BYTES_LIT("receipt") };

    fuzz_ok(store_tls_add(rest.store, &key));
    fuzz_ok(store_tls_use(rest.store, "web", &certificate));
}

static void open_store(void)
{
    char dir[] = "/tmp/fuzz-rest-XXXXXX", path[64];
    static const char *const left[] = { "", "-wal", "-shm" };

    must(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof(path), "%s/store", dir);
    fuzz_ok(store_open(&rest.store, path));
    // It stays open; its names need not outlive this program.
    for (size_t i = 0; i < ARRAY_LEN(left); i++) {
        (void)snprintf(path, sizeof(path), "%s/store%s", dir, left[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

static void start(void)
{
    const struct addr nowhere = { .kind = ADDR_UNIX, .host = "/nonexistent/enclave" };
    struct supervise_options look = { .imds = NOBODY, .role = "" };
    struct broadcast_options send = { .node = NOBODY };

    log_set_level(LOG_ERROR);
    config.deployment = (struct id) { { 1 } };
    config.networks = 1;
    config.keysets = 2;
    config.keyset[1] = (struct config_keyset) { .name = BYTES_LIT("web"), .purpose = CONFIG_TLS };
    config.network[0] = (struct config_network) { BYTES_LIT("dev"), 31337 };
    config.keyset[0].name = BYTES_LIT("main");
    open_store();
    add_account();
    add_tls_key();
    fuzz_ok(enclave_link_new(&rest.link, &nowhere));
    look.link = send.link = rest.link;
    look.store = send.store = rest.store;
    look.config = send.config = rest.config = &config;
    look.configuration = BYTES_OF(config_bytes);
    fuzz_ok(tls_keys_new(&rest.tls, rest.store, rest.link, &config));
    look.tls = rest.tls;
    fuzz_ok(supervise_start(&rest.supervise, &look));
    fuzz_ok(broadcast_new(&rest.broadcast, &send));
    rest.version = "test";
    rest.token = BYTES_LIT("t");
}

static bool status_is_known(unsigned status)
{
    static const unsigned known[] = { 200, 201, 204, 400, 401, 403, 404,
                                      405, 409, 413, 502, 503, 504 };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (known[i] == status)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t answer[REST_RESPONSE_MAX];
    static struct json nodes[NODES];
    static struct http_head head;
    struct server_request request = { .head = &head, .context = &rest };
    struct server_response response = { .body = WR_OF(answer) };
    const struct json *root;
    size_t head_len = 0;

    if (!rest.store)
        start();
    if (n > INPUT_MAX || http_parse_request(&head, &head_len, bytes_of(data, n)).code ||
        head_len == 0)
        return 0;
    request.body = bytes_of(data + head_len, n - head_len);
    rest_handle(&request, &response);
    must(status_is_known(response.status) && !response.body.bad);
    if (response.status == 204) {
        must(response.body.len == 0 && response.fields == 1); // OPTIONS: Allow
        return 0;
    }
    must((response.status == 405) ==
         (response.fields == 1 && bytes_equal_str(response.field[0].name, "Allow")));
    fuzz_ok(json_parse(&root, nodes, NODES, answer, response.body.len));
    must((response.status >= 400) == (json_get(root, "error") != NULL) ||
         response.status == 503); // healthz answers 503 with its status
    return 0;
}
