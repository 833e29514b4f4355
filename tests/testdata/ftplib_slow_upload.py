"""Uploads a file slowly: HOST PORT SECURITY FILE NAME ORDER.

SECURITY is "plain", "1.2" or "1.3" (of TLS). ORDER is that of the descriptors, which decides what the kernel closes first when this program
is killed: "control first" is what clients have by themselves.
"""

import ftplib
import os
import ssl
import sys
import time

host, port, security, file, name, order = sys.argv[1:]
if security == "plain":
    ftp = ftplib.FTP(timeout=100)
else:
    context = ssl._create_unverified_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2 if security == "1.2" else ssl.TLSVersion.TLSv1_3
    ftp = ftplib.FTP_TLS(timeout=100, context=context)
ftp.connect(host, int(port))
ftp.login("alice", "secret")
if security != "plain":
    ftp.prot_p()
if order == "data first":
    os.dup2(ftp.sock.fileno(), 200)
ftp.voidcmd("TYPE I")
conn = ftp.transfercmd("STOR " + name)
with open(file, "rb") as f:
    while piece := f.read(16 << 10):
        conn.sendall(piece)
        time.sleep(0.02)
conn.close()
ftp.voidresp()
ftp.quit()
