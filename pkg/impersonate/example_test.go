package impersonate_test

import (
	"fmt"
	"os"
	"runtime"

	"ftpd/pkg/impersonate"
)

// The main goroutine stays on the main thread, on which no section may run.
func init() { runtime.LockOSThread() }

// The path is resolved with the rights of the user. Reading and closing the file need no section.
// The process needs CAP_SETUID and CAP_SETGID, and must not be root.
func ExampleIdentity_Do() {
	threads := impersonate.NewThreads(1000)
	alice := threads.Identity("alice", impersonate.Credentials{UID: 1000, GID: 1000})
	var file *os.File
	err := alice.Do(func() (err error) {
		file, err = os.Open("/home/alice/notes.txt")
		return err
	})
	if err != nil {
		fmt.Println(err) // of os.Open, or the reason why the section did not run
		return
	}
	defer file.Close()
}
