// SPDX-License-Identifier: Apache-2.0
// Takes accounts out of use and back. The service keeps to it, and the words say that it is only
// the service that does. No receipt is verified: an account must be stoppable whatever its receipt
// says.
#include "cli/custody.h"

#include "cli/account.h"

#include <stdio.h>

static FALLIBLE account_id(struct cli *cli, char out[static ID_TEXT])
{
    const struct json *account = NULL;
    struct verify verify;
    struct id id;

    if (cli->args.word) {
        if (id_parse(&id, bytes_str(cli->args.word)).code)
            return CLI_USAGE_ERROR(cli, "ID: expected 32 lower-case hex digits");
        id_text(out, &id);
        return cli_open_service(cli);
    }
    TRY(account_find(cli, "name", &verify, &account));
    ENSURE(!id_parse(&id, json_string(json_get(account, "account"))).code, ERR_MALFORMED,
           "the service answered an account without an ID");
    id_text(out, &id);
    return OK;
}

static FALLIBLE change(struct cli *cli, const char *action, struct bytes body)
{
    struct rest_request request = { .method = "POST", .body = body };
    const struct json *answer = NULL;
    char id[ID_TEXT], target[96];

    TRY(account_id(cli, id));
    (void)snprintf(target, sizeof(target), "/v1/accounts/%s/%s", id, action);
    request.target = target;
    TRY(rest_call(&cli->rest, &request, &answer));
    out_str(&cli->out, "account", id);
    out_value(&cli->out, "user", json_get(answer, "user"));
    out_value(&cli->out, "name", json_get(answer, "name"));
    out_value(&cli->out, "state", json_get(answer, "state"));
    out_value(&cli->out, "delete_at", json_get(answer, "delete_at"));
    out_value(&cli->out, "enforcement", json_get(answer, "enforcement"));
    return OK;
}

static void say_who_enforces(void)
{
    out_say("cloister: ",
            BYTES_LIT("best effort: the service keeps to this, and whoever controls it need not. "
                      "What the enclave enforces, administrators sign: manifest create --disable"));
}

struct err custody_disable(struct cli *cli)
{
    TRY(change(cli, "disable", BYTES_NONE));
    say_who_enforces();
    return OK;
}

struct err custody_enable(struct cli *cli)
{
    return change(cli, "enable", BYTES_NONE);
}

struct err custody_delete(struct cli *cli)
{
    uint8_t body[64];
    struct wr wr = WR_OF(body);
    struct u256 days;
    const char *text;

    TRY(cli_need(cli, "after-days", &text));
    if (u256_parse_decimal(&days, bytes_str(text)).code || u256_compare(days, u256_of(7)) < 0 ||
        u256_compare(days, u256_of(30)) > 0)
        return CLI_USAGE_ERROR(cli, "--after-days: expected 7 to 30");
    wr_str(&wr, "{\"after_days\":");
    u256_write_decimal(&wr, days);
    wr_str(&wr, "}");
    TRY(change(cli, "delete", wr_done(&wr)));
    out_say("cloister: ",
            BYTES_LIT("it signs nothing from now on. At that time its sealed record is erased from "
                      "the service's store, and with it the key, for good; until then "
                      "`account undelete` takes it back. Copies of the store are not reached."));
    say_who_enforces();
    return OK;
}

struct err custody_undelete(struct cli *cli)
{
    return change(cli, "undelete", BYTES_NONE);
}
