// SPDX-License-Identifier: Apache-2.0
// proto/record.h: what is read is written as the very same bytes again, public bytes and all.
#include "proto/record.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t out[RECORD_BYTES_MAX];
    struct bytes in = bytes_of(data, n);
    struct wr whole = WR_OF(out);
    struct wr fields = WR_OF(out);
    struct record record;

    if (record_read(&record, in).code)
        return 0;
    record_write(&whole, &record);
    must(bytes_equal(wr_done(&whole), in));
    record_write_public(&fields, &record);
    must(bytes_equal(wr_done(&fields), record.public_bytes));
    return 0;
}
