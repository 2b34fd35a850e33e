// SPDX-License-Identifier: Apache-2.0
// The anchor's client. Duty: one HTTP exchange, exactly the one that the vault asked for; a write
// is conditional on the version before it. What is read goes to the vault as it is, which alone can
// check it.
#include "front/anchor.h"

#include "proto/anchor.h"

#include <stdio.h>
#include <string.h>

#define TARGET_BYTES (sizeof("/items//") + 2 * ID_TEXT)

// A strong entity tag of a number: "17" with its quotes (RFC 9110 8.8.3).
static struct err anchor_version(uint64_t *out, struct bytes tag)
{
    struct u256 number;

    ENSURE(tag.n > 2 && tag.p[0] == '"' && tag.p[tag.n - 1] == '"' &&
               !u256_parse_decimal(&number, bytes_of(tag.p + 1, tag.n - 2)).code,
           ERR_MALFORMED, "anchor: ETag: expected a number in quotes");
    return u256_to_u64(out, number);
}

static struct err anchor_take(struct kms_job *job, const struct client_response *response)
{
    bool writes = job->request.kind == MSG_STEP_ANCHOR_WRITE;
    unsigned status = response->head.status;
    struct msg_anchor_answer *out = &job->anchored;

    if (writes && status == 204)
        out->outcome = MSG_ANCHOR_WRITTEN;
    else if (writes && status == 412)
        out->outcome = MSG_ANCHOR_CONFLICT;
    else if (!writes && status == 404)
        out->outcome = MSG_ANCHOR_ABSENT;
    ENSURE(out->outcome || (!writes && status == 200), ERR_UNREACHABLE, "anchor: it refused");
    if (out->outcome)
        return OK;
    ENSURE(response->body.n <= ANCHOR_ITEM_BYTES, ERR_TOO_LARGE, "anchor: not an item");
    TRY(anchor_version(&out->version, http_field_get(&response->head, "ETag")));
    memcpy(job->space, response->body.p, response->body.n);
    out->item = bytes_of(job->space, response->body.n);
    out->outcome = MSG_ANCHOR_FOUND;
    return OK;
}

struct err anchor_exchange(struct client *client, struct kms_job *job, uint8_t *buf, size_t cap,
                           struct deadline until)
{
    bool writes = job->request.kind == MSG_STEP_ANCHOR_WRITE;
    char deployment[ID_TEXT], keyset[ID_TEXT], target[TARGET_BYTES], version[24] = "*";
    struct http_field match = { BYTES_LIT("If-None-Match"), BYTES_NONE };
    struct client_request request = { .method = writes ? "PUT" : "GET", .target = target };
    struct client_response response;
    struct anchor_item item = { .counter = 1 };
    struct err err;

    if (writes)
        TRY(anchor_read(&item, job->request.blob));
    id_text(deployment, &job->request.deployment);
    id_text(keyset, &job->keyset);
    (void)snprintf(target, sizeof(target), "/items/%s/%s", deployment, keyset);
    if (item.counter > 1) {
        match.name = BYTES_LIT("If-Match");
        (void)snprintf(version, sizeof(version), "\"%llu\"", (unsigned long long)item.counter - 1);
    }
    match.value = bytes_str(version);
    request.field = &match;
    request.fields = writes;
    request.body = job->request.blob;
    client->now_s = core_now_s(&job->clock);
    err = client_call(client, &request, buf, cap, &response, until);
    client_done(client); // on a kept connection the client could send a write twice
    TRY(err);
    return anchor_take(job, &response);
}
