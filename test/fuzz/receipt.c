// SPDX-License-Identifier: Apache-2.0
// verify/userdata.h: user_data of attestation documents. What reads as a status, or as the document
// of a TLS key, is written as the very same bytes again.
#include "fuzz.h"

#include "verify/userdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = bytes_of(data, n);
    const char *tag = userdata_tag(in);
    struct receipt_status status;
    struct receipt_tls key;
    uint8_t out[256];
    struct wr wr = WR_OF(out);

    must(!tag || (strlen(tag) < n && memcmp(tag, data, strlen(tag) + 1) == 0));
    if (!userdata_read_tls(&status, &key, in).code)
        receipt_write_tls(&wr, &key, &status);
    else if (!userdata_read_status(&status, in).code)
        receipt_write_status(&wr, &status);
    else
        return 0;
    must(tag != NULL);
    must(bytes_equal(wr_done(&wr), in));
    return 0;
}
