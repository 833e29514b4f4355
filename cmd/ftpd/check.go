package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"ftpd/pkg/certfile"
	"ftpd/pkg/config"
	"ftpd/pkg/inspect"
	"ftpd/pkg/trust"
)

// runCheck checks a configuration, and looks at this host as a start of the service would find it.
// Problems are written to stderr, one line each, as they are when the service starts. The requested
// output is written to stdout: the problems as data with --json, the settings in force with --show,
// the schema of the file with --schema.
func runCheck(args []string, stdout, stderr io.Writer) int {
	c, code, done := parseCheck(args, stdout, stderr)
	if done {
		return code
	}
	if c.schema {
		stdout.Write(config.Schema())
		return exitOK
	}
	known, release := knownAccounts()
	defer release()
	return c.run(known, inspect.Look, stdout, stderr)
}

// parseCheck reads the options. If done is true, the caller exits with code.
func parseCheck(args []string, stdout, stderr io.Writer) (c check, code int, done bool) {
	flags := newFlags("check",
		"[--config FILE] [--json | --show [--user NAME] [--from ADDRESS] [--all] | --schema]",
		"ftpd check",
		"ftpd check --config /tmp/new.toml --json",
		"ftpd check --show --user alice --from 192.0.2.7",
		"ftpd check --schema > ftpd.schema.json")
	flags.StringVar(&c.file, "config", defaultConfig, "the configuration")
	flags.BoolVar(&c.json, "json", false,
		"print the problems and facts as JSON: ftpd(8) names its fields")
	flags.BoolVar(&c.show, "show", false,
		"print the settings that differ from the defaults, and where each value comes from")
	flags.StringVar(&c.user, "user", "", "with --show: the settings of this user")
	flags.StringVar(&c.from, "from", "",
		"with --show: print whether a client from this address may log in")
	flags.BoolVar(&c.all, "all", false, "with --show: also the settings with default values")
	flags.BoolVar(&c.schema, "schema", false,
		"print the JSON schema of the file, for editors (Taplo, Tombi)")
	if code, done = parse(flags, args, 0, stdout, stderr); done {
		return c, code, true
	}
	if err := c.usage(); err != nil {
		fmt.Fprintf(stderr, "ftpd check: %v; see ftpd check --help\n", err)
		return c, exitUsage, true
	}
	return c, exitOK, false
}

// A check holds the values of the options.
type check struct {
	file, user, from        string
	json, show, all, schema bool
	address                 netip.Addr // the address in from; invalid if from is empty
}

// usage returns an error for options that cannot be combined.
func (c *check) usage() (err error) {
	switch {
	case c.json && c.show:
		return fmt.Errorf("--json lists problems, --show prints TOML: choose one")
	case c.schema && (c.json || c.show):
		return fmt.Errorf("--schema prints the schema alone")
	case !c.show && (c.user != "" || c.from != "" || c.all):
		return fmt.Errorf("--user, --from and --all go with --show")
	}
	if c.from != "" {
		if c.address, err = netip.ParseAddr(c.from); err != nil {
			return fmt.Errorf("--from %s: not an IP address", c.from)
		}
	}
	return nil
}

// A look is the type of inspect.Look, which tests replace.
type look func(context.Context, *config.Source, time.Time) inspect.Facts

// run checks the file, and then the host if the file has no errors: findings about values that
// nobody has configured would mislead. With --show it checks the file only.
func (c *check) run(known config.Accounts, outside look, stdout, stderr io.Writer) int {
	source := config.Inspect(c.file, known)
	trust.Check(source)
	certfile.Check(source)
	var facts *inspect.Facts
	if len(source.Problems.Errors()) == 0 && !c.show {
		found := outside(context.Background(), source, time.Now())
		facts = &found
	}
	failed := len(source.Problems.Errors()) > 0
	if c.json {
		return c.printJSON(source.Problems, facts, failed, stdout, stderr)
	}
	for _, p := range source.Problems {
		fmt.Fprintln(stderr, p)
	}
	if failed {
		return exitError
	}
	if !c.show {
		c.printFacts(facts, stdout)
		return exitOK
	}
	if err := c.print(source, known, stdout); err != nil {
		fmt.Fprintln(stderr, "ftpd check:", err)
		return exitError
	}
	return exitOK
}

// printFacts reports that there is no error, and prints the facts about the host.
func (c *check) printFacts(facts *inspect.Facts, stdout io.Writer) {
	fmt.Fprintf(stdout, "%s: ok\n", c.file)
	for _, certificate := range facts.Certificates {
		fmt.Fprintln(stdout, certificate)
	}
	if layers := facts.Kernel.Layers; len(layers) > 0 {
		fmt.Fprintf(stdout, "kernel: %s\n", strings.Join(layers, ", "))
	}
}

// print prints the settings in force.
func (c *check) print(source *config.Source, known config.Accounts, stdout io.Writer) error {
	if c.user == "" {
		if c.address.IsValid() {
			if err := source.ShowFrom(stdout, "", nil, c.address); err != nil {
				return err
			}
		}
		return source.Show(stdout, c.all)
	}
	groups, err := groupsAtLogin(source.Config, known, c.user)
	if err != nil {
		return fmt.Errorf("look up the groups of %s: %w", c.user, err)
	}
	if c.address.IsValid() {
		if err := source.ShowFrom(stdout, c.user, groups, c.address); err != nil {
			return err
		}
	}
	return source.ShowUser(stdout, c.user, groups, c.all)
}

// groupsAtLogin returns the groups that a user has after a login. If the system does not know the
// user, these are the groups of auth.guest.
func groupsAtLogin(cfg *config.Config, known config.Accounts, name string) ([]string, error) {
	if cfg.KnowsAlone(name) {
		return nil, nil
	}
	groups, err := known.GroupsOf(name)
	if err == nil && len(groups) == 0 && cfg.Auth.Guest != "" {
		return known.GroupsOf(cfg.Auth.Guest)
	}
	return groups, err
}

// A finding is a problem in the output of --json. The names of its fields are documented in
// ftpd(8).
type finding struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Key      string `json:"key,omitempty"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
}

func newFinding(p config.Problem) finding {
	f := finding{p.File, p.Line, p.Column, p.Key, "error", p.Text}
	if p.Warning {
		f.Severity = "warning"
	}
	return f
}

// printJSON prints the problems and facts as JSON.
func (c *check) printJSON(
	problems config.Problems, facts *inspect.Facts, failed bool, stdout, stderr io.Writer,
) int {
	findings := []finding{}
	for _, p := range problems {
		findings = append(findings, newFinding(p))
	}
	out := json.NewEncoder(stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	err := out.Encode(struct {
		Config   string    `json:"config"`
		OK       bool      `json:"ok"`
		Problems []finding `json:"problems"`
		*inspect.Facts
	}{c.file, !failed, findings, facts})
	if err != nil {
		fmt.Fprintln(stderr, "ftpd check:", err)
		return exitError
	}
	if failed {
		return exitError
	}
	return exitOK
}
