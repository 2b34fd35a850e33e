// SPDX-License-Identifier: Apache-2.0
// The REST interface over HTTP for tests: a store, a supervised fake enclave and a fake node behind
// it, and requests whose answers are parsed. Include it after cmocka.h, in one file of a program.
#pragma once

#include "parent/rest.h"

#include "base/must.h"
#include "net/client.h"
#include "net/json.h"
#include "parent/broadcast.h"
#include "parent/tls_keys.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "expect.h"
#include "fake_parent.h"

#define TOKEN "0123456789abcdef0123456789abcdef"
#define ALICE "{\"user\":\"alice\",\"name\":\"main\",\"unrestricted\":true}"
#define TX    "\"tx\":{\"to\":\"0x000000000000000000000000000000000000dEaD\",\"value\":1}"

static char dir[64];
static struct fake_enclave enclave;
static struct fake_http imds;
static struct fake_node node;
static struct store *store;
static struct enclave_link *connection;
static struct supervise *supervise;
static struct broadcast *broadcast;
static struct tls_keys *tls;
static struct rest rest;
static struct server *server;
static struct addr address;
static uint8_t configuration[CONFIG_BYTES_MAX];
static struct config config;

struct answer {
    unsigned status;
    const struct json *root;
    bool retry_after;
    uint8_t buf[1 << 16];
    struct json nodes[1024];
};

static void start_parts(void)
{
    const struct bytes canonical = fake_configuration(configuration, &config);
    const struct supervise_options look = {
        connection, store, canonical, &config, imds.url, "", tls
    };
    const struct broadcast_options send = { store, connection, &config, node.http.url };

    must(!supervise_start(&supervise, &look).code);
    must(!broadcast_new(&broadcast, &send).code);
    rest = (struct rest) { .store = store,
                           .link = connection,
                           .supervise = supervise,
                           .broadcast = broadcast,
                           .tls = tls,
                           .config = &config,
                           .version = "test",
                           .token = BYTES_LIT(TOKEN) };
}

static int set_up(void **state)
{
    const struct server_options options = { .workers = 8,
                                            .connections_max = 32,
                                            .queue_max = 32,
                                            .request_max = REST_REQUEST_MAX,
                                            .response_max = REST_RESPONSE_MAX,
                                            .handle = rest_handle,
                                            .context = &rest };
    struct addr unix_addr = { .kind = ADDR_UNIX };
    const struct addr any = { .kind = ADDR_TCP, .host = "127.0.0.1" };
    struct supervise_view view = { .ready = false };
    char path[128];
    int fd = -1;

    (void)state;
    fake_dir(dir);
    fake_enclave_start(&enclave, dir);
    fake_imds_start(&imds);
    fake_node_start(&node);
    fake_path(path, sizeof(path), dir, "store.db");
    must(!store_open(&store, path).code);
    (void)snprintf(unix_addr.host, sizeof(unix_addr.host), "%s", enclave.path);
    must(!enclave_link_new(&connection, &unix_addr).code);
    must(!tls_keys_new(&tls, store, connection, &config).code);
    start_parts();
    must(!addr_listen(&fd, &any, &address).code);
    must(!server_start(&server, fd, &options).code);
    for (int i = 0; i < 3000 && !view.ready; i++) {
        supervise_look(supervise, &view);
        (void)poll(NULL, 0, 10);
    }
    return view.ready ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    server_stop(&server);
    broadcast_free(&broadcast);
    supervise_stop(&supervise);
    tls_keys_free(&tls);
    enclave_link_free(&connection);
    store_close(&store);
    fake_http_stop(&node.http);
    fake_http_stop(&imds);
    fake_enclave_stop(&enclave);
    fake_dir_remove(dir);
    return 0;
}

struct ask {
    const char *method, *target, *body, *authorization, *key;
};

static struct answer *ask_all(const struct ask *ask)
{
    struct answer *out = calloc(1, sizeof(*out));
    struct http_field field[2] = { { BYTES_LIT("Authorization"), bytes_str(ask->authorization) },
                                   { BYTES_LIT("Idempotency-Key"), bytes_str(ask->key) } };
    const struct client_request request = { .method = ask->method,
                                            .target = ask->target,
                                            .field = ask->authorization ? field : field + 1,
                                            .fields = (ask->authorization != NULL) +
                                                      (ask->key != NULL ? 1U : 0U),
                                            .body = bytes_str(ask->body) };
    struct client_response response;
    struct client client;

    must(out);
    client_init(&client, &address, "127.0.0.1", NULL);
    expect_ok(ask->target, client_call(&client, &request, out->buf, sizeof(out->buf), &response,
                                       deadline_in(60000)));
    out->status = response.head.status;
    out->retry_after = http_field_get(&response.head, "Retry-After").p != NULL;
    expect_ok(ask->target, json_parse(&out->root, out->nodes, 1024,
                                      out->buf + (response.body.p - out->buf), response.body.n));
    client_done(&client);
    return out;
}

static struct answer *get(const char *target)
{
    return ask_all(&(struct ask) { "GET", target, "", "Bearer " TOKEN, NULL });
}

static struct answer *post(const char *target, const char *body, const char *key)
{
    return ask_all(&(struct ask) { "POST", target, body, "Bearer " TOKEN, key });
}

static const char *text_of(struct answer *answer, const char *key)
{
    static char texts[8][1024];
    static unsigned next;
    char *text = texts[next++ % 8];

    (void)bytes_to_str(json_string(json_get(answer->root, key)), text, 1024);
    return text;
}

static void expect_refusal(const char *name, struct answer *answer, unsigned status,
                           const char *code, const char *words)
{
    const struct json *error = json_get(answer->root, "error");
    char message[300];

    (void)bytes_to_str(json_string(json_get(error, "message")), message, sizeof(message));
    if (answer->status != status)
        fail_msg("%s: %u (%s), expected %u", name, answer->status, message, status);
    if (!bytes_equal_str(json_string(json_get(error, "code")), code))
        fail_msg("%s: expected code %s (%s)", name, code, message);
    if (!strstr(message, words))
        fail_msg("%s: said \"%s\", expected \"%s\"", name, message, words);
    assert_int_equal(answer->retry_after, status == 503);
    free(answer);
}
