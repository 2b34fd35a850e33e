// SPDX-License-Identifier: Apache-2.0
// Imports that have begun: whose account the id that the enclave chose will be. Nothing secret.
// Who may include it: parent.
#pragma once

#include "parent/store.h"

#define STORE_IMPORT_MS 600000U // the enclave waits no longer for the envelope

struct store_import {
    char account[ID_TEXT];
    char user[STORE_TEXT_MAX + 1];
    char name[STORE_TEXT_MAX + 1];
    char keyset[ID_TEXT];
    uint64_t created_ms;
};

// Forgets what is older than STORE_IMPORT_MS at `created_ms`, and adds. ERR_EXISTS.
FALLIBLE store_import_add(struct store *store, const struct store_import *import);
// ERR_NOT_FOUND.
FALLIBLE store_import_get(struct store *store, struct store_import *out, const char *account);
FALLIBLE store_import_drop(struct store *store, const char *account);
