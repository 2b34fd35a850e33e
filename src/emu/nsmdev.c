// SPDX-License-Identifier: Apache-2.0
// Requests and answers of the emulated NSM. It trusts nothing in a request: the caller is whoever
// runs in the enclave. It keeps the rule that PCR policies rest on: a locked PCR never changes.
#include "emu/nsmdev.h"

#include "base/cbor.h"
#include "base/must.h"
#include "crypto/attest.h"
#include "crypto/cose.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/journal.h"
#include "emu/nsmchain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HYPERVISOR_PCRS  16 // 0 to 15 are set and locked by the hypervisor
#define RANDOM_BYTES     256
#define USER_DATA_MAX    512
#define NONCE_MAX        512
#define PUBLIC_KEY_MAX   1024
#define SIGNED_BYTES_MAX (ATTEST_BYTES_MAX + 64)

struct nsmdev {
    uint8_t pcr[NSMDEV_PCRS][NSMDEV_PCR_BYTES];
    uint32_t locked; // bit i: PCR i
    struct nsmchain chain;
    char pki[512], region[32], instance_id[32], module_id[64];
    int64_t clock_skew_s;
    unsigned documents;
};

// Error names of the NSM (enum ErrorCode of nsm-api); NULL: done.
static const char invalid_index[] = "InvalidIndex";
static const char invalid_argument[] = "InvalidArgument";
static const char invalid_operation[] = "InvalidOperation";
static const char read_only_index[] = "ReadOnlyIndex";
static const char input_too_large[] = "InputTooLarge";
static const char internal_error[] = "InternalError";

static const char *on_describe_nsm(struct nsmdev *dev, struct wr *answer, struct rd *fields);
static const char *on_describe_pcr(struct nsmdev *dev, struct wr *answer, struct rd *fields);
static const char *on_extend_pcr(struct nsmdev *dev, struct wr *answer, struct rd *fields);
static const char *on_lock_pcr(struct nsmdev *dev, struct wr *answer, struct rd *fields);
static const char *on_lock_pcrs(struct nsmdev *dev, struct wr *answer, struct rd *fields);
static const char *on_get_random(struct nsmdev *dev, struct wr *answer, struct rd *fields);
static const char *on_attestation(struct nsmdev *dev, struct wr *answer, struct rd *fields);

// Everything that an enclave can ask. A request without fields is the bare name.
static const struct operation {
    const char *name;
    bool has_fields;
    const char *(*answer)(struct nsmdev *dev, struct wr *answer, struct rd *fields);
} operations[] = {
    { "DescribeNSM", false, on_describe_nsm }, { "DescribePCR", true, on_describe_pcr },
    { "ExtendPCR", true, on_extend_pcr },      { "LockPCR", true, on_lock_pcr },
    { "LockPCRs", true, on_lock_pcrs },        { "GetRandom", false, on_get_random },
    { "Attestation", true, on_attestation },
};

static struct nsmchain_names dev_names(const struct nsmdev *dev)
{
    return (struct nsmchain_names) { dev->pki, dev->region, dev->instance_id, dev->module_id };
}

static int64_t dev_now_ms(const struct nsmdev *dev)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return ((int64_t)now.tv_sec + dev->clock_skew_s) * 1000 + now.tv_nsec / 1000000;
}

static FALLIBLE dev_fill(struct nsmdev *dev, const struct nsmdev_options *options)
{
    struct nsmchain_names names = dev_names(dev);
    bool fits =
        bytes_to_str(bytes_str(options->pki), dev->pki, sizeof(dev->pki)) &&
        bytes_to_str(bytes_str(options->region), dev->region, sizeof(dev->region)) &&
        bytes_to_str(bytes_str(options->instance_id), dev->instance_id, sizeof(dev->instance_id)) &&
        bytes_to_str(bytes_str(options->module_id), dev->module_id, sizeof(dev->module_id));

    ENSURE(fits, ERR_TOO_LARGE, "security module: a name is too long");
    memcpy(dev->pcr[0], options->pcrs.image, NSMDEV_PCR_BYTES);
    memcpy(dev->pcr[1], options->pcrs.boot, NSMDEV_PCR_BYTES);
    memcpy(dev->pcr[2], options->pcrs.application, NSMDEV_PCR_BYTES);
    memcpy(dev->pcr[3], options->pcrs.role, NSMDEV_PCR_BYTES);
    memcpy(dev->pcr[4], options->pcrs.instance, NSMDEV_PCR_BYTES);
    memcpy(dev->pcr[8], options->pcrs.signer, NSMDEV_PCR_BYTES);
    // Debug mode hides the image, but not the role and the instance.
    if (options->debug)
        memset(dev->pcr, 0, (size_t)3 * NSMDEV_PCR_BYTES);
    dev->locked = (1U << HYPERVISOR_PCRS) - 1;
    dev->clock_skew_s = options->clock_skew_s;
    return nsmchain_init(&dev->chain, &names, dev_now_ms(dev) / 1000);
}

struct err nsmdev_new(struct nsmdev **out, const struct nsmdev_options *options)
{
    struct err e;

    *out = calloc(1, sizeof(**out));
    ENSURE(*out, ERR_FULL, "no memory");
    e = dev_fill(*out, options);
    if (e.code)
        nsmdev_free(out);
    return e;
}

void nsmdev_free(struct nsmdev **dev)
{
    if (*dev)
        nsmchain_done(&(*dev)->chain);
    free(*dev);
    *dev = NULL;
}

// The operation of a request: its name alone, or a map of one pair, name and fields.
static const struct operation *find_operation(struct rd *rd)
{
    bool has_fields = cbor_peek(rd).type == CBOR_MAP;
    struct bytes name;

    if (has_fields && cbor_map(rd) != 1)
        return NULL;
    name = cbor_text(rd);
    for (size_t i = 0; !rd->bad && i < ARRAY_LEN(operations); i++) {
        if (bytes_equal_str(name, operations[i].name) && operations[i].has_fields == has_fields)
            return &operations[i];
    }
    return NULL;
}

static const char *dev_dispatch(struct nsmdev *dev, struct wr *answer, struct bytes request)
{
    struct rd rd = rd_of(request);
    const struct operation *operation;

    if (request.n > NSMDEV_REQUEST_MAX)
        return input_too_large;
    operation = find_operation(&rd);
    if (!operation || (!operation->has_fields && cbor_end(&rd).code))
        return invalid_operation;
    return operation->answer(dev, answer, &rd);
}

void nsmdev_answer(struct nsmdev *dev, struct wr *answer, struct bytes request)
{
    size_t start = answer->len;
    const char *error = dev_dispatch(dev, answer, request);

    if (!error && !answer->bad)
        return;
    answer->len = start;
    answer->bad = false;
    cbor_put_map(answer, 1);
    cbor_put_text(answer, "Error");
    cbor_put_text(answer, error ? error : internal_error);
    journal("nsm refused: %s", error ? error : internal_error);
}

// The field every PCR request has; others are refused.
static bool read_index(struct rd *fields, const char *name, uint64_t *index)
{
    if (cbor_map(fields) != 1 || !bytes_equal_str(cbor_text(fields), name))
        return false;
    *index = cbor_uint(fields);
    return !cbor_end(fields).code;
}

static const char *on_describe_nsm(struct nsmdev *dev, struct wr *answer, struct rd *fields)
{
    (void)fields;
    cbor_put_map(answer, 1);
    cbor_put_text(answer, "DescribeNSM");
    cbor_put_map(answer, 7);
    cbor_put_text(answer, "digest");
    cbor_put_text(answer, "SHA384");
    cbor_put_text(answer, "max_pcrs");
    cbor_put_uint(answer, NSMDEV_PCRS);
    cbor_put_text(answer, "module_id");
    cbor_put_text(answer, dev->module_id);
    cbor_put_text(answer, "locked_pcrs");
    cbor_put_array(answer, (uint64_t)__builtin_popcount(dev->locked));
    for (unsigned i = 0; i < NSMDEV_PCRS; i++) {
        if (dev->locked >> i & 1)
            cbor_put_uint(answer, i);
    }
    cbor_put_text(answer, "version_major");
    cbor_put_uint(answer, 1);
    cbor_put_text(answer, "version_minor");
    cbor_put_uint(answer, 0);
    cbor_put_text(answer, "version_patch");
    cbor_put_uint(answer, 0);
    return NULL;
}

static const char *on_describe_pcr(struct nsmdev *dev, struct wr *answer, struct rd *fields)
{
    uint64_t index;

    if (!read_index(fields, "index", &index))
        return invalid_operation;
    if (index >= NSMDEV_PCRS)
        return invalid_index;
    cbor_put_map(answer, 1);
    cbor_put_text(answer, "DescribePCR");
    cbor_put_map(answer, 2);
    cbor_put_text(answer, "data");
    cbor_put_bytes(answer, BYTES_OF(dev->pcr[index]));
    cbor_put_text(answer, "lock");
    cbor_put_bool(answer, dev->locked >> index & 1);
    return NULL;
}

static bool read_extend(struct rd *fields, uint64_t *index, struct bytes *data)
{
    bool has_index = false, has_data = false;

    for (uint64_t left = cbor_map(fields); cbor_map_next(fields, &left);) {
        struct bytes name = cbor_text(fields);

        if (bytes_equal_str(name, "index") && !has_index) {
            *index = cbor_uint(fields);
            has_index = true;
        } else if (bytes_equal_str(name, "data") && !has_data) {
            *data = cbor_bytes(fields);
            has_data = true;
        } else {
            return false;
        }
    }
    return has_index && has_data && !cbor_end(fields).code;
}

static const char *on_extend_pcr(struct nsmdev *dev, struct wr *answer, struct rd *fields)
{
    struct bytes data = BYTES_NONE;
    uint64_t index = 0;

    if (!read_extend(fields, &index, &data))
        return invalid_operation;
    if (index >= NSMDEV_PCRS)
        return invalid_index;
    if (dev->locked >> index & 1)
        return read_only_index;
    attest_pcr_extend(dev->pcr[index], data);
    journal("nsm PCR%u extended", (unsigned)index);
    cbor_put_map(answer, 1);
    cbor_put_text(answer, "ExtendPCR");
    cbor_put_map(answer, 1);
    cbor_put_text(answer, "data");
    cbor_put_bytes(answer, BYTES_OF(dev->pcr[index]));
    return NULL;
}

static const char *on_lock_pcr(struct nsmdev *dev, struct wr *answer, struct rd *fields)
{
    uint64_t index;

    if (!read_index(fields, "index", &index))
        return invalid_operation;
    if (index >= NSMDEV_PCRS)
        return invalid_index;
    if (dev->locked >> index & 1)
        return read_only_index;
    dev->locked |= 1U << index;
    journal("nsm PCR%u locked", (unsigned)index);
    cbor_put_text(answer, "LockPCR");
    return NULL;
}

static const char *on_lock_pcrs(struct nsmdev *dev, struct wr *answer, struct rd *fields)
{
    uint64_t range;

    if (!read_index(fields, "range", &range))
        return invalid_operation;
    if (range > NSMDEV_PCRS)
        return invalid_index;
    dev->locked |= range == NSMDEV_PCRS ? UINT32_MAX : (1U << range) - 1;
    journal("nsm PCRs below %u locked", (unsigned)range);
    cbor_put_text(answer, "LockPCRs");
    return NULL;
}

static const char *on_get_random(struct nsmdev *dev, struct wr *answer, struct rd *fields)
{
    uint8_t random[RANDOM_BYTES];

    (void)dev;
    (void)fields;
    libcrypto_random(random, sizeof(random));
    cbor_put_map(answer, 1);
    cbor_put_text(answer, "GetRandom");
    cbor_put_map(answer, 1);
    cbor_put_text(answer, "random");
    cbor_put_bytes(answer, BYTES_OF(random));
    return NULL;
}

struct attestation {
    struct bytes user_data, nonce, public_key; // p is NULL for null
};

// The three fields, each at most once; absent ones are null.
static const char *read_attestation(struct attestation *out, struct rd *fields)
{
    const struct {
        const char *name;
        size_t most;
        struct bytes *value;
    } known[] = { { "user_data", USER_DATA_MAX, &out->user_data },
                  { "nonce", NONCE_MAX, &out->nonce },
                  { "public_key", PUBLIC_KEY_MAX, &out->public_key } };
    unsigned seen = 0;

    for (uint64_t left = cbor_map(fields); cbor_map_next(fields, &left);) {
        struct bytes name = cbor_text(fields);
        bool present = false;
        size_t i = 0;

        while (i < ARRAY_LEN(known) && !bytes_equal_str(name, known[i].name))
            i++;
        if (i == ARRAY_LEN(known) || seen >> i & 1)
            return invalid_operation;
        seen |= 1U << i;
        *known[i].value = cbor_bytes_or_null(fields, &present);
        if (known[i].value->n > known[i].most)
            return input_too_large;
        // Null and no bytes are different answers, and a view of no bytes may point nowhere.
        if (!present)
            *known[i].value = BYTES_NONE;
        else if (known[i].value->n == 0)
            *known[i].value = (struct bytes) { (const uint8_t *)"", 0 };
    }
    if (cbor_end(fields).code)
        return invalid_operation;
    // The document's CDDL demands a public key of 1 to 1024 bytes.
    return out->public_key.p && out->public_key.n == 0 ? invalid_argument : NULL;
}

static void write_pcrs(const struct nsmdev *dev, struct wr *wr)
{
    cbor_put_text(wr, "pcrs");
    cbor_put_map(wr, (uint64_t)__builtin_popcount(dev->locked));
    for (unsigned i = 0; i < NSMDEV_PCRS; i++) {
        if (!(dev->locked >> i & 1))
            continue;
        cbor_put_uint(wr, i);
        cbor_put_bytes(wr, BYTES_OF(dev->pcr[i]));
    }
}

// The payload in the order of genuine documents (AWS "Attestation process", CDDL).
static void write_payload(const struct nsmdev *dev, struct wr *wr, const struct attestation *in)
{
    cbor_put_map(wr, 9);
    cbor_put_text(wr, "module_id");
    cbor_put_text(wr, dev->module_id);
    cbor_put_text(wr, "digest");
    cbor_put_text(wr, "SHA384");
    cbor_put_text(wr, "timestamp");
    cbor_put_uint(wr, (uint64_t)dev_now_ms(dev));
    write_pcrs(dev, wr);
    cbor_put_text(wr, "certificate");
    cbor_put_bytes(wr, bytes_of(dev->chain.leaf.der, dev->chain.leaf.len));
    cbor_put_text(wr, "cabundle");
    cbor_put_array(wr, NSMCHAIN_BUNDLE);
    for (size_t i = 0; i < NSMCHAIN_BUNDLE; i++)
        cbor_put_bytes(wr, bytes_of(dev->chain.bundle[i].der, dev->chain.bundle[i].len));
    cbor_put_text(wr, "public_key");
    cbor_put_bytes_or_null(wr, in->public_key);
    cbor_put_text(wr, "user_data");
    cbor_put_bytes_or_null(wr, in->user_data);
    cbor_put_text(wr, "nonce");
    cbor_put_bytes_or_null(wr, in->nonce);
}

static FALLIBLE write_document(const struct nsmdev *dev, struct wr *out,
                               const struct attestation *in)
{
    uint8_t payload[ATTEST_BYTES_MAX], to_sign[SIGNED_BYTES_MAX];
    struct wr payload_wr = WR_OF(payload), to_sign_wr = WR_OF(to_sign);
    struct cose cose = { .protected_header = BYTES_LIT("\xa1\x01\x38\x22") };

    write_payload(dev, &payload_wr, in);
    TRY(wr_end(&payload_wr));
    cose.payload = wr_done(&payload_wr);
    cose_signed_bytes(&to_sign_wr, &cose);
    TRY(wr_end(&to_sign_wr));
    TRY(cert_sign_es384(cose.signature, dev->chain.leaf_key, wr_done(&to_sign_wr)));
    cose_write(out, &cose);
    return wr_end(out);
}

static const char *on_attestation(struct nsmdev *dev, struct wr *answer, struct rd *fields)
{
    struct attestation in = { BYTES_NONE, BYTES_NONE, BYTES_NONE };
    struct nsmchain_names names = dev_names(dev);
    const char *error = read_attestation(&in, fields);
    uint8_t document[NSMDEV_RESPONSE_MAX];
    struct wr wr = WR_OF(document);

    if (error)
        return error;
    if (nsmchain_renew(&dev->chain, &names, dev_now_ms(dev) / 1000).code)
        return internal_error;
    if (write_document(dev, &wr, &in).code)
        return internal_error;
    cbor_put_map(answer, 1);
    cbor_put_text(answer, "Attestation");
    cbor_put_map(answer, 1);
    cbor_put_text(answer, "document");
    cbor_put_bytes(answer, wr_done(&wr));
    journal("nsm attestation #%u: public key %s, user data %zu bytes, nonce %zu bytes",
            ++dev->documents, in.public_key.p ? "yes" : "no", in.user_data.n, in.nonce.n);
    return NULL;
}
