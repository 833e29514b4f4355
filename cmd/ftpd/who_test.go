package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/admin"
)

// trimmed removes blanks at the ends of lines.
func trimmed(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return out.String()
}

func TestTable(t *testing.T) {
	now := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	r := admin.Report{
		Version: "1.0", PID: 7, Started: now.Add(-26 * time.Hour), Now: now,
		Limits: []admin.Limit{
			{Key: "limits.max_sessions", Limit: 1000, Used: 2},
			{Key: "max_sessions", Used: 1, Of: "alice"},
		},
		Sessions: []admin.Session{
			{ID: "abcd2345", User: "alice", Remote: netip.MustParseAddrPort("192.0.2.1:1000"),
				TLS: "TLS 1.3", Client: "FileZilla\x1b", Directory: "/",
				Transfer: &admin.Transfer{
					Verb: "RETR", Path: "/big.iso", Bytes: 1 << 30, Size: 4 << 30, Seconds: 100,
					Rate: 10 << 20,
				}},
			{ID: "efgh2345", Remote: netip.MustParseAddrPort("[2001:db8::1]:1000"), Idle: 61},
		},
		Bans: []admin.Ban{{
			Network: "198.51.100.7", User: "root", Until: now.Add(time.Hour),
			Cause: "10 failed logins",
		}},
	}
	want := `ftpd 1.0, pid 7, running for 1d2h
limits.max_sessions: 2 of 1000
max_sessions: 1, unlimited (alice)

SESSION   USER   ADDRESS      TLS  WHAT                                                   CLIENT
abcd2345  alice  192.0.2.1    1.3  RETR /big.iso, 25 % of 4.0 GiB, 10.0 MiB/s, 5m7s left  FileZilla\x1b
efgh2345  -      2001:db8::1  -    idle 1m1s                                               

1 banned:
root from 198.51.100.7  1h0m more  10 failed logins
`
	if got := table(r); trimmed(got) != trimmed(want) {
		t.Errorf("got\n%s", got)
	}
	if got := table(admin.Report{}); !strings.Contains(got, "no sessions") {
		t.Errorf("nobody there:\n%s", got)
	}
}
