// SPDX-License-Identifier: Apache-2.0
// The life of a running emulator: services first, then the enclave, then DIR/ready; a dead enclave
// comes back on a fresh security module, as after nitro-cli run-enclave; SIGTERM ends the enclave
// first. It listens on loopback only and trusts whoever may write DIR.
#include "emu/run.h"

#include "base/ct.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/anchor.h"
#include "emu/args.h"
#include "emu/disk.h"
#include "emu/imds.h"
#include "emu/journal.h"
#include "emu/kms.h"
#include "emu/machine.h"
#include "emu/measure.h"
#include "emu/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#define REGION         "us-east-1" // of the emulated hypervisor's certificates
#define STOP_MS        3000
#define BACKOFF_MS     250
#define BACKOFF_MAX_MS 1000
#define STABLE_MS      60000 // a run that lasted this long was no crash loop
#define NSM_ROOT_MAX   1024

struct run {
    const char *dir, *pki, *enclave, *eif, *role;
    bool debug, no_restart;
    int64_t clock_skew_s, max_age_s, imds_life_s, guest_cid;
    char instance_id[20]; // "i-" and 17 digits; stays over the enclave's restarts
    uint8_t nsm_root[NSM_ROOT_MAX];
    int pid_fd; // holds the directory's lock
    struct kms kms;
    struct anchor anchor;
    struct imds imds;
    struct tls_context *tls;
    struct server *kms_server, *imds_server;
    struct vm *vm;
    struct machine *machine; // in the vm's place when there is an image
    struct deadline restart_at;
    int64_t started_ms;
    int backoff_ms;
};

static int run_options(struct run *run, char **argv);
static FALLIBLE run_open(struct run *run);
static FALLIBLE run_serve(struct run *run);
static FALLIBLE run_enclave(struct run *run);
static FALLIBLE run_write(const struct run *run, const char *name, const char *text);
static void run_until_stopped(struct run *run, const sigset_t *signals);
static void run_close(struct run *run);

static FALLIBLE run_all(struct run *run, const sigset_t *signals)
{
    TRY(run_open(run));
    TRY(run_serve(run));
    TRY(run_enclave(run));
    TRY(run_write(run, "ready", "ready\n"));
    journal("emulator is ready");
    run_until_stopped(run, signals);
    return OK;
}

int run_command(char **argv)
{
    AUTO(run_close)
    struct run run = { .max_age_s = 300, .imds_life_s = 3600, .guest_cid = 16, .pid_fd = -1 };
    int status = run_options(&run, argv);
    sigset_t signals;
    struct err e;

    if (status)
        return status;
    // Blocked before any thread starts, so that only the main thread takes them.
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    e = run_all(&run, &signals);
    if (e.code)
        journal("emulator ends: %s: %s", run.dir, err_text(e));
    return e.code ? 1 : 0;
}

static int run_options(struct run *run, char **argv)
{
    const char *skew = NULL, *age = NULL, *ttl = NULL, *cid = NULL;
    const struct args_option options[] = {
        { "dir", &run->dir, NULL, true },
        { "pki", &run->pki, NULL, true },
        { "enclave", &run->enclave, NULL, false },
        { "role", &run->role, NULL, false },
        { "debug-mode", NULL, &run->debug, false },
        { "no-restart", NULL, &run->no_restart, false },
        { "clock-skew-s", &skew, NULL, false },
        { "max-age-s", &age, NULL, false },
        { "imds-ttl-s", &ttl, NULL, false },
        { "eif", &run->eif, NULL, false },
        { "cid", &cid, NULL, false },
    };

    if (args_read(options, ARRAY_LEN(options), argv).code)
        return 2;
    if (!run->enclave == !run->eif || (cid && !run->eif) ||
        args_number(&run->guest_cid, cid, 4, INT32_MAX).code) {
        (void)fprintf(stderr, "cloister-emu: expected --enclave FILE, or --eif FILE and then "
                              "perhaps --cid, at least 4\n");
        return 2;
    }
    if (args_number(&run->clock_skew_s, skew, -INT32_MAX, INT32_MAX).code ||
        args_number(&run->max_age_s, age, 1, INT32_MAX).code ||
        args_number(&run->imds_life_s, ttl, 2, INT32_MAX).code) {
        (void)fprintf(stderr, "cloister-emu: --clock-skew-s, --max-age-s, --imds-ttl-s: expected "
                              "seconds\n");
        return 2;
    }
    return 0;
}

static struct err run_write(const struct run *run, const char *name, const char *text)
{
    char path[DISK_PATH_MAX];

    TRY(disk_path(path, sizeof(path), run->dir, name));
    return disk_write(path, bytes_str(text), 0600);
}

static void run_remove(const struct run *run, const char *name)
{
    char path[DISK_PATH_MAX];

    if (!disk_path(path, sizeof(path), run->dir, name).code)
        (void)unlink(path);
}

// One emulator for each directory: the lock on emu.pid goes with the process, however it ends.
static FALLIBLE run_lock(struct run *run)
{
    char path[DISK_PATH_MAX], text[16];

    TRY(disk_path(path, sizeof(path), run->dir, "emu.pid"));
    run->pid_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    ENSURE(run->pid_fd >= 0, ERR_IO, "emu.pid cannot be written");
    if (flock(run->pid_fd, LOCK_EX | LOCK_NB) != 0) {
        fd_close(&run->pid_fd);
        return FAIL(ERR_EXISTS, "another emulator runs in this directory");
    }
    (void)snprintf(text, sizeof(text), "%d\n", (int)getpid());
    ENSURE(ftruncate(run->pid_fd, 0) == 0, ERR_IO, "emu.pid cannot be written");
    return fd_write_all(run->pid_fd, bytes_str(text), deadline_in(STOP_MS));
}

static struct err run_open(struct run *run)
{
    static const char *const made[] = { "link", "keys", "anchor" };
    char path[DISK_PATH_MAX], hex[2 * 9 + 1];
    uint8_t random[9];

    TRY(disk_make_dir(run->dir));
    TRY(run_lock(run));
    run_remove(run, "ready");
    for (size_t i = 0; i < ARRAY_LEN(made); i++) {
        TRY(disk_path(path, sizeof(path), run->dir, made[i]));
        TRY(disk_make_dir(path));
    }
    TRY(disk_path(path, sizeof(path), run->dir, "emu.log"));
    TRY(journal_open(path));
    libcrypto_random(random, sizeof(random));
    hex_encode(hex, BYTES_OF(random));
    (void)snprintf(run->instance_id, sizeof(run->instance_id), "i-%.17s", hex);
    run->backoff_ms = BACKOFF_MS;
    return OK;
}

static FALLIBLE run_serve_one(struct run *run, struct server **out, const char *file,
                              const struct server_options *options)
{
    struct addr loopback = { .kind = ADDR_TCP, .host = "127.0.0.1" }, bound;
    char text[320];
    int fd, n;

    TRY(addr_listen(&fd, &loopback, &bound));
    TRY(server_start(out, fd, options));
    if (options->tls)
        n = snprintf(text, sizeof(text), "tcp://%s:%u\n", bound.host, bound.port);
    else
        n = snprintf(text, sizeof(text), "http://%s:%u\n", bound.host, bound.port);
    ENSURE(n > 0 && (size_t)n < sizeof(text), ERR_TOO_LARGE, "address is too long");
    return run_write(run, file, text);
}

// KMS and the anchor are behind one address; the name that the client means tells them apart.
static void run_handle(const struct server_request *request, struct server_response *response)
{
    const struct run *run = request->context;
    struct server_request inner = *request;

    inner.context = (void *)&run->kms;
    if (anchor_is_host(request->head))
        anchor_handle(&inner, response, &run->anchor);
    else
        kms_handle(&inner, response);
}

static FALLIBLE run_serve_kms(struct run *run)
{
    char chain[DISK_PATH_MAX], key[DISK_PATH_MAX], root[DISK_PATH_MAX];
    size_t n;

    TRY(disk_path(root, sizeof(root), run->pki, "nsm-root.der"));
    TRY(fd_read_file(root, run->nsm_root, sizeof(run->nsm_root), &n));
    TRY(disk_path(chain, sizeof(chain), run->pki, "tls-server.pem"));
    TRY(disk_path(key, sizeof(key), run->pki, "tls-server.key"));
    TRY(tls_server_new(&run->tls, chain, key));
    run->anchor = (struct anchor) { run->dir };
    run->kms = (struct kms) { run->dir, bytes_of(run->nsm_root, n), (uint64_t)run->max_age_s };
    return run_serve_one(run, &run->kms_server, "kms.addr",
                         &(struct server_options) {
                             .tls = run->tls,
                             .workers = 2,
                             .connections_max = 64,
                             .queue_max = 64,
                             .request_max = KMS_REQUEST_MAX,
                             .response_max = KMS_RESPONSE_MAX,
                             .handle = run_handle,
                             .context = run,
                         });
}

static struct err run_serve(struct run *run)
{
    TRY(run_serve_kms(run));
    run->imds = (struct imds) { run->dir, run->role, (uint64_t)run->imds_life_s, { 0 } };
    libcrypto_random(run->imds.token_key, sizeof(run->imds.token_key));
    return run_serve_one(run, &run->imds_server, "imds.addr",
                         &(struct server_options) {
                             .workers = 1,
                             .connections_max = 16,
                             .queue_max = 16,
                             .request_max = 1024,
                             .response_max = 4096,
                             .handle = imds_handle,
                             .context = &run->imds,
                         });
}

static FALLIBLE run_new_module(const struct run *run, struct nsmdev **nsm)
{
    uint8_t random[8];
    char hex[2 * sizeof(random) + 1], module_id[64];
    struct nsmdev_options options = {
        .pki = run->pki,
        .region = REGION,
        .instance_id = run->instance_id,
        .module_id = module_id,
        .clock_skew_s = run->clock_skew_s,
        .debug = run->debug,
    };

    libcrypto_random(random, sizeof(random));
    hex_encode(hex, BYTES_OF(random));
    (void)snprintf(module_id, sizeof(module_id), "%s-enc%s", run->instance_id, hex);
    if (run->eif)
        TRY(measure_eif(&options.pcrs, run->eif, run->role, run->instance_id));
    else
        TRY(measure_enclave(&options.pcrs, run->enclave, run->role, run->instance_id));
    TRY(nsmdev_new(nsm, &options));
    hex_encode(hex, bytes_of(options.pcrs.image, 4));
    journal("enclave measured: PCR0 %s..%s", hex, run->debug ? " (debug mode: shown as zero)" : "");
    return OK;
}

// For every machine that is switched on: the image is measured as it is then.
static struct err run_machine_module(struct nsmdev **out, void *context)
{
    return run_new_module(context, out);
}

static FALLIBLE run_machine(struct run *run)
{
    struct machine_options options = { run->dir, (uint32_t)run->guest_cid, run_machine_module,
                                       run };

    TRY(machine_start(&run->machine, &options));
    journal("devices are ready for a machine that boots the image");
    return OK;
}

static struct err run_enclave(struct run *run)
{
    struct vm_options options = { run->dir, run->enclave };
    struct nsmdev *nsm = NULL;
    char text[16];

    if (run->eif)
        return run_machine(run);
    TRY(run_new_module(run, &nsm));
    TRY(vm_start(&run->vm, &options, nsm));
    run->started_ms = deadline_now_ms();
    journal("enclave started: process %d", (int)vm_pid(run->vm));
    (void)snprintf(text, sizeof(text), "%d\n", (int)vm_pid(run->vm));
    return run_write(run, "enclave.pid", text);
}

static void run_log_end(int status)
{
    if (WIFSIGNALED(status))
        journal("enclave ended by signal %d", WTERMSIG(status));
    else
        journal("enclave ended with status %d", WEXITSTATUS(status));
}

// A dead enclave is cleared away and its restart planned: at once the first time, later and later
// while it keeps dying.
static void run_reap(struct run *run)
{
    int status;

    if (!run->vm || !vm_has_ended(run->vm, &status))
        return;
    run_log_end(status);
    vm_stop(&run->vm, 0);
    run_remove(run, "enclave.pid");
    if (deadline_now_ms() - run->started_ms > STABLE_MS)
        run->backoff_ms = BACKOFF_MS;
    run->restart_at = deadline_in(run->backoff_ms);
    run->backoff_ms = run->backoff_ms >= BACKOFF_MAX_MS / 2 ? BACKOFF_MAX_MS : run->backoff_ms * 2;
}

static void run_restart(struct run *run)
{
    struct err e;

    if (run->vm || run->machine || run->no_restart || deadline_left_ms(run->restart_at) > 0)
        return;
    e = run_enclave(run);
    if (!e.code)
        return;
    journal("enclave cannot be started: %s", err_text(e));
    vm_stop(&run->vm, 0);
    run->restart_at = deadline_in(BACKOFF_MAX_MS);
}

static void run_until_stopped(struct run *run, const sigset_t *signals)
{
    struct timespec tick = { .tv_nsec = 100000000 };

    for (;;) {
        int got = sigtimedwait(signals, NULL, &tick);

        if (got == SIGTERM || got == SIGINT || got == SIGHUP)
            return;
        run_reap(run);
        run_restart(run);
    }
}

static void run_close(struct run *run)
{
    if (run->pid_fd < 0)
        return;
    run_remove(run, "ready");
    run_remove(run, "kms.addr");
    run_remove(run, "imds.addr");
    vm_stop(&run->vm, STOP_MS);
    machine_stop(&run->machine);
    if (run->kms_server)
        server_stop(&run->kms_server);
    if (run->imds_server)
        server_stop(&run->imds_server);
    if (run->tls)
        tls_context_free(&run->tls);
    ct_wipe(run->imds.token_key, sizeof(run->imds.token_key));
    run_remove(run, "enclave.pid");
    run_remove(run, "emu.pid");
    journal("emulator has ended");
    journal_close();
    fd_close(&run->pid_fd);
}
