// SPDX-License-Identifier: Apache-2.0
// The emulator's devices (emu/machine.h) in the scene's directory, and a monitor for them. Include
// it after cmocka.h.
#pragma once

#include "emu/fault.h"
#include "emu/machine.h"
#include "emu_scene.h"
#include "vmm.h"

#define CID 16U

static struct machine *machine;
static struct vmm vmm;
static char nsm_path[DISK_PATH_MAX], vsock_path[DISK_PATH_MAX], control_path[DISK_PATH_MAX],
    data_path[DISK_PATH_MAX], service_path[DISK_PATH_MAX];

static inline struct err module(struct nsmdev **out, void *context)
{
    struct nsmdev_options options = scene_options();

    (void)context;
    return nsmdev_new(out, &options);
}

static inline int start(void **state)
{
    struct machine_options options = { scene_dir, CID, module, NULL };
    char link[DISK_PATH_MAX];

    (void)state;
    vmm = VMM_OFF;
    expect_ok("path", disk_path(link, sizeof(link), scene_dir, "link"));
    expect_ok("link", disk_make_dir(link));
    expect_ok("path", disk_path(nsm_path, sizeof(nsm_path), scene_dir, "nsm.sock"));
    expect_ok("path", disk_path(vsock_path, sizeof(vsock_path), scene_dir, "vsock.sock"));
    expect_ok("path", disk_path(control_path, sizeof(control_path), link, "5000"));
    expect_ok("path", disk_path(data_path, sizeof(data_path), link, "9000"));
    expect_ok("path", disk_path(service_path, sizeof(service_path), link, "8000"));
    expect_ok("start", machine_start(&machine, &options));
    return 0;
}

static inline int stop(void **state)
{
    (void)state;
    vmm_off(&vmm);
    machine_stop(&machine);
    expect_ok("faults", fault_clear(scene_dir));
    return 0;
}
