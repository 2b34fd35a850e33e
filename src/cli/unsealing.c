// SPDX-License-Identifier: Apache-2.0
// An approval is for one boot of one enclave and one sealing of it: it cannot be kept for the next
// time. The boot's name comes from an attestation document that verifies, so that administrators
// sign for an enclave of their own and not for whatever the service names.
#include "cli/unsealing.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/must.h"
#include "cli/files.h"
#include "cli/service.h"
#include "cli/signature.h"

#include <stdio.h>
#include <string.h>

#define FILE_MAX  1024U
#define NODES_MAX 16U

struct challenge {
    struct id deployment, boot;
    uint64_t seals;
};

static FALLIBLE simple_call(struct cli *cli, const char *method, const char *target,
                            const struct json **answer)
{
    struct rest_request request = { .method = method, .target = target };

    return rest_call(&cli->rest, &request, answer);
}

struct err unsealing_seal(struct cli *cli)
{
    const struct json *answer = NULL;

    TRY(cli_open_service(cli));
    TRY(simple_call(cli, "POST", "/v1/seal", &answer));
    out_value(&cli->out, "phase", json_get(answer, "phase"));
    out_value(&cli->out, "seals", json_get(answer, "seals"));
    out_value(&cli->out, "boot", json_get(answer, "boot"));
    service_show_anchor(&cli->out, json_string(json_get(answer, "anchor")),
                        json_is_true(json_get(answer, "anchored")));
    out_say("cloister: ", BYTES_LIT("every key is wiped from the enclave; the sealed records stay. "
                                    "To go on: cloister unseal request"));
    return OK;
}

// What the service says that is to be unsealed.
static FALLIBLE ask_challenge(struct cli *cli, struct challenge *out)
{
    const struct json *answer = NULL;
    const struct json *enclave;

    TRY(simple_call(cli, "GET", "/v1/status", &answer));
    enclave = json_get(answer, "enclave");
    ENSURE(bytes_equal_str(json_string(json_get(enclave, "phase")), "SEALED"), ERR_PHASE,
           "the enclave is not sealed");
    out->deployment = cli->trust.config.deployment;
    TRY(id_parse(&out->boot, json_string(json_get(enclave, "boot"))));
    TRY(json_u64(&out->seals, json_get(enclave, "seals")));
    ENSURE(out->seals <= UINT32_MAX, ERR_MALFORMED, "seals: expected a 32-bit number");
    return OK;
}

static FALLIBLE check_boot(struct cli *cli, const struct challenge *challenge)
{
    static uint8_t document[DOCUMENT_MAX];
    struct proof_trust pins;
    struct cloister_verify_status status;
    uint8_t nonce[CLI_NONCE_BYTES];
    char target[128] = { 0 };
    struct wr wr = wr_of(target, sizeof(target) - 1);
    const struct json *answer = NULL;
    size_t n = 0;

    TRY(trust_receipts(&pins, &cli->trust));
    cli_nonce(nonce);
    wr_str(&wr, "/v1/attestation?nonce=");
    hex_write_0x(&wr, BYTES_OF(nonce));
    TRY(simple_call(cli, "GET", target, &answer));
    TRY(base64_decode(document, sizeof(document), &n,
                      json_string(json_get(answer, "document_b64"))));
    TRY(proof_check_status(&pins, bytes_of(document, n), BYTES_OF(nonce), cli_now_ms(), &status));
    ENSURE(bytes_equal(BYTES_OF(status.boot), BYTES_OF(challenge->boot.b)) &&
               status.phase == PHASE_SEALED && status.seals == challenge->seals,
           ERR_UNTRUSTED,
           "the attested enclave is another one than the service says, not sealed, or was sealed "
           "another number of times");
    return OK;
}

static FALLIBLE save(const struct challenge *c, const char *path)
{
    uint8_t text[FILE_MAX];
    struct wr wr = WR_OF(text);
    struct jw jw = jw_of(&wr);

    jw_object(&jw);
    jw_key(&jw, "version");
    jw_u64(&jw, 1);
    jw_key(&jw, "deployment");
    jw_digits(&jw, BYTES_OF(c->deployment.b));
    jw_key(&jw, "boot");
    jw_digits(&jw, BYTES_OF(c->boot.b));
    jw_key(&jw, "seals");
    jw_u64(&jw, c->seals);
    jw_object_end(&jw);
    wr_u8(&wr, '\n');
    TRY(wr_end(&wr));
    return files_save(path, wr_done(&wr));
}

static void show(struct out *out, const struct challenge *c)
{
    char text[ID_TEXT];

    id_text(text, &c->deployment);
    out_str(out, "deployment", text);
    id_text(text, &c->boot);
    out_str(out, "boot", text);
    out_u64(out, "seals", c->seals);
}

struct err unsealing_request(struct cli *cli)
{
    struct challenge challenge = { 0 };
    const char *output;

    TRY(cli_need(cli, "output", &output));
    TRY(cli_open_service(cli));
    ENSURE(cli->trust.has_config, ERR_UNTRUSTED, "the trust file names no configuration");
    TRY(ask_challenge(cli, &challenge));
    TRY(check_boot(cli, &challenge));
    TRY(save(&challenge, output));
    show(&cli->out, &challenge);
    out_str(&cli->out, "request_file", output);
    return OK;
}

static FALLIBLE read_request(struct cli *cli, struct challenge *out)
{
    static const char *const known[] = { "version", "deployment", "boot", "seals", NULL };
    uint8_t text[FILE_MAX];
    struct json nodes[NODES_MAX];
    struct wr wr = WR_OF(text);
    const struct json *root = NULL;
    const char *path;
    uint64_t version = 0;

    TRY(cli_word(cli, &path));
    TRY(cli_read(cli, path, &wr));
    (void)snprintf(cli->where, sizeof(cli->where), "%.150s: ", path);
    TRY(json_parse(&root, nodes, NODES_MAX, text, wr.len));
    ENSURE(root->type == JSON_OBJECT && !json_unknown(root, known) &&
               !json_u64(&version, json_get(root, "version")).code && version == 1,
           ERR_MALFORMED, "expected a file of `unseal request`");
    TRY(id_parse(&out->deployment, json_string(json_get(root, "deployment"))));
    TRY(id_parse(&out->boot, json_string(json_get(root, "boot"))));
    TRY(json_u64(&out->seals, json_get(root, "seals")));
    ENSURE(out->seals <= UINT32_MAX, ERR_MALFORMED, "seals: expected a 32-bit number");
    cli->where[0] = 0;
    return OK;
}

struct err unsealing_sign(struct cli *cli)
{
    struct challenge c = { 0 };
    char boot[ID_TEXT], deployment[ID_TEXT], seals[32];
    uint8_t message[32];

    TRY(read_request(cli, &c));
    id_text(boot, &c.boot);
    id_text(deployment, &c.deployment);
    (void)snprintf(seals, sizeof(seals), "%llu", (unsigned long long)c.seals);
    out_say("You approve that the enclave opens its keys again, of deployment ",
            bytes_str(deployment));
    out_say("  boot ", bytes_str(boot));
    out_say("  sealed for the time number ", bytes_str(seals));
    approval_unseal_message(message, &c.deployment, &c.boot, (uint32_t)c.seals);
    return signature_make(cli, message);
}

static FALLIBLE send(struct cli *cli, struct bytes entries)
{
    uint8_t approvals[1 + CONFIG_ADMINS * APPROVAL_BYTES];
    struct wr list = WR_OF(approvals);
    struct wr wr = WR_OF(cli->rest.body);
    struct jw jw = jw_of(&wr);
    struct rest_request request = { .method = "POST", .target = "/v1/unseal" };
    const struct json *answer = NULL;

    approval_write_list(&list, entries);
    TRY(wr_end(&list));
    jw_object(&jw);
    jw_key(&jw, "approvals_b64");
    jw_base64(&jw, wr_done(&list));
    jw_object_end(&jw);
    request.body = wr_done(&wr);
    TRY(rest_call(&cli->rest, &request, &answer));
    out_value(&cli->out, "phase", json_get(answer, "phase"));
    return OK;
}

struct err unsealing_apply(struct cli *cli)
{
    uint8_t buf[CONFIG_ADMINS * APPROVAL_BYTES];
    struct challenge challenge = { 0 };
    struct bytes entries = BYTES_NONE;
    uint8_t message[32];

    TRY(cli_open_service(cli));
    ENSURE(cli->trust.has_config, ERR_NOT_FOUND, "the trust file names no configuration");
    TRY(ask_challenge(cli, &challenge));
    approval_unseal_message(message, &challenge.deployment, &challenge.boot,
                            (uint32_t)challenge.seals);
    TRY(signature_collect(cli, message, buf, &entries));
    return send(cli, entries);
}
