package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"ftpd/pkg/config"
)

func TestLargeListing(t *testing.T) {
	const count = 1234
	dir := tree(t)
	var want []string
	for i := range count {
		name := fmt.Sprintf("%s-%d", "a-name-of-some-length"[:i%20], i)
		want = append(want, name)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(want)
	f := open(t, dir)
	for _, detail := range []Detail{NamesOnly, Links, Targets} {
		if got := names(t, f, "/", detail); !slices.Equal(got, want) {
			t.Errorf("detail %d: %d names, want %d", detail, len(got), count)
		}
	}
	d, err := f.OpenDir("/", Links)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if entries, err := d.Next(); len(entries) != batchSize || err != nil {
		t.Errorf("a batch of %d entries, %v", len(entries), err)
	}
}

func TestListingDetails(t *testing.T) {
	f := open(t, tree(t, "file", "dir/x", "tofile -> file", "todir -> dir", "nowhere -> none",
		"out -> ../../../../../../etc", "round -> round"))
	links, targets := byName(list(t, f, "/", Links)), byName(list(t, f, "/", Targets))
	if e := links["file"]; !e.Mode.IsRegular() || e.Size != 4 || e.ModTime.IsZero() {
		t.Errorf("file: %+v", e)
	}
	if e := links["dir"]; !e.Mode.IsDir() {
		t.Errorf("dir: %+v", e)
	}
	for name, target := range map[string]string{
		"tofile": "file", "todir": "dir", "nowhere": "none", "round": "round",
		"out": "../../../../../../etc",
	} {
		if e := links[name]; e.Mode&fs.ModeSymlink == 0 || e.Target != target {
			t.Errorf("link: %+v", e)
		}
	}
	if e := targets["tofile"]; !e.Mode.IsRegular() || e.Size != 4 || e.Target != "" {
		t.Errorf("link to a file: %+v", e)
	}
	if e := targets["todir"]; !e.Mode.IsDir() {
		t.Errorf("link to a directory: %+v", e)
	}
	for _, name := range []string{"nowhere", "round", "out"} {
		if e, ok := targets[name]; ok {
			t.Errorf("a link to nothing: %+v", e)
		}
	}
	is(t, "a file", second(f.OpenDir("/file", Links)), ErrNotDir)
	is(t, "nothing", second(f.OpenDir("/none", Links)), fs.ErrNotExist)
	if e := list(t, f, "/dir", NamesOnly); len(e) != 1 || e[0].Name != "x" {
		t.Errorf("names: %+v", e)
	}
}

func byName(entries []Entry) map[string]Entry {
	m := make(map[string]Entry)
	for _, e := range entries {
		m[e.Name] = e
	}
	return m
}

// A listing describes the target of a link only if the user may list it.
func TestTargetsThatMayNotBeListed(t *testing.T) {
	f := open(t, tree(t, "secret/file", "link -> secret/file"),
		permissions(config.Full, config.Rule{Path: "/secret"}))
	if e, ok := byName(list(t, f, "/", Targets))["link"]; ok {
		t.Errorf("link: %+v", e)
	}
}

func TestEmptyListing(t *testing.T) {
	d, err := open(t, tree(t)).OpenDir("/", Links)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if entries, err := d.Next(); len(entries) != 0 || err != io.EOF {
			t.Errorf("%v, %v", entries, err)
		}
	}
	is(t, "close", d.Close(), nil)
	is(t, "a closed one", second(d.Next()), fs.ErrClosed)
}

// A listing allocates nothing but the names.
func TestListingGarbage(t *testing.T) {
	if runtime.GOOS != "linux" || osRoot {
		t.Skip("os.Root makes garbage")
	}
	const count = 1000
	dir := tree(t)
	for i := range count {
		name := filepath.Join(dir, fmt.Sprint(i))
		err := os.WriteFile(name, nil, 0o644)
		if i%2 == 0 {
			err = os.Symlink(fmt.Sprint(i+1), name+"link")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	f := open(t, dir)
	list(t, f, "/", Links) // fills the pool
	entries := 0
	allocs := testing.AllocsPerRun(5, func() {
		d, err := f.OpenDir("/", Links)
		if err != nil {
			t.Fatal(err)
		}
		entries = 0
		for {
			batch, err := d.Next()
			if err != nil {
				break
			}
			entries += len(batch)
		}
		_ = d.Close()
	})
	const perListing = 60
	if wanted := float64(entries + count/2*2 + perListing); allocs > wanted {
		t.Errorf("%.0f allocations for %d entries, %d of them links, want at most %.0f",
			allocs, entries, count/2, wanted)
	}
}

// A listing has the time of creation only if Created is requested, also for the target of a link.
func TestCreated(t *testing.T) {
	before := time.Now().Add(-time.Minute)
	f := open(t, tree(t, "file", "dir/x", "tofile -> file"))
	e, err := f.StatCreated("/tofile")
	if err != nil {
		t.Fatal(err)
	}
	if e.Created.IsZero() {
		t.Skip("this file system has no time of creation; " +
			"run: TMPDIR=DIR go test ./pkg/vfs, with DIR on ext4, xfs or btrfs")
	}
	for name, e := range byName(list(t, f, "/", Targets|Created)) {
		if e.Created.Before(before) || e.Created.After(time.Now().Add(time.Minute)) {
			t.Errorf("%s was created at %v", name, e.Created)
		}
	}
	if e.Size != 4 || e.Created.Before(before) {
		t.Errorf("%+v", e)
	}
}

// A listing of some names does not describe other entries, and a section looks at a bounded
// number of names.
func TestSomeNames(t *testing.T) {
	const count = 2*maxLooked + 100
	dir := tree(t, "first", "last")
	for i := range count {
		if err := os.Link(filepath.Join(dir, "first"),
			filepath.Join(dir, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	described := 0
	f := open(t, dir, func(o *Options) {
		o.Faults = func(call string) error {
			if call == "statx" || call == "lstat" {
				described++
			}
			return nil
		}
	})
	d, err := f.OpenDir("/", Links)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.Only(func(name []byte) bool { return string(name) == "last" || string(name) == "first" })
	described = 0
	var got []string
	sections := 0
	for ; ; sections++ {
		entries, err := d.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			got = append(got, e.Name)
		}
	}
	if slices.Sort(got); !slices.Equal(got, []string{"first", "last"}) || described != len(got) {
		t.Errorf("%q after %d descriptions", got, described)
	}
	if sections < count/maxLooked {
		t.Errorf("all names were looked at in %d sections", sections)
	}
}
