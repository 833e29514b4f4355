package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"ftpd/pkg/certfile"
	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/logfile"
	"ftpd/pkg/supervisor"
	"ftpd/pkg/trust"
)

// defaultConfig is the configuration that packages install.
const defaultConfig = "/etc/ftpd.toml"

func runServe(args []string, stdout, stderr io.Writer) int {
	flags := newFlags("serve", "[--config FILE]", "ftpd serve --config /etc/ftpd.toml")
	file := flags.String("config", defaultConfig, "the configuration")
	if code, done := parse(flags, args, 0, stdout, stderr); done {
		return code
	}
	source := inspectConfig(*file)
	problems := source.Problems
	if supervisor.IsConfined() { // the run that started this one has printed the warnings
		problems = problems.Errors()
	}
	for _, p := range problems {
		fmt.Fprintln(stderr, p)
	}
	if len(source.Problems.Errors()) > 0 {
		return exitError
	}
	return start(source, stderr)
}

// inspectConfig reads and checks the configuration with the files of TLS that it names.
func inspectConfig(file string) *config.Source {
	known, done := config.Accounts(lookedUpAccounts{}), func() {}
	if !supervisor.IsConfined() {
		known, done = knownAccounts()
	}
	defer done()
	source := config.Inspect(file, known)
	if !supervisor.IsConfined() { // the run that started this one could look up its account
		trust.Check(source)
	}
	certfile.Check(source)
	return source
}

// start runs the service in as many processes as the configuration needs.
func start(source *config.Source, stderr io.Writer) int {
	cfg := source.Config
	o, err := logs(cfg, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "ftpd:", err)
		return exitError
	}
	run := supervisor.Serve
	here, err := supervisor.InOneProcess(cfg, os.Geteuid() == 0)
	if err == nil && here {
		run = supervisor.ServeHere
		o.Layers, o.Roots, err = supervisor.ConfineService(source, o.Log)
	}
	if err != nil {
		fmt.Fprintln(stderr, "ftpd:", err)
		return exitError
	}
	return serve(run, o, stderr)
}

// logs returns the options of the service, with the logs that it writes.
func logs(cfg *config.Config, stderr io.Writer) (supervisor.Options, error) {
	o := supervisor.Options{Config: cfg, Version: version}
	w := stderr
	if cfg.Log.File != "" {
		f, err := logfile.Open(cfg.Log.File)
		if err != nil {
			return o, fmt.Errorf("log.file: %w", err)
		}
		w = f
	}
	if cfg.Log.TransferLog != "" {
		f, err := logfile.Open(cfg.Log.TransferLog)
		if err != nil {
			return o, fmt.Errorf("log.transfer_log: %w", err)
		}
		o.Xferlog = events.NewTransferLog(f, time.Local)
	}
	o.Log = events.NewLog(w, cfg.Log.Level, cfg.Log.Format)
	return o, nil
}

// serve runs a service until the first SIGINT, SIGTERM or SIGHUP, and then waits for running
// transfers. A second signal ends it at once. SIGPIPE is ignored, so that the service continues
// when the reader of its log ends.
func serve(
	run func(context.Context, supervisor.Options) error, o supervisor.Options, stderr io.Writer,
) int {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)
	go func() { // ends with the first signal, or with the process
		<-signals
		signal.Stop(signals) // before stop, so that a second signal ends the process
		stop()
	}()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(stderr, "ftpd:", err)
		return exitError
	}
	return exitOK
}
