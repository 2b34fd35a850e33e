// SPDX-License-Identifier: Apache-2.0
#include "proto/offer.h"

#include "base/must.h"
#include "proto/tag.h"

void offer_digest(uint8_t out[static 32], const uint8_t public_key[static 32],
                  const struct offer_terms *terms)
{
    struct bytes fields[] = {
        bytes_of(public_key, 32),   BYTES_OF(terms->deployment.b), BYTES_OF(terms->keyset.b),
        BYTES_OF(terms->account.b), BYTES_OF(terms->policy_hash),  BYTES_OF(terms->authoriser_hash),
    };

    tag_hash(out, TAG_IMPORT, fields, ARRAY_LEN(fields));
}

void offer_write_user_data(struct wr *wr, const uint8_t digest[static 32])
{
    wr_bytes(wr, offer_info());
    wr_bytes(wr, bytes_of(digest, 32));
}

void offer_write_terms(struct wr *wr, const struct offer_terms *terms)
{
    id_write(wr, &terms->deployment);
    id_write(wr, &terms->keyset);
    id_write(wr, &terms->account);
    wr_bytes(wr, BYTES_OF(terms->policy_hash));
    wr_bytes(wr, BYTES_OF(terms->authoriser_hash));
}

struct bytes offer_info(void)
{
    return bytes_of(TAG_IMPORT, sizeof(TAG_IMPORT)); // with the zero byte
}
