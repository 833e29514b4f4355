// Command ftpd is the FTP service. Its commands are described in ftpd(8) and by ftpd help.
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
	"ftpd/pkg/supervisor"
)

// version is set by the build.
var version = "dev"

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// A command is one entry of the table that dispatch and help use.
type command struct {
	name    string
	summary string
	run     func(args []string, stdout, stderr io.Writer) int
	hidden  bool // ftpd itself starts it
}

func commands() []command {
	return []command{
		{name: "serve", summary: "run the service", run: runServe},
		{
			name: "share", run: runShare,
			summary: "share a directory now, without configuration or root",
		},
		{name: "check", summary: "check the configuration", run: runCheck},
		{name: "who", summary: "show the sessions of the running service", run: runWho},
		{name: "kick", summary: "end sessions of the running service", run: runKick},
		{name: "passwd", summary: "hash a password for [[user]]", run: runPasswd},
		{
			name: "help", run: runHelp,
			summary: "explain a command, or a section or key of the configuration",
		},
		{name: "version", summary: "print the version", run: runVersion},
		{name: "core", run: runCore, hidden: true},
		{name: sandbox.OpenCommand, run: runOpenRoots, hidden: true},
		{name: supervisor.CompareCommand, run: runCompare, hidden: true},
	}
}

func main() {
	if err := sandbox.KeepInherited(); err != nil {
		fmt.Fprintln(os.Stderr, "ftpd: inherited descriptors:", err)
		os.Exit(exitError)
	}
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
	fmt.Fprint(w, "\nSee also ftpd COMMAND --help. "+
		"Example: ftpd share . (then: curl ftp://localhost:2121/)\n")
}

// newFlags returns an empty set of options. Its help contains args and examples.
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

// parse reads the options and at most maxArgs arguments. If done is true, the caller exits with
// code.
func parse(
	flags *pflag.FlagSet, args []string, maxArgs int, stdout, stderr io.Writer,
) (code int, done bool) {
	flags.SetOutput(stdout) // for --help
	err := flags.Parse(args)
	if err == nil && flags.NArg() > maxArgs {
		err = fmt.Errorf("too many arguments: %q", flags.Args()[maxArgs:])
	}
	switch {
	case err == nil:
		return exitOK, false
	case errors.Is(err, pflag.ErrHelp):
		return exitOK, true
	default:
		fmt.Fprintf(stderr, "ftpd %s: %v; see ftpd %s --help\n", flags.Name(), err, flags.Name())
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
