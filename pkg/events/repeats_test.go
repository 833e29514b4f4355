package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"ftpd/pkg/config"
)

// counted is a record of a count.
type counted struct {
	Of, Network, Cause, Message, Level string
	Count                              int
}

// countsIn returns the counts in a log, by message, network and cause.
func countsIn(t *testing.T, log *bytes.Buffer) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for line := range bytes.Lines(log.Bytes()) {
		var c counted
		if err := json.Unmarshal(line, &c); err != nil || c.Message != "repeated" {
			t.Fatalf("%s: %v", line, err)
		}
		counts[fmt.Sprintf("%s %s %s %s", c.Level, c.Of, c.Network, c.Cause)] += c.Count
	}
	return counts
}

// The first record of a client and a cause may be written; the others are counted, and their number
// is written when the interval is over.
func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := NewRepeats(zerolog.New(&log), time.Minute)
		alice, bob := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("2001:db8::/64")
		write := func(client netip.Prefix, cause string) bool {
			return r.Write(zerolog.WarnLevel, "refused", client, cause)
		}
		for i := range 3 {
			if write(alice, "full") != (i == 0) || write(alice, "banned") != (i == 0) {
				t.Errorf("record %d", i)
			}
		}
		if !write(bob, "full") {
			t.Error("another client")
		}
		for i := range 40 {
			if r.WriteFirst(zerolog.InfoLevel, "connect", bob) != (i < 30) {
				t.Errorf("connection %d", i)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		want := map[string]int{
			"warn refused 192.0.2.1/32 full": 2, "warn refused 192.0.2.1/32 banned": 2,
		}
		if got := countsIn(t, &log); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the counts are %v, want %v", got, want)
		}
		if !write(alice, "full") {
			t.Error("the next interval does not begin anew")
		}
		log.Reset()
		write(alice, "full")
		r.Flush()
		if got := countsIn(t, &log); got["warn refused 192.0.2.1/32 full"] != 1 {
			t.Errorf("at the end, the counts are %v", got)
		}
	})
}

// Whatever clients do, the number of records in an interval is bounded, and what was written and
// the counts add up.
func TestRepeatsAreBounded(t *testing.T) {
	for message, most := range map[string]int{
		"refused": 64, "disconnect": 150, "login_failed": 3000, "banned": 1024,
	} {
		var log bytes.Buffer
		r := NewRepeats(zerolog.New(&log), time.Hour)
		const records = 200_000
		written := 0
		for i := range records {
			// 10,000 clients, of which the first one has all causes and most records
			address := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8 % 40), byte(i)})
			cause := ""
			if i%2 == 0 {
				address, cause = netip.AddrFrom4([4]byte{10}), fmt.Sprint("cause ", i%100)
			}
			if r.Write(zerolog.WarnLevel, message, netip.PrefixFrom(address, 32), cause) {
				written++
			}
		}
		r.Flush()
		lines, more := bytes.Count(log.Bytes(), []byte("\n")), 0
		for _, n := range countsIn(t, &log) {
			more += n
		}
		if written > most || lines > 1025 || written+more != records {
			t.Errorf("%s: %d records and %d of counts, which are %d", message, written, lines, more)
		}
	}
}

// The clients of one network, which one host may have, do not hide the records of others.
func TestRepeatsOfOneNetwork(t *testing.T) {
	var log bytes.Buffer
	r := NewRepeats(zerolog.New(&log), time.Hour)
	const clients = 1000
	for i := range clients {
		address := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 0, byte(i >> 8), byte(i)})
		r.Write(zerolog.WarnLevel, "refused", netip.PrefixFrom(address, 64), "full")
	}
	if !r.Write(zerolog.WarnLevel, "refused", netip.MustParsePrefix("192.0.2.1/32"), "full") {
		t.Error("another client")
	}
	r.Flush()
	want := map[string]int{"warn refused 2001:db8::/48 full": clients - 17}
	if got := countsIn(t, &log); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the counts are %v, want %v", got, want)
	}
}

func TestKindOfCause(t *testing.T) {
	for cause, want := range map[string]string{
		"login timeout": "login timeout",
		"read tcp 127.0.0.1:21->127.0.0.1:4000: connection reset by peer": "read tcp",
		"TLS: tls: client offered only unsupported versions: [301]":       "TLS",
		"": "", "äöüäöüäöüäöüäöüäöüäöüäöüäöü": "äöüäöüäöüäöüäöüäöüäö",
	} {
		if got := KindOfCause(cause); got != want {
			t.Errorf("%q is %q, want %q", cause, got, want)
		}
	}
}

// The filter for fail2ban in docs/log.md finds the address of a failed login, whatever name was
// tried.
func TestFilterOfFail2ban(t *testing.T) {
	doc, err := os.ReadFile("../../docs/log.md")
	if err != nil {
		t.Fatal(err)
	}
	expression := func(key string) *regexp.Regexp {
		_, line, ok := strings.Cut(string(doc), "    "+key+" = ")
		if !ok {
			t.Fatalf("docs/log.md has no %s", key)
		}
		line, _, _ = strings.Cut(line, "\n")
		return regexp.MustCompile(strings.ReplaceAll(line, "<HOST>", "([0-9A-Fa-f:.]+)"))
	}
	fails, ignored := expression("failregex"), expression("ignoreregex")
	for _, test := range []struct{ remote, user, want string }{
		{"192.0.2.1:4000", "alice", "192.0.2.1"},
		{"[2001:db8::1]:4000", "alice", "2001:db8::1"},
		{"192.0.2.1:4000", `","remote":"203.0.113.1:1","message":"login_failed"}`, "192.0.2.1"},
		{"192.0.2.1:4000", `"reply":421,`, "192.0.2.1"},
	} {
		var out bytes.Buffer
		failed := Event{Kind: LoginFailed, Session: "abcd2345", User: test.user, Reply: 530}
		Log{NewLog(&out, config.LogInfo, config.LogJSON)}.Write(
			Record{Event: failed, Remote: netip.MustParseAddrPort(test.remote)})
		line := strings.TrimSuffix(out.String(), "\n")
		found := fails.FindStringSubmatch(line)
		if found == nil || found[1] != test.want || ignored.MatchString(line) {
			t.Errorf("%s: found %q, ignored %v", line, found, ignored.MatchString(line))
		}
	}
}
