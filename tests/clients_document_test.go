//go:build linux

package tests

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/clients.md anew")

// docs/clients.md is generated from the table, so that it names what is tested. To write it anew:
//
//	go test ./tests -run ClientsDocument -update
func TestClientsDocument(t *testing.T) {
	t.Parallel()
	const path = "../docs/clients.md"
	want := clientsDocument()
	if *update {
		writeFile(t, path, want, 0o644)
	}
	if readFile(t, path) != want {
		t.Errorf("%s is stale; run: go test ./tests -run ClientsDocument -update", path)
	}
	for _, c := range ftpClients {
		for key := range c.cannot {
			if !slices.Contains(cannotKeys(), key) {
				t.Errorf("%s: cannot has %q, which is neither a step nor a mode", c.name, key)
			}
		}
	}
	version := ftpClients[len(ftpClients)-1].version
	if !strings.Contains(readFile(t, "../go.mod"), "github.com/jlaffaye/ftp v"+version+"\n") {
		t.Errorf("go.mod has another jlaffaye/ftp than %s", version)
	}
	if !strings.Contains(readFile(t, "../scripts/needs"), "basic-ftp@"+basicFTPVersion+" ") {
		t.Errorf("scripts/needs installs another basic-ftp than %s", basicFTPVersion)
	}
}

// cannotKeys returns the keys that the field cannot of a client may have: a property of modes, a
// step, or a step in such a mode.
func cannotKeys() []string {
	properties := map[string]bool{}
	for _, m := range modes {
		for _, p := range m.properties() {
			properties[p] = true
		}
	}
	keys := slices.Collect(maps.Keys(properties))
	for _, st := range steps {
		keys = append(keys, st.name)
		for p := range properties {
			keys = append(keys, st.name+" "+p)
		}
	}
	return keys
}

func clientsDocument() string {
	var text strings.Builder
	text.WriteString(`# Clients

This page is generated from the tests (tests/clients_table_test.go). "make system" runs the steps below with each of these clients against
this server, and compares the files on disk afterwards. The clients are those of Debian 12. What a client cannot do is a limit of that
client, with every server.

| client | version | plain | explicit TLS | implicit TLS | passive | active | IPv6 |
|---|---|---|---|---|---|---|---|
`)
	for _, c := range ftpClients {
		fmt.Fprintf(&text, "| %s | %s |", c.name, c.version)
		for _, property := range []string{"plain", "explicit", "implicit", "passive", "active",
			"IPv6"} {
			fmt.Fprintf(&text, " %s |", c.has(property))
		}
		text.WriteString("\n")
	}
	text.WriteString("\n## What they cannot\n\n| client | what | why |\n|---|---|---|\n")
	for _, c := range ftpClients {
		whys := map[string][]string{}
		for what, why := range c.cannot {
			whys[why] = append(whys[why], what)
		}
		for _, why := range slices.Sorted(maps.Keys(whys)) {
			slices.Sort(whys[why])
			fmt.Fprintf(&text, "| %s | %s | %s |\n", c.name, shown(whys[why]), why)
		}
	}
	text.WriteString("\n## The steps\n\n" +
		"The steps that concern the data connection run in all modes. " +
		"The others run in passive mode over IPv4, plain and with explicit TLS; " +
		"the odd names run without TLS alone.\n\n" +
		"| step | in all modes | what |\n|---|---|---|\n")
	for _, st := range steps[:len(steps)-len(oddNames)] {
		fmt.Fprintf(&text, "| %s | %s | %s |\n", st.name,
			map[bool]string{true: "yes"}[st.everywhere], st.does)
	}
	fmt.Fprintf(&text, "| odd names | | up, down, deleted: `%s` |\n",
		strings.Join(oddNames, "`, `"))
	text.WriteString("\n## Programs that speak FTP\n\n" +
		"These programs have another purpose, and support FTP too: in passive mode, and without TLS unless the table names it. " +
		"\"make system\" runs\nthe programs that were tried \"by each build\" (tests/programs_table_test.go). " +
		"The others were tried by hand against this server, on the\nday in the table. All versions are those of Debian 12.\n\n" +
		"| program | version | tried | works | cannot |\n|---|---|---|---|---|\n")
	for _, p := range ftpPrograms {
		tried := programsTried
		if p.try != nil {
			tried = "by each build"
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s |\n", p.name, p.version, tried, p.works,
			p.cannot)
	}
	return text.String()
}

// has returns the cell of the first table for a property.
func (c ftpClient) has(property string) string {
	ofTLS := property == "explicit" || property == "implicit"
	if c.cannot[property] != "" || ofTLS && c.cannot["TLS"] != "" {
		return "no"
	}
	var some []string
	for _, m := range modes {
		if all := m.properties(); slices.Contains(all, property) {
			for _, p := range all {
				if p != property && strings.Contains(p, " over ") && c.cannot[p] != "" &&
					strings.Contains(p, property) {
					some = append(some, p)
				}
			}
		}
	}
	if len(some) > 0 {
		slices.Sort(some)
		return "not " + strings.Join(slices.Compact(some), ", ")
	}
	return "yes"
}

// shown returns the names of steps as text, with "odd names" for all odd names together.
func shown(names []string) string {
	odd := func(name string) bool { return slices.Contains(oddNames, name) }
	if rest := slices.DeleteFunc(slices.Clone(names), odd); len(rest) == len(names)-len(oddNames) {
		names = append(rest, "odd names")
	}
	return strings.Join(names, ", ")
}
