// SPDX-License-Identifier: Apache-2.0
#include "cli/dataplane.h"

#include "base/must.h"
#include "cli/clientsjson.h"
#include "cli/knownclients.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX  (1U << 19)
#define NODES_MAX 16384U

static struct roster clients_roster, web_roster;
static uint8_t clients_buf[CLIENTS_BYTES_MAX], web_buf[CLIENTS_BYTES_MAX];
static uint8_t text[TEXT_MAX];

static FALLIBLE read_clients(struct cli *cli, const char *path)
{
    static struct json nodes[NODES_MAX];
    const struct json *root = NULL;
    const char *slash = strrchr(path, '/');
    char folder[TRUST_PATH_MAX], where[CLIENTSJSON_WHERE];
    struct wr wr = WR_OF(text);
    struct err err;

    ENSURE(bytes_to_str(bytes_of(path, slash ? (size_t)(slash - path) + 1 : 0), folder,
                        sizeof(folder)),
           ERR_TOO_LARGE, "path is too long");
    TRY(cli_read(cli, path, &wr));
    (void)snprintf(cli->where, sizeof(cli->where), "--clients %.80s: ", path);
    TRY(json_parse(&root, nodes, NODES_MAX, text, wr.len));
    err = clientsjson_read(&clients_roster, where, root, folder);
    if (err.code && where[0])
        (void)snprintf(cli->where, sizeof(cli->where), "--clients %.80s: %s: ", path, where);
    TRY(err);
    cli->where[0] = 0;
    return OK;
}

// "sign_transaction,metrics"; signing alone where nothing is said.
static FALLIBLE read_operations(uint16_t *out, const char *list)
{
    struct bytes rest = bytes_str(list ? list : "sign_transaction");

    *out = 0;
    while (rest.n > 0) {
        const uint8_t *comma = memchr(rest.p, ',', rest.n);
        size_t n = comma ? (size_t)(comma - rest.p) : rest.n;
        uint16_t operation = 0;

        TRY(roster_operation(&operation, bytes_take(rest, n)));
        *out |= operation;
        rest = bytes_skip(rest, comma ? n + 1 : n);
    }
    ENSURE(*out, ERR_MALFORMED, "expected metrics or sign_transaction");
    return OK;
}

static FALLIBLE read_rights(struct cli *cli, struct knownclients_rights *out)
{
    const char *pattern;
    size_t at = 0;

    if (read_operations(&out->operations, args_get(&cli->args, "known-clients-operations")).code)
        return CLI_USAGE_ERROR(cli, "--known-clients-operations: expected sign_transaction, "
                                    "metrics, or both with a comma between them");
    roster_patterns_init(&out->patterns);
    while ((pattern = args_next(&cli->args, "known-clients-keys", &at)))
        if (roster_patterns_add(&out->patterns, bytes_str(pattern)).code)
            return CLI_USAGE_ERROR(cli, "--known-clients-keys: expected an id or address; * stands "
                                        "for any characters");
    if (!(out->operations & CLIENTS_SIGN_TX) && out->patterns.count > 0)
        return CLI_USAGE_ERROR(cli, "--known-clients-keys: goes with sign_transaction only");
    if (out->operations & CLIENTS_SIGN_TX && out->patterns.count == 0)
        return roster_patterns_add(&out->patterns, BYTES_LIT("*"));
    return OK;
}

static FALLIBLE read_known_clients(struct cli *cli, const char *path)
{
    static struct knownclients_rights rights;
    struct wr wr = WR_OF(text);
    unsigned line = 0;
    struct err err;

    TRY(read_rights(cli, &rights));
    TRY(cli_read(cli, path, &wr));
    err = knownclients_read(&clients_roster, &line, wr_done(&wr), &rights);
    if (err.code)
        (void)snprintf(cli->where, sizeof(cli->where), "--known-clients %.120s:%u: ", path, line);
    return err;
}

static FALLIBLE read_web(struct cli *cli, const char *option, uint8_t kind)
{
    const char *value;
    size_t at = 0;

    while ((value = args_next(&cli->args, option, &at))) {
        struct clients_web web = { kind, bytes_str(value) };
        struct err err = roster_add_web(&web_roster, &web);

        if (err.code) {
            (void)snprintf(cli->where, sizeof(cli->where), "--%s: ", option);
            cli->is_usage = true;
            return err;
        }
    }
    return OK;
}

struct err dataplane_of_options(struct cli *cli, struct bytes *clients, struct bytes *web)
{
    const char *path;

    roster_init(&clients_roster);
    roster_init(&web_roster);
    for (size_t at = 0; (path = args_next(&cli->args, "clients", &at));)
        TRY(read_clients(cli, path));
    for (size_t at = 0; (path = args_next(&cli->args, "known-clients", &at));)
        TRY(read_known_clients(cli, path));
    TRY(read_web(cli, "host", CLIENTS_HOST));
    TRY(read_web(cli, "origin", CLIENTS_ORIGIN));
    roster_section(clients, &clients_roster, clients_buf);
    roster_section(web, &web_roster, web_buf);
    TRY(clients_check(*clients));
    return clients_check_web(*web);
}
