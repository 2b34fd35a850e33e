// SPDX-License-Identifier: Apache-2.0
// verify/userdata.h: user_data of attestation documents. What reads as a status is written as the
// very same bytes again.
#include "fuzz.h"

#include "verify/userdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = bytes_of(data, n);
    const char *tag = userdata_tag(in);
    struct receipt_status status;
    uint8_t out[256];
    struct wr wr = WR_OF(out);

    must(!tag || (strlen(tag) < n && memcmp(tag, data, strlen(tag) + 1) == 0));
    if (userdata_read_status(&status, in).code)
        return 0;
    must(tag != NULL);
    receipt_write_status(&wr, &status);
    must(bytes_equal(wr_done(&wr), in));
    return 0;
}
