"""One action with Python's ftplib: HOST PORT USER PASSWORD MODE VERB REMOTE LOCAL TO."""

import ftplib
import os
import sys

host, port, user, password, mode, verb, remote, local, to = sys.argv[1:]
ftp = ftplib.FTP(timeout=20, encoding="utf-8")
ftp.connect(host, int(port))
ftp.login(user, password)
ftp.set_pasv(mode == "passive")

if verb == "list":
    ftp.dir(remote, print) if remote else ftp.dir(print)
elif verb == "get":
    with open(local, "wb") as f:
        ftp.retrbinary("RETR " + remote, f.write)
elif verb == "put":
    with open(local, "rb") as f:
        ftp.storbinary("STOR " + remote, f)
elif verb == "reget":
    with open(local, "ab") as f:
        ftp.retrbinary("RETR " + remote, f.write, rest=f.tell())
elif verb == "reput":
    ftp.voidcmd("TYPE I")
    size = ftp.size(remote)
    with open(local, "rb") as f:
        f.seek(size)
        ftp.storbinary("STOR " + remote, f, rest=size)
elif verb == "rename":
    ftp.rename(remote, to)
elif verb == "delete":
    ftp.delete(remote)
elif verb == "mkdir":
    assert ftp.mkd(remote) == "/" + remote
elif verb == "rmdir":
    ftp.rmd(remote)
ftp.quit()
