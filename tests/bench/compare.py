#!/usr/bin/env python3
"""Compares the CPU time for transfers with that of vsftpd, in turn; run as root after `make build`:

    tests/bench/compare.py [ROUNDS [DIRECTORY]]

It makes an account and starts bin/ftpd and /usr/sbin/vsftpd in a network namespace of their own. In
each round it moves 1 GiB and a number of files of 4 KiB down and up with each of them, in binary and
in passive mode. It prints the medians of the servers' CPU time between login and QUIT (all of their
processes, by cgroup, without this client) and of the elapsed time. DIRECTORY is where the account's
home is made: /dev/shm by default, a tmpfs; name one of another file system to measure that.
"""
import ftplib, os, secrets, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
NAME, PASSWORD = "ftpdbench", secrets.token_hex(8)  # of account, PAM service and cgroups
BIG, SMALL, FILES = 1 << 30, 4 << 10, 400
ROOM = memoryview(bytearray(4 << 20))


def received(ftp, verb):
    with ftp.transfercmd(verb) as data:
        n = 0
        while more := data.recv_into(ROOM, 0, socket.MSG_TRUNC):  # the kernel drops the bytes
            n += more
    ftp.voidresp()
    return n


def sent(ftp, verb, path):
    with ftp.transfercmd(verb) as data, open(path, "rb") as f:
        n = data.sendfile(f)
    ftp.voidresp()
    return n


def jobs(home):
    big, small = f"{home}/big", f"{home}/small"
    return {  # function, repetitions, unit of the result
        "RETR 1 GiB": (lambda ftp: received(ftp, "RETR big") == BIG, 1, "s/GiB"),
        "STOR 1 GiB": (lambda ftp: sent(ftp, "STOR up", big) == os.path.getsize(f"{home}/up"), 1, "s/GiB"),
        "RETR 4 KiB": (lambda ftp: received(ftp, "RETR small") == SMALL, FILES, "us/file"),
        "STOR 4 KiB": (lambda ftp: sent(ftp, "STOR up", small) == SMALL, FILES, "us/file"),
    }


class Cgroup:
    """Measures the CPU time of a server's processes, with either version of cgroups."""

    def __init__(self, name):
        top = "/sys/fs/cgroup" + ("/cpuacct" if os.path.isdir("/sys/fs/cgroup/cpuacct") else "")
        self.path = f"{top}/{NAME}-{name}"
        os.makedirs(self.path, exist_ok=True)

    def enter(self):
        with open(f"{self.path}/cgroup.procs", "w") as f:
            f.write("0")

    def seconds(self):
        try:
            return int(open(f"{self.path}/cpuacct.usage").read()) / 1e9
        except FileNotFoundError:
            return int(open(f"{self.path}/cpu.stat").read().split()[1]) / 1e6


class Server:
    def __init__(self, name, port, *args):
        self.name, self.port, self.group = name, port, Cgroup(name)
        self.process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=self.group.enter)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit(f"{args[0]} does not answer")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        for _ in range(100):
            try:
                return os.rmdir(self.group.path)
            except OSError:  # the last process has not ended yet
                time.sleep(0.05)

    def measure(self, job, times):
        """Returns CPU seconds and elapsed seconds."""
        ftp = ftplib.FTP()
        ftp.connect("127.0.0.1", self.port)
        ftp.login(NAME, PASSWORD)
        ftp.voidcmd("TYPE I")
        time.sleep(0.5)  # the work after a login is done
        cpu, began = self.group.seconds(), time.monotonic()
        for _ in range(times):
            if not job(ftp):
                sys.exit(f"{self.name}: not all bytes arrived")
        result = self.group.seconds() - cpu, time.monotonic() - began
        ftp.quit()
        return result


def compare(servers, home, rounds):
    for what, (job, times, unit) in jobs(home).items():
        scale = 1 if times == 1 else 1e6 / times
        seen = {s.name: [] for s in servers}
        for i in range(-1, rounds):
            for s in servers[::1 if i % 2 else -1]:
                result = [scale * x for x in s.measure(job, times)]
                # Round -1 warms up: memory that the host provides only then costs more than all else.
                if i >= 0:
                    seen[s.name].append(result)
        median = {name: [statistics.median(x) for x in zip(*runs)] for name, runs in seen.items()}
        for name, (cpu, passed) in median.items():
            print(f"{what}  {name:7} CPU {cpu:8.3f} {unit:7}  time {passed:8.3f} {unit}", flush=True)
        ratios = sorted(a[0] / b[0] for a, b in zip(seen["ftpd"], seen["vsftpd"]))
        print(f"{what}  ftpd/vsftpd: CPU x {median['ftpd'][0] / median['vsftpd'][0]:.2f}; by round x {ratios[0]:.2f}-{ratios[-1]:.2f}", flush=True)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def main(rounds, directory):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    home, work, servers = tempfile.mkdtemp(dir=directory), tempfile.mkdtemp(), []
    subprocess.run(["useradd", "-d", home, "-s", "/bin/bash", NAME], check=True)
    try:
        subprocess.run(["chpasswd"], input=f"{NAME}:{PASSWORD}", text=True, check=True)
        write(f"/etc/pam.d/{NAME}", "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n")
        write(f"{home}/small", "x" * SMALL)
        with open(f"{home}/big", "wb") as f:
            for _ in range(BIG >> 20):
                f.write(os.urandom(1 << 20))
        subprocess.run(["chown", "-R", NAME, home], check=True)
        write(f"{work}/ftpd.toml", f'[server]\nlisten = ["127.0.0.1:2121"]\nroots = ["{home}"]\n[auth]\npam_service = "{NAME}"\n')
        write(f"{work}/vsftpd.conf", "listen=YES\nlisten_address=127.0.0.1\nlisten_port=2122\nlocal_enable=YES\nwrite_enable=YES\n"
              f"pam_service_name={NAME}\nbackground=NO\nallow_writeable_chroot=YES\nchroot_local_user=YES\nsecure_chroot_dir={work}/empty\n"
              "xferlog_enable=YES\n" f"xferlog_file={work}/xferlog\n")
        os.mkdir(f"{work}/empty")
        servers += [Server("ftpd", 2121, f"{TOP}/bin/ftpd", "serve", "--config", f"{work}/ftpd.toml")]
        servers += [Server("vsftpd", 2122, "/usr/sbin/vsftpd", f"{work}/vsftpd.conf")]
        compare(servers, home, rounds)
    finally:
        for s in servers:
            s.stop()
        subprocess.run(["userdel", NAME])
        os.remove(f"/etc/pam.d/{NAME}")
        shutil.rmtree(home)
        shutil.rmtree(work)


if "FTPD_BENCH" not in os.environ:
    os.execvpe("unshare", ["unshare", "--net", sys.executable, *sys.argv], os.environ | {"FTPD_BENCH": "1"})
main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, sys.argv[2] if len(sys.argv) > 2 else "/dev/shm")
