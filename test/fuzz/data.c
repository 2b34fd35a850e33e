// SPDX-License-Identifier: Apache-2.0
// The data plane as a client sees it once TLS is off: HTTP requests, with a vault behind the front
// that answers junk. Each answer is one HTTP message with a status of PROTOCOL.md and, where it
// says so, JSON in it; and nothing of an operation reaches the vault without the token that may.
//
// Input: a byte (bits 0 and 1: the phase; bit 2: the manifest names nobody), what the vault answers
// (16 bits of length), and the stream.
#include "front_scene.h"

#include "crypto/openssl/sha2.h"
#include "front/routes.h"

#define NOBODY 4U
#define TOKEN  "opensesame"
#define NODES  4096

static struct server_port *port;
static int port_fd;
static uint8_t answers[1 << 20];
static size_t answers_len;
static struct bytes sent; // by the client, all of it
static bool is_nobody;

static void vault_saw(const struct msg *msg)
{
    bool shows_token = sent.n && memmem(sent.p, sent.n, TOKEN, sizeof(TOKEN) - 1);

    must(msg->type == MSG_SIGN_TX || msg->type == MSG_ATTESTATION || msg->type == MSG_DENIAL);
    must(msg->type != MSG_SIGN_TX || (shows_token && !is_nobody && core.phase == PHASE_READY));
}

static bool status_is_known(unsigned status)
{
    static const unsigned known[] = { 100, 200, 204, 400, 401, 403, 404, 405, 408, 409,
                                      413, 414, 417, 431, 500, 501, 502, 503, 504, 505 };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (known[i] == status)
            return true;
    return false;
}

static void check_answer(const struct http_head *head, struct bytes body)
{
    static struct json nodes[NODES];
    struct bytes type = http_field_get(head, "Content-Type");
    const struct json *root;

    must(status_is_known(head->status));
    must((head->status == 405) <= (http_field_get(head, "Allow").p != NULL));
    must((head->status == 401) <= (http_field_get(head, "WWW-Authenticate").p != NULL));
    must((head->status == 503) <= (http_field_get(head, "Retry-After").p != NULL));
    if (body.n == 0 || !bytes_equal_str(type, "application/json"))
        return;
    fuzz_ok(json_parse(&root, nodes, NODES, (uint8_t *)body.p, body.n));
    must(head->status < 400 || json_get(root, "error") || json_get(root, "outcome"));
}

// HEAD is answered without the body that its length promises: what follows it is not looked at.
static bool answers_take(void)
{
    static struct http_head head;
    size_t head_len = 0, whole;

    fuzz_ok(http_parse_response(&head, &head_len, bytes_of(answers, answers_len)));
    if (head_len == 0)
        return false;
    whole = head_len + (head.has_length ? (size_t)head.content_length : 0);
    if (answers_len < whole)
        return false;
    check_answer(&head, bytes_of(answers + head_len, whole - head_len));
    answers_len -= whole;
    memmove(answers, answers + whole, answers_len);
    return true;
}

static bool client_turn(void)
{
    ssize_t got = recv(client, answers + answers_len, sizeof(answers) - answers_len, MSG_DONTWAIT);
    bool has_head = sent.n && memmem(sent.p, sent.n, "HEAD", 4);

    if (got <= 0)
        return false;
    answers_len += (size_t)got;
    while (!has_head && answers_take())
        ;
    answers_len = has_head ? 0 : answers_len;
    return true;
}

// As front/data.c does it, without TLS.
static void dispatch(void *context, struct server_conn *conn)
{
    struct call *call;

    (void)context;
    fuzz_ok(call_new_data(&call, &core, conn));
    server_conn_set_context(conn, call);
    routes_run(call);
}

static void gone(void *context, struct server_conn *conn)
{
    struct call *call = server_conn_context(conn);

    (void)context;
    if (call)
        call->data = NULL;
}

static void start_port(void)
{
    struct server_port_options options = { .loop = core.loop,
                                           .connections_max = 8,
                                           .request_max = DATA_BODY_MAX,
                                           .dispatch = dispatch,
                                           .gone = gone };

    port_fd = listen_somewhere();
    fuzz_ok(server_port_new(&port, port_fd, &options));
}

// The token may do everything, from every host, on keys that begin with 0.
static void permit(void)
{
    static uint8_t clients[256], web[64];
    struct wr clients_wr = WR_OF(clients), web_wr = WR_OF(web);
    struct clients_entry entry = { .kind = CLIENTS_TOKEN, .label = BYTES_LIT("fuzz") };
    struct msg_clients told = { .serial = 1, .mode = CONFIG_PARENT_TRUSTED };

    sha2_256(entry.identity, BYTES_LIT(TOKEN));
    entry.operations = CLIENTS_METRICS | CLIENTS_SIGN_TX;
    entry.patterns = 1;
    entry.pattern_list = BYTES_LIT("\x02"
                                   "0*");
    clients_write(&clients_wr, &entry);
    clients_write_web(&web_wr, &(struct clients_web) { CLIENTS_HOST, BYTES_LIT("h") });
    clients_write_web(&web_wr, &(struct clients_web) { CLIENTS_ORIGIN, BYTES_LIT("https://o") });
    told.clients = is_nobody ? BYTES_NONE : wr_done(&clients_wr);
    told.web = wr_done(&web_wr);
    fuzz_ok(clients_check(told.clients));
    fuzz_ok(clients_check_web(told.web));
    permits_load(core.permits, &told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint8_t phases[] = { PHASE_UNCONFIGURED, PHASE_CONFIGURED, PHASE_READY,
                                      PHASE_SEALED };
    struct rd rd = rd_of(bytes_of(data, n));
    uint8_t head = rd_u8(&rd);

    if (n == 0 || n > STREAM_MAX)
        return 0;
    if (!core.loop) {
        start();
        start_port();
    }
    junk = rd_of(rd_var16(&rd, rd.left.n));
    core.phase = phases[head & 3U];
    is_nobody = head & NOBODY;
    permit();
    sent = rd.left;
    answers_len = 0;
    run(port_fd, sent);
    return 0;
}
