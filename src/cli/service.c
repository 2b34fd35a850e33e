// SPDX-License-Identifier: Apache-2.0
// What the service says about itself. Its status is the parent's claim; `attest verify` is how to
// check the part that matters.
#include "cli/service.h"

#include "crypto/anchors.h"

// "main 10ebef86e73b39b98af98af82644b982", one line for each.
static void show_keysets(struct out *out, const struct json *keysets)
{
    for (const struct json *keyset = keysets ? keysets->child : NULL; keyset;
         keyset = keyset->next) {
        uint8_t line[128];
        struct wr wr = WR_OF(line);

        wr_bytes(&wr, bytes_take(json_string(json_get(keyset, "name")), 40));
        wr_str(&wr, " ");
        wr_bytes(&wr, bytes_take(json_string(json_get(keyset, "id")), 40));
        out_text(out, "keyset", wr_done(&wr));
    }
}

void service_show_anchor(struct out *out, struct bytes kind, bool anchored)
{
    out_text(out, "anchor", kind);
    out_bool(out, "anchored", anchored);
    out_str(out, "revocation", anchored ? "anchored" : "best_effort");
}

static void show_enclave(struct out *out, const struct json *enclave)
{
    uint64_t ms;

    out_value(out, "phase", json_get(enclave, "phase"));
    out_value(out, "deployment", json_get(enclave, "deployment"));
    out_value(out, "pcr16", json_get(enclave, "pcr16"));
    out_value(out, "anchors", json_get(enclave, "anchors"));
    out_value(out, "boot", json_get(enclave, "boot"));
    out_value(out, "manifest_serial", json_get(enclave, "manifest_serial"));
    out_value(out, "seals", json_get(enclave, "seals"));
    service_show_anchor(out, json_string(json_get(enclave, "anchor")),
                        json_is_true(json_get(enclave, "anchored")));
    if (json_get(enclave, "now_ms") && !json_u64(&ms, json_get(enclave, "now_ms")).code)
        out_time(out, "enclave_time", ms);
    show_keysets(out, json_get(enclave, "keysets"));
    out_value(out, "accounts_open", json_get(json_get(enclave, "accounts"), "open"));
    out_value(out, "decisions", json_get(json_get(enclave, "audit"), "sequence"));
}

// The lines that a person looks for; --json has everything.
static void show_status(struct out *out, const struct json *answer)
{
    const struct json *own = json_get(answer, "cloisterd");
    const struct json *problem = json_get(own, "problem");

    out_value(out, "ready", json_get(own, "ready"));
    if (problem && problem->type != JSON_NULL)
        out_value(out, "problem", problem);
    out_value(out, "since", json_get(own, "since"));
    show_enclave(out, json_get(answer, "enclave"));
    out_value(out, "credentials_until", json_get(own, "credentials_expire"));
    out_value(out, "can_send", json_get(own, "broadcast"));
    out_value(out, "cloisterd", json_get(own, "version"));
}

struct err service_status(struct cli *cli)
{
    const struct rest_request request = { .method = "GET", .target = "/v1/status" };
    const struct json *answer = NULL;

    TRY(cli_open_service(cli));
    TRY(rest_call(&cli->rest, &request, &answer));
    if (!cli->out.is_json) {
        show_status(&cli->out, answer);
        return OK;
    }
    for (const struct json *member = answer->child; member; member = member->next) {
        char key[64];

        if (bytes_to_str(member->key, key, sizeof(key)))
            out_value(&cli->out, key, member);
    }
    return OK;
}

struct err service_version(struct cli *cli)
{
    out_str(&cli->out, "program", "cloister");
    out_str(&cli->out, "version", CLOISTER_VERSION);
    out_str(&cli->out, "anchors", anchors_this.name);
    return OK;
}
