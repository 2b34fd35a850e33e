// SPDX-License-Identifier: Apache-2.0
#include "proto/approval.h"

#include "base/must.h"
#include "crypto/openssl/approve.h"
#include "proto/tag.h"

struct bytes approval_read_list(struct rd *rd)
{
    uint8_t count = rd_u8(rd);

    if (count > CONFIG_ADMINS)
        rd_refuse(rd);
    return rd_bytes(rd, (size_t)count * APPROVAL_BYTES);
}

void approval_write_list(struct wr *wr, struct bytes entries)
{
    if (entries.n % APPROVAL_BYTES != 0 || entries.n / APPROVAL_BYTES > CONFIG_ADMINS)
        wr_refuse(wr);
    wr_u8(wr, (uint8_t)(entries.n / APPROVAL_BYTES));
    wr_bytes(wr, entries);
}

static struct err entry_check(const struct config *config, const uint8_t message[static 32],
                              const uint8_t *entry)
{
    const struct config_key *admin;

    ENSURE(entry[0] < config->admins, ERR_DENIED,
           "approval: index names no administrator of the configuration");
    admin = &config->admin[entry[0]];
    return approve_verify((enum approve_type)admin->type, admin->key, message, entry + 1);
}

struct err approval_check(const struct config *config, const uint8_t message[static 32],
                          struct bytes entries)
{
    size_t count = entries.n / APPROVAL_BYTES;

    ENSURE(config->admins > 0 && config->admin_threshold > 0, ERR_UNSUPPORTED,
           "approval: the configuration has no administrators");
    ENSURE(entries.n % APPROVAL_BYTES == 0, ERR_MALFORMED, "approval: a partial entry");
    for (size_t i = 0; i < count; i++) {
        const uint8_t *entry = entries.p + i * APPROVAL_BYTES;

        ENSURE(i == 0 || entry[0] > entry[-APPROVAL_BYTES], ERR_MALFORMED,
               "approval: entries must ascend by administrator");
        TRY(entry_check(config, message, entry));
    }
    ENSURE(count >= config->admin_threshold, ERR_DENIED,
           "approval: fewer administrators than the configuration asks for");
    return OK;
}

void approval_unseal_message(uint8_t out[static 32], const struct id *deployment,
                             const struct id *boot, uint32_t seals)
{
    uint8_t number[4];
    struct wr wr = WR_OF(number);
    struct bytes fields[] = { BYTES_OF(deployment->b), BYTES_OF(boot->b), BYTES_OF(number) };

    wr_u32(&wr, seals);
    must(!wr.bad);
    tag_hash(out, TAG_UNSEAL, fields, ARRAY_LEN(fields));
}
