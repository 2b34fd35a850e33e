// SPDX-License-Identifier: Apache-2.0
// KMS key ARNs (AWS KMS Developer Guide, "Key ARN") of one strict form, and the host names that an
// enclave may talk to. A host that is not built from a service of the table and a region of strict
// form is refused, so that a configuration can never name a host of an attacker.
#include "proto/arn.h"

#include "base/hex.h"
#include "base/must.h"
#include "proto/limits.h"

#include <string.h>

#define REGION_BYTES_MAX 32U
#define ACCOUNT_BYTES    12U
#define UUID_BYTES       36U
#define MRK_PREFIX       "mrk-"

// A region of a partition starts with this, and no other region does.
static const struct partition {
    const char *name;
    const char *region_prefix; // "": every region that belongs to no other partition
    const char *host_suffix;
} partitions[] = {
    { "aws-cn", "cn-", ".amazonaws.com.cn" },
    { "aws-us-gov", "us-gov-", ".amazonaws.com" },
    { "aws", "", ".amazonaws.com" },
};

// The services that the enclave calls: KMS, and DynamoDB as the anchor.
static const char *const services[] = { "kms.", "dynamodb." };

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_decimal(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower_hex(uint8_t c)
{
    return is_decimal(c) || (c >= 'a' && c <= 'f');
}

static bool all(struct bytes text, bool (*is)(uint8_t))
{
    for (size_t i = 0; i < text.n; i++)
        if (!is(text.p[i]))
            return false;
    return true;
}

static bool starts_with(struct bytes text, const char *prefix)
{
    return text.n >= strlen(prefix) && bytes_equal_str(bytes_take(text, strlen(prefix)), prefix);
}

// The text up to the next `separator`, which is consumed; all of it when there is none.
static struct bytes next_part(struct bytes *text, char separator)
{
    const uint8_t *end = text->n ? memchr(text->p, separator, text->n) : NULL;
    struct bytes part = bytes_take(*text, end ? (size_t)(end - text->p) : text->n);

    *text = bytes_skip(*text, end ? part.n + 1 : part.n);
    return part;
}

// Two or more words of letters and a number of one or two digits, joined by hyphens: us-east-1,
// ap-southeast-2, us-gov-west-1.
static bool region_ok(struct bytes region)
{
    struct bytes left = region;
    size_t words = 0;
    struct bytes part;

    if (region.n == 0 || region.n > REGION_BYTES_MAX)
        return false;
    for (part = next_part(&left, '-'); left.n > 0; part = next_part(&left, '-')) {
        if (part.n < 2 || !all(part, is_lower))
            return false;
        words++;
    }
    return words >= 2 && region.p[region.n - 1] != '-' && part.n <= 2 && all(part, is_decimal) &&
           part.p[0] != '0';
}

// The partition whose regions are named like this one.
static const struct partition *partition_of(struct bytes region)
{
    const struct partition *partition = partitions;

    while (!starts_with(region, partition->region_prefix))
        partition++;
    return partition;
}

// Lower-case UUID of a key, or a multi-Region key's "mrk-" and 32 digits.
static bool key_ok(struct bytes key)
{
    if (starts_with(key, MRK_PREFIX))
        return key.n == strlen(MRK_PREFIX) + 32 && all(bytes_skip(key, 4), is_lower_hex);
    for (size_t i = 0; i < key.n; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

        if (hyphen ? key.p[i] != '-' : !is_lower_hex(key.p[i]))
            return false;
    }
    return key.n == UUID_BYTES;
}

struct err arn_parse(struct arn *out, struct bytes text)
{
    struct bytes left = text;

    ENSURE(text.n <= ARN_BYTES_MAX, ERR_TOO_LARGE, "ARN: expected at most 256 bytes");
    ENSURE(bytes_equal_str(next_part(&left, ':'), "arn"), ERR_MALFORMED,
           "ARN: expected arn:PARTITION:kms:REGION:ACCOUNT:key/ID");
    out->partition = next_part(&left, ':');
    ENSURE(bytes_equal_str(next_part(&left, ':'), "kms"), ERR_MALFORMED,
           "ARN: expected the service kms");
    out->region = next_part(&left, ':');
    out->account = next_part(&left, ':');
    ENSURE(region_ok(out->region), ERR_MALFORMED, "ARN: expected a region like eu-west-1");
    ENSURE(bytes_equal_str(out->partition, partition_of(out->region)->name), ERR_MALFORMED,
           "ARN: expected the partition (aws, aws-us-gov, aws-cn) of its region");
    ENSURE(out->account.n == ACCOUNT_BYTES && all(out->account, is_decimal), ERR_MALFORMED,
           "ARN: expected an account of 12 digits");
    ENSURE(starts_with(left, "key/"), ERR_MALFORMED,
           "ARN: expected key/ID (aliases are not taken)");
    out->key = bytes_skip(left, 4);
    ENSURE(key_ok(out->key), ERR_MALFORMED,
           "ARN: expected a lower-case UUID, or mrk- and 32 digits, as key ID");
    return OK;
}

void arn_write_host(struct wr *wr, const struct arn *arn)
{
    wr_str(wr, services[0]);
    wr_bytes(wr, arn->region);
    wr_str(wr, partition_of(arn->region)->host_suffix);
}

bool arn_host_allowed(struct bytes host)
{
    for (size_t i = 0; i < ARRAY_LEN(services); i++) {
        struct bytes left = bytes_skip(host, strlen(services[i]));
        struct bytes region = next_part(&left, '.');
        const char *suffix = partition_of(region)->host_suffix + 1;

        if (host.n <= HOST_BYTES_MAX && starts_with(host, services[i]) && region_ok(region) &&
            bytes_equal_str(left, suffix))
            return true;
    }
    return false;
}
