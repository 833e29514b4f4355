package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"

	"ftpd/pkg/config"
)

// runCheck validates a configuration. Problems go to stderr, one line each, as they do when the service starts; what was asked for goes
// to stdout: with --json the problems as data, with --show what is in force.
func runCheck(args []string, stdout, stderr io.Writer) int {
	flags := newFlags("check", "[--config FILE] [--json | --show [--user NAME] [--from ADDRESS] [--all]]",
		"ftpd check --show --user alice")
	var c check
	flags.StringVar(&c.file, "config", defaultConfig, "the configuration")
	flags.BoolVar(&c.json, "json", false, "print the problems as JSON")
	flags.BoolVar(&c.show, "show", false, "print what is in force and where each value comes from: what differs from the defaults")
	flags.StringVar(&c.user, "user", "", "with --show: as this user would get it")
	flags.StringVar(&c.from, "from", "", "with --show: say whether a client from this address may log in")
	flags.BoolVar(&c.all, "all", false, "with --show: the defaults, too")
	if code, done := parse(flags, args, 0, stdout, stderr); done {
		return code
	}
	if err := c.usage(); err != nil {
		fmt.Fprintf(stderr, "ftpd check: %v; ftpd check --help says more\n", err)
		return exitUsage
	}
	known, done := knownAccounts()
	defer done()
	return c.run(known, stdout, stderr)
}

// A check is what the options ask for.
type check struct {
	file, user, from string
	json, show, all  bool
	address          netip.Addr // from, if given
}

// usage says which options do not go together.
func (c *check) usage() (err error) {
	switch {
	case c.json && c.show:
		return fmt.Errorf("--json lists problems, --show prints TOML: choose one")
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

func (c *check) run(known config.Accounts, stdout, stderr io.Writer) int {
	source := config.Inspect(c.file, known)
	failed := len(source.Problems.Errors()) > 0
	if c.json {
		return c.printJSON(source.Problems, failed, stdout, stderr)
	}
	for _, p := range source.Problems {
		fmt.Fprintln(stderr, p)
	}
	if failed {
		return exitError
	}
	if !c.show {
		fmt.Fprintf(stdout, "%s: ok\n", c.file)
		return exitOK
	}
	if err := c.print(source, known, stdout); err != nil {
		fmt.Fprintln(stderr, "ftpd check:", err)
		return exitError
	}
	return exitOK
}

// print shows what is in force.
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

// groupsAtLogin are the groups that a user has after a login: those of auth.guest where the system does not know the user.
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

// printJSON prints the problems for programs.
func (c *check) printJSON(problems config.Problems, failed bool, stdout, stderr io.Writer) int {
	if problems == nil {
		problems = config.Problems{}
	}
	out := json.NewEncoder(stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	err := out.Encode(struct {
		Config   string          `json:"config"`
		OK       bool            `json:"ok"`
		Problems config.Problems `json:"problems"`
	}{c.file, !failed, problems})
	if err != nil {
		fmt.Fprintln(stderr, "ftpd check:", err)
		return exitError
	}
	if failed {
		return exitError
	}
	return exitOK
}
