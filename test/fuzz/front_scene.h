// SPDX-License-Identifier: Apache-2.0
// A front on a loop, with a vault behind it that answers junk, for targets that play its peers.
// Each input is one run of the loop, which ends when nothing happens any more. Who may include it:
// test/fuzz.
#pragma once

#include "fuzz.h"

#include "front/control.h"
#include "front/data.h"
#include "front/front.h"
#include "front/kms.h"
#include "front/link.h"
#include "front/permits.h"
#include "front/tlscert.h"
#include "front/tlssign.h"
#include "proto/frame.h"
#include "proto/receipt.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HOST       "kms.eu-west-1.amazonaws.com"
#define ARN        "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012"
#define QUIET      3U // turns in which nothing happened
#define TURNS_MAX  200U
#define STREAM_MAX (64U << 10)

enum junk { JUNK_RESULT, JUNK_ERROR, JUNK_BODY, JUNK_KINDS };

static struct core core;
static struct front_env env;
static int vault = -1, client = -1;
static struct rd junk;
static unsigned turns, quiet;
static bool broken;
static uint8_t in[(1U << 20) + MSG_BODY_MAX]; // what the vault was sent
static size_t in_len;

// The target's: reads what the front has answered; true when there was something.
static bool client_turn(void);
// The target's: looks at what the front sends to its vault.
static void vault_saw(const struct msg *msg);

static FALLIBLE nobody(int dial_fd, uint32_t port, int *fd, struct deadline until)
{
    (void)dial_fd;
    (void)port;
    (void)fd;
    (void)until;
    return FAIL(ERR_UNREACHABLE, "test: nobody there");
}

static void on_broken(void *context, struct err err)
{
    (void)context;
    (void)err;
    broken = true;
}

static void vault_say(const struct msg *msg)
{
    static uint8_t space[MSG_HEAD_BYTES + MSG_BODY_MAX];
    struct wr wr = WR_OF(space);
    struct msg_verdict verdict = { .audited = true };
    size_t at = msg_begin(&wr, (uint16_t)(msg->type | MSG_ANSWER), msg->id);
    enum junk kind = (enum junk)(rd_u8(&junk) % JUNK_KINDS);
    struct bytes said = rd_var16(&junk, junk.left.n);

    if (kind == JUNK_ERROR)
        verdict.code = (uint16_t)(said.n ? 1 + said.p[0] % (ERR_CODES - 1) : ERR_INTERNAL);
    if (kind != JUNK_BODY)
        msg_write_verdict(&wr, &verdict);
    if (kind == JUNK_ERROR)
        wr_var8(&wr, bytes_take(said, 255));
    else
        wr_bytes(&wr, said);
    msg_end(&wr, at);
    must(!wr.bad);
    (void)send(vault, wr.p, wr.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool vault_turn(void)
{
    ssize_t got = recv(vault, in + in_len, sizeof(in) - in_len, MSG_DONTWAIT);
    size_t whole;
    struct msg msg;

    if (got <= 0)
        return false;
    in_len += (size_t)got;
    for (;;) {
        fuzz_ok(msg_next(bytes_of(in, in_len), &whole, &msg)); // the front sends nothing malformed
        if (whole == 0)
            return true;
        vault_saw(&msg);
        vault_say(&msg);
        in_len -= whole;
        memmove(in, in + whole, in_len);
    }
}

// The front's own turn, and those of its peers.
static void turn(void *context)
{
    bool busy;

    (void)context;
    control_turn(core.control);
    link_flush(core.link);
    busy = vault_turn();
    busy = client_turn() || busy;
    quiet = busy ? 0 : quiet + 1;
    if (quiet > QUIET || turns++ > TURNS_MAX || broken)
        loop_stop(core.loop);
    else
        loop_wake(core.loop);
}

static void wake(void *context)
{
    (void)context;
    kms_collect(core.kms);
}

static void configure(void)
{
    static uint8_t space[CONFIG_BYTES_MAX];
    struct wr wr = WR_OF(space);
    struct config config = { .mode = CONFIG_PARENT_TRUSTED, .slashing = CONFIG_PARENT_TRUSTED };

    config.deployment.b[0] = 0xd1;
    config.keysets = config.networks = config.hosts = 1;
    config.keyset[0] = (struct config_keyset) { .name = BYTES_LIT("main"), .k = 1, .n = 1 };
    config.keyset[0].purpose = CONFIG_ACCOUNTS;
    config.keyset[0].cmk[0] = BYTES_LIT(ARN);
    config.network[0] = (struct config_network) { BYTES_LIT("mainnet"), 1 };
    config.host[0] = BYTES_LIT(HOST);
    config_write(&wr, &config);
    fuzz_ok(core_set_config(&core, wr_done(&wr)));
}

static void make_link(void)
{
    int pair[2];

    link_free(&core.link);
    if (vault >= 0) {
        (void)close(vault);
        (void)close(env.vault_fd);
    }
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    vault = pair[0];
    env.vault_fd = pair[1];
    fuzz_ok(link_new(&core.link, core.loop, env.vault_fd, on_broken, NULL));
    in_len = 0;
    broken = false;
}

// An abstract name of the kernel's choice.
static int listen_somewhere(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at.sun_family)) == 0);
    must(listen(fd, 8) == 0);
    return fd;
}

static void start(void)
{
    env.listen_fd = listen_somewhere();
    env.data_fd = listen_somewhere();
    env.dial_fd = -1;
    env.dial = nobody;
    core.anchors = env.anchors = &anchors_this;
    fuzz_ok(loop_new(&core.loop));
    loop_set_turn(core.loop, turn, NULL);
    loop_set_wake(core.loop, wake, NULL);
    make_link();
    configure();
    core.clock = (struct core_clock) { 1800000000000, deadline_now_ms() };
    fuzz_ok(credentials_new(&core.credentials));
    fuzz_ok(permits_new(&core.permits));
    fuzz_ok(tlssign_new(&core.tlssign, &core));
    fuzz_ok(tlscert_new(&core.tlscert, &core));
    fuzz_ok(data_new(&core.data, &core, env.data_fd));
    fuzz_ok(kms_new(&core.kms, &core, &env));
    fuzz_ok(control_new(&core.control, &core, env.listen_fd));
}

static void dial(int listener)
{
    struct sockaddr_un at;
    socklen_t len = sizeof(at);

    must(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
    client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(client >= 0 && connect(client, (struct sockaddr *)&at, len) == 0);
}

// One run: the client sends the stream, the vault answers with what `junk` has.
static void run(int listener, struct bytes stream)
{
    if (broken)
        make_link();
    dial(listener);
    must(stream.n == 0 || send(client, stream.p, stream.n, MSG_DONTWAIT) == (ssize_t)stream.n);
    turns = quiet = 0;
    loop_run(core.loop);
    (void)close(client);
}
