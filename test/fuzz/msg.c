// SPDX-License-Identifier: Apache-2.0
// proto/msg.h and frame.h: a stream of messages, each body read by the reader that the first byte
// names. What is read is written as the very same bytes again.
#include "proto/msg.h"

#include "base/must.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define FUZZ_BODY(name)                                       \
    static bool fuzz_##name(struct bytes body, struct wr *wr) \
    {                                                         \
        struct rd rd = rd_of(body);                           \
        struct msg_##name m;                                  \
                                                              \
        if (msg_read_##name(&m, &rd).code)                    \
            return false;                                     \
        msg_write_##name(wr, &m);                             \
        return true;                                          \
    }

FUZZ_BODY(status)
FUZZ_BODY(keyset_create)
FUZZ_BODY(step)
FUZZ_BODY(kms_answer)
FUZZ_BODY(account_create)
FUZZ_BODY(import_ready)
FUZZ_BODY(import_finish)
FUZZ_BODY(created)
FUZZ_BODY(account)
FUZZ_BODY(sign_tx)
FUZZ_BODY(signed)
FUZZ_BODY(attestation)
FUZZ_BODY(tls_key)
FUZZ_BODY(tls_sign)
FUZZ_BODY(tls_certify)
FUZZ_BODY(clients)
FUZZ_BODY(denial)

static bool (*const readers[])(struct bytes body, struct wr *wr) = {
    fuzz_status,       fuzz_keyset_create, fuzz_step,    fuzz_kms_answer, fuzz_account_create,
    fuzz_import_ready, fuzz_import_finish, fuzz_created, fuzz_account,    fuzz_sign_tx,
    fuzz_signed,       fuzz_attestation,   fuzz_tls_key, fuzz_tls_sign,   fuzz_tls_certify,
    fuzz_clients,      fuzz_denial,
};

static void fuzz_body(struct bytes body)
{
    static uint8_t out[MSG_BODY_MAX];

    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        struct wr wr = WR_OF(out);

        if (readers[i](body, &wr))
            must(bytes_equal(wr_done(&wr), body));
    }
}

static void fuzz_frame(struct bytes stream)
{
    struct bytes body;
    size_t whole;

    while (frame_next(stream, &whole, &body).code == 0 && whole) {
        must(whole <= stream.n && body.n + FRAME_HEAD_BYTES == whole);
        stream = bytes_skip(stream, whole);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes stream = bytes_of(data, n);
    struct rd rd = rd_of(stream);
    struct msg msg;
    size_t whole;

    (void)msg_read_verdict(&rd);
    fuzz_frame(stream);
    fuzz_body(stream);
    while (msg_next(stream, &whole, &msg).code == 0 && whole) {
        must(whole <= stream.n && msg.body.n + MSG_HEAD_BYTES == whole);
        fuzz_body(msg.body);
        stream = bytes_skip(stream, whole);
    }
    return 0;
}
