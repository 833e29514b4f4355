//go:build linux

package tests

import "path/filepath"

const basicFTPVersion = "6.2.6" // scripts/needs installs it

// ftpClients are the rows of the table.
var ftpClients = []ftpClient{
	{
		name: "curl", version: "7.88.1", print: []string{"curl", "--version"},
		needs: []string{"curl curl"},
		do:    curlDoes,
		cannot: onlyFiles("curl has no command for trees", map[string]string{
			"active over TLS": "curl 7.88.1 hangs there, with vsftpd too",
		}),
	},
	{
		name: "lftp", version: "4.9.2", print: []string{"lftp", "--version"},
		needs: []string{"lftp lftp"},
		do:    lftpDoes,
		cannot: map[string]string{
			"active over IPv6": "on the loopback, lftp names :: as its address, which no server takes",
		},
	},
	{
		name: "wget", version: "1.21.3", print: []string{"wget", "--version"},
		needs: []string{"wget wget"},
		do:    each(wgetDoes),
		cannot: onlyGets("wget only downloads", map[string]string{
			"abort": "wget has no command for it",
		}),
	},
	{
		name: "ncftp", version: "3.2.6", print: []string{"ncftpput"},
		needs: []string{"ncftpput ncftp"},
		do:    each(ncftpDoes),
		cannot: map[string]string{
			"TLS":       "ncftp has no TLS",
			"IPv6":      "ncftp has no IPv6",
			"abort":     "ncftp has no command for it",
			"several":   "ncftpput and ncftpget log in for each file",
			"resume up": "ncftpput 3.2.6 sends the whole file after its REST, to vsftpd too",
		},
	},
	{
		name: "tnftp", version: "20210827", print: []string{"dpkg-query", "--show", "tnftp"},
		needs: []string{"tnftp tnftp"},
		do:    tnftpDoes,
		cannot: onlyFiles("tnftp has no command for trees", map[string]string{
			"TLS":       "Debian's tnftp has no TLS",
			"resume up": "tnftp has reget, and nothing like it for uploads",
		}),
	},
	{
		name: "rclone", version: "1.60.1", print: []string{"rclone", "version"},
		needs: []string{"rclone rclone"},
		do:    each(rcloneDoes),
		cannot: map[string]string{
			"active":      "rclone has no active mode",
			"several":     "each command of rclone logs in anew",
			"text up":     "rclone transfers binary only",
			"text down":   "rclone transfers binary only",
			"resume up":   "rclone does not resume",
			"resume down": "rclone does not resume",
		},
	},
	{
		name: "Python ftplib", version: "3.11", print: []string{"python3", "--version"},
		needs:  []string{"python3 python3"},
		do:     scriptDoes("python3", "client_ftplib.py"),
		cannot: onlyFiles("ftplib has no function for trees"),
	},
	{
		name: "Perl Net::FTP", version: "3.14",
		print:  []string{"perl", "-MNet::FTP", "-e", "print Net::FTP->VERSION"},
		needs:  []string{"perl perl", "/usr/share/perl5/IO/Socket/SSL.pm libio-socket-ssl-perl"},
		do:     scriptDoes("perl", "client_netftp.pl"),
		cannot: onlyFiles("Net::FTP has no function for trees"),
	},
	{
		name: "Ruby net-ftp", version: "0.1",
		print: []string{"ruby", "-rnet/ftp", "-e", "print Net::FTP::VERSION"},
		needs: []string{"ruby ruby"},
		do:    scriptDoes("ruby", "client_netftp.rb"),
		cannot: onlyFiles("net-ftp has no method for trees", map[string]string{
			"implicit": "net-ftp 0.1 has explicit TLS only",
		}),
	},
	{
		name: "PHP ext-ftp", version: "8.2", print: []string{"php", "--version"},
		needs: []string{"php php-cli"},
		do:    scriptDoes("php", "client_ftp.php"),
		cannot: onlyFiles("ext-ftp has no function for trees", map[string]string{
			"implicit": "ext-ftp has explicit TLS only",
			"abort":    "ext-ftp has no function for it",
		}),
	},
	{
		name: "Java commons-net", version: "3.9.0",
		print:  []string{"sh", "-c", "echo /usr/share/java/commons-net-*.jar"},
		needs:  []string{"javac default-jdk-headless", commonsNet + " libcommons-net-java"},
		do:     commonsNetDoes,
		cannot: onlyFiles("commons-net has no method for trees"),
	},
	{
		name: "basic-ftp", version: basicFTPVersion,
		print: []string{"node", "-p", "require('basic-ftp/package.json').version"},
		needs: []string{"node nodejs", filepath.Join(nodeModules(), "basic-ftp") + " npm"},
		do:    scriptDoes("node", "client_basicftp.js"),
		cannot: map[string]string{
			"active": "basic-ftp has no active mode",
			// Seen with Python's ssl as the server, too: when it resumes a session and the source
			// ends at once, it sends its ClientHello and then FIN. Nothing proves such an upload,
			// so the reply is 522 here.
			"empty file TLS": "basic-ftp may end the data connection before its own handshake",
			"abort":          "basic-ftp has no method for it",
			"text up":        "basic-ftp transfers binary only",
			"text down":      "basic-ftp transfers binary only",
		},
	},
	{
		name: "jlaffaye/ftp", version: "0.2.4",
		do: jlaffayeDoes,
		cannot: onlyFiles("jlaffaye/ftp has no method for trees", map[string]string{
			"active": "jlaffaye/ftp has no active mode",
		}),
	},
}
