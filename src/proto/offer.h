// SPDX-License-Identifier: Apache-2.0
// The import of a key that its owner seals (PROTOCOL.md, "Import"): what vault and owner must agree
// on. How the owner checks whom he seals to is cli/proof.h's.
#pragma once

#include "base/wr.h"
#include "proto/id.h"

// Everything about an import but the key.
struct offer_terms {
    struct id deployment, keyset, account;
    uint8_t policy_hash[32], authoriser_hash[32];
};

// tag_hash(TAG_IMPORT, public key, deployment, keyset, account, policy hash, authoriser hash):
// HPKE's aad, and in user_data.
void offer_digest(uint8_t out[static 32], const uint8_t public_key[static 32],
                  const struct offer_terms *terms);
// user_data of the document that offers the import key: TAG_IMPORT || 0 || digest.
void offer_write_user_data(struct wr *wr, const uint8_t digest[static 32]);
// The plaintext but its first 32 bytes, which are the key.
void offer_write_terms(struct wr *wr, const struct offer_terms *terms);
// HPKE's info: TAG_IMPORT || 0.
struct bytes offer_info(void);
