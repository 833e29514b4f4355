package main

import (
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"ftpd/pkg/admin"
	"ftpd/pkg/config"
)

// runKick ends sessions. It is an error if no session matches.
func runKick(args []string, stdout, stderr io.Writer) int {
	flags := newFlags("kick", "USER|SESSION|ADDRESS",
		"ftpd kick alice (ends alice's sessions; [ban] and disabled = true prevent new ones)")
	socket := socketFlag(flags)
	if code, done := parse(flags, args, 1, stdout, stderr); done {
		return code
	}
	if flags.NArg() != 1 || flags.Arg(0) == "" {
		fmt.Fprintln(stderr, "ftpd kick: name a user, a session or an address; ftpd who shows them")
		return exitUsage
	}
	ended, err := admin.Kick(socket(), flags.Arg(0))
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "ftpd kick:", err)
		return exitError
	case ended == 0:
		fmt.Fprintf(stderr, "ftpd kick: no session belongs to %q; ftpd who shows them\n",
			flags.Arg(0))
		return exitError
	}
	fmt.Fprintf(stdout, "ended: %d\n", ended)
	return exitOK
}

// socketFlag adds --config. The returned function returns the admin socket of that configuration,
// and the default one if the configuration cannot be read.
func socketFlag(flags *pflag.FlagSet) func() string {
	file := flags.String("config", defaultConfig, "the configuration, for its admin.socket")
	return func() string {
		return config.Inspect(*file, lookedUpAccounts{}).Config.Admin.Socket
	}
}
