// SPDX-License-Identifier: Apache-2.0
// For tests of the emulated KMS: one request to the emulated KMS, signed and attested as a front
// makes it, with everything in it that a case can make different. Include it after cmocka.h.
#pragma once

#include "base/base64.h"
#include "base/cbor.h"
#include "base/fd.h"
#include "base/hex.h"
#include "crypto/cms.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/cmk.h"
#include "emu/creds.h"
#include "emu/kms.h"
#include "emu/kms_blob.h"
#include "emu_scene.h"
#include "net/json.h"
#include "net/sigv4.h"

#include <time.h>

#define ROLE         "arn:aws:iam::111122223333:role/signer"
#define HOST         "kms.eu-west-1.amazonaws.com"
#define CONTEXT      "{\"service\":\"cloister\",\"keyset\":\"main\",\"purpose\":\"datakey\"}"
#define CONTEXT_TURN "{\"purpose\":\"datakey\",\"service\":\"cloister\",\"keyset\":\"main\"}"
#define DATA_KEY     "0123456789abcdef0123456789abcdef"

// The document in a request: as the module gives it, or changed.
enum change { AS_IS, FLIP_PAYLOAD, FLIP_SIGNATURE, UNSIGNED, CUT, GARBAGE };

// Everything that a case can be different in. Zero is the good request.
struct scene_case {
    const char *name, *error; // error NULL: answered
    const char *operation;    // NULL: Decrypt
    unsigned other_pcr;       // 1 + index of a PCR with other content
    bool debug, foreign_root, no_recipient, no_pcr16, no_public_key;
    int64_t nsm_skew_s, sign_skew_s;
    enum change change;
    const char *context; // NULL: the blob's own
    const char *key;     // NULL: the key; "": no KeyId; "other": another existing key
    const char *blob;    // NULL: a genuine one
    const char *extra;   // further members of the request
    const char *body;    // NULL: made from the fields above; else the whole body, in which "@" is
                         // the key's ARN and "~" a Recipient
    const char *role;    // NULL: ROLE
    const char *host, *signed_host, *target, *body_after;
    bool bad_secret, bad_token, unknown_access, expired, disabled, no_authorization;
};

static struct rsa_key *recipient;
static struct cmk cmk, other;
static struct creds creds, expired_creds;
static char foreign_pki[DISK_PATH_MAX];
static uint8_t nsm_root[1024];
static struct kms kms;
static uint8_t response_bytes[KMS_RESPONSE_MAX];
static struct json nodes[256];
static size_t response_cut;

static void put_policy(void)
{
    char policy[2048], pcr0[97], pcr3[97], pcr16[97];
    uint8_t value[48];
    int n;

    memset(value, 0xa0, sizeof(value));
    hex_encode(pcr0, BYTES_OF(value));
    memset(value, 0xa3, sizeof(value));
    hex_encode(pcr3, BYTES_OF(value));
    // PCR16 of one extension with "abc".
    (void)snprintf(pcr16, sizeof(pcr16), "%s",
                   "B1C16EB7634112B7C9D5EBD27E62A2D4528BBFCFD68B62D3AFD9ECF98E0F413A84314ACCE78317"
                   "FB69FD895155343E09");
    n = snprintf(policy, sizeof(policy),
                 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"enclave\",\"Effect\":"
                 "\"Allow\",\"Principal\":{\"AWS\":\"%s\"},\"Action\":[\"kms:Decrypt\","
                 "\"kms:GenerateDataKey\"],\"Resource\":\"*\",\"Condition\":{"
                 "\"StringEqualsIgnoreCase\":{\"kms:RecipientAttestation:ImageSha384\":\"%s\","
                 "\"kms:RecipientAttestation:PCR3\":\"%s\",\"kms:RecipientAttestation:PCR16\":"
                 "\"%s\"},\"StringEquals\":{\"kms:EncryptionContext:service\":\"cloister\"}}}]}",
                 ROLE, pcr0, pcr3, pcr16);
    expect_ok("policy", cmk_set_policy(scene_dir, &cmk, bytes_of(policy, (size_t)n)));
    expect_ok("policy", cmk_set_policy(scene_dir, &other, bytes_of(policy, (size_t)n)));
}

static int setup(void **state)
{
    char path[DISK_PATH_MAX];
    uint64_t now_s = (uint64_t)time(NULL);
    size_t n = 0;

    if (scene_setup(state))
        return -1;
    expect_ok("libcrypto", libcrypto_init());
    expect_ok("path", disk_path(foreign_pki, sizeof(foreign_pki), scene_dir, "foreign"));
    expect_ok("foreign", pki_make(foreign_pki));
    expect_ok("path", disk_path(path, sizeof(path), scene_pki, "nsm-root.der"));
    expect_ok("root", fd_read_file(path, nsm_root, sizeof(nsm_root), &n));
    expect_ok("rsa", rsa_key_new(&recipient));
    expect_ok("key", cmk_create(&cmk, scene_dir, "eu-west-1", "111122223333"));
    expect_ok("other", cmk_create(&other, scene_dir, "eu-west-1", "111122223333"));
    put_policy();
    expect_ok("expired", creds_current(&expired_creds, scene_dir, ROLE, now_s - 7200, 3600));
    expect_ok("creds", creds_current(&creds, scene_dir, ROLE, now_s, 3600));
    kms = (struct kms) { scene_dir, bytes_of(nsm_root, n), 300 };
    return 0;
}

static int teardown(void **state)
{
    rsa_key_free(&recipient);
    return scene_teardown(state);
}

static void ask_module(struct nsmdev *dev, struct wr *answer, struct wr *request)
{
    expect_ok("request", wr_end(request));
    nsmdev_answer(dev, answer, wr_done(request));
}

static void extend_pcr16(struct nsmdev *dev, const struct scene_case *c)
{
    uint8_t request[256], answer[256];
    struct wr wr = WR_OF(request), out = WR_OF(answer);

    wr_bytes(&wr, BYTES_LIT("\xa1\x69"
                            "ExtendPCR"
                            "\xa2\x65"
                            "index\x10\x64"
                            "data"));
    cbor_put_bytes(&wr, c->other_pcr == 17 ? BYTES_LIT("abd") : BYTES_LIT("abc"));
    ask_module(dev, &out, &wr);
    wr = WR_OF(request);
    out = WR_OF(answer);
    wr_bytes(&wr, BYTES_LIT("\xa1\x67"
                            "LockPCR"
                            "\xa1\x65"
                            "index\x10"));
    ask_module(dev, &out, &wr);
}

// A document of a module as the case wants it; returns its length.
static size_t make_document(uint8_t out[static NSMDEV_RESPONSE_MAX], const struct scene_case *c)
{
    struct nsmdev_options options = scene_options();
    uint8_t request[1024], answer[NSMDEV_RESPONSE_MAX], spki[RSA_SPKI_BYTES];
    struct wr wr = WR_OF(request), answer_wr = WR_OF(answer);
    struct nsmdev *dev = NULL;
    struct rd rd;
    struct bytes document;

    options.debug = c->debug;
    options.clock_skew_s = c->nsm_skew_s;
    options.pki = c->foreign_root ? foreign_pki : scene_pki;
    options.pcrs.image[0] ^= c->other_pcr == 1;
    options.pcrs.role[0] ^= c->other_pcr == 4;
    expect_ok("module", nsmdev_new(&dev, &options));
    if (!c->no_pcr16)
        extend_pcr16(dev, c);
    expect_ok("spki", rsa_key_spki(recipient, spki));
    wr_bytes(&wr, BYTES_LIT("\xa1\x6b"
                            "Attestation"
                            "\xa1\x6a"
                            "public_key"));
    cbor_put_bytes_or_null(&wr, c->no_public_key ? BYTES_NONE : BYTES_OF(spki));
    ask_module(dev, &answer_wr, &wr);
    nsmdev_free(&dev);
    // a1 6b "Attestation" a1 68 "document" and the bytes.
    rd = rd_of(bytes_skip(wr_done(&answer_wr), 23));
    document = cbor_bytes(&rd);
    expect_ok("document", cbor_end(&rd));
    memcpy(out, document.p, document.n);
    return document.n;
}

static size_t change_document(uint8_t *document, size_t n, enum change change)
{
    if (change == FLIP_PAYLOAD)
        document[200] ^= 1; // inside the PCRs
    if (change == FLIP_SIGNATURE)
        document[n - 1] ^= 1;
    if (change == UNSIGNED)
        memset(document + n - 96, 0, 96);
    if (change == GARBAGE)
        memset(document, 0x5a, n);
    return change == CUT ? n - 1 : n;
}

static void write_recipient(struct jw *jw, const struct scene_case *c)
{
    uint8_t document[NSMDEV_RESPONSE_MAX];
    size_t n = change_document(document, make_document(document, c), c->change);

    jw_key(jw, "Recipient");
    jw_object(jw);
    jw_key(jw, "KeyEncryptionAlgorithm");
    jw_cstring(jw, "RSAES_OAEP_SHA_256");
    jw_key(jw, "AttestationDocument");
    jw_base64(jw, bytes_of(document, n));
    jw_object_end(jw);
}

static void write_blob(struct jw *jw)
{
    static uint8_t text[] = CONTEXT, copy[sizeof(text)];
    struct json context_nodes[8];
    const struct json *context;
    uint8_t blob[512];
    struct wr wr = WR_OF(blob);

    memcpy(copy, text, sizeof(text));
    expect_ok("context", json_parse(&context, context_nodes, ARRAY_LEN(context_nodes), copy,
                                    sizeof(text) - 1));
    expect_ok("blob", kms_blob_seal(&wr, &cmk, context, BYTES_LIT(DATA_KEY)));
    jw_base64(jw, wr_done(&wr));
}

// The text of the case with its two signs filled in.
static void write_text(struct wr *wr, const struct scene_case *c)
{
    for (const char *at = c->body; *at; at++) {
        struct jw jw = jw_of(wr);

        if (*at == '@')
            wr_str(wr, cmk.arn);
        else if (*at == '~')
            write_recipient(&jw, c);
        else
            wr_u8(wr, (uint8_t)*at);
    }
}

static void write_body(struct wr *wr, const struct scene_case *c)
{
    bool generate = c->operation && strcmp(c->operation, "GenerateDataKey") == 0;
    struct jw jw = jw_of(wr);

    if (c->body) {
        write_text(wr, c);
        return;
    }
    jw_object(&jw);
    if (!c->key || *c->key) {
        jw_key(&jw, "KeyId");
        jw_cstring(&jw, !c->key ? cmk.arn : strcmp(c->key, "other") == 0 ? other.arn : c->key);
    }
    if (!generate) {
        jw_key(&jw, "CiphertextBlob");
        if (c->blob)
            jw_cstring(&jw, c->blob);
        else
            write_blob(&jw);
    } else if (!c->extra) {
        jw_key(&jw, "KeySpec");
        jw_cstring(&jw, "AES_256");
    }
    if (!c->no_recipient)
        write_recipient(&jw, c);
    wr_str(wr, ",\"EncryptionContext\":");
    wr_str(wr, c->context ? c->context : CONTEXT);
    if (c->extra) {
        wr_u8(wr, ',');
        wr_str(wr, c->extra);
    }
    jw_object_end(&jw);
}

// The head of a signed request.
static void write_head(struct wr *wr, const struct scene_case *c, struct bytes body)
{
    const struct creds *with = c->expired ? &expired_creds : &creds;
    struct creds foreign;
    uint64_t now_s = (uint64_t)((int64_t)time(NULL) + c->sign_skew_s);
    const char *host = c->host ? c->host : HOST;
    uint8_t authorization[2048];
    struct wr auth = WR_OF(authorization);
    char target[64], date[SIGV4_DATE];
    struct sigv4_credentials credentials;

    if (c->role) {
        expect_ok(c->name, creds_current(&foreign, scene_dir, c->role, now_s, 3600));
        with = &foreign;
    }
    credentials =
        (struct sigv4_credentials) { bytes_str(with->access_key), bytes_str(with->secret_key),
                                     bytes_str(with->token) };
    (void)snprintf(target, sizeof(target), "TrentService.%s",
                   c->operation ? c->operation : "Decrypt");
    if (c->bad_secret)
        credentials.secret_key = BYTES_LIT("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    if (c->bad_token)
        credentials.token = BYTES_LIT("SESSIONTOKENEXAMPLE");
    if (c->unknown_access)
        credentials.access_key = BYTES_LIT("AKIDEXAMPLE");
    sigv4_date(date, now_s);
    sigv4_authorization(&auth, &credentials,
                        &(struct sigv4_request) {
                            .host = bytes_str(c->signed_host ? c->signed_host : host),
                            .region = BYTES_LIT("eu-west-1"),
                            .service = BYTES_LIT("kms"),
                            .target = bytes_str(target),
                            .body = body,
                            .now_s = now_s,
                        });
    http_write_request(wr, "POST", "/", host);
    http_write_field(wr, "Content-Type", BYTES_LIT("application/x-amz-json-1.1"));
    http_write_field(wr, "X-Amz-Target", bytes_str(c->target ? c->target : target));
    http_write_field(wr, "X-Amz-Date", bytes_str(date));
    http_write_field(wr, "X-Amz-Security-Token", credentials.token);
    if (!c->no_authorization)
        http_write_field(wr, "Authorization", wr_done(&auth));
    http_write_length(wr, body.n);
}

static const struct json *call(const struct scene_case *c, unsigned *status)
{
    static uint8_t body[KMS_REQUEST_MAX], head_bytes[HTTP_HEAD_MAX];
    struct wr body_wr = WR_OF(body), head_wr = WR_OF(head_bytes);
    struct server_response response = { .body = WR_OF(response_bytes) };
    const struct json *root;
    struct http_head head;
    struct bytes sent;
    size_t n = 0;

    write_body(&body_wr, c);
    expect_ok(c->name, wr_end(&body_wr));
    write_head(&head_wr, c, wr_done(&body_wr));
    expect_ok(c->name, wr_end(&head_wr));
    expect_ok(c->name, http_parse_request(&head, &n, wr_done(&head_wr)));
    sent = c->body_after ? bytes_str(c->body_after) : wr_done(&body_wr);
    if (!c->body)
        expect_ok("state", cmk_set_enabled(scene_dir, bytes_str(cmk.arn), !c->disabled));
    kms_handle(&(struct server_request) { .head = &head, .body = sent, .context = &kms },
               &response);
    *status = response.status;
    response_cut = response.cut;
    expect_ok(c->name, wr_end(&response.body));
    if (response.body.len == 0)
        return NULL;
    expect_ok(c->name,
              json_parse(&root, nodes, ARRAY_LEN(nodes), response_bytes, response.body.len));
    return root;
}

static inline void expect_refusal(const struct scene_case *c)
{
    unsigned status;
    struct bytes type = json_string(json_get(call(c, &status), "__type"));

    if (status != 400 || !bytes_equal_str(type, c->error))
        fail_msg("%s: %u %.*s, expected %s", c->name, status, (int)type.n, (const char *)type.p,
                 c->error);
}

static inline void expect_refusals(const struct scene_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_refusal(&cases[i]);
}

// What CiphertextForRecipient holds, opened with the recipient's key.
static inline void open_answer(uint8_t out[static 32], const struct json *root)
{
    uint8_t ber[CMS_BYTES_MAX];
    size_t ber_n = 0;

    assert_null(json_get(root, "Plaintext"));
    assert_true(bytes_equal_str(json_string(json_get(root, "KeyId")), cmk.arn));
    expect_ok("base64", base64_decode(ber, sizeof(ber), &ber_n,
                                      json_string(json_get(root, "CiphertextForRecipient"))));
    expect_ok("cms", cms_open(out, 32, recipient, bytes_of(ber, ber_n)));
}
