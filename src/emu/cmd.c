// SPDX-License-Identifier: Apache-2.0
// The subcommands that work on files and end: measuring an enclave, caring for the emulated KMS's
// keys, credentials and ordered faults. Results go to stdout, sentences for people to stderr.
#include "emu/cmd.h"

#include "base/base64.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/must.h"
#include "emu/args.h"
#include "emu/cmk.h"
#include "emu/creds.h"
#include "emu/disk.h"
#include "emu/fault.h"
#include "emu/kms_blob.h"
#include "emu/measure.h"
#include "net/json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define CONTEXT_MAX 16384

static int cmd_failed(const char *subject, struct err e)
{
    (void)fprintf(stderr, "cloister-emu: %s: %s\n", subject, err_text(e));
    return 1;
}

static int cmd_print(const struct wr *wr)
{
    struct bytes text = wr_done(wr);

    if (!text.p || fwrite(text.p, 1, text.n, stdout) != text.n || fflush(stdout) != 0)
        return cmd_failed("output", FAIL(ERR_IO, "cannot be written"));
    return 0;
}

int cmd_measure(char **argv)
{
    const char *enclave = NULL, *eif = NULL, *role = NULL;
    const struct args_option options[] = { { "enclave", &enclave, NULL, false },
                                           { "eif", &eif, NULL, false },
                                           { "role", &role, NULL, false } };
    static const uint8_t unsigned_image[NSMDEV_PCR_BYTES];
    struct nsmdev_pcrs pcrs;
    uint8_t text[1024];
    struct wr wr = WR_OF(text);
    struct jw jw = jw_of(&wr);
    struct err e;

    if (args_read(options, ARRAY_LEN(options), argv).code)
        return 2;
    if (!enclave == !eif)
        return cmd_failed("measure", FAIL(ERR_MALFORMED, "expected --enclave or --eif"));
    e = eif ? measure_eif(&pcrs, eif, role, NULL) : measure_enclave(&pcrs, enclave, role, NULL);
    if (e.code)
        return cmd_failed(eif ? eif : enclave, e);
    jw_object(&jw);
    jw_key(&jw, "pcr0");
    jw_digits(&jw, BYTES_OF(pcrs.image));
    jw_key(&jw, "pcr1");
    jw_digits(&jw, BYTES_OF(pcrs.boot));
    jw_key(&jw, "pcr2");
    jw_digits(&jw, BYTES_OF(pcrs.application));
    jw_key(&jw, "pcr3");
    jw_digits(&jw, BYTES_OF(pcrs.role));
    if (!bytes_equal(BYTES_OF(pcrs.signer), BYTES_OF(unsigned_image))) {
        jw_key(&jw, "pcr8");
        jw_digits(&jw, BYTES_OF(pcrs.signer));
    }
    jw_object_end(&jw);
    wr_u8(&wr, '\n');
    return cmd_print(&wr);
}

int cmd_key_create(char **argv)
{
    const char *dir = NULL, *region = NULL, *account = NULL;
    const struct args_option options[] = { { "dir", &dir, NULL, true },
                                           { "region", &region, NULL, true },
                                           { "account", &account, NULL, true } };
    AUTO(cmk_wipe) struct cmk cmk = { 0 };
    struct err e;

    if (args_read(options, ARRAY_LEN(options), argv).code)
        return 2;
    e = cmk_create(&cmk, dir, region, account);
    if (e.code)
        return cmd_failed("key create", e);
    (void)printf("%s\n", cmk.arn);
    return 0;
}

static FALLIBLE key_policy(const char *dir, const char *key, const char *file)
{
    AUTO(cmk_wipe) struct cmk cmk = { 0 };
    uint8_t text[CMK_POLICY_MAX];
    size_t n;

    TRY(cmk_load(&cmk, dir, bytes_str(key)));
    TRY(fd_read_file(file, text, sizeof(text), &n));
    return cmk_set_policy(dir, &cmk, bytes_of(text, n));
}

int cmd_key_policy(char **argv)
{
    const char *dir = NULL, *key = NULL, *file = NULL;
    const struct args_option options[] = { { "dir", &dir, NULL, true },
                                           { "key", &key, NULL, true },
                                           { "file", &file, NULL, true } };
    struct err e;

    if (args_read(options, ARRAY_LEN(options), argv).code)
        return 2;
    e = key_policy(dir, key, file);
    return e.code ? cmd_failed(file, e) : 0;
}

int cmd_key_show(char **argv)
{
    const char *dir = NULL, *key = NULL;
    const struct args_option options[] = { { "dir", &dir, NULL, true },
                                           { "key", &key, NULL, true } };
    AUTO(cmk_wipe) struct cmk cmk = { 0 };
    uint8_t policy[CMK_POLICY_MAX];
    size_t n = 0;
    struct err e;

    if (args_read(options, ARRAY_LEN(options), argv).code)
        return 2;
    e = cmk_load(&cmk, dir, bytes_str(key));
    if (!e.code)
        e = cmk_policy(dir, &cmk, policy, sizeof(policy), &n);
    if (e.code)
        return cmd_failed(key, e);
    (void)printf("key:    %s\nstate:  %s\npolicy: ", cmk.arn, cmk_state_name(cmk.state));
    if (n == 0)
        (void)printf("none: nothing is allowed\n");
    (void)fwrite(policy, 1, n, stdout);
    return 0;
}

static int cmd_key_set(char **argv, bool enabled)
{
    const char *dir = NULL, *key = NULL;
    const struct args_option options[] = { { "dir", &dir, NULL, true },
                                           { "key", &key, NULL, true } };
    struct err e;

    if (args_read(options, ARRAY_LEN(options), argv).code)
        return 2;
    e = cmk_set_enabled(dir, bytes_str(key), enabled);
    return e.code ? cmd_failed(key, e) : 0;
}

int cmd_key_enable(char **argv)
{
    return cmd_key_set(argv, true);
}

int cmd_key_disable(char **argv)
{
    return cmd_key_set(argv, false);
}

struct unwrapped {
    uint8_t b[4096];
    char hex[2 * 4096 + 1];
};

static void unwrapped_wipe(struct unwrapped *unwrapped)
{
    ct_wipe(unwrapped, sizeof(*unwrapped));
}

static FALLIBLE parse_context(const struct json **context, struct json *nodes, size_t cap,
                              const char *text)
{
    static uint8_t copy[CONTEXT_MAX];
    struct bytes given = bytes_str(text);

    ENSURE(given.n <= sizeof(copy), ERR_TOO_LARGE, "context: larger than 16384 bytes");
    memcpy(copy, given.p, given.n);
    TRY(json_parse(context, nodes, cap, copy, given.n));
    ENSURE((*context)->type == JSON_OBJECT, ERR_MALFORMED, "context: expected a JSON object");
    return OK;
}

static FALLIBLE key_unwrap(struct unwrapped *out, const char *dir, const char *key,
                           const char *context_text, const char *blob_text)
{
    AUTO(cmk_wipe) struct cmk cmk = { 0 };
    struct json nodes[256];
    const struct json *context;
    struct wr wr = WR_OF(out->b);
    uint8_t blob[6144];
    size_t blob_n;

    TRY(cmk_load(&cmk, dir, bytes_str(key)));
    TRY(parse_context(&context, nodes, ARRAY_LEN(nodes), context_text));
    TRY(base64_decode(blob, sizeof(blob), &blob_n, bytes_str(blob_text)));
    TRY(kms_blob_open(&wr, &cmk, context, bytes_of(blob, blob_n)));
    // The data key of a test's own deployment: showing it is what this command is for.
    hex_encode(out->hex, wr_done(&wr));
    return OK;
}

int cmd_key_unwrap(char **argv)
{
    const char *dir = NULL, *key = NULL, *context = NULL, *blob = NULL;
    const struct args_option options[] = { { "dir", &dir, NULL, true },
                                           { "key", &key, NULL, true },
                                           { "context", &context, NULL, true },
                                           { "blob", &blob, NULL, true } };
    AUTO(unwrapped_wipe) struct unwrapped unwrapped = { 0 };
    struct err e;

    if (args_read(options, ARRAY_LEN(options), argv).code)
        return 2;
    e = key_unwrap(&unwrapped, dir, key, context, blob);
    if (e.code)
        return cmd_failed("key unwrap", e);
    (void)printf("%s\n", unwrapped.hex);
    return 0;
}

static void write_credentials(struct jw *jw, const struct creds *creds)
{
    jw_object(jw);
    jw_key(jw, "AccessKeyId");
    jw_cstring(jw, creds->access_key);
    jw_key(jw, "SecretAccessKey");
    jw_cstring(jw, creds->secret_key);
    jw_key(jw, "Token");
    jw_cstring(jw, creds->token);
    jw_key(jw, "Expiration");
    jw_u64(jw, creds->expires_s);
    jw_object_end(jw);
}

// They are worth nothing outside this emulator, and showing them is what this command is for.
int cmd_credentials(char **argv)
{
    const char *dir = NULL, *role = NULL, *life = NULL;
    const struct args_option options[] = { { "dir", &dir, NULL, true },
                                           { "role", &role, NULL, true },
                                           { "life-s", &life, NULL, false } };
    AUTO(creds_wipe) struct creds creds = { 0 };
    int64_t life_s = 3600;
    uint8_t text[2048];
    struct wr wr = WR_OF(text);
    struct jw jw = jw_of(&wr);
    struct err e;

    if (args_read(options, ARRAY_LEN(options), argv).code ||
        args_number(&life_s, life, 2, 43200).code)
        return 2;
    if (!kms_policy_account(bytes_str(role)).n || !strstr(role, ":role/"))
        return cmd_failed(role, FAIL(ERR_MALFORMED, "expected the ARN of a role"));
    e = creds_current(&creds, dir, role, (uint64_t)time(NULL), (uint64_t)life_s);
    if (e.code)
        return cmd_failed("credentials", e);
    write_credentials(&jw, &creds);
    wr_u8(&wr, '\n');
    return cmd_print(&wr);
}

static FALLIBLE fault_show(const char *dir)
{
    char path[DISK_PATH_MAX];
    uint8_t text[8192];
    size_t n = 0;
    struct err e;

    TRY(disk_path(path, sizeof(path), dir, "faults"));
    e = fd_read_file(path, text, sizeof(text), &n);
    if (e.code == ERR_NOT_FOUND)
        return OK;
    (void)fwrite(text, 1, e.code ? 0 : n, stdout);
    return e;
}

// The fault stands last, without a name: it is taken off before the options are read.
static const char *take_last(char **argv)
{
    size_t n = 0;
    const char *last;

    while (argv[n])
        n++;
    if (n == 0 || argv[n - 1][0] == '-' || (n > 1 && strcmp(argv[n - 2], "--dir") == 0))
        return NULL;
    last = argv[n - 1];
    argv[n - 1] = NULL;
    return last;
}

int cmd_fault(char **argv)
{
    const char *dir = NULL, *spec = take_last(argv);
    bool clear = false;
    const struct args_option options[] = { { "dir", &dir, NULL, true },
                                           { "clear", NULL, &clear, false } };
    struct err e;

    if (args_read(options, ARRAY_LEN(options), argv).code)
        return 2;
    e = clear ? fault_clear(dir) : OK;
    if (!e.code && spec)
        e = fault_add(dir, bytes_str(spec));
    if (!e.code && !spec && !clear)
        e = fault_show(dir);
    return e.code ? cmd_failed(spec ? spec : "fault", e) : 0;
}
