// SPDX-License-Identifier: Apache-2.0
// The anchor's item. What is read is written as the very same bytes again.
#include "fuzz.h"

#include "proto/anchor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t out[ANCHOR_ITEM_BYTES], message[32];
    struct wr wr = WR_OF(out);
    struct anchor_item item;

    if (anchor_read(&item, bytes_of(data, n)).code)
        return 0;
    must(item.counter > 0);
    anchor_write(&wr, &item);
    must(bytes_equal(wr_done(&wr), bytes_of(data, n)));
    anchor_message(message, &item);
    return 0;
}
