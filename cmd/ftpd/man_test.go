package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// packaging/man/ftpd.8 says what the commands' help says; `go generate ./cmd/ftpd` writes it.

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
says who may come in, from where, and what is served.
.I ftpd share
needs neither that file nor root.
.SH COMMANDS
`

const manFoot = `.SH WHAT CHECK LOOKS AT
The file and all that it includes, first: every mistake is told at once.
When there is none,
.I ftpd check
looks at the host as a start would find it.
An error is what a start fails for: an address of
.I server.listen
that another program has (it is named; the service itself is not in its own way), a certificate and a key that do not match, an account
that is missing, a log that cannot be opened, a system without openat2(2).
.PP
A warning fails nothing: a certificate that ends within 14 days; a home, mount or other directory that is not there (of one with {user},
what comes before it), or a place where create_home would make none; no file for
.IR auth.pam_service ,
or one that leads to pam_limits, pam_namespace or pam_selinux, which do not reach transfers; fewer passive ports than
.IR limits.max_sessions ;
anonymous users who may write; a home or mount that contains the home of another user who acts as the same account; no Landlock.
.PP
Who is not root is not told which program has a port, and ports below 1024 are then left out.
.SH JSON
.I ftpd check \-\-json
prints one object on standard output, and nothing on standard error. The exit status is the same. Later versions may add names; these stay:
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
from 1 on, unless it is about the whole;
.BR column ,
in bytes, for an error of syntax;
.BR key ,
such as \(dqlimits.idle_timeout\(dq or \(dquser.rule.path\(dq, unless it is about none;
.BR severity ,
\(dqerror\(dq or \(dqwarning\(dq; and
.BR message .
.TP
.B certificates
Only when the file has no error. A list; each has
.B key
(\(dqtls.certificate\(dq or \(dqhost.certificate\(dq),
.BR file ,
.B expires
(RFC 3339, in UTC) and
.BR days_left .
.TP
.B kernel
Likewise:
.BR layers ,
a list such as \(dqopenat2\(dq and \(dqlandlock ABI 7\(dq, and
.BR missing ,
a sentence for each layer that is not there.
.SH SIGNALS
.TP
.BR TERM ", " INT
Take no new client, let running transfers end, and stop; after
.I server.drain_timeout
at the latest.
.SH EXIT STATUS
0, or 1 for a failure, or 2 for a wrong use of the command line.
.SH FILES
.TP
.I /etc/ftpd.toml
The configuration; further files stand in
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
System users who may not log in, one a line.
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
		fmt.Fprintf(&page, ".SS ftpd %s\n%s\n.PP\n.EX\n%s.EE\n", c.name, roff(summary), roff(help.String()))
	}
	page.WriteString(manFoot)
	return page.Bytes()
}

// roff writes text so that it appears as it is.
func roff(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, `"`, `\(dq`, "^", `\(ha`, "~", `\(ti`, "`", `\(ga`, "\n.", "\n\\&.", "\n'", "\n\\&'").Replace(text)
}
