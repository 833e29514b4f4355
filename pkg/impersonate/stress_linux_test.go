package impersonate

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ftpd/pkg/internal/coretest"
)

// Many goroutines of two users and of the core itself look at each other's files, while the scheduler is given every reason to move
// them to other threads. No decision may be another user's. The control runs the same without locking the thread, and must be caught.

const (
	stressWorkers = 60
	stressOps     = 200 // of each worker
)

// do runs a call as a user: (*Identity).Do, or the control.
type do func(id *Identity, call func() error) error

// unlocked is the control: a section on the caller's goroutine, which may change threads inside.
func unlocked(id *Identity, call func() error) (err error) {
	if id == nil {
		return call()
	}
	regrouped := false
	defer func() {
		if r := recover(); r != nil {
			err = &Panic{Value: r}
		}
		id.leave(regrouped)
	}()
	if regrouped, err = id.enter(); err != nil {
		return err
	}
	return call()
}

func TestStress(t *testing.T) {
	dir := coretest.Run(t, nil, coretest.Caps...)
	if dir == "" {
		return
	}
	s := newStress(t, dir)
	legal, samples := legalStates(), 0
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // ends at stop
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			for thread, state := range threadStates(t) {
				samples++
				if !legal[state] {
					t.Errorf("thread %s has an identity that no section gives: %+v", thread, state)
				}
			}
		}
	}()
	s.run((*Identity).Do)
	close(stop)
	<-stopped
	if wrong := s.wrong.Load(); wrong != 0 {
		t.Errorf("%d wrong decisions in %d operations", wrong, s.ops.Load())
	}
	for thread, state := range threadStates(t) {
		if state != coreState {
			t.Errorf("thread %s was left with %+v", thread, state)
		}
	}
	t.Logf("%d operations, %d samples of threads", s.ops.Load(), samples)
	if samples == 0 {
		t.Error("the sampler saw nothing")
	}
}

func TestStressControl(t *testing.T) {
	dir := coretest.Run(t, nil, coretest.Caps...)
	if dir == "" {
		return
	}
	s := newStress(t, dir)
	s.run(unlocked)
	t.Logf("without locking the thread: %d wrong decisions in %d operations", s.wrong.Load(), s.ops.Load())
	if s.wrong.Load() == 0 {
		t.Error("the stress does not notice that threads are not locked, so it proves nothing")
	}
}

type stress struct {
	dir        string
	identities []*Identity // alice, bob, the core
	ops, wrong atomic.Int64
}

// newStress makes the files, as their owners.
func newStress(t *testing.T, dir string) *stress {
	unix.Umask(0)
	threads := NewThreads(1000)
	s := &stress{dir: dir, identities: []*Identity{threads.Identity(alice), threads.Identity(bob), nil}}
	for i, name := range []string{"alice", "bob"} {
		err := s.identities[i].Do(func() error { return os.WriteFile(filepath.Join(dir, name), nil, 0o600) })
		if err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(dir, name), &st); err != nil || int(st.Uid) != aliceID+i || int(st.Gid) != aliceID+i {
			t.Fatalf("%s: owner %d:%d, %v", name, st.Uid, st.Gid, err)
		}
	}
	err := s.identities[0].Do(func() error {
		team := filepath.Join(dir, "team")
		return errors.Join(os.WriteFile(team, nil, 0o660), os.Chown(team, -1, teamID))
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mayRead says who may read which of the files.
var mayRead = map[string][]bool{"alice": {true, false, false}, "bob": {false, true, false}, "team": {true, false, false}}

func (s *stress) run(do do) {
	var workers sync.WaitGroup
	for i := range stressWorkers {
		workers.Go(func() {
			user := i % len(s.identities)
			for range stressOps {
				s.operation(do, user)
			}
		})
	}
	workers.Wait()
}

// operation checks all files in one section, with a disturbance between any two of them.
func (s *stress) operation(do do, user int) {
	s.ops.Add(1)
	wrong := false
	err := do(s.identities[user], func() error {
		for name, readers := range mayRead {
			if decided(s.dir, name) != readers[user] {
				wrong = true
			}
			if !disturb(s.dir, s.identities[user] != nil) {
				wrong = true
			}
		}
		return nil
	})
	var panicked *Panic
	if wrong || err != nil && !(errors.As(err, &panicked) && panicked.Value == errDisturbed) {
		s.wrong.Add(1)
	}
}

// decided asks the kernel whether a file may be read.
func decided(dir, name string) bool {
	f, err := os.Open(filepath.Join(dir, name))
	if err == nil {
		_ = f.Close()
	} else if !errors.Is(err, fs.ErrPermission) {
		panic(fmt.Sprint("stress: ", err))
	}
	return err == nil
}

// disturb makes the scheduler move goroutines, and makes some sections end badly. It reports false where a goroutine that was started
// inside had the identity of the section.
func disturb(dir string, section bool) bool {
	switch rand.IntN(12) {
	case 0, 1, 2:
		runtime.Gosched()
	case 3:
		time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond) // gives the processor away, waits for nothing
	case 4:
		refused := make(chan bool)
		go func() { refused <- !decided(dir, "alice") && !decided(dir, "bob") }() // ends when it was heard
		return <-refused
	case 5:
		if section && rand.IntN(4) == 0 {
			panic(errDisturbed)
		}
	}
	return true
}

var errDisturbed = errors.New("a panic inside")
