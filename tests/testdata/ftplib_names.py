"""Uses files with names of any bytes: HOST PORT USER PASSWORD NAME..., the names in hexadecimal digits.

ftplib takes names as text; in Latin-1 each byte is a character. It knows nothing of Telnet, so it sends the byte 255 once and reads it
twice in a reply.
"""
import ftplib
import io
import sys

host, port, user, password = sys.argv[1:5]

ftp = ftplib.FTP(timeout=100, encoding='latin-1')
ftp.connect(host, int(port))
ftp.login(user, password)


def get(path):
    text = io.BytesIO()
    ftp.retrbinary('RETR ' + path, text.write)
    return text.getvalue()


def same(what, got, want):
    if got != want:
        sys.exit(f'{what}: {got!r}, not {want!r}')


def reach(name):
    same('NLST', [n for n in ftp.nlst() if n == name], [name])
    same('MLSD', [n for n, facts in ftp.mlsd(facts=['type', 'size']) if n == name], [name])
    lines = []
    ftp.retrlines('LIST', lines.append)
    same('LIST', len([line for line in lines if line.endswith(' ' + name)]), 1)

    same('RETR', get(name), b'some text')
    ftp.storbinary('STOR ' + name, io.BytesIO(b'other text'))
    same('RETR', get(name), b'other text')
    same('SIZE', ftp.size(name), 10)

    ftp.rename(name, 'plain')
    ftp.mkd(name)
    ftp.cwd(name)
    same('PWD', ftp.pwd().replace('\xff\xff', '\xff'), '/' + name)
    ftp.cwd('/')
    ftp.rename('plain', name + '/' + name)
    same('RETR', get(name + '/' + name), b'other text')
    ftp.delete(name + '/' + name)
    ftp.rmd(name)
    ftp.storbinary('STOR ' + name, io.BytesIO(b'third text'))


for digits in sys.argv[5:]:
    reach(bytes.fromhex(digits).decode('latin-1'))
ftp.quit()
