// SPDX-License-Identifier: Apache-2.0
// Emulated Nitro certificate authorities. The profile is what genuine documents show: key usages,
// path lengths, validity, key identifiers and CRL addresses on the upper levels only, and a leaf
// whose keyUsage is not critical. Verifiers that demand more would refuse AWS's certificates.
#include "emu/nsmchain.h"

#include "base/fd.h"
#include "base/must.h"
#include "emu/disk.h"

#include <stdio.h>
#include <string.h>

#define HOUR_S       3600
#define DAY_S        (24 * HOUR_S)
#define REGIONAL_S   (20 * DAY_S + HOUR_S)
#define ZONAL_S      (5 * DAY_S + HOUR_S)
#define LEAF_S       (3 * HOUR_S + 3)
#define RENEW_S      600
#define CA_USAGE     "critical,digitalSignature,keyCertSign,cRLSign"
#define CRL_LOCATION "URI:http://crl.dev.nitro-enclaves.invalid/crl/nsm.crl"

static FALLIBLE chain_fill(struct nsmchain *chain, const struct nsmchain_names *names,
                           int64_t now_s);
static FALLIBLE chain_leaf(struct nsmchain *chain, const struct nsmchain_names *names,
                           int64_t now_s);

struct err nsmchain_init(struct nsmchain *chain, const struct nsmchain_names *names, int64_t now_s)
{
    struct err e;

    memset(chain, 0, sizeof(*chain));
    e = chain_fill(chain, names, now_s);
    if (!e.code)
        e = chain_leaf(chain, names, now_s);
    if (e.code)
        nsmchain_done(chain);
    return e;
}

struct err nsmchain_renew(struct nsmchain *chain, const struct nsmchain_names *names, int64_t now_s)
{
    if (now_s < chain->leaf_until_s - RENEW_S)
        return OK;
    if (now_s < chain->instance_until_s - LEAF_S)
        return chain_leaf(chain, names, now_s);
    nsmchain_done(chain);
    return nsmchain_init(chain, names, now_s);
}

void nsmchain_done(struct nsmchain *chain)
{
    cert_key_free(&chain->instance_key);
    cert_key_free(&chain->leaf_key);
}

static struct bytes cert_bytes(const struct nsmchain_cert *cert)
{
    return bytes_of(cert->der, cert->len);
}

static FALLIBLE chain_issue(struct nsmchain_cert *out, const struct cert_spec *spec)
{
    struct wr wr = WR_OF(out->der);

    TRY(cert_issue(&wr, spec));
    out->len = wr.len;
    return OK;
}

static FALLIBLE chain_root(struct nsmchain_cert *root, struct cert_key **key, const char *pki)
{
    char path[DISK_PATH_MAX];

    TRY(disk_path(path, sizeof(path), pki, "nsm-root.der"));
    TRY(fd_read_file(path, root->der, sizeof(root->der), &root->len));
    TRY(disk_path(path, sizeof(path), pki, "nsm-root.key"));
    return cert_key_load(key, path);
}

// The regional and zonal authorities; `key` comes in as the root's and leaves as the zonal one.
static FALLIBLE chain_upper(struct nsmchain *chain, struct cert_key **key, const char *region,
                            int64_t now_s)
{
    static const struct {
        const char *name, *constraints;
        int64_t life_s;
    } level[] = {
        { "regional", "critical,CA:TRUE,pathlen:2", REGIONAL_S },
        { "zonal", "critical,CA:TRUE,pathlen:1", ZONAL_S },
    };

    for (size_t i = 0; i < ARRAY_LEN(level); i++) {
        AUTO(cert_key_free) struct cert_key *issuer_key = *key;
        char name[65]; // RFC 5280: a common name has at most 64 characters
        struct cert_spec spec = {
            .name = name,
            .issuer = cert_bytes(&chain->bundle[i]),
            .issuer_key = issuer_key,
            .from_s = now_s - HOUR_S,
            .until_s = now_s + level[i].life_s - HOUR_S,
            .ext = { { "basicConstraints", level[i].constraints },
                     { "authorityKeyIdentifier", "keyid" },
                     { "subjectKeyIdentifier", "hash" },
                     { "keyUsage", CA_USAGE },
                     { "crlDistributionPoints", CRL_LOCATION } },
        };

        *key = NULL;
        (void)snprintf(name, sizeof(name), "%s.%s.dev.nitro-enclaves.invalid", level[i].name,
                       region);
        TRY(cert_key_new(key, CERT_P384));
        spec.key = *key;
        TRY(chain_issue(&chain->bundle[i + 1], &spec));
    }
    return OK;
}

static struct err chain_fill(struct nsmchain *chain, const struct nsmchain_names *names,
                             int64_t now_s)
{
    AUTO(cert_key_free) struct cert_key *key = NULL;
    char name[65];

    TRY(chain_root(&chain->bundle[0], &key, names->pki));
    TRY(chain_upper(chain, &key, names->region, now_s));
    TRY(cert_key_new(&chain->instance_key, CERT_P384));
    (void)snprintf(name, sizeof(name), "%s.%s.dev.invalid", names->instance_id, names->region);
    chain->instance_until_s = now_s + DAY_S - 1;
    return chain_issue(&chain->bundle[3],
                       &(struct cert_spec) {
                           .name = name,
                           .key = chain->instance_key,
                           .issuer = cert_bytes(&chain->bundle[2]),
                           .issuer_key = key,
                           .from_s = now_s - 1,
                           .until_s = chain->instance_until_s,
                           .ext = { { "basicConstraints", "critical,CA:TRUE,pathlen:0" },
                                    { "keyUsage", "critical,keyCertSign" } },
                       });
}

static struct err chain_leaf(struct nsmchain *chain, const struct nsmchain_names *names,
                             int64_t now_s)
{
    char name[65];

    cert_key_free(&chain->leaf_key);
    TRY(cert_key_new(&chain->leaf_key, CERT_P384));
    (void)snprintf(name, sizeof(name), "%s.%s", names->module_id, names->region);
    chain->leaf_until_s = now_s + LEAF_S - 3;
    return chain_issue(&chain->leaf,
                       &(struct cert_spec) {
                           .name = name,
                           .key = chain->leaf_key,
                           .issuer = cert_bytes(&chain->bundle[3]),
                           .issuer_key = chain->instance_key,
                           .from_s = now_s - 3,
                           .until_s = chain->leaf_until_s,
                           .ext = { { "basicConstraints", "critical,CA:FALSE" },
                                    { "keyUsage", "digitalSignature,nonRepudiation" } },
                       });
}
