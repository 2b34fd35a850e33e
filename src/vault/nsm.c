// SPDX-License-Identifier: Apache-2.0
#include "vault/nsm.h"

#include "base/cbor.h"
#include "base/ct.h"
#include "base/must.h"
#include "vault/nsm_worker.h"

#include <string.h>

// An answer and the reader over it. Wiped by its owner when it may hold random bytes.
struct answer {
    uint8_t bytes[NSM_ANSWER_BYTES];
    struct rd rd;
};

static void answer_wipe(struct answer *answer)
{
    ct_wipe(answer->bytes, sizeof(answer->bytes));
}

static struct err nsm_call(const struct nsm *nsm, struct bytes request, uint8_t *answer, size_t cap,
                           size_t *n)
{
    if (nsm->worker)
        return nsm_worker_call(nsm->worker, request, answer, cap, n);
    return nsm->call(nsm->fd, request, answer, cap, n);
}

// Carries out the request and opens the map that every answer with fields is: {name: {...}}.
// Leaves the reader in front of the inner map.
static struct err nsm_exchange(const struct nsm *nsm, struct bytes request, const char *name,
                               struct answer *answer)
{
    size_t n = 0;

    TRY(nsm_call(nsm, request, answer->bytes, sizeof(answer->bytes), &n));
    answer->rd = rd_of(bytes_of(answer->bytes, n));
    ENSURE(cbor_map(&answer->rd) == 1, ERR_DEVICE, "NSM: answer is not a map of one");
    ENSURE(bytes_equal_str(cbor_text(&answer->rd), name), ERR_DEVICE, "NSM: request was refused");
    return OK;
}

// Lock requests answer with their bare name.
static struct err nsm_exchange_bare(const struct nsm *nsm, struct bytes request, const char *name)
{
    uint8_t bytes[64];
    size_t n = 0;
    struct rd rd;

    TRY(nsm_call(nsm, request, bytes, sizeof(bytes), &n));
    rd = rd_of(bytes_of(bytes, n));
    ENSURE(bytes_equal_str(cbor_text(&rd), name) && !cbor_end(&rd).code, ERR_DEVICE,
           "NSM: request was refused");
    return OK;
}

struct err nsm_random(const struct nsm *nsm, uint8_t *out, size_t n)
{
    AUTO(answer_wipe) struct answer answer;
    uint8_t request[16];
    struct wr wr = WR_OF(request);
    struct bytes random = BYTES_NONE;

    cbor_put_text(&wr, "GetRandom");
    TRY(nsm_exchange(nsm, wr_done(&wr), "GetRandom", &answer));
    for (uint64_t left = cbor_map(&answer.rd); cbor_map_next(&answer.rd, &left);) {
        if (bytes_equal_str(cbor_text(&answer.rd), "random"))
            random = cbor_bytes(&answer.rd);
        else
            cbor_skip(&answer.rd);
    }
    ENSURE(!cbor_end(&answer.rd).code && random.p && random.n >= n, ERR_DEVICE,
           "NSM: too few random bytes");
    memcpy(out, random.p, n);
    return OK;
}

// The inner map of DescribePCR and ExtendPCR: "data" and, where `locked` is asked for, "lock".
static struct err nsm_read_pcr(struct answer *answer, uint8_t value[static ATTEST_PCR_BYTES],
                               bool *locked)
{
    struct bytes data = BYTES_NONE;
    bool complete = !locked;

    for (uint64_t left = cbor_map(&answer->rd); cbor_map_next(&answer->rd, &left);) {
        struct bytes key = cbor_text(&answer->rd);

        if (bytes_equal_str(key, "data")) {
            data = cbor_bytes(&answer->rd);
        } else if (locked && bytes_equal_str(key, "lock")) {
            *locked = cbor_bool(&answer->rd);
            complete = true;
        } else {
            cbor_skip(&answer->rd);
        }
    }
    ENSURE(!cbor_end(&answer->rd).code && data.n == ATTEST_PCR_BYTES, ERR_DEVICE,
           "NSM: PCR is not 48 bytes");
    ENSURE(complete, ERR_DEVICE, "NSM: PCR without its lock");
    memcpy(value, data.p, ATTEST_PCR_BYTES);
    return OK;
}

struct err nsm_describe_pcr(const struct nsm *nsm, unsigned index,
                            uint8_t value[static ATTEST_PCR_BYTES], bool *locked)
{
    struct answer answer;
    uint8_t request[64];
    struct wr wr = WR_OF(request);

    *locked = false;
    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, "DescribePCR");
    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, "index");
    cbor_put_uint(&wr, index);
    TRY(nsm_exchange(nsm, wr_done(&wr), "DescribePCR", &answer));
    return nsm_read_pcr(&answer, value, locked);
}

struct err nsm_extend_pcr(const struct nsm *nsm, unsigned index, struct bytes data,
                          uint8_t value[static ATTEST_PCR_BYTES])
{
    struct answer answer;
    uint8_t request[256];
    struct wr wr = WR_OF(request);

    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, "ExtendPCR");
    cbor_put_map(&wr, 2);
    cbor_put_text(&wr, "index");
    cbor_put_uint(&wr, index);
    cbor_put_text(&wr, "data");
    cbor_put_bytes(&wr, data);
    TRY(wr_end(&wr));
    TRY(nsm_exchange(nsm, wr_done(&wr), "ExtendPCR", &answer));
    return nsm_read_pcr(&answer, value, NULL);
}

static struct err nsm_lock(const struct nsm *nsm, const char *name, const char *field,
                           unsigned value)
{
    uint8_t request[64];
    struct wr wr = WR_OF(request);

    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, name);
    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, field);
    cbor_put_uint(&wr, value);
    return nsm_exchange_bare(nsm, wr_done(&wr), name);
}

struct err nsm_lock_pcr(const struct nsm *nsm, unsigned index)
{
    return nsm_lock(nsm, "LockPCR", "index", index);
}

struct err nsm_lock_pcrs(const struct nsm *nsm, unsigned range)
{
    return nsm_lock(nsm, "LockPCRs", "range", range);
}

struct err nsm_attest(const struct nsm *nsm, const struct nsm_request *request, struct wr *out,
                      uint64_t *timestamp_ms)
{
    struct answer answer;
    uint8_t message[NSM_REQUEST_BYTES];
    struct wr wr = WR_OF(message);
    struct bytes document = BYTES_NONE;
    struct attest parsed;

    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, "Attestation");
    cbor_put_map(&wr, 3);
    cbor_put_text(&wr, "user_data");
    cbor_put_bytes_or_null(&wr, request->user_data);
    cbor_put_text(&wr, "nonce");
    cbor_put_bytes_or_null(&wr, request->nonce);
    cbor_put_text(&wr, "public_key");
    cbor_put_bytes_or_null(&wr, request->public_key);
    TRY(wr_end(&wr));
    TRY(nsm_exchange(nsm, wr_done(&wr), "Attestation", &answer));
    for (uint64_t left = cbor_map(&answer.rd); cbor_map_next(&answer.rd, &left);) {
        if (bytes_equal_str(cbor_text(&answer.rd), "document"))
            document = cbor_bytes(&answer.rd);
        else
            cbor_skip(&answer.rd);
    }
    ENSURE(!cbor_end(&answer.rd).code && document.n > 0, ERR_DEVICE,
           "NSM: no document in the answer");
    ENSURE(attest_parse(&parsed, document).code == ERR_NONE, ERR_DEVICE,
           "NSM: the document cannot be read");
    *timestamp_ms = parsed.timestamp_ms;
    wr_bytes(out, document);
    return wr_end(out);
}
