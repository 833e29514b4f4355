// Command ftpd is the FTP service: see its help, or ftpd(8).
package main

//go:generate go test -run TestManPageIsFresh -update .

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"ftpd/pkg/sandbox"
)

// version is set by the build.
var version = "dev"

// Exit codes: a usage error is 2, as everywhere.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// A command is one line of the table that dispatch and help read.
type command struct {
	name    string
	summary string
	run     func(args []string, stdout, stderr io.Writer) int
	hidden  bool // started by ftpd itself
}

func commands() []command {
	return []command{
		{name: "serve", summary: "run the service", run: runServe},
		{name: "share", summary: "share a directory now, without configuration or root", run: runShare},
		{name: "check", summary: "check the configuration", run: runCheck},
		{name: "who", summary: "show the sessions of the running service", run: runWho},
		{name: "kick", summary: "end sessions of the running service", run: runKick},
		{name: "passwd", summary: "hash a password for [[user]]", run: runPasswd},
		{name: "help", summary: "say what a command does, or what a key of the configuration means", run: runHelp},
		{name: "version", summary: "print the version", run: runVersion},
		{name: "core", run: runCore, hidden: true},
		{name: sandbox.OpenCommand, run: runOpenRoots, hidden: true},
	}
}

func main() {
	os.Exit(dispatch(os.Args[1:], os.Stdout, os.Stderr))
}

func dispatch(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return exitUsage
	}
	switch args[0] {
	case "--help", "-h":
		args[0] = "help"
	case "--version":
		args[0] = "version"
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(args[1:], stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "ftpd: unknown command %q; ftpd help lists them\n", args[0])
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Usage: ftpd COMMAND [OPTIONS]\n\nCommands:\n")
	for _, c := range commands() {
		if !c.hidden {
			fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
		}
	}
	fmt.Fprint(w, "\nftpd COMMAND --help says more. Example: ftpd share . (then: curl ftp://localhost:2121/)\n")
}

// newFlags is an empty set of options; args and examples go into its help.
func newFlags(name, args string, examples ...string) *pflag.FlagSet {
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {
		w := flags.Output()
		fmt.Fprintf(w, "Usage: ftpd %s %s\n", name, args)
		if flags.HasAvailableFlags() {
			fmt.Fprintf(w, "\nOptions:\n%s", optionsHelp(flags))
		}
		if len(examples) == 1 {
			fmt.Fprintf(w, "\nExample: %s\n", examples[0])
		} else {
			fmt.Fprintf(w, "\nExamples:\n  %s\n", strings.Join(examples, "\n  "))
		}
	}
	return flags
}

// optionsHelp returns the lines about the options. A boolean option is shown as --name.
func optionsHelp(flags *pflag.FlagSet) string {
	shown := pflag.NewFlagSet("", pflag.ContinueOnError)
	shown.SortFlags = false
	flags.VisitAll(func(f *pflag.Flag) {
		option := *f
		if f.Value.Type() == "bool" {
			option.Value = boolOption{f.Value}
		}
		shown.AddFlag(&option)
	})
	return shown.FlagUsages()
}

// A boolOption is a boolean value of another type, because pflag shows an option of the type
// bool as --name[=true|false].
type boolOption struct{ pflag.Value }

// Type implements pflag.Value.
func (boolOption) Type() string { return "boolfunc" }

// parse reads options and at most one argument for each of most. A done call has nothing left to do but to exit with code.
func parse(flags *pflag.FlagSet, args []string, most int, stdout, stderr io.Writer) (code int, done bool) {
	flags.SetOutput(stdout) // where --help goes
	err := flags.Parse(args)
	if err == nil && flags.NArg() > most {
		err = fmt.Errorf("too many arguments: %q", flags.Args()[most:])
	}
	switch {
	case err == nil:
		return exitOK, false
	case errors.Is(err, pflag.ErrHelp):
		return exitOK, true
	default:
		fmt.Fprintf(stderr, "ftpd %s: %v; ftpd %s --help says more\n", flags.Name(), err, flags.Name())
		return exitUsage, true
	}
}

func runVersion(args []string, stdout, stderr io.Writer) int {
	flags := newFlags("version", "", "ftpd version")
	if code, done := parse(flags, args, 0, stdout, stderr); done {
		return code
	}
	fmt.Fprintln(stdout, "ftpd", version)
	return exitOK
}
