// SPDX-License-Identifier: Apache-2.0
// The service is believed nothing: a request is only handed on to an authority when it is of the
// key whose receipt verified, and for the names that were asked for; a certificate is only
// installed when it is of that key. Else the service could have a key of its own certified.
#include "cli/tlscert.h"

#include "base/must.h"
#include "cli/files.h"
#include "cli/openssl/csr.h"
#include "cli/openssl/pemcert.h"
#include "cli/tlskey.h"
#include "proto/clients.h"

#include <arpa/inet.h>
#include <stdio.h>

#define TARGET_MAX 256U
#define DAYS_MAX   3650U

static bool is_address(const char *text)
{
    uint8_t buf[16];

    return inet_pton(AF_INET, text, buf) == 1 || inet_pton(AF_INET6, text, buf) == 1;
}

// The names of --host, 1 to 16.
static FALLIBLE read_names(struct cli *cli, struct bytes names[static CSR_NAMES_MAX], size_t *count)
{
    const char *value;
    size_t at = 0;

    *count = 0;
    while ((value = args_next(&cli->args, "host", &at))) {
        if (!is_address(value) && !clients_is_dns_name(bytes_str(value)))
            return CLI_USAGE_ERROR(cli, "--host: expected a DNS name in lower case or an IP "
                                        "address");
        if (*count == CSR_NAMES_MAX)
            return CLI_USAGE_ERROR(cli, "--host: expected at most 16");
        names[(*count)++] = bytes_str(value);
    }
    if (*count == 0)
        return CLI_USAGE_ERROR(cli, "--host NAME is missing; may be repeated");
    return OK;
}

static void write_names(struct jw *jw, const struct bytes *names, size_t count)
{
    jw_array(jw_key(jw, "names"));
    for (size_t i = 0; i < count; i++)
        jw_string(jw, names[i]);
    jw_array_end(jw);
}

static FALLIBLE ask_for_request(struct cli *cli, const struct bytes *names, size_t count,
                                struct bytes *pem)
{
    char target[TARGET_MAX];
    struct wr path = wr_of(target, sizeof(target)), wr = WR_OF(cli->rest.body);
    struct rest_request request = { .method = "POST", .target = target };
    struct jw jw = jw_of(&wr);
    const struct json *answer = NULL;

    TRY(tlskey_target(&path, cli->args.word, "/csr"));
    jw_object(&jw);
    write_names(&jw, names, count);
    jw_object_end(&jw);
    TRY(wr_end(&wr));
    request.body = wr_done(&wr);
    TRY(rest_call(&cli->rest, &request, &answer));
    *pem = json_string(json_get(answer, "csr_pem"));
    return OK;
}

struct err tlscert_csr(struct cli *cli)
{
    static uint8_t checked[CSR_PEM_MAX];
    struct wr wr = WR_OF(checked);
    struct bytes names[CSR_NAMES_MAX];
    const char *output = args_get(&cli->args, "output");
    const struct json *json = NULL;
    struct verify_tls key;
    struct bytes pem = BYTES_NONE;
    size_t count = 0;

    TRY(read_names(cli, names, &count));
    TRY(tlskey_find(cli, &key, &json));
    TRY(ask_for_request(cli, names, count, &pem));
    cli->exit = CLI_UNVERIFIED;
    TRY(csr_check(&wr, pem, key.spki_sha256, names, count));
    cli->exit = CLI_DONE;
    if (output)
        TRY(files_save(output, wr_done(&wr)));
    if (output || cli->out.is_json)
        out_str(&cli->out, "spki_sha256", key.spki);
    if (!output || cli->out.is_json)
        out_block(&cli->out, "csr_pem", wr_done(&wr));
    return OK;
}

// The first certificate of a chain, and that it is of this key.
static FALLIBLE check_chain(const struct verify_tls *key, struct bytes chain)
{
    static struct pemcert leaf;
    size_t count = 0;

    TRY(pemcert_read(&leaf, &count, chain));
    ENSURE(bytes_equal(BYTES_OF(leaf.spki_sha256), BYTES_OF(key->spki_sha256)), ERR_MISMATCH,
           "the first certificate is of another key than this TLS key");
    ENSURE(leaf.until_s * 1000 > cli_now_ms(), ERR_EXPIRED, "the certificate has expired");
    return OK;
}

static FALLIBLE put(struct cli *cli, const char *name, struct bytes body, const struct json **json)
{
    char target[TARGET_MAX];
    struct wr path = wr_of(target, sizeof(target));
    struct rest_request request = { .method = "PUT", .target = target, .body = body };

    TRY(tlskey_target(&path, name, "/certificate"));
    return rest_call(&cli->rest, &request, json);
}

struct err tlscert_install_chain(struct cli *cli, const char *name, const struct verify_tls *key,
                                 struct bytes chain, const struct json **json)
{
    static uint8_t text[PEMCERT_TEXT_MAX];
    struct wr wr = WR_OF(cli->rest.body), certificates = WR_OF(text);
    struct jw jw = jw_of(&wr);

    TRY(check_chain(key, chain));
    TRY(pemcert_write_all(&certificates, chain));
    jw_object(&jw);
    jw_string(jw_key(&jw, "certificate_pem"), wr_done(&certificates));
    jw_object_end(&jw);
    TRY(wr_end(&wr));
    return put(cli, name, wr_done(&wr), json);
}

static FALLIBLE read_days(struct cli *cli, uint64_t *out)
{
    const char *text = args_get(&cli->args, "days");
    struct u256 wide;

    *out = 0;
    if (text && (u256_parse_decimal(&wide, bytes_str(text)).code || u256_to_u64(out, wide).code ||
                 *out < 1 || *out > DAYS_MAX))
        return CLI_USAGE_ERROR(cli, "--days: expected a number from 1 to 3650");
    return OK;
}

// The certificate that the service says was made: of this key, or it is nothing to give to clients.
static FALLIBLE save_certificate(struct cli *cli, const struct verify_tls *key, struct bytes pem)
{
    static uint8_t text[PEMCERT_TEXT_MAX];
    struct wr wr = WR_OF(text);
    const char *output = args_get(&cli->args, "output");

    cli->exit = CLI_UNVERIFIED;
    TRY(check_chain(key, pem));
    TRY(pemcert_write_all(&wr, pem));
    cli->exit = CLI_DONE;
    return output ? files_save(output, wr_done(&wr)) : OK;
}

// A certificate that the key itself signs, inside.
static FALLIBLE install_self_signed(struct cli *cli, const struct verify_tls *key,
                                    const struct json **json)
{
    struct bytes names[CSR_NAMES_MAX];
    struct wr wr = WR_OF(cli->rest.body);
    struct jw jw = jw_of(&wr);
    uint64_t days = 0;
    size_t count = 0;

    TRY(read_names(cli, names, &count));
    TRY(read_days(cli, &days));
    jw_object(&jw);
    write_names(&jw, names, count);
    if (days)
        jw_u64(jw_key(&jw, "days"), days);
    jw_object_end(&jw);
    TRY(wr_end(&wr));
    TRY(put(cli, cli->args.word, wr_done(&wr), json));
    return save_certificate(cli, key, json_string(json_get(*json, "certificate_pem")));
}

// The certificates of a file; what else stands in it stays here.
static FALLIBLE install_file(struct cli *cli, const char *path, const struct verify_tls *key,
                             const struct json **json)
{
    static uint8_t text[PEMCERT_TEXT_MAX];
    struct wr wr = WR_OF(text);

    TRY(cli_read(cli, path, &wr));
    (void)snprintf(cli->where, sizeof(cli->where), "--certificate %.140s: ", path);
    TRY(tlscert_install_chain(cli, cli->args.word, key, wr_done(&wr), json));
    cli->where[0] = 0;
    return OK;
}

struct err tlscert_install(struct cli *cli)
{
    const char *path = args_get(&cli->args, "certificate");
    const struct json *json = NULL;
    struct verify_tls key;

    if (!path == !args_has(&cli->args, "host"))
        return CLI_USAGE_ERROR(cli,
                               "say which certificate: --certificate CHAIN, or --host NAME for "
                               "one that the key signs itself");
    if (path && (args_has(&cli->args, "days") || args_has(&cli->args, "output")))
        return CLI_USAGE_ERROR(cli, "--days and --output go with --host");
    TRY(tlskey_find(cli, &key, &json));
    if (path)
        TRY(install_file(cli, path, &key, &json));
    else
        TRY(install_self_signed(cli, &key, &json));
    tlskey_print(cli, json, &key);
    return OK;
}
