// SPDX-License-Identifier: Apache-2.0
// One row. That only a larger serial replaces is the database's statement, so that two requests at
// once cannot put the older manifest last. The signatures are the enclave's to verify.
#include "parent/store_manifest.h"

#include "base/must.h"
#include "parent/store_db.h"

struct err store_manifest_put(struct store *store, const struct store_manifest *manifest)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_MANIFEST_PUT);

    ENSURE(manifest->serial <= INT64_MAX, ERR_MALFORMED, "manifest.serial: expected below 2^63");
    store_bind_u64(stmt, 1, manifest->serial);
    store_bind_blob(stmt, 2, manifest->bytes);
    return store_run(stmt);
}

struct err store_manifest_get(struct store *store, struct store_manifest *out)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_MANIFEST_GET);
    struct bytes *const views[] = { &out->bytes };
    bool row;

    *out = (struct store_manifest) { 0 };
    TRY(store_step(stmt, &row));
    ENSURE(row, ERR_NOT_FOUND, "manifest: there is none yet");
    out->serial = store_column_u64(stmt, 0);
    out->bytes = store_column(stmt, 1);
    ENSURE(out->bytes.n <= MANIFEST_SIGNED_MAX, ERR_CORRUPT, "store: the manifest is too long");
    return store_hold(&out->block, views, ARRAY_LEN(views));
}

void store_manifest_free(struct store_manifest *manifest)
{
    store_free_block(&manifest->block);
}
