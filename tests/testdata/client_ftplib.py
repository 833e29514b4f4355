"""Python's ftplib. HOST PORT USER PASSWORD SECURITY MODE.

Standard input contains one action per line: VERB, REMOTE, LOCAL, TO, separated by tabs.
"""

import ftplib
import os
import ssl
import sys


class ImplicitTLS(ftplib.FTP_TLS):
    """TLS from the first byte, in the usual way: ftplib has no implicit TLS."""

    @property
    def sock(self):
        return self._sock

    @sock.setter
    def sock(self, sock):
        if sock is not None and not isinstance(sock, ssl.SSLSocket):
            sock = self.context.wrap_socket(sock)
        self._sock = sock


def head(ftp, remote, local):
    """Reads the first bytes and ends the download.

    FTP_TLS cannot send the urgent data of abort(), so with TLS it only closes.
    """
    ftp.voidcmd("TYPE I")
    conn = ftp.transfercmd("RETR " + remote)
    with open(local, "wb") as f:
        f.write(conn.recv(2000))
    if isinstance(ftp, ftplib.FTP_TLS):
        conn.close()
        try:
            ftp.voidresp()
        except ftplib.error_temp:
            pass
        return
    assert ftp.abort()[:3] in ("426", "226"), "abort"
    conn.close()
    replies = []
    while not replies or replies[-1][:3] != "200":  # abort() reads one reply; another may follow
        replies.append(ftp.getmultiline() if replies else ftp.sendcmd("NOOP"))
    assert len(replies) <= 2, replies


def do(ftp, verb, remote, local, to):
    if verb == "list":
        ftp.dir(remote, print) if remote else ftp.dir(print)
    elif verb == "get":
        with open(local, "wb") as f:
            ftp.retrbinary("RETR " + remote, f.write)
    elif verb == "put":
        with open(local, "rb") as f:
            ftp.storbinary("STOR " + remote, f)
    elif verb == "get text":
        with open(local, "w", encoding="utf-8", newline="\n") as f:
            ftp.retrlines("RETR " + remote, lambda line: f.write(line + "\n"))
    elif verb == "put text":
        with open(local, "rb") as f:
            ftp.storlines("STOR " + remote, f)
    elif verb == "reget":
        with open(local, "ab") as f:
            ftp.retrbinary("RETR " + remote, f.write, rest=f.tell())
    elif verb == "reput":
        ftp.voidcmd("TYPE I")
        size = ftp.size(remote)
        with open(local, "rb") as f:
            f.seek(size)
            ftp.storbinary("STOR " + remote, f, rest=size)
    elif verb == "head":
        head(ftp, remote, local)
    elif verb == "missing":
        try:
            ftp.retrbinary("RETR " + remote, lambda data: None)
            sys.exit("it is there")
        except ftplib.error_perm as e:
            assert str(e).startswith("550 "), e
    elif verb == "rename":
        ftp.rename(remote, to)
    elif verb == "time":
        ftp.voidcmd("MFMT " + to + " " + remote)
    elif verb == "delete":
        ftp.delete(remote)
    elif verb == "mkdir":
        assert ftp.mkd(remote) == "/" + remote
    elif verb == "rmdir":
        ftp.rmd(remote)


host, port, user, password, security, mode = sys.argv[1:]
ftp = {"plain": ftplib.FTP, "explicit": ftplib.FTP_TLS, "implicit": ImplicitTLS}[security](timeout=100, encoding="utf-8")
ftp.connect(host, int(port))
ftp.login(user, password)
if security != "plain":
    ftp.prot_p()
ftp.set_pasv(mode == "passive")
for line in sys.stdin.buffer.read().decode().splitlines():
    do(ftp, *line.split("\t"))
ftp.quit()
