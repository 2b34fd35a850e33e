// SPDX-License-Identifier: Apache-2.0
// A server thread that plays a script over a Unix socket, plain or with TLS, and a client's call to
// it. Include it after cmocka.h; the test's set_up calls play_set_up.
#pragma once

#include "base/fd.h"
#include "base/must.h"
#include "net/client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "expect.h"

#define WAIT_MS 30000

// What the server does with its next request.
struct step {
    const char *answer; // NULL: none
    bool closes;        // after the answer
};

static char folder[] = "/tmp/cloister-play-XXXXXX";
static struct addr address;

static struct play {
    const struct step *steps;
    size_t count, next;
    struct tls_context *tls;
    int listen_fd;
    unsigned connections;
    uint8_t last[4096]; // the last request
    size_t last_len;
    pthread_t thread;
} play;

// One request into play.last; false at the end of the stream.
static inline bool read_request(struct wire *stream)
{
    static struct http_head head;
    size_t n, head_len = 0;

    play.last_len = 0;
    for (;;) {
        struct bytes got = bytes_of(play.last, play.last_len);

        must(!http_parse_request(&head, &head_len, got).code);
        if (head_len > 0 && got.n >= head_len + head.content_length)
            return true;
        if (stream_read(stream, play.last + got.n, sizeof(play.last) - got.n, &n,
                        deadline_in(WAIT_MS))
                .code ||
            n == 0)
            return false;
        play.last_len += n;
    }
}

static inline void serve_connection(int fd)
{
    AUTO(wire_free) struct wire *stream = NULL;

    if (wire_new(&stream, fd, play.tls).code)
        return;
    while (play.next < play.count && read_request(stream)) {
        const struct step *step = &play.steps[play.next++];

        if (stream_write(stream, bytes_str(step->answer), deadline_in(WAIT_MS)).code ||
            step->closes)
            return;
    }
    // The last answer was given: wait for the client to go.
    (void)read_request(stream);
}

static inline void *serve(void *context)
{
    (void)context;
    while (play.connections == 0 || play.next < play.count) {
        int fd;

        if (fd_wait(play.listen_fd, 1, deadline_in(WAIT_MS)).code)
            break;
        fd = accept(play.listen_fd, NULL, NULL);
        if (fd < 0)
            break;
        play.connections++;
        serve_connection(fd);
    }
    return NULL;
}

static inline void play_start(const struct step *steps, size_t count, struct tls_context *tls)
{
    struct addr bound;

    play = (struct play) { .steps = steps, .count = count, .tls = tls };
    expect_ok("listen", addr_listen(&play.listen_fd, &address, &bound));
    assert_int_equal(pthread_create(&play.thread, NULL, serve, NULL), 0);
}

static inline void play_stop(void)
{
    (void)shutdown(play.listen_fd, SHUT_RDWR);
    assert_int_equal(pthread_join(play.thread, NULL), 0);
    fd_close(&play.listen_fd);
}

static uint8_t buf[256];
static struct client_response response;

static inline struct err call(struct client *client, const char *method, const char *body)
{
    struct http_field field = { BYTES_LIT("X-Test"), BYTES_LIT("yes") };
    struct client_request request = { .method = method, .target = "/path?q", .field = &field };

    request.fields = 1;
    request.body = bytes_str(body);
    return client_call(client, &request, buf, sizeof(buf), &response, deadline_in(WAIT_MS));
}

static inline void expect_answer(const char *name, unsigned status, const char *body)
{
    assert_int_equal(response.head.status, status);
    if (!bytes_equal_str(response.body, body))
        fail_msg("%s: body %.*s", name, (int)response.body.n, (const char *)response.body.p);
}

static inline int play_set_up(void)
{
    char text[300];

    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(text, sizeof(text), "unix://%s/socket", folder);
    return addr_parse(&address, text).code ? -1 : 0;
}

static inline int play_tear_down(void)
{
    (void)unlink(address.host);
    return rmdir(folder);
}
