// Package listing writes directories for LIST, NLST, MLSD, MLST and STAT: the lines, their
// order, the names of owners, and the patterns that choose entries. It knows no session and no
// connection.
package listing

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"ftpd/pkg/ftpwire"
	"ftpd/pkg/vfs"
)

// A Lister makes a line of each entry of a directory. Up to MaxSorted entries are sorted by
// name, as long as their lines have no more than MaxText bytes. A larger directory is written
// in its own order, so that neither the memory nor the wait for the first byte grows with it.
// A Lister is for one listing and one goroutine.
type Lister struct {
	// Learn is called for each batch of entries before their lines are made. It may be nil.
	Learn func(context.Context, []vfs.Entry)
	// Before appends what stands before the name. It may be nil.
	Before   func([]byte, *vfs.Entry) []byte
	Prefix   string // stands before each name, as a part of it
	Arrows   bool   // the target of a link follows its name
	Classify bool   // a slash follows the name of a directory

	text   []byte
	lines  []lineAt // of text, as long as they are sorted
	stream bool     // the directory is too large to be sorted

	unknown int   // entries that are listed by name alone
	first   error // why the first of them is
}

// A lineAt is a line of a listing: where it and its name begin and end in the text.
type lineAt struct {
	start, name, nameEnd, end uint32
	// altered means that "?" replaces bytes of the name, so that other names may look the
	// same.
	altered bool
}

// These bound what is sorted.
const (
	MaxSorted = 10_000  // entries
	MaxText   = 2 << 20 // bytes; the target of one link may have 4 KiB
)

// MaxReply bounds the bytes of a listing in a reply. A session keeps all of them for as long as the
// client does not read.
const MaxReply = 200 << 10

// ErrTooLarge is the error of Collect when the lines have more than MaxReply bytes.
var ErrTooLarge = errors.New("too many entries for a reply")

// A WriteFunc sends bytes to the client. It returns the cause of a context that ends
// meanwhile.
type WriteFunc func(context.Context, []byte) error

// Read reads all that next yields, until io.EOF. Lines that are not sorted are written while
// it reads; Flush writes the rest. When ctx ends, Read returns its cause.
func (l *Lister) Read(
	ctx context.Context, next func() ([]vfs.Entry, error), write WriteFunc,
) error {
	for {
		if ctx.Err() != nil { // a write might find that too, but there may be none
			return context.Cause(ctx)
		}
		batch, err := next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		l.add(ctx, batch)
		if !l.stream && len(l.lines) <= MaxSorted && len(l.text) <= MaxText {
			continue
		}
		l.stream, l.lines = true, nil
		if err := write(ctx, l.text); err != nil {
			return err
		}
		l.text = l.text[:0]
	}
}

// Flush writes the lines that Read has kept, in the order of their names. It gathers them in
// block, which must have room for the longest line.
func (l *Lister) Flush(ctx context.Context, block []byte, write WriteFunc) error {
	if l.stream {
		return write(ctx, l.text)
	}
	out := block[:0]
	for _, line := range l.sorted() {
		if len(out)+int(line.end-line.start) > len(block) {
			if err := write(ctx, out); err != nil {
				return err
			}
			out = block[:0]
		}
		out = append(out, l.text[line.start:line.end]...)
	}
	return write(ctx, out)
}

// Collect reads all that next yields, until io.EOF, for Lines. Nothing is sent before all is read:
// Collect returns ErrTooLarge at the first line for which there is no room.
func (l *Lister) Collect(ctx context.Context, next func() ([]vfs.Entry, error)) error {
	for {
		batch, err := next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		l.learn(ctx, batch)
		for i := range batch {
			if l.addLine(&batch[i]); len(l.text) > MaxReply {
				return ErrTooLarge
			}
		}
	}
}

// Lines returns the lines in the order of their names, without their CRLF. They share the memory of
// one text.
func (l *Lister) Lines() []string {
	sorted, text := l.sorted(), string(l.text)
	lines := make([]string, len(sorted))
	for i, line := range sorted {
		lines[i] = text[line.start : line.end-2]
	}
	return lines
}

// Problem returns an error for the log when entries could not be described: how many they are,
// and why the first could not. It returns nil when the listing is complete.
func (l *Lister) Problem() error {
	if l.unknown == 0 {
		return nil
	}
	return fmt.Errorf(
		"listed by name alone: %d of the entries, the first is %w", l.unknown, l.first)
}

func (l *Lister) learn(ctx context.Context, entries []vfs.Entry) {
	if l.Learn != nil {
		l.Learn(ctx, entries)
	}
}

func (l *Lister) add(ctx context.Context, entries []vfs.Entry) {
	l.learn(ctx, entries)
	for i := range entries {
		l.addLine(&entries[i])
	}
}

func (l *Lister) addLine(e *vfs.Entry) {
	if e.Unknown != nil {
		l.note(e)
	}
	line := lineAt{start: uint32(len(l.text))}
	if l.Before != nil {
		l.text = l.Before(l.text, e)
	}
	line.name = uint32(len(l.text))
	l.text = ftpwire.AppendName(ftpwire.AppendName(l.text, l.Prefix), e.Name)
	line.nameEnd = uint32(len(l.text))
	line.altered = string(l.text[len(l.text)-len(e.Name):]) != e.Name
	switch {
	case l.Classify && e.Mode.IsDir():
		l.text = append(l.text, '/')
	case l.Arrows && e.Target != "":
		l.text = ftpwire.AppendName(append(l.text, " -> "...), e.Target)
	}
	l.text = append(l.text, '\r', '\n')
	line.end = uint32(len(l.text))
	if !l.stream {
		l.lines = append(l.lines, line)
	}
}

// note counts an entry that is listed by name alone.
func (l *Lister) note(e *vfs.Entry) {
	if l.unknown++; l.unknown == 1 {
		l.first = fmt.Errorf("%q: %w", e.Name, e.Unknown)
	}
}

// sorted returns the lines in the order of their names, one for each name: a file system may
// yield a name twice when the file was replaced meanwhile.
func (l *Lister) sorted() []lineAt {
	nameOf := func(line lineAt) []byte { return l.text[line.name:line.nameEnd] }
	slices.SortFunc(l.lines, func(a, b lineAt) int {
		if c := bytes.Compare(nameOf(a), nameOf(b)); c != 0 {
			return c
		}
		return cmp.Compare(a.start, b.start)
	})
	l.lines = slices.CompactFunc(l.lines, func(a, b lineAt) bool {
		return !a.altered && !b.altered && bytes.Equal(nameOf(a), nameOf(b))
	})
	return l.lines
}
