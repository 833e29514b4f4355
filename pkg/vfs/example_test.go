package vfs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"ftpd/pkg/config"
	"ftpd/pkg/vfs"
)

// A view of one directory: the user may upload new files and read them, and reaches nothing else.
func ExampleFS() {
	home, err := os.MkdirTemp("", "home")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(home)
	view, err := vfs.Open(vfs.Options{
		Mounts: []config.Mount{{Path: "/", Directory: home, Inherit: true}},
		Rights: config.NewRights(config.List|config.Read|config.Write, nil),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer view.Close()

	upload, err := view.Create("/notes.txt", vfs.Creation{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = io.WriteString(upload, "remember the milk\n")
	if err := errors.Join(err, upload.Commit()); err != nil {
		fmt.Println(err)
		return
	}

	file, err := view.Open("/notes.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	io.Copy(os.Stdout, file)

	_, err = view.Open("/../../etc/passwd") // ".." does not lead out of the home
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	err = view.Remove("/notes.txt")
	fmt.Println(errors.Is(err, vfs.ErrNotAllowed))
	// Output:
	// remember the milk
	// true
	// true
}
