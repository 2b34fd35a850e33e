// SPDX-License-Identifier: Apache-2.0
// Accounts of users. Creation carries a fresh nonce, which must come back inside the receipt: so
// the parent cannot answer with an older account of somebody else. What a receipt cannot prove is
// whose account it is when it is only looked up: user and name are the parent's book-keeping.
#include "cli/account.h"

#include "base/hex.h"

#include <stdio.h>

#define TARGET_MAX 900U   // below the service's own limit of 1024
#define PAGE       "50"   // accounts for one call
#define PAGES_MAX  20000U // a million accounts: an endless list ends the command, too

static void say_unverified(const struct verify *verify)
{
    out_say("cloister: UNVERIFIED: ", bytes_str(err_text(verify->reason)));
}

void account_print(struct cli *cli, const struct json *account, const struct verify *verify)
{
    struct out *out = &cli->out;
    char text[ID_TEXT];

    out_text(out, "account", json_string(json_get(account, "account")));
    out_str(out, "address", verify->address);
    out_bool(out, "verified", verify->is_verified);
    out_text(out, "user", json_string(json_get(account, "user")));
    out_text(out, "name", json_string(json_get(account, "name")));
    out_str(out, "policy", verify->policy);
    if (!bytes_equal_str(json_string(json_get(account, "state")), "active")) {
        out_value(out, "state", json_get(account, "state"));
        out_value(out, "delete_at", json_get(account, "delete_at"));
    }
    if (verify->is_verified) {
        id_text(text, &verify->keyset);
        out_str(out, "keyset", text);
        out_time(out, "created", verify->created_ms);
        return;
    }
    cli->exit = CLI_UNVERIFIED;
    say_unverified(verify);
}

struct err account_check_wish(struct cli *cli)
{
    const char *text;

    TRY(cli_need(cli, "user", &text));
    TRY(cli_need(cli, "name", &text));
    if (!args_has(&cli->args, "unrestricted"))
        return CLI_USAGE_ERROR(cli, "an account without a policy signs nothing: say --unrestricted "
                                    "for one that signs any transaction");
    return OK;
}

struct err account_write_wish(struct cli *cli, struct bytes nonce, struct bytes *body)
{
    struct wr wr = WR_OF(cli->rest.body);
    struct jw jw = jw_of(&wr);
    const char *keyset = args_get(&cli->args, "keyset");

    TRY(account_check_wish(cli));
    jw_object(&jw);
    jw_key(&jw, "user");
    jw_cstring(&jw, args_get(&cli->args, "user"));
    jw_key(&jw, "name");
    jw_cstring(&jw, args_get(&cli->args, "name"));
    jw_key(&jw, "unrestricted");
    jw_bool(&jw, true);
    if (keyset) {
        jw_key(&jw, "keyset");
        jw_cstring(&jw, keyset);
    }
    jw_key(&jw, "nonce");
    jw_hex(&jw, nonce);
    jw_object_end(&jw);
    *body = wr_done(&wr);
    return wr_end(&wr);
}

// The nonce of --nonce, to repeat a creation whose answer was lost, or a random one.
static FALLIBLE creation_nonce(struct cli *cli, uint8_t *out, struct bytes *nonce)
{
    const char *given = args_get(&cli->args, "nonce");
    size_t n = CLI_NONCE_BYTES;

    if (!given)
        cli_nonce(out);
    else if (cli_hex(out, CLI_NONCE_BYTES, &n, given).code || n != CLI_NONCE_BYTES)
        return CLI_USAGE_ERROR(cli, "--nonce: expected 32 hex digits");
    *nonce = bytes_of(out, n);
    return OK;
}

struct err account_create(struct cli *cli)
{
    struct rest_request request = { .method = "POST", .target = "/v1/accounts" };
    uint8_t nonce_bytes[CLI_NONCE_BYTES];
    const struct json *account = NULL;
    struct bytes nonce = BYTES_NONE;
    struct verify verify;
    struct err err;

    TRY(creation_nonce(cli, nonce_bytes, &nonce));
    TRY(account_write_wish(cli, nonce, &request.body));
    TRY(cli_open_service(cli));
    err = rest_call(&cli->rest, &request, &account);
    if (err.code && cli->rest.status == 0) {
        char digits[2 * CLI_NONCE_BYTES + 1];

        hex_encode(digits, nonce);
        out_say("cloister: to try again safely, add --nonce ", bytes_str(digits));
    }
    TRY(err);
    verify_account(&verify, &cli->trust, account, NULL, nonce);
    account_print(cli, account, &verify);
    return OK;
}

// One page of accounts: `after` is the service's own mark, empty at first.
static FALLIBLE fetch_page(struct cli *cli, const char *user, struct bytes after,
                           const struct json **page)
{
    char target[TARGET_MAX];
    struct wr wr = wr_of(target, sizeof(target) - 1);
    struct rest_request request = { .method = "GET", .target = target };

    wr_str(&wr, "/v1/accounts?limit=" PAGE);
    if (user) {
        wr_str(&wr, "&user=");
        rest_write_escaped(&wr, bytes_str(user));
    }
    if (after.n > 0) {
        wr_str(&wr, "&after=");
        rest_write_escaped(&wr, after);
    }
    ENSURE(!wr.bad, ERR_TOO_LARGE, "--user: too long");
    target[wr.len] = 0;
    TRY(rest_call(&cli->rest, &request, page));
    ENSURE(json_get(*page, "accounts") && json_get(*page, "accounts")->type == JSON_ARRAY,
           ERR_MALFORMED, "the service answered no list of accounts");
    return OK;
}

// The mark of the next page, copied out of the answer; empty at the end.
static FALLIBLE next_mark(const struct json *page, unsigned *pages, char *mark, size_t cap)
{
    struct bytes next = json_string(json_get(page, "next"));

    ENSURE(++*pages < PAGES_MAX, ERR_TOO_LARGE, "the service's list does not end");
    ENSURE(bytes_to_str(next, mark, cap), ERR_MALFORMED, "next: expected a short string");
    return OK;
}

static void list_row(struct cli *cli, const struct json *account)
{
    struct verify verify;
    struct bytes cells[5];

    verify_account(&verify, &cli->trust, account, NULL, BYTES_NONE);
    if (!verify.is_verified) {
        cli->exit = CLI_UNVERIFIED;
        say_unverified(&verify);
    }
    cells[0] = json_string(json_get(account, "account"));
    cells[1] = bytes_str(verify.address);
    cells[2] = bytes_str(verify.policy);
    cells[3] = json_string(json_get(account, "user"));
    cells[4] = json_string(json_get(account, "name"));
    out_row(&cli->out, cells);
}

struct err account_list(struct cli *cli)
{
    static const struct out_column columns[] = {
        { "account", 34 }, { "address", 44 }, { "policy", 14 }, { "user", 20 }, { "name", 20 },
    };
    const char *user = args_get(&cli->args, "user");
    const struct json *page = NULL;
    char mark[256] = "";
    unsigned pages = 0;

    TRY(cli_open_service(cli));
    out_table(&cli->out, "accounts", columns, 5);
    do {
        TRY(fetch_page(cli, user, bytes_str(mark), &page));
        for (const struct json *a = json_get(page, "accounts")->child; a; a = a->next)
            list_row(cli, a);
        TRY(next_mark(page, &pages, mark, sizeof(mark)));
    } while (mark[0]);
    out_table_end(&cli->out);
    return OK;
}

static FALLIBLE find_by_name(struct cli *cli, const char *by_name, const struct json **out)
{
    const struct json *page = NULL;
    char mark[256] = "";
    unsigned pages = 0;
    const char *user;
    const char *name;

    TRY(cli_need(cli, "user", &user));
    TRY(cli_need(cli, by_name, &name));
    TRY(cli_open_service(cli));
    do {
        TRY(fetch_page(cli, user, bytes_str(mark), &page));
        for (*out = json_get(page, "accounts")->child; *out; *out = (*out)->next)
            if (bytes_equal_str(json_string(json_get(*out, "name")), name) &&
                bytes_equal_str(json_string(json_get(*out, "user")), user))
                return OK;
        TRY(next_mark(page, &pages, mark, sizeof(mark)));
    } while (mark[0]);
    return FAIL(ERR_NOT_FOUND, "this user has no account of this name");
}

static FALLIBLE find_by_id(struct cli *cli, const char *text, struct id *id,
                           const struct json **out)
{
    char target[64];
    struct rest_request request = { .method = "GET", .target = target };

    if (id_parse(id, bytes_str(text)).code)
        return CLI_USAGE_ERROR(cli, "ID: expected 32 lower-case hex digits");
    (void)snprintf(target, sizeof(target), "/v1/accounts/%s", text);
    TRY(cli_open_service(cli));
    return rest_call(&cli->rest, &request, out);
}

struct err account_find(struct cli *cli, const char *by_name, struct verify *out,
                        const struct json **json)
{
    const char *word = cli->args.word;
    struct id id = { { 0 } };

    if (!word && !args_has(&cli->args, "user"))
        return CLI_USAGE_ERROR(cli, "say which account: its ID, or --user and its name");
    if (word)
        TRY(find_by_id(cli, word, &id, json));
    else
        TRY(find_by_name(cli, by_name, json));
    verify_account(out, &cli->trust, *json, word ? &id : NULL, BYTES_NONE);
    return OK;
}

struct err account_show(struct cli *cli)
{
    const struct json *account = NULL;
    struct verify verify;

    TRY(account_find(cli, "name", &verify, &account));
    account_print(cli, account, &verify);
    if (cli->out.is_json) {
        out_text(&cli->out, "record_b64", json_string(json_get(account, "record_b64")));
        out_text(&cli->out, "receipt_b64", json_string(json_get(account, "receipt_b64")));
    }
    return OK;
}
