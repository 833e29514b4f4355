//go:build linux && cgo

package pamhelper

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/msteinert/pam/v2"
	"golang.org/x/sys/unix"
)

func TestConversation(t *testing.T) {
	for _, c := range []struct {
		name   string
		asked  []pam.Style
		prompt string // what is told of the question that could not be answered
	}{
		{"one password", []pam.Style{pam.PromptEchoOff}, ""},
		{"texts around it", []pam.Style{pam.TextInfo, pam.ErrorMsg, pam.PromptEchoOff, pam.TextInfo}, ""},
		{"a second password", []pam.Style{pam.PromptEchoOff, pam.PromptEchoOff}, "question 1"},
		{"a visible question", []pam.Style{pam.PromptEchoOn}, "question 0"},
		{"a visible question after the password", []pam.Style{pam.PromptEchoOff, pam.PromptEchoOn}, "question 1"},
		{"a style of another system", []pam.Style{pam.PromptEchoOff, pam.BinaryPrompt}, "question 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			talk := &conversation{password: "secret"}
			for i, style := range c.asked {
				answer, err := talk.RespondPAM(style, "question "+string(rune('0'+i))+" ")
				bad := i == len(c.asked)-1 && c.prompt != ""
				if (err != nil) != bad {
					t.Errorf("question %d: %v", i, err)
				}
				if want := style == pam.PromptEchoOff && !bad; (answer == "secret") != want {
					t.Errorf("question %d: answered %q", i, answer)
				}
			}
			if talk.prompt != c.prompt {
				t.Errorf("told %q, want %q", talk.prompt, c.prompt)
			}
		})
	}
}

func TestConversationIsBounded(t *testing.T) {
	talk := &conversation{}
	for range 100 {
		if _, err := talk.RespondPAM(pam.TextInfo, strings.Repeat("x", 100000)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(strings.Join(talk.said, "")); n > maxSaid*maxText {
		t.Errorf("%d bytes are kept", n)
	}
}

// A thread that hashes never looks asleep, one that waits in the kernel does.
func TestSleeps(t *testing.T) {
	started := make(chan int)
	done := make(chan struct{})
	go func() { // ends with done
		runtime.LockOSThread()
		started <- unix.Gettid()
		for {
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	busy := <-started
	for range 1000 {
		if sleeps(busy) {
			t.Fatal("a busy thread looks asleep")
		}
	}
	close(done)

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() { // ends when w is closed
		runtime.LockOSThread()
		started <- unix.Gettid()
		fds := []unix.PollFd{{Fd: int32(r.Fd()), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(fds, -1); err != unix.EINTR {
				return
			}
		}
	}()
	for idle := <-started; !sleeps(idle); {
		runtime.Gosched()
	}
	w.Close()
}

func TestLookup(t *testing.T) {
	root, err := lookup("root")
	if err != nil || root == nil || root.UID != 0 || root.Shell == "" || root.Home == "" {
		t.Fatalf("root: %+v %v", root, err)
	}
	if p, err := lookup("ftpdtest-nobody-has-this-name"); p != nil || err != nil {
		t.Errorf("unknown: %+v %v", p, err)
	}
	s, err := groupsOf(root)
	if err != nil || !slices.Contains(s.Groups, "root") {
		t.Errorf("groups of root: %+v %v", s, err)
	}
	if name, err := userName(4000000000); name != "" || err != nil {
		t.Errorf("uid 4000000000: %q %v", name, err)
	}
	if name, err := groupName(4000000000); name != "" || err != nil {
		t.Errorf("gid 4000000000: %q %v", name, err)
	}
	if id, err := groupID("ftpdtest-no-such-group"); id != nil || err != nil {
		t.Errorf("unknown group: %v %v", id, err)
	}
}
