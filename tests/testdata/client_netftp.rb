# Ruby's net/ftp. HOST PORT USER PASSWORD SECURITY MODE. Standard
# input contains one action per line: VERB, REMOTE, LOCAL, TO, separated by tabs.
require "net/ftp"

# head reads the first bytes and ends the download. abort cannot send its urgent data over TLS, so there it only closes.
def head(ftp, remote, local, tls)
  conn = ftp.send(:transfercmd, "RETR " + remote)
  IO.binwrite(local, conn.read(2000))
  begin
    ftp.abort unless tls
    conn.close
    ftp.send(:voidresp)
  rescue Net::FTPTempError
    # 426: the client closed before the end
  end
end

def act(ftp, verb, remote, local, to, tls)
  case verb
  when "list" then puts(remote.empty? ? ftp.list : ftp.list(remote))
  when "get" then ftp.getbinaryfile(remote, local)
  when "put" then ftp.putbinaryfile(local, remote)
  when "get text" then ftp.gettextfile(remote, local)
  when "put text" then ftp.puttextfile(local, remote)
  when "reget"
    ftp.resume = true
    ftp.getbinaryfile(remote, local)
  when "reput"
    ftp.resume = true
    ftp.putbinaryfile(local, remote)
  when "head" then head(ftp, remote, local, tls)
  when "missing"
    begin
      ftp.getbinaryfile(remote, local)
      abort("it is there")
    rescue Net::FTPPermError => e
      raise unless e.message.start_with?("550 ")
    end
  when "rename" then ftp.rename(remote, to)
  when "time" then ftp.voidcmd("MFMT #{to} #{remote}")
  when "delete" then ftp.delete(remote)
  when "mkdir" then ftp.mkdir(remote) == "/" + remote or abort("mkdir: #{ftp.last_response}")
  when "rmdir" then ftp.rmdir(remote)
  end
end

host, port, user, password, security, mode = ARGV
tls = security != "plain"
ftp = Net::FTP.new(host, port: port.to_i, ssl: tls && { verify_mode: OpenSSL::SSL::VERIFY_NONE }, passive: mode == "passive",
                         open_timeout: 100, read_timeout: 100, username: user, password: password)
$stdin.each_line(chomp: true) { |line| act(ftp, *line.split("\t", -1), tls) }
ftp.close
