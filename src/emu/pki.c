// SPDX-License-Identifier: Apache-2.0
// The development PKI: a root for the emulated NSM with the profile of AWS's own (P-384, 30 years),
// and a TLS root with a server certificate that carries the real host names of AWS KMS, so that the
// enclave needs no endpoint override. Files that exist are kept, but for a server certificate that
// lacks a name. It never overwrites a root's key.
#include "emu/pki.h"

#include "base/fd.h"
#include "base/must.h"
#include "emu/cert.h"
#include "emu/disk.h"
#include "proto/anchor.h"

#include <stdio.h>
#include <time.h>

#define DAY_S         86400
#define NSM_ROOT_DAYS (30 * 365)
#define NAMES_MAX     4096
#define TLS_DAYS      (10 * 365)

static const char *const regions[] = {
    "af-south-1",     "ap-east-1",      "ap-east-2",      "ap-northeast-1", "ap-northeast-2",
    "ap-northeast-3", "ap-south-1",     "ap-south-2",     "ap-southeast-1", "ap-southeast-2",
    "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7",
    "ca-central-1",   "ca-west-1",      "eu-central-1",   "eu-central-2",   "eu-north-1",
    "eu-south-1",     "eu-south-2",     "eu-west-1",      "eu-west-2",      "eu-west-3",
    "il-central-1",   "me-central-1",   "me-south-1",     "mx-central-1",   "sa-east-1",
    "us-east-1",      "us-east-2",      "us-gov-east-1",  "us-gov-west-1",  "us-west-1",
    "us-west-2",
};

static FALLIBLE make_root(const char *dir, const char *name, const char *subject, int days);
static FALLIBLE make_server(const char *dir);

struct err pki_make(const char *dir)
{
    TRY(disk_make_dir(dir));
    TRY(make_root(dir, "nsm-root", "dev.nitro-enclaves.invalid", NSM_ROOT_DAYS));
    TRY(make_root(dir, "tls-root", "Cloister development TLS root", TLS_DAYS));
    return make_server(dir);
}

// A root: key and self-signed certificate, unless both are there.
static struct err make_root(const char *dir, const char *name, const char *subject, int days)
{
    char file[64], key_path[DISK_PATH_MAX], der_path[DISK_PATH_MAX];
    AUTO(cert_key_free) struct cert_key *key = NULL;
    int64_t now = (int64_t)time(NULL);
    uint8_t der[CERT_BYTES_MAX];
    struct wr wr = WR_OF(der);

    (void)snprintf(file, sizeof(file), "%s.key", name);
    TRY(disk_path(key_path, sizeof(key_path), dir, file));
    (void)snprintf(file, sizeof(file), "%s.der", name);
    TRY(disk_path(der_path, sizeof(der_path), dir, file));
    if (disk_exists(key_path) && disk_exists(der_path))
        return OK;
    TRY(cert_key_new(&key, CERT_P384));
    TRY(cert_issue(
        &wr, &(struct cert_spec) {
                 .name = subject,
                 .key = key,
                 .from_s = now - DAY_S,
                 .until_s = now + (int64_t)days * DAY_S,
                 .ext = { { "basicConstraints", "critical,CA:TRUE" },
                          { "subjectKeyIdentifier", "hash" },
                          { "keyUsage", "critical,digitalSignature,keyCertSign,cRLSign" } } }));
    TRY(cert_key_save(key, key_path));
    return disk_write(der_path, wr_done(&wr), 0644);
}

// "DNS:kms.R1.amazonaws.com,DNS:kms.R2.amazonaws.com,...": one certificate for every region, and
// for the development anchor.
static FALLIBLE write_names(struct wr *wr)
{
    for (size_t i = 0; i < ARRAY_LEN(regions); i++) {
        wr_str(wr, i ? ",DNS:kms." : "DNS:kms.");
        wr_str(wr, regions[i]);
        wr_str(wr, ".amazonaws.com");
    }
    wr_str(wr, ",DNS:" ANCHOR_HOST);
    wr_u8(wr, 0);
    return wr_end(wr);
}

static FALLIBLE issue_server(struct wr *pem, const char *dir, const struct cert_key *key)
{
    char path[DISK_PATH_MAX];
    AUTO(cert_key_free) struct cert_key *root_key = NULL;
    uint8_t root[CERT_BYTES_MAX], names[NAMES_MAX], der[CERT_BYTES_MAX];
    struct wr names_wr = WR_OF(names), wr = WR_OF(der);
    int64_t now = (int64_t)time(NULL);
    size_t root_n = 0;

    TRY(write_names(&names_wr));
    TRY(disk_path(path, sizeof(path), dir, "tls-root.key"));
    TRY(cert_key_load(&root_key, path));
    TRY(disk_path(path, sizeof(path), dir, "tls-root.der"));
    TRY(fd_read_file(path, root, sizeof(root), &root_n));
    TRY(cert_issue(&wr,
                   &(struct cert_spec) { .name = "kms.dev.cloister.invalid",
                                         .key = key,
                                         .issuer = bytes_of(root, root_n),
                                         .issuer_key = root_key,
                                         .from_s = now - DAY_S,
                                         .until_s = now + (int64_t)TLS_DAYS * DAY_S - DAY_S,
                                         .ext = { { "basicConstraints", "critical,CA:FALSE" },
                                                  { "subjectKeyIdentifier", "hash" },
                                                  { "authorityKeyIdentifier", "keyid" },
                                                  { "keyUsage", "critical,digitalSignature" },
                                                  { "extendedKeyUsage", "serverAuth" },
                                                  { "subjectAltName", (const char *)names } } }));
    return cert_to_pem(pem, wr_done(&wr));
}

// True when the certificate there was made for these names. One of an earlier version was not.
static bool is_named(const char *path, struct bytes names)
{
    uint8_t text[NAMES_MAX];
    size_t n = 0;

    return disk_exists(path) && !fd_read_file(path, text, sizeof(text), &n).code &&
           bytes_equal(bytes_of(text, n), names);
}

static struct err make_server(const char *dir)
{
    char key_path[DISK_PATH_MAX], pem_path[DISK_PATH_MAX], names_path[DISK_PATH_MAX];
    AUTO(cert_key_free) struct cert_key *key = NULL;
    uint8_t pem[2 * CERT_BYTES_MAX], names[NAMES_MAX];
    struct wr wr = WR_OF(pem), names_wr = WR_OF(names);

    TRY(write_names(&names_wr));
    TRY(disk_path(key_path, sizeof(key_path), dir, "tls-server.key"));
    TRY(disk_path(pem_path, sizeof(pem_path), dir, "tls-server.pem"));
    TRY(disk_path(names_path, sizeof(names_path), dir, "tls-server.names"));
    if (disk_exists(key_path) && disk_exists(pem_path) && is_named(names_path, wr_done(&names_wr)))
        return OK;
    TRY(cert_key_new(&key, CERT_P256));
    TRY(issue_server(&wr, dir, key));
    TRY(cert_key_save(key, key_path));
    TRY(disk_write(pem_path, wr_done(&wr), 0644));
    return disk_write(names_path, wr_done(&names_wr), 0644);
}
