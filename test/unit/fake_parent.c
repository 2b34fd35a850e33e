// SPDX-License-Identifier: Apache-2.0
// The enclave's side of fake_parent.h: one connection at a time, one frame after the other.
#include "fake_parent.h"

#include "base/base64.h"
#include "base/fd.h"
#include "base/must.h"
#include "net/addr.h"
#include "net/json.h"
#include "proto/frame.h"
#include "proto/keyset.h"
#include "proto/manifest.h"
#include "proto/policy.h"
#include "proto/record.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARN "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

static const struct id deployment = { { 0xd1, 0xd2 } };
static const struct id keyset_id = { { 0xa1, 0xa2 } };
static const struct id tls_keyset_id = { { 0xa3, 0xa4 } };
bool fake_has_tls;

void fake_path(char *out, size_t cap, const char *dir, const char *name)
{
    (void)snprintf(out, cap, "%s/%s", dir, name);
}

void fake_dir(char out[static 64])
{
    (void)snprintf(out, 64, "/tmp/cloister-parent-XXXXXX");
    must(mkdtemp(out) != NULL);
}

void fake_dir_remove(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    while (d && (entry = readdir(d)))
        if (entry->d_type != DT_DIR)
            (void)unlinkat(dirfd(d), entry->d_name, 0);
    if (d)
        (void)closedir(d);
    (void)rmdir(dir);
}

struct bytes fake_configuration(uint8_t buf[static CONFIG_BYTES_MAX], struct config *config)
{
    struct config c = { .deployment = deployment,
                        .mode = CONFIG_PARENT_TRUSTED,
                        .slashing = CONFIG_PARENT_TRUSTED,
                        .keysets = fake_has_tls ? 2 : 1,
                        .networks = 1,
                        .hosts = 1 };
    struct wr wr = wr_of(buf, CONFIG_BYTES_MAX);

    c.keyset[0] = (struct config_keyset) { .name = BYTES_LIT("main"),
                                           .purpose = CONFIG_ACCOUNTS,
                                           .k = 1,
                                           .n = 1,
                                           .cmk = { BYTES_LIT(ARN) } };
    c.keyset[1] = c.keyset[0];
    c.keyset[1].name = BYTES_LIT("web");
    c.keyset[1].purpose = CONFIG_TLS;
    c.network[0] = (struct config_network) { BYTES_LIT("dev"), FAKE_CHAIN };
    c.host[0] = BYTES_LIT("kms.eu-west-1.amazonaws.com");
    config_write(&wr, &c);
    must(config_read(config, wr_done(&wr)).code == ERR_NONE);
    return wr_done(&wr);
}

struct bytes fake_manifest(uint8_t *buf, size_t cap, uint64_t serial)
{
    const struct manifest manifest = { .deployment = deployment, .serial = serial };
    uint8_t space[256];
    struct wr inner = WR_OF(space), wr = wr_of(buf, cap);

    manifest_write(&inner, &manifest);
    manifest_signed_write(&wr, &(struct manifest_signed) { wr_done(&inner), BYTES_NONE });
    return wr_done(&wr);
}

void fake_put_record(struct jw *jw, struct id *id, bool is_tls)
{
    static const uint8_t point[33] = { 2, 1 }, sealed[RECORD_SEALED_BYTES] = { 0xaa };
    static const uint8_t policy[] = { 0, 1, 1 }, nobody[] = { 0, 1, 0 };
    struct record record = { .deployment = deployment,
                             .keyset = is_tls ? tls_keyset_id : keyset_id,
                             .key_type = is_tls ? RECORD_P256 : RECORD_SECP256K1,
                             .purpose = is_tls ? RECORD_TLS : RECORD_ACCOUNT,
                             .public_key = BYTES_OF(point),
                             .provenance = RECORD_GENERATED,
                             .generation = 1,
                             .policy = BYTES_OF(policy),
                             .authorisers = BYTES_OF(nobody),
                             .sealed = BYTES_OF(sealed) };
    uint8_t public_space[512], space[1024];
    struct wr public_wr = WR_OF(public_space), wr = WR_OF(space);

    if (id_is_zero(id))
        must(getrandom(id, sizeof(*id), 0) == (ssize_t)sizeof(*id));
    record.id = *id;
    policy_hash(record.policy_hash, record.policy);
    policy_authoriser_hash(record.authoriser_hash, record.authorisers);
    record_write_public(&public_wr, &record);
    record.public_bytes = wr_done(&public_wr);
    record_write(&wr, &record);
    jw_key(jw, "record_b64");
    jw_base64(jw, wr_done(&wr));
}

static void answer_account(struct jw *jw, struct bytes wanted)
{
    struct id id = { { 0 } };

    if (wanted.n)
        must(!id_parse(&id, wanted).code);
    fake_put_record(jw, &id, false);
    jw_key(jw, "account");
    jw_digits(jw, BYTES_OF(id));
    jw_key(jw, "address");
    jw_cstring(jw, "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed");
    jw_key(jw, "receipt_b64");
    jw_base64(jw, BYTES_LIT("receipt"));
}

static void answer_keyset(struct jw *jw, bool is_tls)
{
    static const uint8_t sealed[60] = { 1 }, check[32] = { 2 };
    struct keyset keyset = { .deployment = deployment,
                             .id = is_tls ? tls_keyset_id : keyset_id,
                             .name = is_tls ? BYTES_LIT("web") : BYTES_LIT("main"),
                             .purpose = is_tls ? CONFIG_TLS : CONFIG_ACCOUNTS,
                             .k = 1,
                             .n = 1,
                             .check = BYTES_OF(check) };
    uint8_t space[1024];
    struct wr wr = WR_OF(space);

    keyset.wrap[0] = (struct keyset_wrap) { KEYSET_WRAP_DATA_KEY, 1, BYTES_LIT(ARN),
                                            BYTES_LIT("blob"), BYTES_OF(sealed) };
    keyset_write(&wr, &keyset);
    jw_key(jw, "keyset");
    jw_digits(jw, BYTES_OF(keyset.id));
    jw_key(jw, "record_b64");
    jw_base64(jw, wr_done(&wr));
    jw_key(jw, "receipt_b64");
    jw_base64(jw, BYTES_LIT("receipt"));
}

static void put_keyset(struct jw *jw, const struct id *id)
{
    jw_object(jw);
    jw_digits(jw_key(jw, "id"), BYTES_OF(*id));
    jw_object_end(jw);
}

static void answer_status(struct fake_enclave *e, struct jw *jw)
{
    uint8_t space[CONFIG_BYTES_MAX], pcr16[48];
    struct config config;

    config_pcr16(pcr16, fake_configuration(space, &config));
    jw_key(jw, "phase");
    if (atomic_load(&e->sealed))
        jw_cstring(jw, "SEALED");
    else if (!atomic_load(&e->configured))
        jw_cstring(jw, "UNCONFIGURED");
    else
        jw_cstring(jw, atomic_load(&e->keyset_open) ? "READY" : "CONFIGURED");
    jw_key(jw, "deployment");
    if (atomic_load(&e->foreign))
        jw_digits(jw, BYTES_OF(keyset_id));
    else
        jw_digits(jw, BYTES_OF(deployment));
    jw_key(jw, "pcr16");
    jw_digits(jw, BYTES_OF(pcr16));
    jw_key(jw, "boot");
    jw_digits(jw, BYTES_OF(keyset_id));
    jw_key(jw, "manifest_serial");
    jw_u64(jw, atomic_load(&e->serial));
    jw_key(jw, "seals");
    jw_u64(jw, atomic_load(&e->seals));
    jw_key(jw, "keysets");
    jw_array(jw);
    if (atomic_load(&e->keyset_open))
        put_keyset(jw, &keyset_id);
    if (atomic_load(&e->keyset_open) && fake_has_tls)
        put_keyset(jw, &tls_keyset_id);
    jw_array_end(jw);
    jw_key(jw, "tls");
    fake_tls_status(e, jw);
    jw_key(jw, "credentials");
    if (!atomic_load(&e->credentials)) {
        jw_null(jw);
        return;
    }
    jw_object(jw);
    jw_key(jw, "expires");
    jw_u64(jw, 4102444800U);
    jw_object_end(jw);
}

static void answer_signed(struct jw *jw, const struct json *json)
{
    uint8_t signature[TX_SIGNATURE_BYTES] = { 0 };
    uint8_t space[4096], hash[32];
    struct wr wr = WR_OF(space);
    struct tx tx = { .kind = TX_FEE_MARKET, .has_to = true };
    static const uint8_t no_list[] = { 0xc0 };

    signature[31] = signature[63] = 1;
    must(!json_u64(&tx.chain_id, json_get(json, "chainId")).code &&
         !json_u64(&tx.nonce, json_get(json, "nonce")).code &&
         !json_u64(&tx.gas, json_get(json, "gas")).code &&
         !json_u256(&tx.value, json_get(json, "value")).code &&
         !json_u256(&tx.max_fee, json_get(json, "maxFeePerGas")).code &&
         !json_u256(&tx.max_priority_fee, json_get(json, "maxPriorityFeePerGas")).code);
    tx.access_list = BYTES_OF(no_list);
    must(tx_write_signed(&wr, &tx, signature).code == ERR_NONE);
    tx_hash(hash, wr_done(&wr));
    jw_key(jw, "raw_tx");
    jw_hex(jw, wr_done(&wr));
    jw_key(jw, "hash");
    jw_hex(jw, BYTES_OF(hash));
    jw_key(jw, "from");
    jw_cstring(jw, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
    jw_key(jw, "audit");
    jw_null(jw);
}

static void answer_manifest(struct fake_enclave *e, struct jw *jw, const struct json *params)
{
    uint8_t space[1024];
    struct manifest_signed whole;
    struct manifest manifest;
    size_t n;

    must(!base64_decode(space, sizeof(space), &n, json_string(json_get(params, "manifest_b64")))
              .code &&
         !manifest_signed_read(&whole, bytes_of(space, n)).code &&
         !manifest_read(&manifest, whole.manifest).code);
    atomic_fetch_add(&e->applies, 1);
    atomic_store(&e->serial, (unsigned)manifest.serial);
    jw_key(jw, "serial");
    jw_u64(jw, manifest.serial);
}

static void answer_offer(struct jw *jw)
{
    struct id id;

    must(getrandom(&id, sizeof(id), 0) == (ssize_t)sizeof(id));
    jw_key(jw, "account");
    jw_digits(jw, BYTES_OF(id));
    jw_key(jw, "public_key");
    jw_cstring(jw, "0x09");
    jw_key(jw, "document_b64");
    jw_cstring(jw, "ZG9j");
}

// Samples, and what must not get into another program's document.
static void answer_metrics(struct jw *jw)
{
    jw_object(jw_key(jw, "counters"));
    jw_u64(jw_key(jw, "fakes_total{route=\"/a/*\",status=\"2xx\"}"), 7);
    jw_u64(jw_key(jw, "fakes_total{route=\"other\",status=\"2xx\"}"), 8);
    jw_u64(jw_key(jw, "fakes_now"), 9);
    jw_u64(jw_key(jw, "bad\nline"), 1);
    jw_u64(jw_key(jw, "Bad"), 1);
    jw_u64(jw_key(jw, "bad name"), 1);
    jw_cstring(jw_key(jw, "bad_text"), "1\n2");
    jw_bool(jw_key(jw, "bad_kind"), true);
    jw_object_end(jw);
}

// What administrators and importers ask for; false for everything else.
static bool answer_admin(struct fake_enclave *e, struct jw *jw, const struct json *root)
{
    struct bytes method = json_string(json_get(root, "method"));
    const struct json *params = json_get(root, "params");

    if (fake_tls_answer(e, jw, root))
        return true;
    if (bytes_equal_str(method, "manifest.apply")) {
        answer_manifest(e, jw, params);
    } else if (bytes_equal_str(method, "seal")) {
        atomic_store(&e->sealed, true);
        atomic_store(&e->keyset_open, false);
        jw_key(jw, "seals");
        jw_u64(jw, atomic_fetch_add(&e->seals, 1) + 1);
    } else if (bytes_equal_str(method, "unseal")) {
        atomic_store(&e->sealed, false);
        jw_key(jw, "phase");
        jw_cstring(jw, "CONFIGURED");
    } else if (bytes_equal_str(method, "metrics")) {
        answer_metrics(jw);
    } else if (bytes_equal_str(method, "import.begin")) {
        answer_offer(jw);
    } else if (bytes_equal_str(method, "import.finish")) {
        atomic_fetch_add(&e->creates, 1);
        answer_account(jw, json_string(json_get(params, "account")));
    } else {
        return false;
    }
    return true;
}

static bool answer_result(struct fake_enclave *e, struct jw *jw, const struct json *root)
{
    struct bytes method = json_string(json_get(root, "method"));
    const struct json *params = json_get(root, "params");

    if (bytes_equal_str(method, "hello")) {
        jw_key(jw, "protocol");
        jw_u64(jw, 1);
    } else if (bytes_equal_str(method, "status")) {
        answer_status(e, jw);
    } else if (bytes_equal_str(method, "configure")) {
        atomic_fetch_add(&e->configures, 1);
        atomic_store(&e->configured, true);
    } else if (bytes_equal_str(method, "set_credentials")) {
        atomic_fetch_add(&e->handed_over, 1);
        atomic_store(
            &e->credentials,
            bytes_equal_str(json_string(json_get(params, "aws_secret_access_key")), "the secret"));
    } else if (bytes_equal_str(method, "keyset.create")) {
        atomic_fetch_add(&e->keysets, 1);
        answer_keyset(jw, bytes_equal_str(json_string(json_get(params, "name")), "web"));
    } else if (bytes_equal_str(method, "keyset.open")) {
        atomic_store(&e->keyset_open, true);
        jw_key(jw, "keyset");
        jw_digits(jw, BYTES_OF(keyset_id));
    } else if (bytes_equal_str(method, "account.create")) {
        atomic_fetch_add(&e->creates, 1);
        answer_account(jw, BYTES_NONE);
    } else if (bytes_equal_str(method, "sign_transaction")) {
        atomic_fetch_add(&e->signs, 1);
        answer_signed(jw, json_get(params, "tx"));
    } else if (bytes_equal_str(method, "attestation")) {
        jw_key(jw, "document_b64");
        jw_string(jw, json_string(json_get(params, "nonce")));
    } else {
        return answer_admin(e, jw, root);
    }
    return true;
}

// The code that the method is refused with; ERR_NONE: it is not.
static enum err_code refused(struct fake_enclave *e, struct bytes method)
{
    static const char *const sealed_ok[] = { "hello", "status", "manifest.apply", "unseal" };
    bool ok = !atomic_load(&e->sealed);

    if (bytes_equal_str(method, "account.create") || bytes_equal_str(method, "sign_transaction") ||
        bytes_equal_str(method, "import.finish"))
        return (enum err_code)atomic_load(&e->refuse);
    if (bytes_equal_str(method, "tls.open") && atomic_load(&e->tls_refuse))
        return (enum err_code)atomic_load(&e->tls_refuse);
    if (bytes_equal_str(method, "keyset.open") && atomic_load(&e->administered) &&
        !atomic_load(&e->serial))
        return ERR_DENIED;
    for (size_t i = 0; i < ARRAY_LEN(sealed_ok); i++)
        ok = ok || bytes_equal_str(method, sealed_ok[i]);
    if (ok)
        return ERR_NONE;
    atomic_fetch_add(&e->other_calls, 1);
    return ERR_PHASE;
}

static void answer(struct fake_enclave *e, struct wr *wr, const struct json *root)
{
    struct bytes method = json_string(json_get(root, "method"));
    enum err_code refuse = refused(e, method);
    struct jw jw = jw_of(wr);

    jw_object(&jw);
    jw_key(&jw, "id");
    jw_value(&jw, json_get(root, "id"));
    if (refuse) {
        jw_key(&jw, "error");
        jw_object(&jw);
        jw_key(&jw, "code");
        jw_cstring(&jw, err_name(refuse));
        jw_key(&jw, "message");
        jw_cstring(&jw, "words of the enclave");
        jw_object_end(&jw);
    } else {
        jw_key(&jw, "result");
        jw_object(&jw);
        must(answer_result(e, &jw, root));
        jw_object_end(&jw);
    }
    jw_object_end(&jw);
}

// One frame; false when the connection is to be closed.
static bool serve_frame(struct fake_enclave *e, int fd)
{
    static uint8_t text[FRAME_BYTES_MAX];
    static struct json nodes[4096];
    uint8_t out[65536];
    struct wr wr = WR_OF(out);
    const struct json *root;
    uint8_t head[4];
    uint32_t n;
    size_t at;

    if (fd_read_all(fd, head, 4, deadline_in(60000)).code)
        return false;
    n = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
    must(n <= sizeof(text));
    if (fd_read_all(fd, text, n, deadline_in(5000)).code || atomic_load(&e->mode) == FAKE_CLOSES)
        return false;
    must(json_parse(&root, nodes, ARRAY_LEN(nodes), text, n).code == ERR_NONE);
    if (atomic_load(&e->mode) == FAKE_SILENT)
        return true;
    at = frame_begin(&wr);
    answer(e, &wr, root);
    frame_end(&wr, at);
    if (atomic_load(&e->mode) == FAKE_SWAPS && e->held.n == 0) {
        memcpy(e->held_frame, out, wr.len);
        e->held = bytes_of(e->held_frame, wr.len);
        return true;
    }
    if (fd_write_all(fd, wr_done(&wr), deadline_in(5000)).code)
        return false;
    if (e->held.n && fd_write_all(fd, e->held, deadline_in(5000)).code)
        return false;
    e->held = BYTES_NONE;
    return true;
}

static void *serve_enclave(void *context)
{
    struct fake_enclave *e = context;

    while (!atomic_load(&e->stopping)) {
        AUTO(fd_close) int fd = -1;
        struct pollfd p = { .fd = e->listen_fd, .events = POLLIN };

        if (poll(&p, 1, 20) == 1)
            fd = accept(e->listen_fd, NULL, NULL);
        while (fd >= 0 && !atomic_load(&e->stopping)) {
            p = (struct pollfd) { .fd = fd, .events = POLLIN };
            if (poll(&p, 1, 20) == 1 && !serve_frame(e, fd))
                break;
        }
    }
    return NULL;
}

void fake_enclave_start(struct fake_enclave *e, const char *dir)
{
    struct addr addr = { .kind = ADDR_UNIX }, bound;

    *e = (struct fake_enclave) { .listen_fd = -1 };
    fake_path(e->path, sizeof(e->path), dir, "5000");
    (void)snprintf(addr.host, sizeof(addr.host), "%s", e->path);
    must(addr_listen(&e->listen_fd, &addr, &bound).code == ERR_NONE);
    must(pthread_create(&e->thread, NULL, serve_enclave, e) == 0);
}

void fake_enclave_stop(struct fake_enclave *e)
{
    atomic_store(&e->stopping, true);
    must(pthread_join(e->thread, NULL) == 0);
    fd_close(&e->listen_fd);
    (void)unlink(e->path);
}
