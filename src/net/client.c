// SPDX-License-Identifier: Apache-2.0
// The HTTP client. The server is not trusted: its answer is bounded by the caller's buffer, its
// silence by the deadline, and whatever it sends beyond one answer costs it the connection.
// Redirects are not followed and no cookies, proxies or environment variables are known.
#include "net/client.h"

#include "base/fd.h"

#include <string.h>

#define INTERIM_MAX 8   // answers before the final one; without a limit they may never end
#define URL_MAX     600 // bytes; host and path have at most 255 each

// One exchange in the caller's buffer.
struct client_io {
    uint8_t *buf;
    size_t cap, len;
    bool is_answered; // some byte came
    struct deadline until;
};

static FALLIBLE client_try(struct client *client, const struct client_request *request,
                           struct client_io *io, struct client_response *out);

void client_init(struct client *client, const struct addr *addr, const char *host,
                 struct tls_context *tls)
{
    *client = (struct client) { .tls = tls };
    if (addr)
        client->addr = *addr;
    (void)bytes_to_str(bytes_str(host), client->host, sizeof(client->host));
}

void client_done(struct client *client)
{
    wire_free(&client->wire);
}

struct err client_call(struct client *client, const struct client_request *request, uint8_t *buf,
                       size_t cap, struct client_response *out, struct deadline until)
{
    struct client_io io = { .buf = buf, .cap = cap, .until = until };
    struct err err;
    bool is_kept;

    if (client->wire && wire_is_stale(client->wire))
        wire_free(&client->wire);
    is_kept = client->wire != NULL;
    err = client_try(client, request, &io, out);
    if (err.code == ERR_CLOSED && is_kept && !io.is_answered) {
        wire_free(&client->wire);
        err = client_try(client, request, &io, out);
    }
    if (err.code || !out->head.keep_alive)
        wire_free(&client->wire);
    return err;
}

static struct err client_connect(struct client *client, struct deadline until)
{
    struct wire_peer peer = { client->tls, client->host, client->now_s };
    int fd = -1;

    if (client->wire)
        return OK;
    if (client->dial)
        TRY(client->dial(client->dial_context, &fd, until));
    else
        TRY(addr_dial(&fd, &client->addr, until));
    if (!client->tls)
        return wire_new(&client->wire, fd, NULL);
    return stream_connect(&client->wire, fd, &peer, until);
}

static struct err client_send(struct client *client, const struct client_request *request,
                              struct deadline until)
{
    uint8_t head[HTTP_HEAD_MAX];
    struct wr wr = WR_OF(head);

    http_write_request(&wr, request->method, request->target, client->host);
    http_write_fields(&wr, request->field, request->fields);
    http_write_length(&wr, request->body.n);
    ENSURE(!wr.bad, ERR_MALFORMED, "HTTP: request holds a forbidden character or is too long");
    TRY(stream_write(client->wire, wr_done(&wr), until));
    return stream_write(client->wire, request->body, until);
}

// More bytes of the answer; *n is 0 at the end of the stream.
static struct err client_fill(struct client *client, struct client_io *io, size_t *n)
{
    *n = 0;
    ENSURE(io->len < io->cap, ERR_TOO_LARGE, "HTTP: answer is larger than expected");
    TRY(stream_read(client->wire, io->buf + io->len, io->cap - io->len, n, io->until));
    io->len += *n;
    io->is_answered = io->is_answered || *n > 0;
    return OK;
}

static struct err client_more(struct client *client, struct client_io *io)
{
    size_t n;

    TRY(client_fill(client, io, &n));
    ENSURE(n > 0, ERR_CLOSED, "HTTP: connection was closed before the end of the answer");
    return OK;
}

// The head of the final answer; interim ones (RFC 9110 15.2) are dropped.
static struct err client_read_head(struct client *client, struct client_io *io,
                                   struct http_head *head, size_t *head_len)
{
    for (unsigned interim = 0; interim <= INTERIM_MAX;) {
        TRY(http_parse_response(head, head_len, bytes_of(io->buf, io->len)));
        if (*head_len == 0) {
            TRY(client_more(client, io));
            continue;
        }
        ENSURE(head->status != 101, ERR_UNSUPPORTED, "HTTP: server switches protocols unasked");
        if (head->status >= 200)
            return OK;
        io->len -= *head_len;
        memmove(io->buf, io->buf + *head_len, io->len);
        interim++;
    }
    return FAIL(ERR_TOO_LARGE, "HTTP: more than 8 interim answers");
}

static struct err client_read_chunked(struct client *client, struct client_io *io, size_t from,
                                      struct client_response *out)
{
    size_t used;

    for (;;) {
        TRY(http_dechunk(io->buf + from, io->len - from, io->cap, &out->body.n, &used));
        if (used > 0)
            break;
        TRY(client_more(client, io));
    }
    if (from + used != io->len)
        out->head.keep_alive = false;
    return OK;
}

static struct err client_read_length(struct client *client, struct client_io *io, size_t from,
                                     struct client_response *out)
{
    ENSURE(out->head.content_length <= io->cap - from, ERR_TOO_LARGE,
           "HTTP: answer is larger than expected");
    out->body.n = (size_t)out->head.content_length;
    while (io->len - from < out->body.n)
        TRY(client_more(client, io));
    if (io->len - from != out->body.n)
        out->head.keep_alive = false;
    return OK;
}

// RFC 9112 6.3: a body without a length lasts until the server closes.
static struct err client_read_rest(struct client *client, struct client_io *io, size_t from,
                                   struct client_response *out)
{
    size_t n;

    do {
        TRY(client_fill(client, io, &n));
    } while (n > 0);
    out->body.n = io->len - from;
    out->head.keep_alive = false;
    return OK;
}

static bool client_has_no_body(const struct client_request *request, unsigned status)
{
    return strcmp(request->method, "HEAD") == 0 || status == 204 || status == 304;
}

static struct err client_try(struct client *client, const struct client_request *request,
                             struct client_io *io, struct client_response *out)
{
    size_t from;

    TRY(client_connect(client, io->until));
    TRY(client_send(client, request, io->until));
    TRY(client_read_head(client, io, &out->head, &from));
    out->body = bytes_of(io->buf + from, 0);
    if (client_has_no_body(request, out->head.status)) {
        out->head.keep_alive = out->head.keep_alive && io->len == from;
        return OK;
    }
    if (out->head.chunked)
        return client_read_chunked(client, io, from, out);
    if (out->head.has_length)
        return client_read_length(client, io, from, out);
    return client_read_rest(client, io, from, out);
}

// host, host:port or [IPv6]:port; only a colon after the brackets starts a port.
static struct err client_parse_authority(struct addr *addr, char host[static 256],
                                         struct bytes text, const char *default_port)
{
    char tcp[URL_MAX];
    struct wr wr = wr_of(tcp, sizeof(tcp));
    const uint8_t *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
    bool has_port = colon && !memchr(colon, ']', text.n - (size_t)(colon - text.p));
    struct bytes name = has_port ? bytes_take(text, (size_t)(colon - text.p)) : text;

    wr_str(&wr, "tcp://");
    wr_bytes(&wr, text);
    if (!has_port) {
        wr_u8(&wr, ':');
        wr_str(&wr, default_port);
    }
    wr_u8(&wr, 0);
    TRY(wr_end(&wr));
    TRY(addr_parse(addr, tcp));
    ENSURE(addr->port != 0, ERR_MALFORMED, "URL: port must not be 0");
    ENSURE(bytes_to_str(name, host, 256), ERR_MALFORMED, "URL: host exceeds 255 bytes");
    return OK;
}

struct err client_parse_url(const char *url, struct addr *addr, bool *https, char host[static 256],
                            char path[static 256])
{
    struct bytes rest, authority;
    const uint8_t *slash;

    *https = addr_scheme(&rest, url, "https://");
    ENSURE(*https || addr_scheme(&rest, url, "http://"), ERR_MALFORMED,
           "URL: expected http:// or https://");
    ENSURE(http_is_visible(rest, "#"), ERR_MALFORMED, "URL: forbidden character");
    slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
    authority = slash ? bytes_take(rest, (size_t)(slash - rest.p)) : rest;
    rest = slash ? bytes_skip(rest, authority.n) : BYTES_LIT("/");
    TRY(client_parse_authority(addr, host, authority, *https ? "443" : "80"));
    ENSURE(bytes_to_str(rest, path, 256), ERR_TOO_LARGE, "URL: path exceeds 255 bytes");
    return OK;
}
