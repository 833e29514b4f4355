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

// In TestStress, many goroutines of two users and of the core open each other's files, and
// disturb the scheduler so that it moves goroutines to other threads. Each open must have the
// result for the right user. TestStressControl does the same without locking the threads, and
// must see wrong results.

const (
	stressWorkers = 60
	stressOps     = 200 // of each worker
)

// do runs a call as a user: (*Identity).Do or doUnlocked.
type do func(id *Identity, call func() error) error

// doUnlocked runs a section on the goroutine of the caller, which may move to another thread
// meanwhile.
func doUnlocked(id *Identity, call func() error) (err error) {
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
	go func() { // ends when stop is closed
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
		t.Errorf("%d of %d operations were wrong", wrong, s.ops.Load())
	}
	for thread, state := range threadStates(t) {
		if state != coreState {
			t.Errorf("thread %s was left with %+v", thread, state)
		}
	}
	t.Logf("%d operations, %d samples of threads", s.ops.Load(), samples)
	if samples == 0 {
		t.Error("no sample was taken")
	}
}

func TestStressControl(t *testing.T) {
	dir := coretest.Run(t, nil, coretest.Caps...)
	if dir == "" {
		return
	}
	s := newStress(t, dir)
	s.run(doUnlocked)
	wrong := s.wrong.Load()
	t.Logf("without locking the thread: %d of %d operations were wrong", wrong, s.ops.Load())
	if wrong == 0 {
		t.Error("the stress does not detect that threads are not locked, so it proves nothing")
	}
}

type stress struct {
	dir        string
	identities []*Identity // alice, bob, the core
	ops, wrong atomic.Int64
}

// newStress creates each file as its owner.
func newStress(t *testing.T, dir string) *stress {
	unix.Umask(0)
	threads := NewThreads(1000)
	s := &stress{
		dir:        dir,
		identities: []*Identity{threads.Identity("alice", alice), threads.Identity("bob", bob), nil},
	}
	for i, name := range []string{"alice", "bob"} {
		file := filepath.Join(dir, name)
		err := s.identities[i].Do(func() error { return os.WriteFile(file, nil, 0o600) })
		if err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		err = unix.Stat(file, &st)
		if err != nil || int(st.Uid) != aliceID+i || int(st.Gid) != aliceID+i {
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

// mayRead holds, for each file, whether alice, bob and the core may read it.
var mayRead = map[string][]bool{
	"alice": {true, false, false},
	"bob":   {false, true, false},
	"team":  {true, false, false},
}

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

// operation opens all files in one section, with a disturbance after each of them.
func (s *stress) operation(do do, user int) {
	s.ops.Add(1)
	wrong := false
	err := do(s.identities[user], func() error {
		for name, readers := range mayRead {
			if isReadable(s.dir, name) != readers[user] {
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

// isReadable reports whether the kernel lets the calling thread open a file.
func isReadable(dir, name string) bool {
	f, err := os.Open(filepath.Join(dir, name))
	if err == nil {
		_ = f.Close()
	} else if !errors.Is(err, fs.ErrPermission) {
		panic(fmt.Sprint("stress: ", err))
	}
	return err == nil
}

// disturb makes the scheduler move goroutines, and makes some sections panic. It returns false
// if a goroutine that it started inside the section had the identity of the section.
func disturb(dir string, section bool) bool {
	switch rand.IntN(12) {
	case 0, 1, 2:
		runtime.Gosched()
	case 3:
		// Only yields the processor: no event has to happen meanwhile.
		time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond)
	case 4:
		refused := make(chan bool)
		go func() { // ends when the result is received
			refused <- !isReadable(dir, "alice") && !isReadable(dir, "bob")
		}()
		return <-refused
	case 5:
		if section && rand.IntN(4) == 0 {
			panic(errDisturbed)
		}
	}
	return true
}

var errDisturbed = errors.New("a panic inside")
