// SPDX-License-Identifier: Apache-2.0
// The receipt of an account, checked by a program of your own. On a machine with
// libcloister-verify:
//
//   cc -o verify verify.c $(pkg-config --cflags --libs cloister-verify)
//   ./verify PCR0-HEX C.bin RECORD RECEIPT [ROOT.der]
//
// RECORD and RECEIPT are the bytes of record_b64 and receipt_b64. Without ROOT.der: AWS's Nitro
// root.
#include <cloister/verify.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX 65536

static struct cloister_verify_bytes read_file(const char *path)
{
    struct cloister_verify_bytes none = { NULL, 0 };
    uint8_t *data = malloc(FILE_MAX);
    FILE *file = fopen(path, "rb");
    size_t n;

    if (!data || !file) {
        fprintf(stderr, "verify: cannot read %s\n", path);
        exit(2);
    }
    n = fread(data, 1, FILE_MAX, file);
    (void)fclose(file);
    if (n == 0)
        return none;
    return (struct cloister_verify_bytes) { data, n };
}

static int read_hex(uint8_t *out, size_t n, const char *digits)
{
    if (strlen(digits) != 2 * n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        char pair[3] = { digits[2 * i], digits[2 * i + 1], 0 };
        char *end;

        out[i] = (uint8_t)strtoul(pair, &end, 16);
        if (*end)
            return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    uint8_t pcr0[1][CLOISTER_VERIFY_PCR_BYTES];
    struct cloister_verify_trust trust = { .struct_size = sizeof(trust) };
    struct cloister_verify_account account = { .struct_size = sizeof(account) };
    struct cloister_verify_error error;

    if (argc < 5 || !read_hex(pcr0[0], sizeof(pcr0[0]), argv[1])) {
        fprintf(stderr, "usage: verify PCR0-HEX C.bin RECORD RECEIPT [ROOT.der]\n");
        return 2;
    }
    trust.pcr0 = (const uint8_t(*)[CLOISTER_VERIFY_PCR_BYTES])pcr0;
    trust.pcr0_count = 1;
    trust.configuration = read_file(argv[2]);
    if (argc > 5)
        trust.root_der = read_file(argv[5]);
    if (cloister_verify_account(&trust, read_file(argv[3]), read_file(argv[4]), &account, &error)) {
        printf("UNVERIFIED: %s\n", error.message);
        return 1;
    }
    printf("%s\n", account.address);
    return 0;
}
