// SPDX-License-Identifier: Apache-2.0
// TLS keys of the fake enclave: records of the right form, certificates that are text. It takes
// every chain, and says of each self-signed one that it begins now.
#include "fake_parent.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/must.h"
#include "proto/record.h"
#include "proto/tag.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static struct id imported; // the last one that was offered

static void put_hash(struct jw *jw, const char *key, const char *tag, struct bytes of)
{
    uint8_t hash[32];

    tag_hash(hash, tag, &of, 1);
    jw_digits(jw_key(jw, key), BYTES_OF(hash));
}

static void put_spki(struct jw *jw, const char *id)
{
    put_hash(jw, "spki_sha256", "spki", bytes_str(id));
}

static void answer_create(struct fake_enclave *e, struct jw *jw, struct bytes wanted)
{
    static const uint8_t point[33] = { 2, 1 };
    struct id id = { { 0 } };
    char text[ID_TEXT];

    if (wanted.n)
        must(!id_parse(&id, wanted).code);
    atomic_fetch_add(&e->tls_creates, 1);
    fake_put_record(jw, &id, true);
    id_text(text, &id);
    jw_cstring(jw_key(jw, "key"), text);
    jw_hex(jw_key(jw, "public_key"), BYTES_OF(point));
    put_spki(jw, text);
    jw_base64(jw_key(jw, "receipt_b64"), BYTES_LIT("receipt"));
    jw_null(jw_key(jw, "audit"));
}

static void answer_import(struct jw *jw)
{
    must(getrandom(&imported, sizeof(imported), 0) == (ssize_t)sizeof(imported));
    jw_digits(jw_key(jw, "account"), BYTES_OF(imported));
    jw_cstring(jw_key(jw, "public_key"), "0x09");
    jw_cstring(jw_key(jw, "document_b64"), "ZG9j");
}

// Which key a record is of.
static void read_key(char out[static ID_TEXT], const struct json *params)
{
    uint8_t bytes[4096];
    struct record record;
    size_t n;

    must(!base64_decode(bytes, sizeof(bytes), &n, json_string(json_get(params, "record_b64")))
              .code &&
         !record_read(&record, bytes_of(bytes, n)).code);
    id_text(out, &record.id);
}

static void answer_csr(struct jw *jw, const struct json *params)
{
    const struct json *names = json_get(params, "names");

    must(names && names->type == JSON_ARRAY && names->child);
    jw_string(jw_key(jw, "csr_pem"), names->child->text);
}

// A self-signed certificate is the text "self NUMBER", so that each is another one.
static void answer_open(struct fake_enclave *e, struct jw *jw, const struct json *params)
{
    struct bytes chain = json_string(json_get(params, "certificate_pem"));
    unsigned opens = atomic_fetch_add(&e->tls_opens, 1);
    uint64_t days = 0, end = atomic_load(&e->tls_not_after);
    uint8_t hash[32];
    char own[64];

    if (!chain.n) {
        must(!json_u64(&days, json_get(params, "days")).code);
        (void)snprintf(own, sizeof(own), "self %u", opens);
        chain = bytes_str(own);
        end = (uint64_t)time(NULL) + days * 86400;
        atomic_fetch_add(&e->tls_renewals, 1);
    }
    read_key(e->tls_key, params);
    tag_hash(hash, "certificate", &chain, 1);
    hex_encode(e->tls_sha256, BYTES_OF(hash));
    jw_cstring(jw_key(jw, "key"), e->tls_key);
    put_spki(jw, e->tls_key);
    jw_cstring(jw_key(jw, "certificate_sha256"), e->tls_sha256);
    jw_u64(jw_key(jw, "not_after"), end);
    jw_cstring(jw_key(jw, "provenance"), "generated");
    jw_string(jw_key(jw, "certificate_pem"), chain);
    jw_null(jw_key(jw, "audit"));
}

void fake_tls_status(struct fake_enclave *e, struct jw *jw)
{
    if (atomic_exchange(&e->tls_lost, false))
        e->tls_key[0] = 0;
    if (!e->tls_key[0]) {
        jw_null(jw);
        return;
    }
    jw_object(jw);
    jw_cstring(jw_key(jw, "key"), e->tls_key);
    jw_cstring(jw_key(jw, "certificate_sha256"), e->tls_sha256);
    jw_object_end(jw);
}

bool fake_tls_answer(struct fake_enclave *e, struct jw *jw, const struct json *root)
{
    struct bytes method = json_string(json_get(root, "method"));
    const struct json *params = json_get(root, "params");
    struct bytes wanted = json_string(json_get(params, "account"));
    char text[ID_TEXT];

    id_text(text, &imported);
    if (bytes_equal_str(method, "tls.create"))
        answer_create(e, jw, BYTES_NONE);
    else if (bytes_equal_str(method, "tls.import"))
        answer_import(jw);
    else if (bytes_equal_str(method, "import.finish") && bytes_equal_str(wanted, text))
        answer_create(e, jw, wanted);
    else if (bytes_equal_str(method, "tls.csr"))
        answer_csr(jw, params);
    else if (bytes_equal_str(method, "tls.open"))
        answer_open(e, jw, params);
    else
        return false;
    return true;
}
