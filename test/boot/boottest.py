# SPDX-License-Identifier: Apache-2.0
"""A platform whose enclave is an image in a virtual machine: `cloister-emu run --eif` is NSM, vsock,
KMS and IMDS, and QEMU (test/boot/qemu) boots the image. Nothing here touches AF_VSOCK."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
import eif_oracle as eif  # noqa: E402
from cloistertest import BUILD, CLI, EMU, PKI, Platform, REGION, ROLE, run, wait_for  # noqa: E402

BOOTTEST = BUILD / "src/enclave/cloister-enclave-boottest"
RELEASE = BUILD / "src/enclave/cloister-enclave"
AWS_INIT = BUILD / "test/boot/aws-init"
# Of AWS's own images, without the keyboard controller's part.
AWS_CMDLINE = b"reboot=k panic=30 pci=off nomodules console=ttyS0 random.trust_cpu=on"
MEMORY_MIB = 128
BOOT_S = 120


def build_image(kernel, init, output, *more):
    """The image and its measurements, as `cloister image build` prints them."""
    output.unlink(missing_ok=True)
    cmdline = (HERE.parent.parent / "image/cmdline").read_text().strip()
    printed = json.loads(run(CLI, "image", "build", "--kernel", kernel, "--init", init, "-o", output,
                             "--cmdline", cmdline, "--json", *more))
    return measurements(printed)


def build_nitro_cli_image(kernel, module, output):
    """An image with the layout that nitro-cli gives to deploy/Dockerfile: init and module in the
    first ramdisk; program, command and environment in the second. Written without the product."""
    def entries(folders, files):
        return {**{name: (0o40755, b"") for name in folders},
                **{name: (mode, data) for name, mode, data in files}}

    boot = entries(["dev"], [("init", 0o100755, AWS_INIT.read_bytes()),
                             ("nsm.ko", 0o100755, module.read_bytes())])
    user = entries(["rootfs", *(f"rootfs/{name}" for name in "dev proc run sys tmp var".split())], [
        ("cmd", 0o100644, b"/cloister-enclave\n"),
        ("env", 0o100644, b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"),
        ("rootfs/cloister-enclave", 0o100755, BOOTTEST.read_bytes())])
    image = eif.write([
        (eif.KERNEL, kernel.read_bytes()), (eif.CMDLINE, AWS_CMDLINE),
        (eif.METADATA, b'{"ImageName":"cloister-enclave"}'), (eif.RAMDISK, eif.cpio(boot)),
        (eif.RAMDISK, eif.cpio(user))])
    output.write_bytes(image)
    return {f"pcr{i}": value.hex() for i, value in eif.read(image)["pcrs"].items()}


def describe_image(image):
    return measurements(json.loads(run(CLI, "image", "describe", image, "--json")))


def measurements(printed):
    measured = printed.get("Measurements", printed)
    return {name.lower(): value for name, value in measured.items() if name.lower().startswith("pcr")}


class Machine:
    """QEMU, started by test/boot/qemu; ended by its process group."""

    def __init__(self, platform, name, memory=MEMORY_MIB, nsm=True, more=()):
        self.log, self.started = platform.dir / f"console-{name}", time.monotonic()
        devices = ["--vsock-socket", str(platform.emu_dir / "vsock.sock")]
        devices += ["--nsm-socket", str(platform.emu_dir / "nsm.sock")] if nsm else []
        self.process = subprocess.Popen(
            [str(HERE / "qemu"), "--eif", str(platform.eif), "--memory", str(memory), *devices,
             "--log", str(self.log), *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(str(self.log) + ".qemu", "wb"), start_new_session=True)

    def age(self):
        return time.monotonic() - self.started

    def console(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def memory_kib(self):
        """Resident memory of the machine's processes."""
        total = 0
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError, ValueError):
                if os.getpgid(int(status.parent.name)) == self.process.pid:
                    total += int(status.read_text().split("VmRSS:")[1].split()[0])
        return total

    def cpu_s(self):
        """Processor time that the guest has had: what a boot costs, whatever else runs here."""
        total = 0.0
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, ValueError):
                if os.getpgid(int(stat.parent.name)) == self.process.pid:
                    total += sum(map(int, stat.read_text().rsplit(")", 1)[1].split()[11:13]))
        return total / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait(20)


class VirtualPlatform(Platform):
    """As Platform, with an image in a virtual machine in the emulated enclave's place."""

    def __init__(self, image, pcrs):
        self.image, self.built, self.machine, self.boots = image, pcrs, None, 0
        super().__init__(enclave=BOOTTEST)
        self.eif = self.dir / "image.eif"
        shutil.copyfile(image, self.eif)
        self.pcrs = json.loads(run(EMU, "measure", "--eif", self.eif, "--role", ROLE))
        self.put_policy()

    def start(self, *options):
        (self.emu_dir / "ready").unlink(missing_ok=True)
        with open(self.dir / "emu.log", "ab") as log:
            self.emulator = subprocess.Popen(
                [str(EMU), "run", "--dir", str(self.emu_dir), "--pki", str(PKI), "--eif",
                 str(self.eif), "--role", self.role, *options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for("emulator", lambda: self.emulator.poll() is None
                 and (self.emu_dir / "ready").exists())
        return self

    def boot(self, memory=MEMORY_MIB):
        self.boots += 1
        before = self.heartbeats()
        self.machine = Machine(self, str(self.boots), memory)

        def beats():
            if self.machine.process.poll() is not None:
                raise RuntimeError("the machine has ended\n" + self.machine.console()[-3000:])
            return self.heartbeats() > before
        wait_for("heartbeat", beats, BOOT_S)
        return self.machine

    def control(self, seconds=BOOT_S):
        return super().control(seconds)

    def heartbeats(self):
        log = self.emu_dir / "emu.log"
        return log.read_text(errors="replace").count("heartbeat b7") if log.exists() else 0

    def fault(self, *faults):
        run(EMU, "fault", "--dir", self.emu_dir, "--clear")
        for fault in faults:
            run(EMU, "fault", "--dir", self.emu_dir, fault)

    def emulator_peak_kib(self):
        status = pathlib.Path(f"/proc/{self.emulator.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0])

    def log(self):
        return super().log() + (self.machine.console() if self.machine else "")

    def switch_off(self):
        if self.machine:
            self.machine.stop()
        self.machine = None

    def stop(self):
        self.switch_off()
        super().stop()
