// SPDX-License-Identifier: Apache-2.0
// The CLI's side of REST. The token is the only secret here: it is read from its file, sent over a
// Unix socket or loopback only, and wiped.
#include "cli/rest.h"

#include "base/ct.h"
#include "base/fd.h"
#include "base/must.h"
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS      30000U
#define TOKEN_BYTES_MAX 256U
#define BEARER          "Bearer "

static FALLIBLE read_token(struct rest *rest, const char *path);
static FALLIBLE read_answer(struct rest *rest, struct bytes body, const struct json **answer);

struct err rest_open(struct rest *rest, const struct trust *trust)
{
    struct addr addr;
    bool https = false;
    char host[256] = "localhost";
    char path[256] = "";

    ENSURE(trust->url[0], ERR_MALFORMED,
           "no service is named: give --trust FILE with a line `url = ...`");
    if (strncmp(trust->url, "unix://", 7) == 0)
        TRY(addr_parse(&addr, trust->url));
    else
        TRY(client_parse_url(trust->url, &addr, &https, host, path));
    ENSURE(!https && addr_is_local(&addr), ERR_DENIED,
           "url: expected a Unix socket or a loopback address: the token must not cross a network");
    ENSURE(path[0] == 0 || strcmp(path, "/") == 0, ERR_MALFORMED, "url: expected no path");
    client_init(&rest->client, &addr, host, NULL);
    return trust->token_file[0] ? read_token(rest, trust->token_file) : OK;
}

static FALLIBLE read_token(struct rest *rest, const char *path)
{
    char *token = rest->authorization + strlen(BEARER);
    size_t n;

    (void)bytes_to_str(bytes_str(BEARER), rest->authorization, sizeof(rest->authorization));
    TRY(fd_read_file(path, (uint8_t *)token, TOKEN_BYTES_MAX, &n));
    while (n > 0 && (token[n - 1] == '\n' || token[n - 1] == '\r'))
        n--;
    token[n] = 0;
    ENSURE(n > 0, ERR_MALFORMED, "token_file: expected a token");
    for (size_t i = 0; i < n; i++)
        ENSURE(token[i] > ' ' && token[i] < 0x7f, ERR_MALFORMED,
               "token_file: expected printable characters on one line");
    return OK;
}

void rest_done(struct rest *rest)
{
    client_done(&rest->client);
    ct_wipe(rest->authorization, sizeof(rest->authorization));
}

struct err rest_call(struct rest *rest, const struct rest_request *request,
                     const struct json **answer)
{
    struct http_field field[3];
    struct client_response response;
    struct client_request call = { request->method, request->target, field, 0, request->body };
    unsigned timeout_ms = request->timeout_ms ? request->timeout_ms : TIMEOUT_MS;
    AUTO(progress_end) struct progress progress = { 0 };
    struct err err;

    rest->message[0] = 0;
    rest->status = 0;
    if (rest->authorization[0])
        field[call.fields++] =
            (struct http_field) { BYTES_LIT("Authorization"), bytes_str(rest->authorization) };
    if (request->body.n)
        field[call.fields++] =
            (struct http_field) { BYTES_LIT("Content-Type"), BYTES_LIT("application/json") };
    if (request->idempotency_key)
        field[call.fields++] = (struct http_field) { BYTES_LIT("Idempotency-Key"),
                                                     bytes_str(request->idempotency_key) };
    must(call.fields <= ARRAY_LEN(field));
    progress_begin(&progress, "waiting for the service");
    err = client_call(&rest->client, &call, rest->answer, sizeof(rest->answer), &response,
                      deadline_in(timeout_ms));
    if (err.code == ERR_IO || err.code == ERR_NOT_FOUND || err.code == ERR_UNREACHABLE)
        return FAIL(ERR_UNREACHABLE, "the service is not there: is cloisterd running at this url?");
    TRY(err);
    rest->status = response.head.status;
    return read_answer(rest, response.body, answer);
}

static FALLIBLE read_error(struct rest *rest, const struct json *root)
{
    const struct json *error = json_get(root, "error");
    struct bytes message = json_string(json_get(error, "message"));
    char name[32];
    enum err_code code = ERR_INTERNAL;

    if (bytes_to_str(json_string(json_get(error, "code")), name, sizeof(name)))
        code = err_code_of(name);
    if (code == ERR_NONE)
        code = ERR_INTERNAL;
    (void)bytes_to_str(bytes_take(message, sizeof(rest->message) - 1), rest->message,
                       sizeof(rest->message));
    return (struct err) { .code = code, .line = __LINE__, .file = __FILE__ };
}

static FALLIBLE read_answer(struct rest *rest, struct bytes body, const struct json **answer)
{
    size_t offset = (size_t)(body.p - rest->answer);
    const struct json *root = NULL;

    ENSURE(body.n > 0 && offset <= sizeof(rest->answer), ERR_MALFORMED,
           "the service answered nothing");
    TRY(json_parse(&root, rest->nodes, REST_NODES_MAX, rest->answer + offset, body.n));
    ENSURE(root->type == JSON_OBJECT, ERR_MALFORMED, "the service answered no JSON object");
    if (rest->status >= 400)
        return read_error(rest, root);
    *answer = root;
    return OK;
}

void rest_write_escaped(struct wr *wr, struct bytes text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';

        if (is_plain) {
            wr_u8(wr, c);
            continue;
        }
        wr_u8(wr, '%');
        wr_u8(wr, (uint8_t)digits[c >> 4]);
        wr_u8(wr, (uint8_t)digits[c & 15]);
    }
}
