#!/usr/bin/env python3
"""CPU of a server for each GiB that it sends and receives, beside vsftpd's, in turn; run as root:

    tests/bench/bulk.py [ROUNDS [DIRECTORY]]

It makes an account, starts bin/ftpd and /usr/sbin/vsftpd on loopback, moves 1 GiB down and up with each in every round, and prints the
median of user and system time of the servers' processes (not of this client), and the ratio. DIRECTORY is where the account's home is
made: /dev/shm by default, a tmpfs; name one of another file system to measure that.
"""
import ftplib, os, secrets, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
HOME = tempfile.mkdtemp(dir=sys.argv[2] if len(sys.argv) > 2 else "/dev/shm")
SIZE = 1 << 30
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
USER, PASSWORD, SERVICE = "ftpdbench", secrets.token_hex(8), "ftpdbench"


def ticks(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return sum(int(f) for f in fields[11:15])  # of the process and of its children that have ended


def family(pid):
    found = [pid]
    for p in found:
        for task in os.listdir(f"/proc/{p}/task"):
            found += [int(c) for c in open(f"/proc/{p}/task/{task}/children").read().split()]
    return found


def cpu(pid):
    return sum(ticks(p) for p in family(pid)) / os.sysconf("SC_CLK_TCK")


def move(port, verb):
    ftp = ftplib.FTP()
    ftp.connect("127.0.0.1", port)
    ftp.login(USER, PASSWORD)
    ftp.voidcmd("TYPE I")
    with ftp.transfercmd(verb) as conn:
        if verb.startswith("RETR"):
            room = bytearray(4 << 20)
            while conn.recv_into(room, 0, socket.MSG_TRUNC):  # the kernel drops the bytes
                pass
        else:
            with open(os.path.join(HOME, "big"), "rb") as f:
                conn.sendfile(f)
    ftp.voidresp()
    ftp.quit()


def measure(pid, port, verb):
    before, began = cpu(pid), time.monotonic()
    move(port, verb)
    time.sleep(0.3)  # vsftpd's session processes end, and are counted with their parent
    return cpu(pid) - before, SIZE / (1 << 20) / (time.monotonic() - 0.3 - began)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def start(args, port):
    p = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return p
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{args[0]} does not answer")


def main():
    work = tempfile.mkdtemp()
    servers = []
    subprocess.run(["useradd", "-d", HOME, "-s", "/bin/bash", USER], check=True)
    subprocess.run(["chpasswd"], input=f"{USER}:{PASSWORD}", text=True, check=True)
    try:
        write(f"/etc/pam.d/{SERVICE}", "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n")
        with open(os.path.join(HOME, "big"), "wb") as f:
            for _ in range(SIZE >> 20):
                f.write(os.urandom(1 << 20))
        subprocess.run(["chown", "-R", USER, HOME], check=True)
        write(f"{work}/ftpd.toml", f'[server]\nlisten = ["127.0.0.1:29121"]\nroots = ["{HOME}"]\n[auth]\npam_service = "{SERVICE}"\n')
        write(f"{work}/vsftpd.conf", "listen=YES\nlisten_address=127.0.0.1\nlisten_port=29122\nlocal_enable=YES\nwrite_enable=YES\n"
              f"pam_service_name={SERVICE}\nbackground=NO\nallow_writeable_chroot=YES\nchroot_local_user=YES\nsecure_chroot_dir=/var/run/vsftpd/empty\n")
        os.makedirs("/var/run/vsftpd/empty", exist_ok=True)
        servers = [("ftpd", start([f"{TOP}/bin/ftpd", "serve", "--config", f"{work}/ftpd.toml"], 29121), 29121),
                   ("vsftpd", start(["/usr/sbin/vsftpd", f"{work}/vsftpd.conf"], 29122), 29122)]
        for verb in "RETR big", "STOR up":
            seen = {name: [] for name, _, _ in servers}
            for _ in range(ROUNDS):
                for name, p, port in servers:
                    seen[name].append(measure(p.pid, port, verb))
            median = {name: [statistics.median(x) for x in zip(*runs)] for name, runs in seen.items()}
            for name, (seconds, rate) in median.items():
                print(f"{verb[:4]}  {name:7} {seconds:6.3f} s CPU/GiB  {rate:7.0f} MiB/s")
            print(f"{verb[:4]}  ftpd/vsftpd: CPU x {median['ftpd'][0] / median['vsftpd'][0]:.2f}")
    finally:
        for _, p, _ in servers:
            p.send_signal(signal.SIGTERM)
            p.wait()
        subprocess.run(["userdel", USER])
        os.remove(f"/etc/pam.d/{SERVICE}")
        shutil.rmtree(HOME)
        shutil.rmtree(work)


main()
