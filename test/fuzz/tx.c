// SPDX-License-Identifier: Apache-2.0
// eth/tx.h: a transaction that is read is written as the very same bytes again, signed or not:
// there is one encoding of each, so one hash. No input is both.
#include "eth/tx.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t out[TX_BYTES_MAX];
    struct bytes in = bytes_of(data, n);
    uint8_t signature[TX_SIGNATURE_BYTES];
    struct wr wr = WR_OF(out);
    struct u256 cost;
    struct tx tx;
    bool is_unsigned = tx_read_unsigned(&tx, in).code == 0;

    if (is_unsigned) {
        must(tx_write_unsigned(&wr, &tx).code == 0);
        must(bytes_equal(wr_done(&wr), in));
        must(tx_max_cost(&cost, &tx).code != ERR_INTERNAL);
    }
    wr = WR_OF(out);
    if (tx_read_signed(&tx, signature, in).code)
        return 0;
    must(!is_unsigned);
    must(tx_write_signed(&wr, &tx, signature).code == 0);
    must(bytes_equal(wr_done(&wr), in));
    return 0;
}
