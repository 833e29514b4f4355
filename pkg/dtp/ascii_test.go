package dtp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"ftpd/pkg/transport"
)

// toWire returns what is sent for a file, with reads of size bytes.
func toWire(t *testing.T, file string, size int) string {
	t.Helper()
	var out []byte
	r := &asciiReader{src: strings.NewReader(file)}
	p := make([]byte, size)
	for {
		n, err := r.Read(p)
		out = append(out, p[:n]...)
		if err == io.EOF {
			return string(out)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// toFile returns what is stored for the wire, with writes of size bytes.
func toFile(t *testing.T, wire string, size int) string {
	t.Helper()
	var out bytes.Buffer
	w := &asciiWriter{dst: &out, block: new(transport.Block)}
	for len(wire) > 0 {
		n := min(size, len(wire))
		if done, err := w.Write([]byte(wire[:n])); done != n || err != nil {
			t.Fatal(done, err)
		}
		wire = wire[n:]
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestASCII(t *testing.T) {
	for _, test := range []struct{ file, wire, back string }{
		{"", "", ""},
		{"a\nb\n", "a\r\nb\r\n", "a\nb\n"},
		{"a\r\nb", "a\r\nb", "a\nb"},
		{"a\rb\r", "a\rb\r", "a\rb\r"},
		{"\n\n\r\n", "\r\n\r\n\r\n", "\n\n\n"},
		{"\r\r\n\r", "\r\r\n\r", "\r\n\r"},
		{strings.Repeat("\n", 1000), strings.Repeat("\r\n", 1000), strings.Repeat("\n", 1000)},
	} {
		for size := 2; size < 8; size++ {
			if got := toWire(t, test.file, size); got != test.wire {
				t.Errorf("%q by %d bytes is sent as %q, not %q", test.file, size, got, test.wire)
			}
			n := size - 1
			if got := toFile(t, test.wire, n); got != test.back {
				t.Errorf("%q by %d bytes is stored as %q, not %q", test.wire, n, got, test.back)
			}
		}
	}
	r := &asciiReader{src: strings.NewReader("x")}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.ErrShortBuffer {
		t.Error(n, err)
	}
}

// More than a block arrives in one write, with a CRLF where the write is cut.
func TestASCIIBlocks(t *testing.T) {
	const size = len(transport.Block{})
	wire := strings.Repeat("x", size-2) + "\r\n" + strings.Repeat("\r\n", size)
	if got := toFile(t, wire, len(wire)); got != strings.ReplaceAll(wire, "\r\n", "\n") {
		t.Errorf("%d bytes became %d others", len(wire), len(got))
	}
}

var errStorage = errors.New("storage fails")

func TestASCIIFails(t *testing.T) {
	src := iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("\nx")))
	r := &asciiReader{src: src}
	p := make([]byte, 8)
	if n, err := r.Read(p); string(p[:n]) != "\r\n" || err != nil {
		t.Errorf("%q, %v", p[:n], err)
	}
	if n, err := r.Read(p); n != 0 || err != iotest.ErrTimeout {
		t.Error(n, err)
	}
	for _, text := range []string{"x", "\r"} {
		w := &asciiWriter{dst: failingWriter{}, block: new(transport.Block)}
		_, err := w.Write([]byte(text))
		if err = errors.Join(err, w.end()); !errors.Is(err, errStorage) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errStorage }

// The size of the pieces does not change what is sent and stored, and no LF is sent without a CR.
func FuzzASCII(f *testing.F) {
	f.Add("a\nb\r\nc\r", 3)
	f.Add("\r\r\n\n", 2)
	f.Fuzz(func(t *testing.T, file string, size int) {
		if size < 2 || size > 1000 {
			return
		}
		wire := strings.ReplaceAll(strings.ReplaceAll(file, "\r\n", "\n"), "\n", "\r\n")
		if got := toWire(t, file, size); got != wire {
			t.Errorf("%q is sent as %q", file, got)
		}
		want := strings.ReplaceAll(file, "\r\n", "\n")
		if got := toFile(t, file, size); got != want {
			t.Errorf("%q is stored as %q", file, got)
		}
	})
}
