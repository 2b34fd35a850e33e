// SPDX-License-Identifier: Apache-2.0
// A file is the version (u64) and the item's bytes. It is replaced whole and flushed before the
// answer; a lock keeps the compare and the swap together.
#include "emu/anchor.h"

#include "base/fd.h"
#include "base/must.h"
#include "base/rd.h"
#include "base/u256.h"
#include "emu/disk.h"
#include "emu/fault.h"
#include "emu/journal.h"
#include "proto/anchor.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define PREFIX   "/items/"
#define FILE_MAX (8 + ANCHOR_ITEM_BYTES)

// An item on disk; version 0: there is none.
struct stored {
    char path[DISK_PATH_MAX];
    uint64_t version;
    uint8_t file[FILE_MAX];
    struct bytes item;
};

bool anchor_is_host(const struct http_head *head)
{
    struct bytes host = http_field_get(head, "Host");
    struct bytes name = bytes_take(host, sizeof(ANCHOR_HOST) - 1);

    return bytes_equal_str(name, ANCHOR_HOST) &&
           (host.n == name.n || bytes_skip(host, name.n).p[0] == ':');
}

// /items/DEPLOYMENT/KEYSET, both ids; the file has the same name.
static FALLIBLE read_target(struct stored *out, const char *dir, struct bytes target)
{
    struct bytes rest = bytes_skip(target, sizeof(PREFIX) - 1);
    char name[8 + 2 * ID_TEXT];
    struct id id;

    ENSURE(bytes_equal_str(bytes_take(target, sizeof(PREFIX) - 1), PREFIX) && rest.n == 65 &&
               rest.p[32] == '/',
           ERR_NOT_FOUND, "expected /items/DEPLOYMENT/KEYSET");
    TRY(id_parse(&id, bytes_take(rest, 32)));
    TRY(id_parse(&id, bytes_skip(rest, 33)));
    (void)snprintf(name, sizeof(name), "anchor/%.32s-%.32s", (const char *)rest.p,
                   (const char *)rest.p + 33);
    return disk_path(out->path, sizeof(out->path), dir, name);
}

static FALLIBLE load(struct stored *stored)
{
    struct rd rd;
    size_t n = 0;

    if (!disk_exists(stored->path))
        return OK;
    TRY(fd_read_file(stored->path, stored->file, sizeof(stored->file), &n));
    rd = rd_of(bytes_of(stored->file, n));
    stored->version = rd_u64(&rd);
    stored->item = rd.left;
    ENSURE(!rd.bad && stored->version > 0, ERR_CORRUPT, "the item's file is damaged");
    return OK;
}

static void write_tag(struct server_response *response, uint64_t version)
{
    int n = snprintf((char *)response->scratch, sizeof(response->scratch), "\"%llu\"",
                     (unsigned long long)version);

    response->field[response->fields++] =
        (struct http_field) { BYTES_LIT("ETag"), bytes_of(response->scratch, (size_t)n) };
}

static unsigned answer_get(const struct stored *stored, struct server_response *response)
{
    if (stored->version == 0)
        return 404;
    write_tag(response, stored->version);
    wr_bytes(&response->body, stored->item);
    return 200;
}

// Exactly one condition: that there is none yet, or the version that there is.
static FALLIBLE read_condition(uint64_t *version, const struct http_head *head)
{
    struct bytes match = http_field_get(head, "If-Match");
    struct bytes none = http_field_get(head, "If-None-Match");
    struct u256 number;

    *version = 0;
    ENSURE(!match.p != !none.p, ERR_MALFORMED, "expected If-Match or If-None-Match");
    if (none.p) {
        ENSURE(bytes_equal_str(none, "*"), ERR_MALFORMED, "If-None-Match: expected *");
        return OK;
    }
    ENSURE(match.n > 2 && match.p[0] == '"' && match.p[match.n - 1] == '"' &&
               !u256_parse_decimal(&number, bytes_of(match.p + 1, match.n - 2)).code &&
               !u256_to_u64(version, number).code && *version > 0,
           ERR_MALFORMED, "If-Match: expected a number in quotes");
    return OK;
}

static unsigned answer_put(const struct stored *stored, const struct server_request *request,
                           struct server_response *response)
{
    uint8_t file[FILE_MAX];
    struct wr wr = WR_OF(file);
    uint64_t expected;

    if (read_condition(&expected, request->head).code || request->body.n == 0 ||
        request->body.n > ANCHOR_ITEM_BYTES)
        return 400;
    if (expected != stored->version)
        return 412;
    wr_u64(&wr, expected + 1);
    wr_bytes(&wr, request->body);
    if (wr_end(&wr).code || disk_write(stored->path, wr_done(&wr), 0600).code)
        return 500;
    write_tag(response, expected + 1);
    return 204;
}

static unsigned answer(const struct server_request *request, struct server_response *response,
                       const struct anchor *anchor)
{
    bool puts = bytes_equal_str(request->head->method, "PUT");
    struct stored stored = { .version = 0 };
    AUTO(fd_close) int lock = -1;
    struct fault fault;

    if (!puts && !bytes_equal_str(request->head->method, "GET"))
        return 405;
    if (fault_take(&fault, anchor->dir, puts ? "AnchorWrite" : "AnchorRead").code)
        return 500;
    if (fault.latency_ms)
        (void)poll(NULL, 0, (int)fault.latency_ms);
    if (fault.internal_status)
        return fault.internal_status;
    if (read_target(&stored, anchor->dir, request->head->target).code)
        return 404;
    if (disk_lock(&lock, anchor->dir, "anchor.lock").code || load(&stored).code)
        return 500;
    response->cut = fault.cut;
    return puts ? answer_put(&stored, request, response) : answer_get(&stored, response);
}

void anchor_handle(const struct server_request *request, struct server_response *response,
                   const struct anchor *anchor)
{
    response->content_type = "application/octet-stream";
    response->status = answer(request, response, anchor);
    journal("anchor %s: %u", bytes_equal_str(request->head->method, "PUT") ? "write" : "read",
            response->status);
}
