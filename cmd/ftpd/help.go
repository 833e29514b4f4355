package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"ftpd/pkg/config"
)

// runHelp explains a command, or a section or key of the configuration.
func runHelp(args []string, stdout, stderr io.Writer) int {
	flags := newFlags("help", "[COMMAND | SECTION | KEY]",
		"ftpd help check", "ftpd help limits",
		"ftpd help limits.idle_timeout", "ftpd help idle_timeout")
	if code, done := parse(flags, args, 1, stdout, stderr); done {
		return code
	}
	if flags.NArg() == 0 {
		usage(stdout)
		return exitOK
	}
	word := flags.Arg(0)
	for _, c := range commands() {
		if c.name == word && !c.hidden {
			return c.run([]string{"--help"}, stdout, stderr)
		}
	}
	found := config.Explain(word)
	if len(found) == 0 {
		fmt.Fprintf(stderr, "ftpd help: there is no command, section or key %q%s\n", word,
			suggestion(word))
		return exitUsage
	}
	for i, e := range found {
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		explain(e, stdout)
	}
	return exitOK
}

// suggestion returns the nearest name of a command, section or key, as the end of an error message.
func suggestion(word string) string {
	names := config.Names()
	for _, c := range commands() {
		if !c.hidden {
			names = append(names, c.name)
		}
	}
	if near := config.Nearest(word, names); near != "" {
		return "; did you mean " + near + "?"
	}
	return "; ftpd help lists the commands, etc/ftpd.toml and ftpd.toml(5) the keys"
}

// explain prints the explanation of a section or key.
func explain(e config.Explanation, w io.Writer) {
	fmt.Fprintln(w, e.Name)
	for _, line := range e.Doc {
		fmt.Fprintln(w, strings.TrimRight("  "+line, " "))
	}
	if e.Note != "" {
		fmt.Fprintln(w, "  "+e.Note)
	}
	fmt.Fprintln(w)
	if e.Type == "" {
		explainKeys(e, w)
		return
	}
	fmt.Fprintf(w, "  Type:     %s\n", e.Type)
	if e.Default != "" {
		fmt.Fprintf(w, "  Default:  %s\n", e.Default)
	}
	fmt.Fprintf(w, "  Example:  %s\n", strings.ReplaceAll(e.Example, "\n", "\n            "))
}

// explainKeys lists the keys of a section with their defaults.
func explainKeys(e config.Explanation, w io.Writer) {
	fmt.Fprintln(w, "  Keys:")
	for _, k := range e.Keys {
		line := "    " + k.Name
		if k.Default != "" {
			line += " = " + k.Default
		}
		fmt.Fprintln(w, line)
	}
	i := slices.IndexFunc(e.Keys, func(k config.Explanation) bool { return k.Type != "" })
	if i >= 0 {
		fmt.Fprintf(w, "\n  ftpd help %s explains this key.\n", e.Keys[i].Name)
	}
}
