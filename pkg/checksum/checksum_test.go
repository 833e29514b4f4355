package checksum

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"ftpd/pkg/config"
	"ftpd/pkg/transport"
	"ftpd/pkg/vfs"
)

// A long hash hands over its place to a short one in the middle.
func TestHashTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		home := t.TempDir()
		for name, size := range map[string]int64{"long": 3 * turnBytes, "short": 3} {
			path := filepath.Join(home, name)
			if err := errors.Join(os.WriteFile(path, nil, 0o600),
				os.Truncate(path, size)); err != nil {
				t.Fatal(err)
			}
		}
		places := Places{Taken: make(chan struct{}, 1), Blocks: &transport.Blocks{}}
		view, err := vfs.Open(
			vfs.Options{
				Mounts: []config.Mount{{Path: "/", Directory: home}},
				Rights: config.Rights{Base: config.Full},
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		defer view.Close()
		sum := func(name string) *Part {
			f, err := view.Open("/" + name)
			if err != nil {
				t.Fatal(err)
			}
			return Whole(f)
		}
		long, short := sum("long"), sum("short")
		defer long.Close()
		defer short.Close()
		places.Taken <- struct{}{} // so that both wait
		done := make(chan int64, 2)
		// ends at the end of the file
		go func() { places.Sum(t.Context(), long, Find("CRC32")); done <- -1 }()
		synctest.Wait()
		// likewise
		go func() { places.Sum(t.Context(), short, Find("CRC32")); done <- long.Read() }()
		synctest.Wait()
		<-places.Taken
		if first := <-done; first != turnBytes {
			t.Errorf("the short one ended when %d bytes of the long one were read", first)
		}
		<-done
	})
}

func TestParseArgument(t *testing.T) {
	for arg, want := range map[string]Argument{
		"f":                        {"f", 0, -1},
		"f 1":                      {"f", 1, -1},
		"f 1 2":                    {"f", 1, 2},
		"f 1 2 3":                  {"f 1", 2, 3},
		"f  1  2 ":                 {"f", 1, 2},
		"f x 2":                    {"f x", 2, -1},
		`"f"`:                      {"f", 0, -1},
		`"a b" 0 5`:                {"a b", 0, 5},
		`"a b`:                     {`"a b`, 0, -1},
		`""`:                       {`""`, 0, -1},
		"1 2":                      {"1", 2, -1},
		"7":                        {"7", 0, -1},
		" 7":                       {" 7", 0, -1},
		"f -1 2":                   {"f -1", 2, -1},
		"f 1 99999999999999999999": {"f 1 99999999999999999999", 0, -1},
	} {
		if got := ParseArgument(arg); got != want {
			t.Errorf("%q: %+v, want %+v", arg, got, want)
		}
	}
}

// A part of a file is a name and one or two numbers behind it.
func FuzzArgument(f *testing.F) {
	for _, arg := range []string{"f", "f 0 5", "f 5", `"a b" 1 2`, "f 18446744073709551615", " 1 2",
		"1 2", "f  1  2  ", `""`} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		a := ParseArgument(arg)
		if a.Name == "" && arg != "" || !strings.Contains(arg, a.Name) || a.Start < 0 || a.End < -1 {
			t.Errorf("%q is %+v", arg, a)
		}
		if rest := arg[strings.Index(arg, a.Name)+len(a.Name):]; a.Name != arg &&
			strings.Trim(rest, "0123456789 \"") != "" {
			t.Errorf("%q is %+v, and %q is lost", arg, a, rest)
		}
	})
}

// A part must be in the file. The end of an empty file is not known: files of /proc are empty by
// their size.
func TestPartOf(t *testing.T) {
	home := t.TempDir()
	for name, text := range map[string]string{"f": "0123456789", "empty": ""} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := vfs.Open(vfs.Options{
		Mounts: []config.Mount{{Path: "/", Directory: home}},
		Rights: config.Rights{Base: config.Full},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	places := Places{Taken: make(chan struct{}, 1), Blocks: &transport.Blocks{}}
	for _, test := range []struct {
		name       string
		start, end int64
		want       error
		sum        string // CRC32
	}{
		{"f", 0, -1, nil, "a684c7c6"}, {"f", 0, 10, nil, "a684c7c6"}, {"f", 3, 5, nil, "9406837a"},
		{"f", 10, -1, nil, "00000000"}, {"f", 11, -1, ErrOutside, ""}, {"f", 0, 11, ErrOutside, ""},
		{"f", 5, 3, ErrOutside, ""}, {"empty", 0, 1, ErrOutside, ""}, {"empty", 0, 0, nil, "00000000"},
	} {
		f, err := files.Open("/" + test.name)
		if err != nil {
			t.Fatal(err)
		}
		var sum []byte
		p, err := PartOf(f, test.start, test.end)
		if err == nil {
			sum, err = places.Sum(t.Context(), p, Find("crc32"))
		}
		f.Close()
		if err != test.want || fmt.Sprintf("%x", sum) != test.sum {
			t.Errorf("%s from %d to %d: %x, %v", test.name, test.start, test.end, sum, err)
		}
	}
}
