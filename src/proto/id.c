// SPDX-License-Identifier: Apache-2.0
// Ids as text and on the wire. Ids are public: nothing here is constant time. Only one text form is
// taken (lower case), so that an id can be a key of a store or a part of a path without a second
// spelling.
#include "proto/id.h"

#include "base/hex.h"

void id_text(char out[static ID_TEXT], const struct id *id)
{
    hex_encode(out, BYTES_OF(id->b));
}

struct err id_parse(struct id *out, struct bytes text)
{
    ENSURE(text.n == ID_TEXT - 1, ERR_MALFORMED, "id: expected 32 lower-case hex digits");
    for (size_t i = 0; i < text.n; i++)
        ENSURE(hex_digit(text.p[i]) >= 0 && (text.p[i] < 'A' || text.p[i] > 'F'), ERR_MALFORMED,
               "id: expected 32 lower-case hex digits");
    return hex_decode(out->b, sizeof(out->b), text);
}

bool id_equal(const struct id *a, const struct id *b)
{
    return bytes_equal(BYTES_OF(a->b), BYTES_OF(b->b));
}

bool id_is_zero(const struct id *id)
{
    static const struct id zero = { { 0 } };

    return id_equal(id, &zero);
}

struct id id_read(struct rd *rd)
{
    struct id id;

    rd_copy(rd, id.b, sizeof(id.b));
    return id;
}

void id_write(struct wr *wr, const struct id *id)
{
    wr_bytes(wr, BYTES_OF(id->b));
}
