// SPDX-License-Identifier: Apache-2.0
// The development PKI, files in one directory: nsm-root.{key,der}, tls-root.{key,der} (P-384 roots)
// and tls-server.{key,pem} for kms.REGION.amazonaws.com. Keys are PEM with mode 0600.
#pragma once

#include "base/err.h"

// Makes the directory and what is missing in it. Existing files are never changed.
FALLIBLE pki_make(const char *dir);
