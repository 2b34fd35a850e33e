// SPDX-License-Identifier: Apache-2.0
// For tests of the emulator: a temporary directory with a development PKI, and modules made on it.
// Include it after cmocka.h.
#pragma once

#include "base/must.h"
#include "emu/disk.h"
#include "emu/nsmdev.h"
#include "emu/pki.h"
#include "expect.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCENE_INSTANCE "i-0123456789abcdef0"
#define SCENE_MODULE   "i-0123456789abcdef0-enc0123456789abcdef"

static char scene_dir[DISK_PATH_MAX]; // everything lies here
static char scene_pki[DISK_PATH_MAX]; // the PKI that verifiers trust

static inline int scene_setup(void **state)
{
    (void)state;
    (void)snprintf(scene_dir, sizeof(scene_dir), "/tmp/cloister-emu-XXXXXX");
    if (!mkdtemp(scene_dir))
        return -1;
    expect_ok("path", disk_path(scene_pki, sizeof(scene_pki), scene_dir, "pki"));
    expect_ok("pki", pki_make(scene_pki));
    return 0;
}

static inline int scene_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline int scene_teardown(void **state)
{
    (void)state;
    return nftw(scene_dir, scene_remove, 8, FTW_DEPTH | FTW_PHYS);
}

// PCR0 to PCR4 are filled with 0xa0, 0xa1, 0xa2, 0xa3 and 0xa4.
static inline struct nsmdev_options scene_options(void)
{
    struct nsmdev_options options = { .pki = scene_pki,
                                      .region = "eu-west-1",
                                      .instance_id = SCENE_INSTANCE,
                                      .module_id = SCENE_MODULE };

    memset(options.pcrs.image, 0xa0, sizeof(options.pcrs.image));
    memset(options.pcrs.boot, 0xa1, sizeof(options.pcrs.boot));
    memset(options.pcrs.application, 0xa2, sizeof(options.pcrs.application));
    memset(options.pcrs.role, 0xa3, sizeof(options.pcrs.role));
    memset(options.pcrs.instance, 0xa4, sizeof(options.pcrs.instance));
    return options;
}
