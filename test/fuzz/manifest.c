// SPDX-License-Identifier: Apache-2.0
// What administrators sign and how: manifests ('m'), signed manifests ('s'), lists of approvals
// ('a'). What is read is written as the very same bytes again.
#include "fuzz.h"

#include "proto/approval.h"
#include "proto/clients.h"
#include "proto/manifest.h"

#define OUT_MAX 65536

static uint8_t out[OUT_MAX];
static uint8_t again[OUT_MAX];

// Every entry is written as it stood, and nothing is left over.
static void fuzz_clients(struct bytes section)
{
    struct wr wr = WR_OF(again);
    struct bytes rest = section;
    struct clients_entry entry;

    while (rest.n) {
        must(clients_next(&rest, &entry));
        must(entry.operations && entry.label.n);
        must(!entry.patterns || !clients_matches(&entry, BYTES_LIT("?")) ||
             clients_matches(&entry, BYTES_LIT("")));
        clients_write(&wr, &entry);
    }
    must(bytes_equal(wr_done(&wr), section));
    (void)clients_has_anyone(section);
}

static void fuzz_web(struct bytes section)
{
    struct wr wr = WR_OF(again);
    struct bytes rest = section;
    struct clients_web web;

    while (rest.n) {
        must(clients_next_web(&rest, &web) && web.text.n);
        clients_write_web(&wr, &web);
    }
    must(bytes_equal(wr_done(&wr), section));
}

static void fuzz_manifest(struct bytes in)
{
    struct wr wr = WR_OF(out);
    struct manifest manifest;
    uint8_t digest[32] = { 0 };
    struct id id = { 0 };

    if (manifest_read(&manifest, in).code)
        return;
    must(manifest.serial > 0);
    manifest_write(&wr, &manifest);
    must(bytes_equal(wr_done(&wr), in));
    (void)manifest_admits(&manifest, &id, digest);
    (void)manifest_floor(&manifest, &id);
    (void)manifest_disables(&manifest, &id);
    fuzz_clients(manifest.clients);
    fuzz_web(manifest.web);
}

static void fuzz_signed(struct bytes in)
{
    struct wr wr = WR_OF(out);
    struct manifest_signed m;

    if (manifest_signed_read(&m, in).code)
        return;
    manifest_signed_write(&wr, &m);
    must(bytes_equal(wr_done(&wr), in));
    fuzz_manifest(m.manifest);
}

static void fuzz_approvals(struct bytes in)
{
    struct rd rd = rd_of(in);
    struct bytes entries = approval_read_list(&rd);
    struct wr wr = WR_OF(out);

    if (rd_end(&rd).code)
        return;
    approval_write_list(&wr, entries);
    must(bytes_equal(wr_done(&wr), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = bytes_skip(bytes_of(data, n), 1);

    if (n == 0 || n > OUT_MAX)
        return 0;
    if (data[0] == 'm')
        fuzz_manifest(in);
    else if (data[0] == 's')
        fuzz_signed(in);
    else if (data[0] == 'a')
        fuzz_approvals(in);
    return 0;
}
