// SPDX-License-Identifier: Apache-2.0
// What the service says about itself. Its status is the parent's claim; `attest verify` is how to
// check the part that matters.
#include "cli/service.h"

#include "crypto/anchors.h"

struct err service_status(struct cli *cli)
{
    const struct rest_request request = { .method = "GET", .target = "/v1/status" };
    const struct json *answer = NULL;

    TRY(cli_open_service(cli));
    TRY(rest_call(&cli->rest, &request, &answer));
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
