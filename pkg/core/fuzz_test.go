package core

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
)

// replyLines are what a client may read: each reply's last line has a code, a blank and a text.
var replyLines = regexp.MustCompile(`^[1-5][0-9][0-9] `)

// Whatever a client sends, in whatever state, it reads whole replies, and its session ends with it and leaves nothing behind.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		"NOOP", "USER alice\r\nPASS secret", "RETR \xff\xff", "CWD a\r\nMKD \"b\"\r\nPWD", "LIST -la", "MLST\r\nOPTS MLST size;type;",
		"PASV\r\nPASV\r\nEPSV ALL", "STOR x\r\nNOOP\r\nQUIT\r\nPWD", "REST 5\r\nRETR f", "RNFR f\r\nRNTO g\r\nDELE g", "TYPE A N\r\nSIZE f",
		"EPSV\r\nRETR f\r\nNOOP\r\nPWD", "MKD a\x00b\r\nXMKD \r\r\n", "HELP\r\nFEAT\r\nHELP HELP", "REIN\r\nUSER b",
		"PORT 192,0,2,99,4,1\r\nRETR f\r\nSTAT\r\nABOR", "EPRT |1|192.0.2.99|9999|\r\nSTOU\r\n\xff\xf4\xff\xf2ABOR\r\nSTAT", "STAT /",
		"SITE CHMOD 644 f\r\nSITE UMASK 077\r\nSITE UTIME f 20200101000000 20200101000000 20200101000000 UTC", "MFMT 20200101000000 f",
		"EPSV\r\nSTOR f\r\nUSER b\r\nABOR\r\nREIN", "MDTM 20200101000000 f\r\nSITE HELP\r\nHELP SITE X\r\nALLO 1\r\nCLNT x",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, commands []byte, loggedIn bool) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.set("auth.failure_delay", "0s")
			c := w.connect()
			heard(c)
			if loggedIn {
				say(t, c, "USER alice\r\nPASS secret\r\nTYPE I")
			}
			var text string
			if _, err := c.Write(append(commands, "\r\n"...)); err == nil {
				text = heard(c)
			}
			c.Close()
			w.sessions.Wait()
			checkReplies(t, text)
			if len(w.net.listeners) > 0 {
				t.Error("listeners are left")
			}
			if all := strings.Join(w.supervisor.events, "\n"); strings.Contains(all, "panic (") {
				t.Error(all)
			}
		})
	})
}

func checkReplies(t *testing.T, text string) {
	if text == "" {
		return
	}
	rest, ok := strings.CutSuffix(text, "\r\n")
	if !ok {
		t.Errorf("%q does not end with a line", text)
	}
	last := ""
	for _, line := range strings.Split(rest, "\r\n") {
		if strings.ContainsAny(line, "\r\n\x00") {
			t.Errorf("a line %q", line)
		}
		last = line
	}
	if !replyLines.MatchString(last) {
		t.Errorf("the last line is %q", last)
	}
}
