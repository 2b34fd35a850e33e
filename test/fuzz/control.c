// SPDX-License-Identifier: Apache-2.0
// The front as the parent sees it: frames and JSON on a control connection, with a vault behind it
// that answers junk. Each answer is a frame with one JSON object, result or error; the front goes
// on until its vault is out of step, which ends it as PID 1 expects.
//
// Input: a byte (bits 0 and 1: the phase; bit 2: the stream is raw, else each line is one frame),
// what the vault answers (16 bits of length), and the stream.
#include "front_scene.h"

#define RAW   4U
#define NODES 4096

static uint8_t answers[1 << 20];
static size_t answers_len;

static void vault_saw(const struct msg *msg)
{
    (void)msg;
}

static bool answers_take(void)
{
    static struct json nodes[NODES];
    const struct json *root;
    struct bytes body;
    size_t whole;

    fuzz_ok(frame_next(bytes_of(answers, answers_len), &whole, &body));
    if (whole == 0)
        return false;
    fuzz_ok(json_parse(&root, nodes, NODES, (uint8_t *)body.p, body.n));
    must((json_get(root, "result") != NULL) != (json_get(root, "error") != NULL));
    answers_len -= whole;
    memmove(answers, answers + whole, answers_len);
    return true;
}

static bool client_turn(void)
{
    ssize_t got = recv(client, answers + answers_len, sizeof(answers) - answers_len, MSG_DONTWAIT);

    if (got <= 0)
        return false;
    answers_len += (size_t)got;
    while (answers_take())
        ;
    return true;
}

// Each line becomes a frame.
static struct bytes frames(uint8_t *out, size_t cap, struct bytes lines)
{
    struct wr wr = wr_of(out, cap);

    while (lines.n > 0) {
        const uint8_t *end = memchr(lines.p, '\n', lines.n);
        size_t n = end ? (size_t)(end - lines.p) : lines.n;

        wr_u32(&wr, (uint32_t)n);
        wr_bytes(&wr, bytes_take(lines, n));
        lines = bytes_skip(lines, n + 1);
    }
    must(!wr.bad);
    return wr_done(&wr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint8_t phases[] = { PHASE_UNCONFIGURED, PHASE_CONFIGURED, PHASE_READY,
                                      PHASE_SEALED };
    static uint8_t space[STREAM_MAX];
    struct rd rd = rd_of(bytes_of(data, n));
    uint8_t head = rd_u8(&rd);
    struct bytes stream;

    if (n == 0 || n > STREAM_MAX / 5)
        return 0;
    if (!core.loop)
        start();
    junk = rd_of(rd_var16(&rd, rd.left.n));
    stream = head & RAW ? rd.left : frames(space, sizeof(space), rd.left);
    core.phase = phases[head & 3U];
    answers_len = 0;
    run(env.listen_fd, stream);
    return 0;
}
