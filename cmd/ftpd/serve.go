package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/supervisor"
)

// defaultConfig is where packages put the configuration.
const defaultConfig = "/etc/ftpd.toml"

func runServe(args []string, stdout, stderr io.Writer) int {
	flags := newFlags("serve", "[--config FILE]", "ftpd serve --config /etc/ftpd.toml")
	file := flags.String("config", defaultConfig, "the configuration")
	if code, done := parse(flags, args, 0, stdout, stderr); done {
		return code
	}
	known, done := knownAccounts()
	source := config.Inspect(*file, known)
	done()
	for _, p := range source.Problems {
		fmt.Fprintln(stderr, p)
	}
	if len(source.Problems.Errors()) > 0 {
		return exitError
	}
	cfg := source.Config
	return serve(supervisor.Serve, supervisor.Options{
		Config:  cfg,
		Log:     events.NewLog(stderr, cfg.Log.Level, cfg.Log.Format),
		Version: version,
	}, stderr)
}

// serve runs a service until the first SIGINT or SIGTERM, which lets transfers end; a second one ends it at once.
func serve(run func(context.Context, supervisor.Options) error, o supervisor.Options, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(stderr, "ftpd:", err)
		return exitError
	}
	return exitOK
}
