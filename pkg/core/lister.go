package core

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"ftpd/pkg/ftpwire"
	"ftpd/pkg/vfs"
)

// A lister streams a directory. Up to maxSorted entries are sorted by name, if their lines have no more than maxText bytes; a larger
// directory goes out in its own order, so that neither the memory nor the wait for the first byte grows with it.
type lister struct {
	verb, path string                             // for the log
	learn      func(context.Context, []vfs.Entry) // called for each batch before its lines are written; may be nil
	before     func([]byte, *vfs.Entry) []byte    // writes what stands before the name; may be nil
	prefix     string                             // stands before each name, as a part of it
	arrows     bool                               // a link's target follows its name
	classify   bool                               // a slash follows the name of a directory

	text  []byte
	lines []lineAt // of text, as long as they are to be sorted

	unknown int   // entries that are listed by name alone
	first   error // why the first of them is
}

// A lineAt is a line of a listing: where it and its name begin and end.
type lineAt struct {
	start, name, nameEnd, end uint32
	altered                   bool // the name holds what would end a line: others look like it
}

const (
	maxSorted = 10_000
	maxText   = 2 << 20 // a link's target alone may have 4 KiB
)

// list writes all that next yields to the data connection.
func (l *lister) list(ctx context.Context, t *transfer, next func() ([]vfs.Entry, error)) error {
	sorting := true
	for {
		if ctx.Err() != nil { // there need not be a write that tells
			return context.Cause(ctx)
		}
		batch, err := next()
		if err == io.EOF {
			if sorting {
				return l.flushSorted(ctx, t)
			}
			return t.write(ctx, l.text)
		}
		if err != nil {
			return err
		}
		l.meet(ctx, batch)
		for i := range batch {
			l.add(&batch[i], sorting)
		}
		if sorting && len(l.lines) <= maxSorted && len(l.text) <= maxText {
			continue
		}
		sorting, l.lines = false, nil
		if err := t.write(ctx, l.text); err != nil {
			return err
		}
		l.text = l.text[:0]
	}
}

// meet learns what the entries' lines need.
func (l *lister) meet(ctx context.Context, entries []vfs.Entry) {
	if l.learn != nil {
		l.learn(ctx, entries)
	}
}

func (l *lister) add(e *vfs.Entry, sorting bool) {
	if e.Unknown != nil {
		l.note(e)
	}
	line := lineAt{start: uint32(len(l.text))}
	if l.before != nil {
		l.text = l.before(l.text, e)
	}
	line.name = uint32(len(l.text))
	l.text = ftpwire.AppendName(ftpwire.AppendName(l.text, l.prefix), e.Name)
	line.nameEnd = uint32(len(l.text))
	line.altered = string(l.text[len(l.text)-len(e.Name):]) != e.Name
	switch {
	case l.classify && e.Mode.IsDir():
		l.text = append(l.text, '/')
	case l.arrows && e.Target != "":
		l.text = ftpwire.AppendName(append(l.text, " -> "...), e.Target)
	}
	l.text = append(l.text, '\r', '\n')
	line.end = uint32(len(l.text))
	if sorting {
		l.lines = append(l.lines, line)
	}
}

// note counts an entry that is listed by name alone.
func (l *lister) note(e *vfs.Entry) {
	if l.unknown++; l.unknown == 1 {
		l.first = fmt.Errorf("%q: %w", e.Name, e.Unknown)
	}
}

// trouble is for the log: how many entries could not be described, and why the first could not.
func (l *lister) trouble() error {
	if l.unknown == 0 {
		return nil
	}
	return fmt.Errorf("listed by name alone: %d of the entries, the first is %w", l.unknown, l.first)
}

// sorted are the lines in the order of their names, one of each: a file system may yield a name twice
// that was replaced meanwhile.
func (l *lister) sorted() []lineAt {
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

// flushSorted writes the lines in the order of their names.
func (l *lister) flushSorted(ctx context.Context, t *transfer) error {
	block := t.s.srv.blocks.get()
	defer t.s.srv.blocks.put(block)
	out := block[:0]
	for _, line := range l.sorted() {
		if len(out)+int(line.end-line.start) > len(block) {
			if err := t.write(ctx, out); err != nil {
				return err
			}
			out = block[:0]
		}
		out = append(out, l.text[line.start:line.end]...)
	}
	return t.write(ctx, out)
}
