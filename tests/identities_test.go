//go:build linux

package tests

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIdentities has 32 sessions of two users work in one directory at the same time. A thread
// that kept the identity of another session would make a file with the wrong owner, or open a
// file of the other user.
func TestIdentities(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const sessions = 32
	operations := 100_000
	if text := os.Getenv("FTPD_TEST_OPERATIONS"); text != "" {
		var err error
		if operations, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	first := newAccount(t)
	second := newAccount(t, "--home-dir", first.home)
	if err := os.Chmod(first.home, 0o1777); err != nil {
		t.Fatal(err)
	}
	for _, a := range []account{first, second} {
		a.file(t, "private-"+a.name, "of "+a.name, a.uid, a.gid, 0o600)
	}
	s := serve(t, settings{"limits": "max_sessions_per_ip = 100\n"})

	began := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ends := make(chan error, sessions)
	for i := range sessions {
		me, other := first, second
		if i%2 == 1 {
			me, other = second, first
		}
		go func() { // ends after its share of the operations, or when another session failed
			w := worker{user: me, other: other, name: fmt.Sprintf("%s-%d", me.name, i)}
			ends <- w.work(ctx, s.addr, operations/sessions)
		}()
	}
	for range sessions {
		if err := <-ends; err != nil {
			cancel()
			t.Error(err)
		}
	}
	if !t.Failed() {
		t.Logf("%d operations in %v", operations, time.Since(began).Round(time.Second))
	}
}

// A worker is the user of one session.
type worker struct {
	user, other account
	name        string // of the worker's files
	client      *client
}

// work does operations in turn: STOR, RNFR and RNTO, LIST, RETR of an own file, RETR and STOR of
// files of the other user.
func (w *worker) work(ctx context.Context, addr string, operations int) error {
	c, err := logIn(addr, w.user.name, w.user.password)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	w.client = c
	steps := []func(int) error{w.stor, w.retrOther, w.rename, w.list, w.retr, w.storOther}
	for i := range operations {
		if ctx.Err() != nil {
			return nil // another session has failed
		}
		if err := steps[i%len(steps)](i / len(steps)); err != nil {
			return fmt.Errorf("%s: operation %d: %w", w.name, i, err)
		}
	}
	return nil
}

func (w *worker) stor(round int) error {
	if r, err := w.client.store("STOR new-"+w.name,
		fmt.Sprintf("%s %d", w.name, round)); err != nil || r.code != 226 {
		return fmt.Errorf("STOR: %v, %v", r, err)
	}
	info, err := os.Stat(filepath.Join(w.user.home, "new-"+w.name))
	if err != nil {
		return err
	}
	if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != w.user.uid || int(st.Gid) != w.user.gid {
		return fmt.Errorf("the new file belongs to %d:%d, not to %d:%d", st.Uid, st.Gid, w.user.uid,
			w.user.gid)
	}
	return nil
}

func (w *worker) rename(int) error {
	if r, err := w.client.do("RNFR new-" + w.name); err != nil || r.code != 350 {
		return fmt.Errorf("RNFR: %v, %v", r, err)
	}
	if r, err := w.client.do("RNTO old-" + w.name); err != nil || r.code != 250 {
		return fmt.Errorf("RNTO: %v, %v", r, err)
	}
	return nil
}

func (w *worker) list(int) error {
	list, r, err := w.client.retrieve("LIST")
	if err != nil || r.code != 226 {
		return fmt.Errorf("LIST: %v, %v", r, err)
	}
	if !strings.Contains(list, " old-"+w.name+"\r\n") {
		return fmt.Errorf("LIST misses old-%s: %q", w.name, list)
	}
	return nil
}

func (w *worker) retr(round int) error {
	data, r, err := w.client.retrieve("RETR old-" + w.name)
	if want := fmt.Sprintf("%s %d", w.name, round); err != nil || r.code != 226 || data != want {
		return fmt.Errorf("RETR: got %q, want %q; %v, %v", data, want, r, err)
	}
	return nil
}

func (w *worker) retrOther(int) error {
	if data, r, err := w.client.retrieve("RETR private-" + w.other.name); err != nil ||
		r.code != 550 {
		return fmt.Errorf("RETR of the other's file: %q, %v, %v", data, r, err)
	}
	return nil
}

func (w *worker) storOther(int) error {
	if r, err := w.client.store("STOR private-"+w.other.name, "overwritten"); err != nil ||
		r.code != 550 {
		return fmt.Errorf("STOR over the other's file: %v, %v", r, err)
	}
	return nil
}
