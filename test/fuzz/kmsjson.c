// SPDX-License-Identifier: Apache-2.0
// front/kmsjson.h: KMS's answers, good ('g': to GenerateDataKey, 'd': to Decrypt) and bad ('e').
#include "fuzz.h"

#include "front/kmsjson.h"

#include <stdlib.h>

#define ARN "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012"

static void fuzz_answer(enum msg_step_kind kind, struct bytes body)
{
    static struct kmsjson_answer answer;
    struct kmsjson_request request = { .kind = kind, .cmk = BYTES_LIT(ARN) };

    if (kmsjson_read(&answer, &request, body).code)
        return;
    must(answer.cms.n > 0 && answer.cms.n <= KMS_BLOB_MAX && answer.blob.n <= KMS_BLOB_MAX);
    must((kind == MSG_STEP_GENERATE) == (answer.blob.n > 0));
}

static void fuzz_error(struct bytes body)
{
    char type[KMSJSON_TYPE_MAX];
    uint8_t text[WHAT_BYTES_MAX];
    struct wr wr = WR_OF(text);

    kmsjson_read_error(type, &wr, body);
    must(!wr.bad && wr.len > 0 && memchr(type, 0, sizeof(type)) != NULL);
    for (size_t i = 0; i < wr.len; i++)
        must(text[i] >= ' ' && text[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t *body = malloc(n ? n : 1); // it is changed

    must(body != NULL);
    if (n > 1)
        memcpy(body, data + 1, n - 1);
    if (n > 0 && data[0] == 'g')
        fuzz_answer(MSG_STEP_GENERATE, bytes_of(body, n - 1));
    else if (n > 0 && data[0] == 'd')
        fuzz_answer(MSG_STEP_DECRYPT, bytes_of(body, n - 1));
    else if (n > 0 && data[0] == 'e')
        fuzz_error(bytes_of(body, n - 1));
    free(body);
    return 0;
}
