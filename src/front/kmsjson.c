// SPDX-License-Identifier: Apache-2.0
// KMS request and answer bodies. Answers travel through TLS, but carry no signature that the vault
// could check: so what an answer may be is checked here in full, and what it says is repeated to
// people only, printable and short. Never accepts key material in clear.
#include "front/kmsjson.h"

#include "base/base64.h"
#include "net/json.h"

#include <string.h>

#define NODES_MAX 64U // a real answer has six values

const char *kmsjson_target(enum msg_step_kind kind)
{
    return kind == MSG_STEP_GENERATE ? "TrentService.GenerateDataKey" : "TrentService.Decrypt";
}

static void kmsjson_write_context(struct jw *jw, const struct kmsjson_request *request)
{
    jw_object(jw_key(jw, "EncryptionContext"));
    jw_cstring(jw_key(jw, "service"), "cloister");
    jw_digits(jw_key(jw, "deployment"), BYTES_OF(request->deployment.b));
    jw_string(jw_key(jw, "keyset"), request->keyset);
    jw_cstring(jw_key(jw, "purpose"), "datakey");
    jw_object_end(jw);
}

static void kmsjson_write_recipient(struct jw *jw, struct bytes document)
{
    jw_object(jw_key(jw, "Recipient"));
    jw_cstring(jw_key(jw, "KeyEncryptionAlgorithm"), "RSAES_OAEP_SHA_256");
    jw_base64(jw_key(jw, "AttestationDocument"), document);
    jw_object_end(jw);
}

void kmsjson_write(struct wr *wr, const struct kmsjson_request *request)
{
    struct jw jw = jw_of(wr);

    jw_object(&jw);
    jw_string(jw_key(&jw, "KeyId"), request->cmk);
    if (request->kind == MSG_STEP_GENERATE) {
        jw_cstring(jw_key(&jw, "KeySpec"), "AES_256");
    } else {
        jw_base64(jw_key(&jw, "CiphertextBlob"), request->blob);
        jw_cstring(jw_key(&jw, "EncryptionAlgorithm"), "SYMMETRIC_DEFAULT");
    }
    kmsjson_write_context(&jw, request);
    kmsjson_write_recipient(&jw, request->document);
    jw_object_end(&jw);
}

static bool kmsjson_has_clear(const struct json *root)
{
    const struct json *plaintext = json_get(root, "Plaintext");

    if (!plaintext || plaintext->type == JSON_NULL)
        return false;
    return plaintext->type != JSON_STRING || plaintext->text.n > 0;
}

static struct err kmsjson_blob(struct kmsjson_blob *out, const struct json *value)
{
    struct bytes text = json_string(value);

    out->n = 0;
    ENSURE(text.p, ERR_MALFORMED, "KMS: expected base64");
    TRY(base64_decode(out->b, sizeof(out->b), &out->n, text));
    ENSURE(out->n > 0, ERR_MALFORMED, "KMS: expected base64");
    return OK;
}

struct err kmsjson_read(struct kmsjson_answer *out, const struct kmsjson_request *request,
                        struct bytes body)
{
    struct json nodes[NODES_MAX];
    const struct json *root;

    out->blob.n = out->cms.n = 0;
    // The body stands in the worker's own buffer; JSON is parsed in place.
    ENSURE(!json_parse(&root, nodes, NODES_MAX, (uint8_t *)body.p, body.n).code &&
               root->type == JSON_OBJECT,
           ERR_MALFORMED, "KMS: the answer is no JSON object");
    ENSURE(!kmsjson_has_clear(root), ERR_UNTRUSTED,
           "KMS: Plaintext in the answer: the recipient was ignored");
    ENSURE(bytes_equal(json_string(json_get(root, "KeyId")), request->cmk), ERR_MISMATCH,
           "KMS: KeyId of the answer is not the configured key");
    ENSURE(!kmsjson_blob(&out->cms, json_get(root, "CiphertextForRecipient")).code, ERR_MALFORMED,
           "KMS: CiphertextForRecipient: expected base64 of 1 to 6144 bytes");
    if (request->kind != MSG_STEP_GENERATE)
        return OK;
    ENSURE(!kmsjson_blob(&out->blob, json_get(root, "CiphertextBlob")).code, ERR_MALFORMED,
           "KMS: CiphertextBlob: expected base64 of 1 to 6144 bytes");
    return OK;
}

// The name behind a prefix like "com.amazonaws.kms#"; only letters and digits count.
static void kmsjson_error_type(char type[static KMSJSON_TYPE_MAX], struct bytes text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (c == '#')
            n = 0;
        else if (plain && n < KMSJSON_TYPE_MAX - 1)
            type[n++] = (char)c;
    }
    type[n] = 0;
}

void kmsjson_read_error(char type[static KMSJSON_TYPE_MAX], struct wr *wr, struct bytes body)
{
    struct json nodes[NODES_MAX];
    const struct json *root = NULL, *message;

    if (json_parse(&root, nodes, NODES_MAX, (uint8_t *)body.p, body.n).code)
        root = NULL;
    message = json_get(root, "message");
    kmsjson_error_type(type, json_string(json_get(root, "__type")));
    if (type[0] == 0)
        memcpy(type, "UnknownError", sizeof("UnknownError"));
    wr_str(wr, type);
    if (!message)
        message = json_get(root, "Message");
    if (json_string(message).n > 0)
        wr_str(wr, ": ");
    for (size_t i = 0; i < json_string(message).n && wr->len < WHAT_BYTES_MAX; i++) {
        uint8_t c = message->text.p[i];

        wr_u8(wr, c >= ' ' && c <= '~' ? c : '?');
    }
}
