package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"ftpd/pkg/admin"
	"ftpd/pkg/events"
)

// runWho shows the sessions of the running service: once, or every second with --watch.
func runWho(args []string, stdout, stderr io.Writer) int {
	flags := newFlags("who", "[--json] [--watch]", "ftpd who --watch")
	socket := socketFlag(flags)
	asJSON := flags.Bool("json", false, "print one JSON object, for programs")
	watch := flags.Bool("watch", false, "show it anew every second")
	if code, done := parse(flags, args, 0, stdout, stderr); done {
		return code
	}
	at := socket()
	for {
		report, err := admin.Who(at)
		if err == nil && *asJSON {
			err = json.NewEncoder(stdout).Encode(report)
		} else if err == nil {
			err = show(stdout, report, *watch)
		}
		if err != nil {
			fmt.Fprintln(stderr, "ftpd who:", err)
			return exitError
		}
		if !*watch {
			return exitOK
		}
		time.Sleep(time.Second)
	}
}

// home moves the cursor to the first line of a terminal. below erases the rest of the screen.
const (
	home  = "\x1b[H"
	below = "\x1b[J"
)

// show writes a report as text, no wider than the terminal. With over, it replaces the report
// before.
func show(w io.Writer, r admin.Report, over bool) error {
	width, height := 0, 0
	if f, ok := w.(*os.File); ok && events.IsTerminal(w) {
		width, height, _ = term.GetSize(int(f.Fd()))
	}
	lines := strings.Split(strings.TrimSuffix(table(r), "\n"), "\n")
	if over && height > 0 && len(lines) > height-1 {
		lines = append(lines[:height-2],
			fmt.Sprintf("... %d more lines; ftpd who shows all", len(lines)-height+2))
	}
	var out strings.Builder
	if over && height > 0 {
		out.WriteString(home)
	}
	for _, line := range lines {
		if width > 0 {
			line = shorten(line, width)
		}
		out.WriteString(line)
		if over && height > 0 {
			out.WriteString("\x1b[K") // erases the rest of a longer line before
		}
		out.WriteByte('\n')
	}
	if over && height > 0 {
		out.WriteString(below)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// table returns a report as text.
func table(r admin.Report) string {
	var out strings.Builder
	fmt.Fprintf(&out, "ftpd %s, pid %d, running for %s\n",
		r.Version, r.PID, span(r.Now.Sub(r.Started)))
	for _, l := range r.Limits {
		fmt.Fprintf(&out, "%s\n", limit(l))
	}
	out.WriteByte('\n')
	if len(r.Sessions) == 0 {
		out.WriteString("no sessions\n")
	} else {
		sessions(&out, r)
	}
	if len(r.Bans) > 0 {
		fmt.Fprintf(&out, "\n%d banned:\n", len(r.Bans))
		rows := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		for _, b := range r.Bans {
			who := b.Network
			if b.User != "" {
				who = events.Clean(b.User) + " from " + who
			}
			fmt.Fprintf(rows, "%s\t%s more\t%s\n", who, span(b.Until.Sub(r.Now)), b.Cause)
		}
		rows.Flush()
	}
	return out.String()
}

func limit(l admin.Limit) string {
	text := fmt.Sprintf("%s: %d of %d", l.Key, l.Used, l.Limit)
	if l.Limit == 0 {
		text = fmt.Sprintf("%s: %d, unlimited", l.Key, l.Used)
	}
	if l.Of != "" {
		text += " (" + events.Clean(l.Of) + ")"
	}
	return text
}

// sessions writes one row for each session.
func sessions(w io.Writer, r admin.Report) {
	rows := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(rows, "SESSION\tUSER\tADDRESS\tTLS\tWHAT\tCLIENT")
	for _, s := range r.Sessions {
		user, tls := events.Clean(s.User), events.Clean(strings.TrimPrefix(s.TLS, "TLS "))
		if user == "" {
			user = "-"
		}
		if tls == "" {
			tls = "-"
		}
		fmt.Fprintf(rows, "%s\t%s\t%s\t%s\t%s\t%s\n",
			s.ID, user, s.Remote.Addr(), tls, doing(s), events.Clean(s.Client))
	}
	rows.Flush()
}

// doing returns the activity of a session, as one cell of the table.
func doing(s admin.Session) string {
	t := s.Transfer
	if t == nil {
		where := ""
		if s.Directory != "" {
			where = " in " + shorten(events.Clean(s.Directory), 30)
		}
		return "idle " + span(time.Duration(s.Idle*float64(time.Second))) + where
	}
	far := size(t.Bytes)
	if t.Size > 0 {
		far = fmt.Sprintf("%d %% of %s", 100*t.Bytes/t.Size, size(t.Size))
	}
	text := fmt.Sprintf("%s %s, %s, %s/s",
		events.Clean(t.Verb), shorten(events.Clean(t.Path), 30), far, size(int64(t.Rate)))
	if left := t.Left(); left > 0 {
		text += ", " + span(left) + " left"
	}
	if s.Gone {
		text += ", control connection ended"
	}
	return text
}

// span returns a duration in its two largest units.
func span(d time.Duration) string {
	d = max(0, d).Round(time.Second)
	days := int(d / (24 * time.Hour))
	hours, minutes, seconds := int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm%ds", minutes, seconds)
	}
	return fmt.Sprintf("%ds", seconds)
}
