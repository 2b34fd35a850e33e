// SPDX-License-Identifier: Apache-2.0
// Policies and lists of authorisers in canonical form. An unknown version or kind is refused, never
// taken for "unrestricted": an older program must not sign under a policy that it cannot read.
#include "proto/policy.h"

#include "base/must.h"
#include "proto/limits.h"
#include "proto/tag.h"

static const char *const kind_names[] = { "nothing", "unrestricted" };

struct err policy_read(struct policy *out, struct bytes canonical)
{
    struct rd rd = rd_of(canonical);
    uint16_t version = rd_u16(&rd);
    uint8_t kind = rd_u8(&rd);

    ENSURE(canonical.n <= POLICY_BYTES_MAX, ERR_TOO_LARGE, "policy: expected at most 16384 bytes");
    ENSURE(rd.bad || version == POLICY_VERSION, ERR_UNSUPPORTED, "policy: expected version 1");
    ENSURE(rd.bad || kind < ARRAY_LEN(kind_names), ERR_UNSUPPORTED,
           "policy: expected the kind nothing or unrestricted");
    TRY(rd_end(&rd));
    out->kind = (enum policy_kind)kind;
    return OK;
}

void policy_write(struct wr *wr, const struct policy *policy)
{
    wr_u16(wr, POLICY_VERSION);
    wr_u8(wr, (uint8_t)policy->kind);
}

void policy_hash(uint8_t out[static 32], struct bytes canonical)
{
    tag_hash(out, TAG_POLICY, &canonical, 1);
}

void policy_write_no_authorisers(struct wr *wr)
{
    wr_u16(wr, POLICY_VERSION);
    wr_u8(wr, 0);
}

void policy_authoriser_hash(uint8_t out[static 32], struct bytes canonical)
{
    tag_hash(out, TAG_AUTHORISERS, &canonical, 1);
}

struct err policy_check_authorisers(struct bytes canonical)
{
    uint8_t none[3];
    struct wr wr = WR_OF(none);

    policy_write_no_authorisers(&wr);
    ENSURE(bytes_equal(canonical, BYTES_OF(none)), ERR_UNSUPPORTED,
           "authorisers: expected the empty list, version 1");
    return OK;
}

const char *policy_kind_name(enum policy_kind kind)
{
    return (unsigned)kind < ARRAY_LEN(kind_names) ? kind_names[kind] : "unknown";
}
