// SPDX-License-Identifier: Apache-2.0
// Creation carries a fresh nonce, which must come back inside the receipt, as with accounts.
#include "cli/tlskey.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/must.h"

#define TARGET_MAX 256U

static void say_unverified(const struct verify_tls *verify)
{
    out_say("cloister: UNVERIFIED: ", bytes_str(err_text(verify->reason)));
}

// In the form that curl's --pinnedpubkey takes.
static void print_pin(struct out *out, const uint8_t spki_sha256[static 32])
{
    uint8_t pin[64];
    struct wr wr = WR_OF(pin);

    wr_str(&wr, "sha256//");
    base64_write(&wr, bytes_of(spki_sha256, 32));
    out_text(out, "pin", wr_done(&wr));
}

static void print_certificate(struct out *out, const struct json *key)
{
    const struct json *until = json_get(key, "not_after");
    uint64_t seconds = 0;

    out_value(out, "state", json_get(key, "state"));
    out_value(out, "in_use", json_get(key, "in_use"));
    out_value(out, "certificate_sha256", json_get(key, "certificate_sha256"));
    if (until && !json_u64(&seconds, until).code && seconds < UINT64_MAX / 1000)
        out_time(out, "not_after", seconds * 1000);
}

void tlskey_print(struct cli *cli, const struct json *key, const struct verify_tls *verify)
{
    struct out *out = &cli->out;
    char text[ID_TEXT];

    out_text(out, "name", json_string(json_get(key, "name")));
    out_str(out, "spki_sha256", verify->spki);
    out_bool(out, "verified", verify->is_verified);
    out_str(out, "provenance", verify->provenance);
    if (verify->is_verified) {
        print_pin(out, verify->spki_sha256);
        id_text(text, &verify->key);
        out_str(out, "key", text);
        id_text(text, &verify->keyset);
        out_str(out, "keyset", text);
        out_time(out, "created", verify->created_ms);
    } else {
        cli->exit = CLI_UNVERIFIED;
        say_unverified(verify);
    }
    print_certificate(out, key);
}

struct err tlskey_write_wish(struct cli *cli, struct bytes nonce, struct bytes *body)
{
    struct wr wr = WR_OF(cli->rest.body);
    struct jw jw = jw_of(&wr);
    const char *keyset = args_get(&cli->args, "keyset");
    const char *name;

    TRY(cli_need(cli, "name", &name));
    jw_object(&jw);
    jw_cstring(jw_key(&jw, "name"), name);
    if (keyset)
        jw_cstring(jw_key(&jw, "keyset"), keyset);
    jw_hex(jw_key(&jw, "nonce"), nonce);
    jw_object_end(&jw);
    *body = wr_done(&wr);
    return wr_end(&wr);
}

// The nonce of --nonce, to repeat a creation whose answer was lost, or a random one.
static FALLIBLE creation_nonce(struct cli *cli, uint8_t *out)
{
    const char *given = args_get(&cli->args, "nonce");
    size_t n = 0;

    if (!given)
        cli_nonce(out);
    else if (cli_hex(out, CLI_NONCE_BYTES, &n, given).code || n != CLI_NONCE_BYTES)
        return CLI_USAGE_ERROR(cli, "--nonce: expected 32 hex digits");
    return OK;
}

struct err tlskey_create(struct cli *cli)
{
    struct rest_request request = { .method = "POST", .target = "/v1/tls-keys" };
    uint8_t nonce[CLI_NONCE_BYTES];
    const struct json *key = NULL;
    struct verify_tls verify;
    struct err err;

    TRY(creation_nonce(cli, nonce));
    TRY(tlskey_write_wish(cli, BYTES_OF(nonce), &request.body));
    TRY(cli_open_service(cli));
    err = rest_call(&cli->rest, &request, &key);
    if (err.code && cli->rest.status == 0) {
        char digits[2 * CLI_NONCE_BYTES + 1];

        hex_encode(digits, BYTES_OF(nonce));
        out_say("cloister: to try again safely, add --nonce ", bytes_str(digits));
    }
    TRY(err);
    verify_tls_key(&verify, &cli->trust, key, NULL, BYTES_OF(nonce));
    tlskey_print(cli, key, &verify);
    return OK;
}

static void list_row(struct cli *cli, const struct json *key)
{
    struct verify_tls verify;
    bool in_use = json_is_true(json_get(key, "in_use"));

    verify_tls_key(&verify, &cli->trust, key, NULL, BYTES_NONE);
    if (!verify.is_verified) {
        cli->exit = CLI_UNVERIFIED;
        say_unverified(&verify);
    }
    out_row(&cli->out, (const struct bytes[]) {
                           json_string(json_get(key, "name")), bytes_str(verify.spki),
                           bytes_str(verify.provenance), json_string(json_get(key, "state")),
                           bytes_str(in_use ? "yes" : "no") });
}

struct err tlskey_list(struct cli *cli)
{
    static const struct out_column columns[] = { { "name", 20 },
                                                 { "spki_sha256", 65 },
                                                 { "provenance", 12 },
                                                 { "state", 10 },
                                                 { "in_use", 0 } };
    const struct rest_request request = { .method = "GET", .target = "/v1/tls-keys" };
    const struct json *answer = NULL;
    const struct json *keys;

    TRY(cli_open_service(cli));
    TRY(rest_call(&cli->rest, &request, &answer));
    keys = json_get(answer, "tls_keys");
    ENSURE(keys && keys->type == JSON_ARRAY, ERR_MALFORMED, "the service answered no TLS keys");
    out_table(&cli->out, "tls_keys", columns, ARRAY_LEN(columns));
    for (const struct json *key = keys->child; key; key = key->next)
        list_row(cli, key);
    out_table_end(&cli->out);
    return OK;
}

struct err tlskey_target(struct wr *wr, const char *name, const char *rest)
{
    wr_str(wr, "/v1/tls-keys/");
    rest_write_escaped(wr, bytes_str(name));
    wr_str(wr, rest);
    wr_u8(wr, 0);
    return wr_end(wr);
}

// No receipt is verified: a key must be removable whatever its receipt says.
struct err tlskey_delete(struct cli *cli)
{
    char target[TARGET_MAX];
    struct wr wr = wr_of(target, sizeof(target));
    struct rest_request request = { .method = "DELETE", .target = target };
    const struct json *answer = NULL;
    const char *name;

    TRY(cli_word(cli, &name));
    if (name[0] == 0 || tlskey_target(&wr, name, "").code)
        return CLI_USAGE_ERROR(cli, "NAME: expected the name of a TLS key");
    TRY(cli_open_service(cli));
    TRY(rest_call(&cli->rest, &request, &answer));
    out_str(&cli->out, "deleted", name);
    return OK;
}

struct err tlskey_find(struct cli *cli, struct verify_tls *out, const struct json **json)
{
    char target[TARGET_MAX];
    struct wr wr = wr_of(target, sizeof(target));
    struct rest_request request = { .method = "GET", .target = target };
    const char *name;

    TRY(cli_word(cli, &name));
    if (name[0] == 0 || tlskey_target(&wr, name, "").code)
        return CLI_USAGE_ERROR(cli, "NAME: expected the name of a TLS key");
    TRY(cli_open_service(cli));
    TRY(rest_call(&cli->rest, &request, json));
    cli->exit = CLI_UNVERIFIED;
    verify_tls_key(out, &cli->trust, *json, NULL, BYTES_NONE);
    TRY(out->reason);
    cli->exit = CLI_DONE;
    return OK;
}
