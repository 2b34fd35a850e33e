// SPDX-License-Identifier: Apache-2.0
// The head of an answer and the bodies of errors. Duty: every answer is one HTTP message with one
// length; what handlers put into fields cannot add lines (net/http.h refuses it).
#include "httpd/server_answer.h"

#include "net/accept.h"
#include "net/json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEAD_BYTES 512 // room for the status line and our own fields

static size_t server_answer_size(const struct server_response *response,
                                 const struct server_answer *answer)
{
    size_t size = HEAD_BYTES + response->body.len + answer->id.n + strlen(response->content_type);

    for (size_t i = 0; i < response->fields; i++)
        size += response->field[i].name.n + response->field[i].value.n + 4;
    return size;
}

static void server_answer_head(struct wr *wr, const struct server_response *response,
                               const struct server_answer *answer)
{
    http_write_response(wr, response->status);
    if (response->status != 204)
        http_write_field(wr, "Content-Type", bytes_str(response->content_type));
    http_write_fields(wr, response->field, response->fields);
    http_write_field(wr, "Date", bytes_str(answer->date)); // RFC 9110 6.6.1
    if (answer->id.n > 0)
        http_write_field(wr, "X-Request-Id", answer->id);
    if (answer->closes)
        wr_str(wr, "Connection: close\r\n");
    else
        wr_str(wr, "Keep-Alive: timeout=75\r\n");
    if (response->status == 204) // RFC 9110 8.6: no Content-Length with it
        wr_str(wr, "\r\n");
    else
        http_write_length(wr, response->body.len);
}

void server_answer_write(struct wr *out, struct server_response *response,
                         const struct server_answer *answer)
{
    size_t size;

    if (!response->content_type)
        response->content_type = "application/json";
    if (response->body.bad || response->status == 0) {
        response->status = response->body.bad ? 500 : 204;
        response->body.len = 0;
    }
    size = server_answer_size(response, answer);
    *out = wr_of(malloc(size), size);
    if (!out->p)
        return;
    server_answer_head(out, response, answer);
    if (response->status != 204 && !answer->has_no_content)
        wr_bytes(out, bytes_of(response->body.p, response->body.len));
}

static void server_answer_error_json(struct wr *body, struct err err)
{
    struct jw jw = jw_of(body);

    jw_object(&jw);
    jw_object(jw_key(&jw, "error"));
    jw_cstring(jw_key(&jw, "code"), err_name(err.code));
    jw_cstring(jw_key(&jw, "message"), err_text(err));
    jw_object_end(&jw);
    jw_object_end(&jw);
}

void server_answer_error(struct server_response *response, const struct http_head *head,
                         unsigned status, struct err err)
{
    response->status = status;
    if (!head || accept_json(http_field_get(head, "Accept"))) {
        server_answer_error_json(&response->body, err);
    } else {
        response->content_type = "text/plain; charset=utf-8";
        wr_str(&response->body, err_text(err));
        wr_str(&response->body, "\n");
    }
    if (status == 503)
        response->field[response->fields++] =
            (struct http_field) { BYTES_LIT("Retry-After"), BYTES_LIT("1") };
}

const char *server_answer_date(struct server_answer_clock *clock)
{
    time_t now = time(NULL);
    struct tm tm;

    if (now != (time_t)clock->now_s || clock->text[0] == 0)
        (void)strftime(clock->text, sizeof(clock->text), "%a, %d %b %Y %H:%M:%S GMT",
                       gmtime_r(&now, &tm));
    clock->now_s = (int64_t)now;
    return clock->text;
}
