//go:build linux

package tests

import (
	"fmt"
	"testing"
	"time"
)

// TestRefusalsLookAlike checks that a refused login gets one text, never before the delay has
// passed, whatever the cause is. The log has the cause.
func TestRefusalsLookAlike(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const delay = 700 * time.Millisecond
	allowed, denied := newAccount(t), newAccount(t)
	noShell, system := newAccount(t, "--shell", "/usr/sbin/nologin"), newAccount(t, "--system")
	locked, expired := newAccount(t), newAccount(t, "--expiredate", "2020-01-02")
	changeAccounts(t, "", "usermod", "--lock", locked.name)
	s := serve(t, settings{"auth": fmt.Sprintf("deny = [%q]\nfailure_delay = %q\n", denied.name,
		delay)})

	refused := []struct{ why, user, password string }{
		{"wrong password", allowed.name, "not this one"},
		{"unknown user", "ftpdtest-nobody", "whatever"},
		{"denied", denied.name, denied.password},
		{"shell not in /etc/shells", noShell.name, noShell.password},
		{"locked", locked.name, locked.password},
		{"expired", expired.name, expired.password},
		{"uid below min_uid", system.name, system.password},
	}
	causes := map[string]string{}
	for _, r := range refused {
		got, took := refuse(t, s.addr, r.user, r.password)
		if got.code != 530 || got.text != "Login incorrect." {
			t.Errorf("%s: got %v", r.why, got)
		}
		if took < delay {
			t.Errorf("%s: answered after %v", r.why, took)
		}
		record := s.log.wait(t, "login_failed of "+r.user, func(rec record) bool {
			return rec.Message == "login_failed" && rec.User == r.user
		})
		if before, same := causes[record.Cause]; same || record.Cause == "" {
			t.Errorf("%s: the cause %q in the log is that of %q", r.why, record.Cause, before)
		}
		causes[record.Cause] = r.why
	}
	login(t, s.addr, allowed.name, allowed.password)
}

func refuse(t *testing.T, addr, user, password string) (reply, time.Duration) {
	t.Helper()
	c, _, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	c.expect(t, 331, "USER "+user)
	began := time.Now()
	r, err := c.do("PASS " + password)
	if err != nil {
		t.Fatal(err)
	}
	return r, time.Since(began)
}
