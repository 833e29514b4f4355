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

// The document is made from the table, so that it names what is tested: go test ./tests -run ClientsDocument -update
func TestClientsDocument(t *testing.T) {
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
				t.Errorf("%s cannot %q, which is neither a step nor a mode", c.name, key)
			}
		}
	}
	if goMod, version := readFile(t, "../go.mod"), ftpClients[len(ftpClients)-1].version; !strings.Contains(goMod, "github.com/jlaffaye/ftp v"+version+"\n") {
		t.Errorf("go.mod has another jlaffaye/ftp than %s", version)
	}
	if !strings.Contains(readFile(t, "../scripts/needs"), "basic-ftp@"+basicFTPVersion+" ") {
		t.Errorf("scripts/needs installs another basic-ftp than %s", basicFTPVersion)
	}
}

// cannotKeys are the names that a client's cannot may have: a property of modes, a step, or a step in such a mode.
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

Made from the tests (tests/clients_table_test.go). "make system" has each of these clients do the steps below against this server, as it is
in Debian 12, and compares what is on disk afterwards. What a client cannot is the client's own limit, with every server.

| client | version | plain | explicit TLS | implicit TLS | passive | active | IPv6 |
|---|---|---|---|---|---|---|---|
`)
	for _, c := range ftpClients {
		fmt.Fprintf(&text, "| %s | %s |", c.name, c.version)
		for _, property := range []string{"plain", "explicit", "implicit", "passive", "active", "IPv6"} {
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
	text.WriteString("\n## The steps\n\nThose of all modes have to do with the data connection; the others are done in passive mode over IPv4, plain and with explicit TLS.\n\n" +
		"| step | in all modes | what |\n|---|---|---|\n")
	for _, st := range steps[:len(steps)-len(oddNames)] {
		fmt.Fprintf(&text, "| %s | %s | %s |\n", st.name, map[bool]string{true: "yes"}[st.everywhere], st.does)
	}
	fmt.Fprintf(&text, "| odd names | | up, down, deleted: `%s` |\n", strings.Join(oddNames, "`, `"))
	text.WriteString("\n## Programs that speak FTP\n\n" +
		"They are made for something else, and speak FTP too: passively, and without TLS where the table does not name it. \"make system\" runs some of\n" +
		"them (tests/programs_table_test.go); the others were tried by hand against this server, on the day that is named. All are Debian 12's.\n\n" +
		"| program | version | tried | works | cannot |\n|---|---|---|---|---|\n")
	for _, p := range ftpPrograms {
		tried := programsTried
		if p.try != nil {
			tried = "by each build"
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s |\n", p.name, p.version, tried, p.works, p.cannot)
	}
	return text.String()
}

// has is a cell of the first table.
func (c ftpClient) has(property string) string {
	if c.cannot[property] != "" || property != "plain" && strings.Contains("explicit implicit", property) && c.cannot["TLS"] != "" {
		return "no"
	}
	var some []string
	for _, m := range modes {
		if all := m.properties(); slices.Contains(all, property) {
			for _, p := range all {
				if p != property && strings.Contains(p, " over ") && c.cannot[p] != "" && strings.Contains(p, property) {
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

// shown are names of steps, with one for all odd names together.
func shown(names []string) string {
	odd := func(name string) bool { return slices.Contains(oddNames, name) }
	if rest := slices.DeleteFunc(slices.Clone(names), odd); len(rest) == len(names)-len(oddNames) {
		names = append(rest, "odd names")
	}
	return strings.Join(names, ", ")
}
