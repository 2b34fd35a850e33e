// SPDX-License-Identifier: Apache-2.0
// The index of an administrator follows from his public key and the configuration that the user
// trusts; a signature file does not say it. What does not verify is named here, before the enclave
// refuses the whole list.
#include "cli/signature.h"

#include "base/ct.h"
#include "base/hex.h"
#include "base/must.h"
#include "cli/files.h"
#include "cli/openssl/pemkey.h"
#include "net/json.h"

#include <stdio.h>
#include <string.h>

#define FILE_MAX  2048U
#define NODES_MAX 32U
#define PEM_MAX   4096U

struct pem {
    uint8_t b[PEM_MAX];
    size_t n;
};

struct signature {
    enum approve_type type;
    uint8_t key[APPROVE_KEY_MAX];
    size_t key_len;
    uint8_t message[APPROVE_MESSAGE_BYTES];
    uint8_t b[APPROVE_SIGNATURE_BYTES];
};

static void pem_wipe(struct pem *pem)
{
    ct_wipe(pem, sizeof(*pem));
}

static const char *type_name(enum approve_type type)
{
    return type == APPROVE_ED25519 ? "ed25519" : "p256";
}

static FALLIBLE save(const char *path, const struct signature *s)
{
    uint8_t text[FILE_MAX];
    struct wr wr = WR_OF(text);
    struct jw jw = jw_of(&wr);

    jw_object(&jw);
    jw_key(&jw, "version");
    jw_u64(&jw, 1);
    jw_key(&jw, "type");
    jw_cstring(&jw, type_name(s->type));
    jw_key(&jw, "key");
    jw_digits(&jw, bytes_of(s->key, s->key_len));
    jw_key(&jw, "message");
    jw_digits(&jw, BYTES_OF(s->message));
    jw_key(&jw, "signature");
    jw_digits(&jw, BYTES_OF(s->b));
    jw_object_end(&jw);
    wr_u8(&wr, '\n');
    TRY(wr_end(&wr));
    return files_save(path, wr_done(&wr));
}

struct err signature_make(struct cli *cli, const uint8_t message[static APPROVE_MESSAGE_BYTES])
{
    AUTO(pem_wipe) struct pem pem = { 0 };
    struct signature s = { 0 };
    const char *key;
    const char *output;

    TRY(cli_need(cli, "key", &key));
    TRY(cli_need(cli, "output", &output));
    memcpy(s.message, message, sizeof(s.message));
    (void)snprintf(cli->where, sizeof(cli->where), "--key %.150s: ", key);
    TRY(files_read_secret(key, pem.b, sizeof(pem.b), &pem.n));
    TRY(pemkey_public(&s.type, s.key, &s.key_len, bytes_of(pem.b, pem.n)));
    TRY(pemkey_sign(s.b, bytes_of(pem.b, pem.n), message));
    cli->where[0] = 0;
    TRY(save(output, &s));
    out_str(&cli->out, "type", type_name(s.type));
    out_digits(&cli->out, "administrator", bytes_of(s.key, s.key_len));
    out_digits(&cli->out, "message", BYTES_OF(s.message));
    out_str(&cli->out, "signature_file", output);
    return OK;
}

static FALLIBLE digits_of(uint8_t *out, size_t n, const struct json *root, const char *key)
{
    struct bytes digits = json_string(json_get(root, key));

    ENSURE(digits.n == 2 * n && !hex_decode(out, n, digits).code, ERR_MALFORMED,
           "expected a signature file of `manifest sign` or `unseal sign`");
    return OK;
}

static FALLIBLE parse(struct signature *out, const struct json *root)
{
    static const char *const known[] = { "version", "type", "key", "message", "signature", NULL };
    uint64_t version = 0;

    ENSURE(root->type == JSON_OBJECT && !json_unknown(root, known) &&
               !json_u64(&version, json_get(root, "version")).code && version == 1,
           ERR_MALFORMED, "expected a signature file of version 1");
    out->type = bytes_equal_str(json_string(json_get(root, "type")), "ed25519") ? APPROVE_ED25519
                                                                                : APPROVE_P256;
    ENSURE(bytes_equal_str(json_string(json_get(root, "type")), type_name(out->type)),
           ERR_UNSUPPORTED, "type: expected ed25519 or p256");
    out->key_len = out->type == APPROVE_ED25519 ? 32 : 33;
    TRY(digits_of(out->key, out->key_len, root, "key"));
    TRY(digits_of(out->message, sizeof(out->message), root, "message"));
    return digits_of(out->b, sizeof(out->b), root, "signature");
}

static FALLIBLE read_one(struct cli *cli, struct signature *out, const char *path)
{
    uint8_t text[FILE_MAX];
    struct json nodes[NODES_MAX];
    struct wr wr = WR_OF(text);
    const struct json *root = NULL;

    *out = (struct signature) { 0 };
    TRY(cli_read(cli, path, &wr));
    (void)snprintf(cli->where, sizeof(cli->where), "--signature %.150s: ", path);
    TRY(json_parse(&root, nodes, NODES_MAX, text, wr.len));
    return parse(out, root);
}

static int index_of(const struct config *config, const struct signature *s)
{
    for (int i = 0; i < config->admins; i++)
        if ((int)config->admin[i].type == (int)s->type &&
            bytes_equal(config->admin[i].key, bytes_of(s->key, s->key_len)))
            return i;
    return -1;
}

static FALLIBLE check_one(const struct config *config, const struct signature *s,
                          const uint8_t message[static APPROVE_MESSAGE_BYTES], int *index)
{
    *index = index_of(config, s);
    ENSURE(*index >= 0, ERR_DENIED,
           "key: is no administrator's in the configuration of the trust file");
    ENSURE(bytes_equal(BYTES_OF(s->message), bytes_of(message, APPROVE_MESSAGE_BYTES)),
           ERR_MISMATCH, "signs something else than what is to be applied");
    return approve_verify(s->type, bytes_of(s->key, s->key_len), message, s->b);
}

struct err signature_collect(struct cli *cli, const uint8_t message[static APPROVE_MESSAGE_BYTES],
                             uint8_t buf[static CONFIG_ADMINS * APPROVAL_BYTES],
                             struct bytes *entries)
{
    uint8_t by_index[CONFIG_ADMINS][APPROVE_SIGNATURE_BYTES];
    bool given[CONFIG_ADMINS] = { false };
    struct wr wr = wr_of(buf, CONFIG_ADMINS * APPROVAL_BYTES);
    const char *path;
    size_t at = 0;

    if (!args_has(&cli->args, "signature"))
        return CLI_USAGE_ERROR(cli, "--signature FILE is missing; may be repeated");
    while ((path = args_next(&cli->args, "signature", &at))) {
        struct signature s;
        int index;

        TRY(read_one(cli, &s, path));
        TRY(check_one(&cli->trust.config, &s, message, &index));
        ENSURE(!given[index], ERR_EXISTS, "is of an administrator who signed already");
        given[index] = true;
        memcpy(by_index[index], s.b, sizeof(s.b));
    }
    cli->where[0] = 0;
    for (uint8_t i = 0; i < CONFIG_ADMINS; i++) {
        if (!given[i])
            continue;
        wr_u8(&wr, i);
        wr_bytes(&wr, BYTES_OF(by_index[i]));
    }
    *entries = wr_done(&wr);
    return wr_end(&wr);
}
