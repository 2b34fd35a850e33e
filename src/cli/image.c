// SPDX-License-Identifier: Apache-2.0
// The image is put together in one block of memory, its files read straight to where they belong,
// then read again by the reader that takes hostile images, which measures it. Nothing of the
// machine goes in: no times, owners, paths or names but those that were given.
#include "cli/image.h"

#include "base/ct.h"
#include "base/fd.h"
#include "base/must.h"
#include "cli/bootfile.h"
#include "cli/cpio.h"
#include "cli/eifmake.h"
#include "cli/files.h"
#include "cli/imageview.h"
#include "cli/secret.h"
#include "net/when.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB            ((size_t)1 << 20)
#define KERNEL_MAX     (128 * MIB)
#define INIT_MAX       (256 * MIB)
#define MODULE_MAX     (16 * MIB)
#define SMALL_SECTIONS (256 * 1024U) // command line, metadata, signature, heads of archives
#define LINUX_CMDLINE  2047U         // COMMAND_LINE_SIZE of x86-64, less the closing NUL
#define NAME_MAX_BYTES 64U
#define PEM_MAX        16384U
#define EXECUTABLE     (CPIO_FILE | 0755U)
#define READABLE       (CPIO_FILE | 0644U)
#define DIRECTORY      (CPIO_DIR | 0755U)
#define PROGRAM        "cloister-enclave"
// AWS's own for x86-64, less `nomodules`, which Linux hands to init as an argument.
#define CMDLINE                                                                                  \
    "reboot=k panic=30 pci=off console=ttyS0 i8042.noaux i8042.nomux i8042.nopnp i8042.dumbkbd " \
    "random.trust_cpu=on"

struct input {
    const char *option; // for messages
    const char *path;   // NULL: not given
    size_t max;
    int fd;
    size_t n;
};

struct pem {
    uint8_t b[PEM_MAX];
    size_t n;
};

struct build {
    struct input kernel, module, init;
    struct bytes release; // of the kernel
    const char *cmdline, *name, *version, *time;
    struct codesign cert;
    struct eifmake make;
    struct bytes image;
    uint8_t *memory;
    char init_path[PATH_MAX];
};

static struct eif eif;
static struct eifsig sig;

static void build_done(struct build *b)
{
    fd_close(&b->kernel.fd);
    fd_close(&b->module.fd);
    fd_close(&b->init.fd);
    free(b->memory);
}

static void pem_wipe(struct pem *pem)
{
    ct_wipe(pem, sizeof(*pem));
}

static FALLIBLE options(struct cli *cli, struct build *b);
static FALLIBLE assemble(struct cli *cli, struct build *b);
static FALLIBLE sign(struct cli *cli, struct build *b);
static FALLIBLE show(struct cli *cli, const struct build *b, const char *output);

struct err image_build(struct cli *cli)
{
    AUTO(build_done)
    struct build b = {
        .kernel = { .option = "kernel", .max = KERNEL_MAX, .fd = -1 },
        .module = { .option = "module", .max = MODULE_MAX, .fd = -1 },
        .init = { .option = "init", .max = INIT_MAX, .fd = -1 },
    };
    const char *output;

    TRY(cli_need(cli, "kernel", &b.kernel.path));
    TRY(cli_need(cli, "output", &output));
    TRY(options(cli, &b));
    TRY(assemble(cli, &b));
    if (args_has(&cli->args, "sign"))
        TRY(sign(cli, &b));
    (void)snprintf(cli->where, sizeof(cli->where), "%.150s: ", output);
    TRY(files_save(output, b.image));
    cli->where[0] = 0;
    return show(cli, &b, output);
}

static bool is_plain(const char *text, size_t max)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return n <= max;
}

static const char *option_or(const struct cli *cli, const char *name, const char *fallback)
{
    const char *given = args_get(&cli->args, name);

    return given ? given : fallback;
}

static FALLIBLE read_cert(struct cli *cli, struct build *b)
{
    const char *path = args_get(&cli->args, "cert");
    static uint8_t text[PEM_MAX];
    struct wr wr = WR_OF(text);

    if (!path != !args_has(&cli->args, "sign"))
        return CLI_USAGE_ERROR(cli, "give --sign and --cert together, or neither");
    if (!path)
        return OK;
    TRY(cli_read(cli, path, &wr));
    (void)snprintf(cli->where, sizeof(cli->where), "--cert %.150s: ", path);
    TRY(codesign_read(&b->cert, wr_done(&wr)));
    TRY(codesign_valid(&b->cert, cli_now_ms() / 1000));
    cli->where[0] = 0;
    return OK;
}

static FALLIBLE options(struct cli *cli, struct build *b)
{
    uint64_t time = 0;

    b->module.path = args_get(&cli->args, "module");
    b->init.path = args_get(&cli->args, "init");
    b->cmdline = option_or(cli, "cmdline", CMDLINE);
    b->name = option_or(cli, "name", "cloister");
    b->version = option_or(cli, "version", CLOISTER_VERSION);
    b->time = option_or(cli, "build-time", "");
    if (b->cmdline[0] == 0 || !is_plain(b->cmdline, LINUX_CMDLINE))
        return CLI_USAGE_ERROR(cli, "--cmdline: expected 1 to 2047 printable ASCII characters");
    if (!is_plain(b->name, NAME_MAX_BYTES) || !is_plain(b->version, NAME_MAX_BYTES))
        return CLI_USAGE_ERROR(
            cli, "--name and --version: expected at most 64 printable ASCII characters");
    if (b->time[0] && when_rfc3339(&time, bytes_str(b->time)).code)
        return CLI_USAGE_ERROR(cli, "--build-time: expected e.g. 2026-01-01T00:00:00Z");
    return read_cert(cli, b);
}

static FALLIBLE open_checked(struct input *input)
{
    struct stat st;

    // Without O_NONBLOCK a FIFO would be waited for, and never read.
    input->fd = open(input->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ENSURE(input->fd >= 0 || errno != ENOENT, ERR_NOT_FOUND, "there is no such file");
    ENSURE(input->fd >= 0, ERR_IO, "cannot be opened");
    ENSURE(fstat(input->fd, &st) == 0 && S_ISREG(st.st_mode), ERR_UNSUPPORTED,
           "expected a regular file");
    ENSURE(st.st_size > 0, ERR_MALFORMED, "is empty");
    ENSURE((uint64_t)st.st_size <= input->max, ERR_TOO_LARGE,
           "is larger than expected (kernel 128 MiB, init 256 MiB, module 16 MiB)");
    input->n = (size_t)st.st_size;
    return OK;
}

static FALLIBLE input_open(struct cli *cli, struct input *input)
{
    if (!input->path)
        return OK;
    (void)snprintf(cli->where, sizeof(cli->where), "--%s %.150s: ", input->option, input->path);
    TRY(open_checked(input));
    cli->where[0] = 0;
    return OK;
}

static FALLIBLE read_exactly(const struct input *input, uint8_t *room)
{
    uint8_t more;
    size_t done = 0;

    while (done < input->n) {
        ssize_t got = read(input->fd, room + done, input->n - done);

        ENSURE(got >= 0, ERR_IO, "cannot be read");
        ENSURE(got > 0, ERR_IO, "became shorter while it was read");
        done += (size_t)got;
    }
    ENSURE(read(input->fd, &more, 1) == 0, ERR_IO, "became longer while it was read");
    return OK;
}

// Reads the file into `room`, which holds input->n bytes, and looks at it.
static FALLIBLE input_read(struct cli *cli, struct build *b, const struct input *input,
                           uint8_t *room)
{
    (void)snprintf(cli->where, sizeof(cli->where), "--%s %.150s: ", input->option, input->path);
    ENSURE(room, ERR_INTERNAL, "no room in the image");
    TRY(read_exactly(input, room));
    if (input == &b->kernel)
        TRY(bootfile_kernel(&b->release, bytes_of(room, input->n)));
    else if (input == &b->init)
        TRY(bootfile_init(bytes_of(room, input->n)));
    else
        TRY(bootfile_module(bytes_of(room, input->n)));
    cli->where[0] = 0;
    return OK;
}

// The program that was built or installed with this one: beside it, or in its build directory.
static FALLIBLE find_init(struct build *b)
{
    static const char *const places[] = { "", "../enclave/" };
    char self[PATH_MAX], path[PATH_MAX + sizeof(PROGRAM) + 16];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const char *folder;

    ENSURE(n > 0, ERR_NOT_FOUND, "--init: give the enclave's program, " PROGRAM);
    self[n] = 0;
    folder = dirname(self);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s" PROGRAM, folder, places[i]);
        b->init.path = realpath(path, b->init_path);
        if (b->init.path)
            return OK;
    }
    return FAIL(ERR_NOT_FOUND,
                "--init: there is no " PROGRAM " beside this program: give its path");
}

static void put_metadata(struct wr *wr, const struct build *b)
{
    struct jw jw = jw_of(wr);

    jw_object(&jw);
    jw_cstring(jw_key(&jw, "ImageName"), b->name);
    jw_cstring(jw_key(&jw, "ImageVersion"), b->version);
    jw_object(jw_key(&jw, "BuildMetadata"));
    jw_cstring(jw_key(&jw, "BuildTime"), b->time);
    jw_cstring(jw_key(&jw, "BuildTool"), "cloister");
    jw_cstring(jw_key(&jw, "BuildToolVersion"), CLOISTER_VERSION);
    jw_cstring(jw_key(&jw, "OperatingSystem"), "Linux");
    jw_string(jw_key(&jw, "KernelVersion"), b->release);
    jw_object_end(&jw);
    jw_null(jw_key(&jw, "DockerInfo"));
    jw_null(jw_key(&jw, "CustomMetadata"));
    jw_object_end(&jw);
}

// What the kernel needs before the program starts: the folders that init mounts over, and the
// module. Measured into PCR1.
static FALLIBLE boot_ramdisk(struct cli *cli, struct build *b)
{
    struct cpio cpio = cpio_of(&b->make.wr);

    (void)cpio_add(&cpio, "dev", DIRECTORY, 0);
    if (b->module.path)
        TRY(input_read(cli, b, &b->module, cpio_add(&cpio, "nsm.ko", READABLE, b->module.n)));
    (void)cpio_add(&cpio, "proc", DIRECTORY, 0);
    cpio_end(&cpio);
    return OK;
}

// The enclave's program and nothing else. Measured into PCR2.
static FALLIBLE user_ramdisk(struct cli *cli, struct build *b)
{
    struct cpio cpio = cpio_of(&b->make.wr);

    TRY(input_read(cli, b, &b->init, cpio_add(&cpio, "init", EXECUTABLE, b->init.n)));
    cpio_end(&cpio);
    return OK;
}

// In the order of AWS's builder.
static FALLIBLE put_sections(struct cli *cli, struct build *b)
{
    struct eifmake *make = &b->make;

    eifmake_open(make, EIF_KERNEL);
    TRY(input_read(cli, b, &b->kernel, wr_room(&make->wr, b->kernel.n)));
    eifmake_close(make);
    eifmake_open(make, EIF_CMDLINE);
    wr_str(&make->wr, b->cmdline);
    eifmake_close(make);
    eifmake_open(make, EIF_METADATA);
    put_metadata(&make->wr, b);
    eifmake_close(make);
    eifmake_open(make, EIF_RAMDISK);
    TRY(boot_ramdisk(cli, b));
    eifmake_close(make);
    eifmake_open(make, EIF_RAMDISK);
    TRY(user_ramdisk(cli, b));
    eifmake_close(make);
    return OK;
}

static FALLIBLE measure(struct build *b)
{
    struct eif_source source = eif_of_bytes(b->image);

    return eif_read(&eif, &source);
}

static FALLIBLE assemble(struct cli *cli, struct build *b)
{
    size_t cap;

    if (!b->init.path)
        TRY(find_init(b));
    TRY(input_open(cli, &b->kernel));
    TRY(input_open(cli, &b->module));
    TRY(input_open(cli, &b->init));
    cap = b->kernel.n + b->module.n + b->init.n + SMALL_SECTIONS;
    b->memory = malloc(cap);
    ENSURE(b->memory, ERR_FULL, "not enough memory for the image");
    eifmake_start(&b->make, b->memory, cap);
    TRY(put_sections(cli, b));
    TRY(eifmake_end(&b->make, &b->image));
    return measure(b);
}

static FALLIBLE sign(struct cli *cli, struct build *b)
{
    AUTO(pem_wipe) struct pem pem = { .n = 0 };
    const char *key = args_get(&cli->args, "sign");

    secret_protect_process();
    (void)snprintf(cli->where, sizeof(cli->where), "--sign %.150s: ", key);
    TRY(files_read_secret(key, pem.b, sizeof(pem.b), &pem.n));
    eifmake_open(&b->make, EIF_SIGNATURE);
    TRY(eifsig_write(&b->make.wr, &b->cert, bytes_of(pem.b, pem.n), eif.pcr[0]));
    eifmake_close(&b->make);
    TRY(eifmake_end(&b->make, &b->image));
    cli->where[0] = 0;
    TRY(measure(b));
    TRY(eifsig_read(&sig, eif.signature));
    return eifsig_verify(&sig, eif.pcr[0]);
}

static FALLIBLE show(struct cli *cli, const struct build *b, const char *output)
{
    struct out *out = &cli->out;
    bool is_signed = b->cert.n > 0;

    out_str(out, "image", output);
    out_u64(out, "bytes", b->image.n);
    out_str(out, "init", b->init.path);
    out_text(out, "kernel_version", b->release);
    out_str(out, "cmdline", b->cmdline);
    out_bool(out, "signed", is_signed);
    imageview_measurements(out, &eif, is_signed ? &sig : NULL);
    return OK;
}
