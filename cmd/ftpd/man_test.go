package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// packaging/man/ftpd.8 contains the help of the commands. `go generate ./cmd/ftpd` writes it.

var update = flag.Bool("update", false, "write packaging/man/ftpd.8 anew")

const manFile = "../../packaging/man/ftpd.8"

const manHead = `.\" Generated from the help of the commands: go generate ./cmd/ftpd
.TH FTPD 8 "" ftpd
.SH NAME
ftpd \- FTP service for the users of a Unix system
.SH SYNOPSIS
.B ftpd
.I COMMAND
.RI [ OPTIONS ]
.SH DESCRIPTION
Users log in with their system password and work on their files with their own rights.
.I /etc/ftpd.toml
configures who may log in, from where, and what is served.
.I ftpd share
needs neither this file nor root.
.SH COMMANDS
`

const manFoot = `.SH WHAT CHECK LOOKS AT
.I ftpd check
first reads the file and all that it includes, and reports every mistake.
If there is none, it checks the host as a start of the service would find it.
.PP
An error is what makes a start fail:
an address of
.I server.listen
that another program uses (it is named; the running service itself is no error),
a certificate and a key that do not match, an account that does not exist,
a log that cannot be opened, and a system without openat2(2).
.PP
A warning does not change the exit status. Warnings are about:
a certificate that expires within 14 days;
a home, mount or other directory that does not exist
(if its path contains {user}, the part before that is checked);
a directory in which create_home could not make homes;
.I auth.pam_service
without a file, or with a file that leads to pam_limits, pam_namespace or pam_selinux,
which have no effect on transfers;
fewer passive ports than
.IR limits.max_sessions ;
anonymous users who may write;
a home or mount that contains the home of another user with the same account;
and a system without Landlock.
.PP
Without root,
.I ftpd check
cannot name the program that uses a port, and does not check ports below 1024.
.SH JSON
.I ftpd check \-\-json
prints one object on standard output, and nothing on standard error.
The exit status is the same. Later versions may add names, and keep these:
.TP
.B config
The file.
.TP
.B ok
true when there is no error.
.TP
.B problems
A list, in the order of the files and lines. Each has
.BR file ;
.BR line ,
from 1 on, unless the problem is about the whole file;
.BR column ,
in bytes, for an error of syntax;
.BR key ,
such as \(dqlimits.idle_timeout\(dq or \(dquser.rule.path\(dq, unless the problem is about no key;
.BR severity ,
\(dqerror\(dq or \(dqwarning\(dq; and
.BR message .
.TP
.B certificates
Present if the file has no error. A list; each has
.B key
(\(dqtls.certificate\(dq or \(dqhost.certificate\(dq),
.BR file ,
.B expires
(RFC 3339, in UTC) and
.BR days_left .
.TP
.B kernel
Present if the file has no error:
.BR layers ,
a list such as \(dqopenat2\(dq and \(dqlandlock ABI 7\(dq, and
.BR missing ,
a sentence for each missing layer.
.SH SIGNALS
.TP
.BR TERM ", " INT
Accept no new clients, wait for running transfers, and stop, after
.I server.drain_timeout
at the latest.
.SH EXIT STATUS
0 for success, 1 for a failure, 2 for a wrong use of the command line.
.SH FILES
.TP
.I /etc/ftpd.toml
The configuration. Further files are in
.IR /etc/ftpd.d .
.TP
.I /etc/pam.d/ftpd
How passwords of system users are checked.
.TP
.I /usr/share/ftpd/ftpd.schema.json
The JSON schema (draft-07) of the configuration, which the first line of
.I /etc/ftpd.toml
names: editors with Taplo or Tombi complete keys and mark mistakes.
.TP
.I /etc/ftpusers
System users who may not log in, one on each line.
.SH SEE ALSO
.BR ftpd.toml (5),
.BR pam.d (5),
.BR curl (1)
`

func TestManPageIsFresh(t *testing.T) {
	want := manPage(t)
	if *update {
		if err := os.WriteFile(manFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(manFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale: go generate ./cmd/ftpd", manFile)
	}
}

func manPage(t *testing.T) []byte {
	t.Helper()
	var page bytes.Buffer
	page.WriteString(manHead)
	for _, c := range commands() {
		if c.hidden {
			continue
		}
		var help strings.Builder
		if code := c.run([]string{"--help"}, &help, &help); code != exitOK {
			t.Errorf("ftpd %s --help: exit %d", c.name, code)
		}
		summary := strings.ToUpper(c.summary[:1]) + c.summary[1:] + "."
		fmt.Fprintf(&page, ".SS ftpd %s\n%s\n.PP\n.EX\n%s.EE\n", c.name, roff(summary),
			roff(help.String()))
	}
	page.WriteString(manFoot)
	return page.Bytes()
}

// roff escapes text for a man page.
func roff(text string) string {
	return strings.NewReplacer(
		`\`, `\e`, "-", `\-`, `"`, `\(dq`, "^", `\(ha`, "~", `\(ti`, "`", `\(ga`,
		"\n.", "\n\\&.", "\n'", "\n\\&'",
	).Replace(text)
}
