// SPDX-License-Identifier: Apache-2.0
// Attestation documents. What is pinned comes from one place: the options, or else the trust file;
// never a mixture that nobody wrote down. With PCR0 alone the code is known, but not under which
// configuration it runs: that is said in words and has an exit code of its own.
#include "cli/attestation.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/must.h"
#include "cli/endpoint.h"
#include "cli/service.h"
#include "crypto/anchors.h"
#include "crypto/openssl/libcrypto.h"
#include "proto/tag.h"
#include "verify/userdata.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX    32768U // a document as base64
#define ENDPOINT_MS 15000  // for everything that is asked of an endpoint

static uint8_t text[TEXT_MAX];
static uint8_t document_buf[DOCUMENT_MAX];

// From a file: the document itself, or base64 text of it.
static FALLIBLE read_document(struct cli *cli, struct bytes *out)
{
    struct wr wr = WR_OF(text);
    struct bytes trimmed;
    size_t n = 0;

    if (strcmp(cli->args.word, "-") != 0 && access(cli->args.word, F_OK) != 0) {
        (void)snprintf(cli->where, sizeof(cli->where), "%.150s: ", cli->args.word);
        return FAIL(ERR_NOT_FOUND, "there is no such file; an endpoint begins with https://");
    }
    TRY(cli_read(cli, cli->args.word, &wr));
    trimmed = wr_done(&wr);
    while (trimmed.n > 0 && strchr(" \r\n\t", trimmed.p[trimmed.n - 1]) && trimmed.p[trimmed.n - 1])
        trimmed.n--;
    *out = wr_done(&wr);
    if (base64_decode(document_buf, sizeof(document_buf), &n, trimmed).code == 0)
        *out = bytes_of(document_buf, n);
    return OK;
}

static FALLIBLE fetch_document(struct cli *cli, struct bytes nonce, struct bytes *out)
{
    char target[256] = { 0 };
    struct wr wr = wr_of(target, sizeof(target) - 1);
    struct rest_request request = { .method = "GET", .target = target };
    const struct json *answer = NULL;
    size_t n = 0;

    wr_str(&wr, "/v1/attestation?nonce=");
    hex_write_0x(&wr, nonce);
    TRY(wr_end(&wr));
    TRY(cli_open_rest(cli));
    TRY(rest_call(&cli->rest, &request, &answer));
    TRY(base64_decode(document_buf, sizeof(document_buf), &n,
                      json_string(json_get(answer, "document_b64"))));
    *out = bytes_of(document_buf, n);
    return OK;
}

static const char *phase_name(uint8_t phase)
{
    if (phase == PHASE_READY)
        return "READY";
    if (phase == PHASE_SEALED)
        return "SEALED";
    return phase == PHASE_CONFIGURED ? "CONFIGURED" : "UNCONFIGURED";
}

static void show_pcrs(struct out *out, const struct attest *doc)
{
    for (unsigned i = 0; i < ATTEST_PCRS; i++) {
        char key[8];

        if (attest_pcr_is_zero(doc, i) && i != 0 && i != 16)
            continue;
        if (!(doc->pcr_present & 1U << i))
            continue;
        (void)snprintf(key, sizeof(key), "pcr%u", i);
        out_digits(out, key, BYTES_OF(doc->pcr[i]));
    }
}

static void show_status(struct out *out, const struct receipt_status *status)
{
    char boot[ID_TEXT];

    id_text(boot, &status->boot);
    out_str(out, "phase", phase_name(status->phase));
    out_str(out, "boot", boot);
    out_u64(out, "audit_sequence", status->sequence);
    out_digits(out, "audit_head", BYTES_OF(status->audit_head));
    out_u64(out, "manifest_serial", status->manifest_serial);
    if (status->manifest_serial > 0)
        out_digits(out, "manifest_digest", BYTES_OF(status->manifest_digest));
    service_show_anchor(out, bytes_str(config_anchor_name((enum config_anchor)status->anchor)),
                        status->anchored);
}

// The key as hex, and in the form that curl's --pinnedpubkey takes.
static void show_key(struct out *out, const struct receipt_tls *key)
{
    char keyset[ID_TEXT];
    uint8_t pin[64];
    struct wr wr = WR_OF(pin);

    wr_str(&wr, "sha256//");
    base64_write(&wr, BYTES_OF(key->spki_sha256));
    out_digits(out, "spki_sha256", BYTES_OF(key->spki_sha256));
    out_text(out, "pin", wr_done(&wr));
    id_text(keyset, &key->keyset);
    out_str(out, "keyset", keyset);
}

static void show(struct cli *cli, const struct attest *doc)
{
    struct out *out = &cli->out;
    struct bytes user_data = doc->has_user_data ? doc->user_data : BYTES_NONE;
    const char *tag = userdata_tag(user_data);
    struct receipt_status status;
    struct receipt_tls key;

    out_str(out, "anchors", anchors_this.name);
    out_str(out, "document", tag ? tag : "not a document of Cloister");
    out_text(out, "module_id", doc->module_id);
    out_time(out, "time", doc->timestamp_ms);
    show_pcrs(out, doc);
    if (doc->has_nonce)
        out_hex(out, "nonce", doc->nonce);
    if (doc->has_public_key)
        out_hex(out, "public_key", doc->public_key);
    if (!userdata_read_tls(&status, &key, user_data).code)
        show_key(out, &key);
    else if (userdata_read_status(&status, user_data).code) {
        if (user_data.n)
            out_hex(out, "user_data", user_data);
        return;
    }
    show_status(out, &status);
}

// The nonce of --nonce, or a random one.
static FALLIBLE nonce_of(struct cli *cli, uint8_t buf[static NONCE_BYTES_MAX], struct bytes *out)
{
    const char *given = args_get(&cli->args, "nonce");
    size_t n = CLI_NONCE_BYTES;

    if (!given)
        cli_nonce(buf);
    else if (cli_hex(buf, NONCE_BYTES_MAX, &n, given).code || n == 0)
        return CLI_USAGE_ERROR(cli, "--nonce: expected 1 to 64 bytes in hex");
    *out = bytes_of(buf, n);
    return OK;
}

struct err attestation_show(struct cli *cli)
{
    uint8_t nonce_buf[NONCE_BYTES_MAX];
    struct bytes nonce = BYTES_NONE;
    struct bytes document = BYTES_NONE;
    struct attest doc;

    if (cli->args.word) {
        TRY(read_document(cli, &document));
    } else {
        TRY(nonce_of(cli, nonce_buf, &nonce));
        TRY(cli_load_trust(cli, true));
        TRY(fetch_document(cli, nonce, &document));
    }
    TRY(attest_parse(&doc, document));
    out_str(&cli->out, "verified", "no: this only shows what it says");
    show(cli, &doc);
    return OK;
}

static FALLIBLE configuration_of_options(struct cli *cli, bool *is_pinned)
{
    const char *config = args_get(&cli->args, "config");
    const char *pcr16 = args_get(&cli->args, "pcr16");
    size_t n = 0;

    if (config && pcr16)
        return CLI_USAGE_ERROR(cli, "give --config or --pcr16, not both");
    if (config) {
        (void)snprintf(cli->where, sizeof(cli->where), "%.150s: ", config);
        TRY(trust_load_config(&cli->trust, config));
        cli->where[0] = 0;
    }
    if (pcr16) {
        cli->trust.has_config = false;
        if (cli_hex(cli->trust.pcr16, 48, &n, pcr16).code || n != 48)
            return CLI_USAGE_ERROR(cli, "--pcr16: expected 96 hex digits");
    }
    *is_pinned = cli->trust.has_config || pcr16;
    return OK;
}

// --keyset, or the trust file's; those do not count beside --pcr0.
static FALLIBLE keysets_of_options(struct cli *cli)
{
    bool is_endpoint = cli->args.word && endpoint_is_url(cli->args.word);
    struct trust *trust = &cli->trust;
    const char *value;
    size_t at = 0;

    if (args_has(&cli->args, "keyset") || args_has(&cli->args, "pcr0"))
        trust->keyset_len = 0;
    while ((value = args_next(&cli->args, "keyset", &at))) {
        if (!is_endpoint)
            return CLI_USAGE_ERROR(cli, "--keyset: only for https://HOST[:PORT]");
        if (trust->keyset_len == CONFIG_KEYSETS)
            return CLI_USAGE_ERROR(cli, "--keyset: expected at most 16 ids");
        if (id_parse(&trust->keyset[trust->keyset_len++], bytes_str(value)).code)
            return CLI_USAGE_ERROR(cli, "--keyset: expected an id of 32 lower-case hex digits");
    }
    return OK;
}

static FALLIBLE load_pins(struct cli *cli, struct proof_trust *out)
{
    const struct trust *trust = &cli->trust;
    bool is_pinned = false;

    TRY(cli_load_trust(cli, !args_has(&cli->args, "pcr0")));
    TRY(cli_read_pcr0(cli));
    TRY(configuration_of_options(cli, &is_pinned));
    TRY(keysets_of_options(cli));
    if (trust->pcr0_len == 0)
        return CLI_USAGE_ERROR(cli,
                               "say which code you trust: --pcr0 HEX, or pcr0 in the trust file");
    *out = (struct proof_trust) {
        .root_der = anchors_this.nsm_root,
        .pcr0 = trust->pcr0,
        .pcr0_len = trust->pcr0_len,
        .pcr16 = is_pinned ? trust->pcr16 : NULL,
        .allow_debug = args_has(&cli->args, "allow-debug"),
    };
    return OK;
}

static FALLIBLE check_live(struct cli *cli, const struct proof_trust *pins, struct bytes *document)
{
    uint8_t nonce_buf[NONCE_BYTES_MAX];
    struct bytes nonce = BYTES_NONE;
    struct cloister_verify_status status;

    TRY(nonce_of(cli, nonce_buf, &nonce));
    TRY(fetch_document(cli, nonce, document));
    cli->exit = CLI_UNVERIFIED;
    return proof_check_status(pins, *document, nonce, cli_now_ms(), &status);
}

static FALLIBLE check_file(struct cli *cli, const struct proof_trust *pins, struct bytes *document)
{
    uint8_t nonce_buf[NONCE_BYTES_MAX];
    struct bytes nonce = BYTES_NONE;
    struct attest doc;

    if (args_has(&cli->args, "nonce"))
        TRY(nonce_of(cli, nonce_buf, &nonce));
    TRY(read_document(cli, document));
    cli->exit = CLI_UNVERIFIED;
    return proof_check_document(pins, *document, nonce, &doc);
}

static FALLIBLE nonce_of_endpoint(struct cli *cli, uint8_t buf[static NONCE_BYTES_MAX],
                                  struct bytes *out)
{
    *out = bytes_of(buf, ENDPOINT_NONCE_BYTES);
    if (!args_has(&cli->args, "nonce"))
        libcrypto_random(buf, ENDPOINT_NONCE_BYTES);
    else
        TRY(nonce_of(cli, buf, out));
    if (out->n < ENDPOINT_NONCE_LEAST)
        return CLI_USAGE_ERROR(cli, "--nonce: expected 16 to 64 bytes in hex");
    return OK;
}

// The document of a TLS connection, over that very connection.
static FALLIBLE check_endpoint(struct cli *cli, const struct proof_trust *pins,
                               struct bytes *document)
{
    uint8_t nonce_buf[NONCE_BYTES_MAX];
    struct proof_tls asked = { .document = BYTES_NONE };
    struct cloister_verify_status status;
    struct endpoint endpoint;
    struct err err;

    if (endpoint_check_url(cli->args.word).code)
        return CLI_USAGE_ERROR(cli, "endpoint: expected https://HOST[:PORT], and no path");
    TRY(nonce_of_endpoint(cli, nonce_buf, &asked.nonce));
    (void)snprintf(cli->where, sizeof(cli->where), "%.150s: ", cli->args.word);
    err = endpoint_fetch(&endpoint, cli->args.word, asked.nonce, deadline_in(ENDPOINT_MS));
    if (err.code != ERR_UNREACHABLE && err.code != ERR_TIMEOUT && err.code != ERR_CLOSED)
        cli->exit = CLI_UNVERIFIED;
    if (err.code && endpoint.status != 0)
        (void)snprintf(cli->where, sizeof(cli->where), "%.150s: HTTP %u: ", cli->args.word,
                       endpoint.status);
    TRY(err);
    asked.document = endpoint.document;
    asked.spki_sha256 = endpoint.spki_sha256;
    asked.now_ms = cli_now_ms();
    asked.keyset = cli->trust.keyset;
    asked.keyset_len = cli->trust.keyset_len;
    out_str(&cli->out, "endpoint", cli->args.word);
    endpoint_explain(&cli->out, pins, &asked);
    TRY(proof_check_tls(pins, &asked, &status));
    *document = endpoint.document;
    return OK;
}

static FALLIBLE check(struct cli *cli, const struct proof_trust *pins, struct bytes *document)
{
    if (!cli->args.word)
        return check_live(cli, pins, document);
    if (endpoint_is_url(cli->args.word))
        return check_endpoint(cli, pins, document);
    return check_file(cli, pins, document);
}

struct err attestation_verify(struct cli *cli)
{
    bool is_file = cli->args.word && !endpoint_is_url(cli->args.word);
    struct proof_trust pins;
    struct bytes document = BYTES_NONE;
    struct attest doc;
    char deployment[ID_TEXT];
    struct err err;

    TRY(load_pins(cli, &pins));
    err = check(cli, &pins, &document);
    if (cli->exit == CLI_UNVERIFIED && err.code)
        out_str(&cli->out, "verified", "UNVERIFIED");
    TRY(err);
    TRY(attest_parse(&doc, document));
    cli->exit = pins.pcr16 ? CLI_DONE : CLI_DEPLOYMENT;
    out_str(&cli->out, "verified", pins.pcr16 ? "yes" : "code ok, deployment unverified");
    if (is_file)
        out_str(&cli->out, "judged", "at its own time: it says nothing about now");
    if (cli->trust.has_config) {
        id_text(deployment, &cli->trust.config.deployment);
        out_str(&cli->out, "deployment", deployment);
    }
    show(cli, &doc);
    if (!pins.pcr16)
        out_say("cloister: ", BYTES_LIT("code ok, deployment unverified: give --config or --pcr16 "
                                        "to compare the configuration, too"));
    return OK;
}
