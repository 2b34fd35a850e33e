// SPDX-License-Identifier: Apache-2.0
// Domain-separated hashing. The zero byte ends the tag and every field carries its length, so that
// two different lists of fields, or two different structures, never hash the same bytes.
// Works on public bytes only.
#include "proto/tag.h"

#include "base/must.h"
#include "base/wr.h"
#include "crypto/openssl/sha2.h"

void tag_hash(uint8_t out[static 32], const char *tag, const struct bytes *fields, size_t count)
{
    static const uint8_t end_of_tag = 0;
    struct sha2 sha;

    sha2_256_start(&sha);
    sha2_256_add(&sha, bytes_str(tag));
    sha2_256_add(&sha, BYTES_OF(end_of_tag));
    for (size_t i = 0; i < count; i++) {
        uint8_t length[4];
        struct wr wr = WR_OF(length);

        must(fields[i].n <= UINT32_MAX);
        wr_u32(&wr, (uint32_t)fields[i].n);
        sha2_256_add(&sha, BYTES_OF(length));
        sha2_256_add(&sha, fields[i]);
    }
    sha2_256_end(&sha, out);
}
