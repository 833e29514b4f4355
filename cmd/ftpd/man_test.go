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

const manFoot = `.SH SIGNALS
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
