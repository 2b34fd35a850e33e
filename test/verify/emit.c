// SPDX-License-Identifier: Apache-2.0
// What an emulated enclave attests, as files: input of test/verify/agree.mjs.
// usage: emit FOLDER: documents of the emulated NSM, records and what they belong to.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../unit/documents.h"
#include "base/fd.h"
#include "base/must.h"
#include "crypto/ecdsa.h"
#include "proto/config.h"
#include "proto/policy.h"
#include "proto/receipt.h"
#include "proto/tag.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ARN "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

static const char *folder;
static struct nsmdev *dev;
static uint8_t public_key[33];

static void save(const char *name, struct bytes content)
{
    AUTO(fd_close) int fd = -1;
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    must(fd >= 0 && write(fd, content.p, content.n) == (ssize_t)content.n);
}

static void attest(const char *name, const struct documents_fields *fields)
{
    static uint8_t buf[NSMDEV_RESPONSE_MAX];

    save(name, documents_make(dev, buf, fields));
}

static void make_configuration(uint8_t digest[static 48])
{
    struct config config = {
        .deployment = { { 1 } },
        .mode = CONFIG_PARENT_TRUSTED,
        .slashing = CONFIG_PARENT_TRUSTED,
        .keysets = 1,
        .keyset = { { BYTES_LIT("main"), CONFIG_ACCOUNTS, 1, 1, { BYTES_LIT(ARN) }, BYTES_NONE } },
        .hosts = 1,
        .host = { BYTES_LIT("kms.eu-west-1.amazonaws.com") }
    };
    uint8_t memory[1024];
    struct wr wr = WR_OF(memory);

    config_write(&wr, &config);
    config_digest(digest, wr_done(&wr));
    save("configuration", wr_done(&wr));
}

static void make_account(void)
{
    static const uint8_t policy[] = { 0, 1, 1 }, nobody[] = { 0, 1, 0 };
    static const uint8_t sealed[RECORD_SEALED_BYTES] = { 1 };
    struct record record = { .deployment = { { 1 } },
                             .keyset = { { 2 } },
                             .id = { { 3 } },
                             .key_type = RECORD_SECP256K1,
                             .purpose = RECORD_ACCOUNT,
                             .public_key = BYTES_OF(public_key),
                             .provenance = RECORD_GENERATED,
                             .generation = 1,
                             .created_ms = 1800000000000,
                             .policy = BYTES_OF(policy),
                             .authorisers = BYTES_OF(nobody),
                             .sealed = BYTES_OF(sealed) };
    uint8_t fields_memory[512], data_memory[512], record_memory[1024];
    struct wr fields = WR_OF(fields_memory), data = WR_OF(data_memory), wr = WR_OF(record_memory);

    policy_hash(record.policy_hash, record.policy);
    policy_authoriser_hash(record.authoriser_hash, record.authorisers);
    record_write_public(&fields, &record);
    record.public_bytes = wr_done(&fields);
    record_write(&wr, &record);
    save("account.record", wr_done(&wr));
    receipt_write_record(&data, record.public_bytes);
    attest("account.receipt",
           &(struct documents_fields) { wr_done(&data), BYTES_LIT("nonce"), BYTES_NONE });
    attest("account-without-nonce.receipt",
           &(struct documents_fields) { wr_done(&data), BYTES_NONE, BYTES_NONE });
    attest("account-with-key.receipt",
           &(struct documents_fields) { wr_done(&data), BYTES_LIT("nonce"), BYTES_LIT("key") });
}

static void make_keyset(void)
{
    static const uint8_t sealed[60] = { 2 }, check[32] = { 3 };
    struct keyset keyset = { .deployment = { { 1 } },
                             .id = { { 2 } },
                             .name = BYTES_LIT("main"),
                             .purpose = CONFIG_ACCOUNTS,
                             .created_ms = 1800000000000,
                             .k = 1,
                             .n = 1,
                             .wrap = { { KEYSET_WRAP_DATA_KEY, 1, BYTES_LIT(ARN),
                                         BYTES_LIT("a blob of KMS"), BYTES_OF(sealed) } },
                             .check = BYTES_OF(check) };
    uint8_t fields_memory[1024], data_memory[512], record_memory[1024];
    struct wr fields = WR_OF(fields_memory), data = WR_OF(data_memory), wr = WR_OF(record_memory);

    keyset_write(&wr, &keyset);
    save("keyset.record", wr_done(&wr));
    keyset_write_public(&fields, &keyset);
    receipt_write_keyset(&data, wr_done(&fields));
    attest("keyset.receipt", &(struct documents_fields) { wr_done(&data), BYTES_NONE, BYTES_NONE });
}

static void make_status(const char *name, enum receipt_phase phase)
{
    struct receipt_status status = { .phase = (uint8_t)phase,
                                     .boot = { { 4, 5 } },
                                     .sequence = UINT64_MAX,
                                     .audit_head = { 6, 7 },
                                     .manifest_serial = 8,
                                     .manifest_digest = { 10, 11 },
                                     .seals = 9,
                                     .anchor = CONFIG_ANCHOR_FILE,
                                     .anchored = true };
    uint8_t memory[512];
    struct wr wr = WR_OF(memory);

    receipt_write_status(&wr, &status);
    attest(name, &(struct documents_fields) { wr_done(&wr), BYTES_LIT("nonce"), BYTES_NONE });
}

static void make_tls(void)
{
    static const struct receipt_tls key = { { 0x5c }, { { 0x5e } } };
    struct receipt_status status = { .phase = PHASE_READY, .boot = { { 4, 5 } }, .sequence = 7 };
    uint8_t memory[512];
    struct wr wr = WR_OF(memory);

    receipt_write_tls(&wr, &key, &status);
    attest("tls.document",
           &(struct documents_fields) { wr_done(&wr), BYTES_LIT("a nonce of more than 16 bytes"),
                                        BYTES_NONE });
}

int main(int argc, char **argv)
{
    static const uint8_t seed[32] = { 1 };
    static const struct seckey key = { { 7 } };
    uint8_t digest[48];

    must(argc == 2);
    folder = argv[1];
    ecdsa_init(seed);
    must(!ecdsa_public(public_key, &key).code);
    make_configuration(digest);
    dev = documents_module(PKI_DIR, 0, BYTES_OF(digest));
    attest("debug.document", &(struct documents_fields) { .nonce = BYTES_LIT("nonce") });
    nsmdev_free(&dev);
    dev = documents_module(PKI_DIR, 0xa0, BYTES_OF(digest));
    attest("plain.document", &(struct documents_fields) { .user_data = BYTES_LIT("other data") });
    attest("import.document",
           &(struct documents_fields) { .user_data = BYTES_LIT(TAG_IMPORT "\0digest"),
                                        .nonce = BYTES_LIT("nonce") });
    make_account();
    make_keyset();
    make_status("ready.status", PHASE_READY);
    make_status("configured.status", PHASE_CONFIGURED);
    make_status("sealed.status", PHASE_SEALED);
    make_status("unconfigured.status", PHASE_UNCONFIGURED);
    make_tls();
    nsmdev_free(&dev);
    return 0;
}
