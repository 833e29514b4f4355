// Package checksum computes digests of files and of parts of them, for HASH and for the older commands
// such as XCRC. It bounds how many files a server reads for that at the same time. It knows no
// session and no reply.
package checksum

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"ftpd/pkg/transport"
	"ftpd/pkg/vfs"
)

// An Algorithm is a hash algorithm.
type Algorithm struct {
	Name string // in FEAT and OPTS HASH (draft-bryan-ftpext-hash)
	make func() hash.Hash
}

// algorithms holds all algorithms. MD5, SHA-1 and CRC32 detect damage, not malice.
var algorithms = []Algorithm{
	{"SHA-256", sha256.New},
	{"SHA-1", sha1.New},
	{"MD5", md5.New},
	{"CRC32", func() hash.Hash { return crc32.NewIEEE() }},
}

// Default returns the algorithm that is in force until OPTS HASH chooses another: SHA-256.
func Default() *Algorithm { return &algorithms[0] }

// Find returns the algorithm with a name, in any case of letters, or nil if there is none.
func Find(name string) *Algorithm {
	for i := range algorithms {
		if strings.EqualFold(algorithms[i].Name, name) {
			return &algorithms[i]
		}
	}
	return nil
}

// Feature returns the names of all algorithms for FEAT, with a star at a, the one in force
// (draft-bryan-ftpext-hash §3.1).
func (a *Algorithm) Feature() string {
	names := make([]string, len(algorithms))
	for i := range algorithms {
		names[i] = algorithms[i].Name
		if a == &algorithms[i] {
			names[i] += "*"
		}
	}
	return strings.Join(names, ";")
}

// A Part is a file, or a part of it, that is being read.
type Part struct {
	file   *vfs.File
	start  int64
	length int64        // negative: to the end
	read   atomic.Int64 // bytes so far
}

// Whole returns a file as a Part. The caller closes the file after Sum.
func Whole(f *vfs.File) *Part { return &Part{file: f, length: -1} }

// PartOf returns the bytes of a file from offset start to before offset end; a negative end is the
// end of the file. The error is ErrOutside if the file has no such part. The caller closes the file,
// after Sum or an error.
func PartOf(f *vfs.File, start, end int64) (*Part, error) {
	p := &Part{file: f, start: start, length: -1}
	if end >= 0 {
		p.length = end - start
	}
	if size := f.Size(); end >= 0 && p.length < 0 || size > 0 && max(start, end) > size {
		return nil, ErrOutside
	}
	return p, nil
}

// Close closes the file.
func (p *Part) Close() { p.file.Close() }

// Read returns the number of bytes that were read so far. It may be called during Sum.
func (p *Part) Read() int64 { return p.read.Load() }

// End returns the offset of the first byte behind those that were read.
func (p *Part) End() int64 { return p.start + p.read.Load() }

// Places bounds how many files a server reads and hashes at the same time, because one short command
// line causes much work for a processor. A file that is read has a value in Taken.
type Places struct {
	Taken  chan struct{} // its capacity is the number of places
	Blocks *transport.Blocks
}

// maxWait bounds the time that a Sum waits until another has ended.
const maxWait = 30 * time.Second

// These are errors of Sum.
var (
	// ErrBusy means that all places stayed taken for 30 seconds.
	ErrBusy = errors.New("no other hash has ended in time")
	// ErrOutside means that the file does not have the part.
	ErrOutside = errors.New("the file has no such part")
)

// turnBytes is the number of bytes that one hash reads before others that wait get the place,
// so that short hashes do not wait for the end of long ones.
const turnBytes = 64 << 20

// Sum returns the digest of a part. It waits for a place first, with ErrBusy as its bound. If ctx
// ends, the error is its cause. If the part is not in the file, the error is ErrOutside. Other errors
// are those of the file.
func (s *Places) Sum(ctx context.Context, p *Part, a *Algorithm) ([]byte, error) {
	sum, err := s.sum(ctx, p, a)
	if err == io.EOF || err == vfs.ErrOffset {
		err = ErrOutside
	}
	return sum, err
}

func (s *Places) sum(ctx context.Context, p *Part, a *Algorithm) ([]byte, error) {
	if err := p.file.StartAt(p.start); err != nil {
		return nil, err
	}
	b := s.Blocks.Get()
	defer s.Blocks.Put(b)
	digest := a.make()
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	late := timer.C
	for {
		whole, err := s.turn(ctx, p, digest, b[:], late)
		if err != nil {
			return nil, err
		}
		if whole {
			return digest.Sum(nil), nil
		}
		late = nil // a hash that has begun waits without a limit
	}
}

// turn waits for a place, and reads for one turn.
func (s *Places) turn(
	ctx context.Context, p *Part, digest hash.Hash, b []byte, late <-chan time.Time,
) (whole bool, err error) {
	select {
	case s.Taken <- struct{}{}:
		defer func() { <-s.Taken }()
	case <-late:
		return false, ErrBusy
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	for until := p.read.Load() + turnBytes; p.length < 0 || p.read.Load() < p.length; {
		switch {
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		case p.read.Load() >= until:
			return false, nil
		}
		room := b
		if p.length >= 0 {
			room = b[:min(int64(len(b)), p.length-p.read.Load())]
		}
		n, err := p.file.Read(room)
		digest.Write(room[:n])
		p.read.Add(int64(n))
		switch {
		case err == io.EOF && p.length < 0:
			return true, nil
		case err != nil:
			return false, err
		}
	}
	return true, nil
}
