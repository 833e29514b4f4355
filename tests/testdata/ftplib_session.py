"""A user's work with Python's ftplib: HOST PORT USER PASSWORD FILE FOLDER; downloads go to FOLDER."""

import ftplib
import os
import sys

host, port, user, password, big, folder = sys.argv[1:]
ftp = ftplib.FTP(timeout=100)
ftp.connect(host, int(port))
ftp.login(user, password)
assert ftp.pwd() == "/", ftp.pwd()

# Make directories, and upload the first part of the file.
ftp.mkd("one")
ftp.cwd("one")
ftp.mkd("two")
half = os.path.getsize(big) // 2
with open(big, "rb") as f:
    head = os.path.join(folder, "head")
    with open(head, "wb") as h:
        h.write(f.read(half))
with open(head, "rb") as f:
    ftp.storbinary("STOR up.bin", f)

# Resume the upload, from the size that the server has.
ftp.voidcmd("TYPE I")
with open(big, "rb") as f:
    f.seek(ftp.size("up.bin"))
    ftp.storbinary("STOR up.bin", f, rest=ftp.size("up.bin"))

# Rename, list in all ways.
ftp.rename("up.bin", "renamed.bin")
lines = []
ftp.dir(lines.append)
assert len(lines) == 2, lines
assert sorted(ftp.nlst()) == ["renamed.bin", "two"], ftp.nlst()
facts = dict(ftp.mlsd(facts=["type", "size"]))
assert facts["renamed.bin"]["size"] == str(os.path.getsize(big)), facts
assert facts["two"]["type"] == "dir", facts

# Download one half, then the rest.
down = os.path.join(folder, "down.bin")


class Enough(Exception):
    pass


with open(down, "wb") as f:
    ftp.voidcmd("TYPE I")  # the listings have set TYPE A
    conn, _ = ftp.ntransfercmd("RETR renamed.bin")
    while f.tell() < half:
        f.write(conn.recv(65536))
    conn.close()
    try:
        ftp.voidresp()
    except ftplib.error_temp:
        pass  # 426: the client closed before the end
with open(down, "ab") as f:
    ftp.retrbinary("RETR renamed.bin", f.write, rest=f.tell())

# Delete all but the file itself, which the test checks.
ftp.rmd("two")
ftp.storbinary("STOR gone", open(os.devnull, "rb"))
ftp.delete("gone")
assert ftp.nlst() == ["renamed.bin"], ftp.nlst()
ftp.quit()
