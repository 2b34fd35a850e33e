// SPDX-License-Identifier: Apache-2.0
// net/client.h: what a server may answer, through a real (Unix) socket: head, interim answers,
// chunked, counted and endless bodies, and a second call on the connection that is left.
// Input: a byte (how much of the rest the server says before the second call), and its bytes.
#include "fuzz.h"

#include "net/client.h"

#include <sys/socket.h>
#include <unistd.h>

#define SAID_MAX   (32U << 10)
#define ANSWER_MAX 8192
#define WAIT_MS    1000

static int said_fd; // the client's end

static FALLIBLE dial(void *context, int *fd, struct deadline until)
{
    (void)context;
    (void)until;
    ENSURE(said_fd >= 0, ERR_UNREACHABLE, "test: one connection only");
    *fd = said_fd;
    said_fd = -1;
    return OK;
}

static void call(struct client *client)
{
    static uint8_t buf[ANSWER_MAX];
    static struct client_response response;
    struct client_request request = { .method = "POST", .target = "/", .body = BYTES_LIT("{}") };

    if (client_call(client, &request, buf, sizeof(buf), &response, deadline_in(WAIT_MS)).code)
        return;
    must(response.head.status >= 200 && response.head.status <= 999);
    must(response.body.n <= sizeof(buf));
    must(response.body.n == 0 ||
         (response.body.p >= buf && response.body.p + response.body.n <= buf + sizeof(buf)));
    must(client->wire != NULL || !response.head.keep_alive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct rd rd = rd_of(bytes_of(data, n));
    size_t first = (size_t)rd_u8(&rd) * 16;
    struct bytes before = bytes_take(rd.left, first), after = bytes_skip(rd.left, first);
    struct client client;
    int pair[2];

    if (n == 0 || n > SAID_MAX)
        return 0;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    said_fd = pair[0];
    client_init(&client, NULL, "kms.example", NULL);
    client.dial = dial;
    must(send(pair[1], before.p, before.n, 0) == (ssize_t)before.n);
    if (after.n == 0)
        must(shutdown(pair[1], SHUT_WR) == 0);
    else // the rest is there when the client asks for more
        must(send(pair[1], after.p, after.n, 0) == (ssize_t)after.n && !shutdown(pair[1], SHUT_WR));
    call(&client);
    if (client.wire)
        call(&client);
    client_done(&client);
    (void)close(pair[1]);
    return 0;
}
