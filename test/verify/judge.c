// SPDX-License-Identifier: Apache-2.0
// The C library as one side of test/verify/agree.mjs: it answers each line of standard input with
// one line. Written against the public header only, and linked with the shared library that is
// installed. Input: `KIND key=value...`, values in hex but `at` and `flags`; answer: `CODE text`,
// or `0` and what the library says about what it verified.
#include <cloister/verify.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (1U << 19)
#define PCR0_MAX       4U

struct request {
    struct cloister_verify_trust trust;
    struct cloister_verify_bytes document, record;
    const uint8_t *spki; // 32 bytes, or NULL
};

// In place: the digits become the bytes.
static struct cloister_verify_bytes unhex(char *digits)
{
    uint8_t *out = (uint8_t *)digits;
    size_t n = strlen(digits) / 2;

    for (size_t i = 0; i < n; i++) {
        char pair[3] = { digits[2 * i], digits[2 * i + 1], 0 };

        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return (struct cloister_verify_bytes) { out, n };
}

static void put_hex(const char *name, const uint8_t *p, size_t n)
{
    printf(" %s=", name);
    if (!p)
        putchar('-');
    for (size_t i = 0; p && i < n; i++)
        printf("%02x", p[i]);
}

static void set_root(struct cloister_verify_trust *trust, struct cloister_verify_bytes root)
{
    if (root.size == 32)
        trust->root_sha256 = root.data;
    else
        trust->root_der = root;
}

static void set_pcr0(struct cloister_verify_trust *trust, struct cloister_verify_bytes all)
{
    static uint8_t values[PCR0_MAX][CLOISTER_VERIFY_PCR_BYTES];

    trust->pcr0_count = all.size / sizeof(values[0]);
    if (trust->pcr0_count > PCR0_MAX)
        trust->pcr0_count = PCR0_MAX;
    memcpy(values, all.data, trust->pcr0_count * sizeof(values[0]));
    trust->pcr0 = (const uint8_t(*)[CLOISTER_VERIFY_PCR_BYTES])values;
}

static bool set(struct request *request, const char *key, char *value)
{
    struct cloister_verify_trust *trust = &request->trust;

    if (strcmp(key, "at") == 0)
        trust->at_ms = strtoull(value, NULL, 10);
    else if (strcmp(key, "flags") == 0)
        trust->flags = (uint32_t)strtoul(value, NULL, 10);
    else if (strcmp(key, "document") == 0)
        request->document = unhex(value);
    else if (strcmp(key, "record") == 0)
        request->record = unhex(value);
    else if (strcmp(key, "spki") == 0)
        request->spki = unhex(value).data;
    else if (strcmp(key, "root") == 0)
        set_root(trust, unhex(value));
    else if (strcmp(key, "pcr0") == 0)
        set_pcr0(trust, unhex(value));
    else if (strcmp(key, "pcr16") == 0)
        trust->pcr16 = unhex(value).data;
    else if (strcmp(key, "configuration") == 0)
        trust->configuration = unhex(value);
    else if (strcmp(key, "nonce") == 0)
        trust->nonce = unhex(value);
    else
        return false;
    return true;
}

static int document(const struct request *r, struct cloister_verify_error *error)
{
    struct cloister_verify_document out = { .struct_size = sizeof(out) };

    if (cloister_verify_document(&r->trust, r->document, &out, error) != CLOISTER_VERIFY_OK)
        return error->code;
    printf("0 kind=%d timestamp=%llu module_id=%.*s", out.kind,
           (unsigned long long)out.timestamp_ms, (int)out.module_id.size,
           (const char *)out.module_id.data);
    for (unsigned i = 0; i < CLOISTER_VERIFY_PCRS; i++)
        if (out.pcr_present & 1U << i)
            put_hex("pcr", out.pcr[i], sizeof(out.pcr[i]));
    put_hex("public_key", out.public_key.data, out.public_key.size);
    put_hex("user_data", out.user_data.data, out.user_data.size);
    put_hex("nonce", out.nonce.data, out.nonce.size);
    return 0;
}

static int account(const struct request *r, struct cloister_verify_error *error)
{
    struct cloister_verify_account out = { .struct_size = sizeof(out) };

    if (cloister_verify_account(&r->trust, r->record, r->document, &out, error) !=
        CLOISTER_VERIFY_OK)
        return error->code;
    printf("0 address=%s provenance=%u generation=%u created=%llu timestamp=%llu", out.address,
           out.provenance, out.generation, (unsigned long long)out.created_ms,
           (unsigned long long)out.timestamp_ms);
    put_hex("deployment", out.deployment, sizeof(out.deployment));
    put_hex("keyset", out.keyset, sizeof(out.keyset));
    put_hex("account", out.account, sizeof(out.account));
    put_hex("public_key", out.public_key, sizeof(out.public_key));
    put_hex("policy", out.policy_sha256, sizeof(out.policy_sha256));
    put_hex("authorisers", out.authorisers_sha256, sizeof(out.authorisers_sha256));
    return 0;
}

static int keyset(const struct request *r, struct cloister_verify_error *error)
{
    struct cloister_verify_keyset out = { .struct_size = sizeof(out) };

    if (cloister_verify_keyset(&r->trust, r->record, r->document, &out, error) !=
        CLOISTER_VERIFY_OK)
        return error->code;
    printf("0 name=%s purpose=%u threshold=%u cmks=%u created=%llu timestamp=%llu", out.name,
           out.purpose, out.threshold, out.cmks, (unsigned long long)out.created_ms,
           (unsigned long long)out.timestamp_ms);
    put_hex("deployment", out.deployment, sizeof(out.deployment));
    put_hex("keyset", out.keyset, sizeof(out.keyset));
    return 0;
}

static int say_status(const struct cloister_verify_status *out)
{
    printf("0 phase=%u sequence=%llu serial=%llu seals=%u anchor=%u anchored=%u timestamp=%llu",
           out->phase, (unsigned long long)out->audit_sequence,
           (unsigned long long)out->manifest_serial, out->seals, out->anchor, out->anchored,
           (unsigned long long)out->timestamp_ms);
    put_hex("boot", out->boot, sizeof(out->boot));
    put_hex("audit_head", out->audit_head, sizeof(out->audit_head));
    put_hex("manifest_digest", out->manifest_digest, sizeof(out->manifest_digest));
    return 0;
}

static int status(const struct request *r, struct cloister_verify_error *error)
{
    struct cloister_verify_status out = { .struct_size = sizeof(out) };

    if (cloister_verify_status(&r->trust, r->document, &out, error) != CLOISTER_VERIFY_OK)
        return error->code;
    return say_status(&out);
}

static int tls(const struct request *r, struct cloister_verify_error *error)
{
    struct cloister_verify_status out = { .struct_size = sizeof(out) };

    if (cloister_verify_tls(&r->trust, r->document, r->spki, &out, error) != CLOISTER_VERIFY_OK)
        return error->code;
    (void)say_status(&out);
    put_hex("keyset", out.keyset, sizeof(out.keyset));
    return 0;
}

static int judge(const char *kind, const struct request *r, struct cloister_verify_error *error)
{
    if (strcmp(kind, "document") == 0)
        return document(r, error);
    if (strcmp(kind, "account") == 0)
        return account(r, error);
    if (strcmp(kind, "keyset") == 0)
        return keyset(r, error);
    if (strcmp(kind, "status") == 0)
        return status(r, error);
    if (strcmp(kind, "tls") == 0)
        return tls(r, error);
    fprintf(stderr, "judge: no such kind: %s\n", kind);
    exit(2);
}

static void answer(char *line)
{
    static const uint8_t nothing;
    struct cloister_verify_error error = { 0 };
    struct request request = { .trust = { .struct_size = sizeof(request.trust) },
                               .document = { &nothing, 0 },
                               .record = { &nothing, 0 } };
    char *rest = NULL;
    const char *kind = strtok_r(line, " \n", &rest);
    char *word;

    while ((word = strtok_r(NULL, " \n", &rest))) {
        char *equals = strchr(word, '=');

        if (equals)
            *equals = 0;
        if (!equals || !set(&request, word, equals + 1)) {
            fprintf(stderr, "judge: no such key: %s\n", word);
            exit(2);
        }
    }
    if (judge(kind ? kind : "", &request, &error) != 0)
        printf("%d %s", error.code, error.message);
    putchar('\n');
    (void)fflush(stdout);
}

int main(void)
{
    static char line[LINE_MAX_BYTES];

    while (fgets(line, sizeof(line), stdin))
        answer(line);
    return 0;
}
