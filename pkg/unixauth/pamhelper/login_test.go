//go:build linux && cgo

package pamhelper

import (
	"fmt"
	"os"
	"os/exec"
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
		styles []pam.Style
		prompt string // the prompt that is reported as unanswered
	}{
		{"one password", []pam.Style{pam.PromptEchoOff}, ""},
		{"texts around it",
			[]pam.Style{pam.TextInfo, pam.ErrorMsg, pam.PromptEchoOff, pam.TextInfo}, ""},
		{"a second password", []pam.Style{pam.PromptEchoOff, pam.PromptEchoOff}, "question 1"},
		{"a visible question", []pam.Style{pam.PromptEchoOn}, "question 0"},
		{"a visible question after the password", []pam.Style{pam.PromptEchoOff, pam.PromptEchoOn},
			"question 1"},
		{"a style of another system", []pam.Style{pam.PromptEchoOff, pam.BinaryPrompt},
			"question 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			talk := &conversation{password: "secret"}
			for i, style := range c.styles {
				answer, err := talk.RespondPAM(style, "question "+string(rune('0'+i))+" ")
				bad := i == len(c.styles)-1 && c.prompt != ""
				if (err != nil) != bad {
					t.Errorf("question %d: %v", i, err)
				}
				if want := style == pam.PromptEchoOff && !bad; (answer == "secret") != want {
					t.Errorf("question %d: answered %q", i, answer)
				}
			}
			if talk.unanswered != c.prompt {
				t.Errorf("reported %q, want %q", talk.unanswered, c.prompt)
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
	if n := len(strings.Join(talk.messages, "")); n > maxMessages*maxText {
		t.Errorf("%d bytes are kept", n)
	}
}

// A thread that computes, or that waits for a child, is never reported as waiting. A thread that
// sleeps in the kernel is. The test uses processes in place of threads, because Go's scheduler
// puts threads to sleep at any time.
func TestIsWaiting(t *testing.T) {
	busy := startShell(t, "echo; while :; do :; done")
	parent := startShell(t, "echo; cat; :")
	for children, _ := os.ReadFile(parent + "children"); len(children) == 0; {
		children, _ = os.ReadFile(parent + "children")
	}
	for range 100 {
		if isWaiting(busy) {
			t.Fatal("a busy thread is reported as waiting")
		}
		if isWaiting(parent) {
			t.Fatal("a thread that waits for its child is reported as waiting")
		}
	}
	for idle := startShell(t, "echo; read line"); !isWaiting(idle); {
		runtime.Gosched()
	}
}

// startShell runs a script that prints a line first, and returns its directory in /proc.
func startShell(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("/proc/%d/task/%d/", cmd.Process.Pid, cmd.Process.Pid)
}

func TestLookup(t *testing.T) {
	root, err := lookup("root")
	if err != nil || root == nil || root.UID != 0 || root.Shell == "" || root.Home == "" {
		t.Fatalf("root: %+v %v", root, err)
	}
	if p, err := lookup("ftpdtest-no-such-user"); p != nil || err != nil {
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
