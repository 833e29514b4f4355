"""Aborts a download without reading it, and continues the session: HOST PORT."""

import ftplib
import sys

ftp = ftplib.FTP(timeout=100)
ftp.connect(sys.argv[1], int(sys.argv[2]))
ftp.login()
ftp.voidcmd("TYPE I")
conn = ftp.transfercmd("RETR hello.txt")
conn.recv(1)
assert ftp.abort()[:3] in ("426", "226"), "abort"
conn.close()
replies = []
while not replies or replies[-1][:3] != "200":  # abort() reads one reply; another may follow
    replies.append(ftp.getmultiline() if replies else ftp.sendcmd("NOOP"))
assert len(replies) <= 2, replies
assert ftp.pwd() == "/"
ftp.quit()
