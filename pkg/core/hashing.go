package core

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"ftpd/pkg/transport"
	"ftpd/pkg/vfs"
)

// An algorithm is a hash algorithm of HASH.
type algorithm struct {
	name string // in FEAT and OPTS HASH
	make func() hash.Hash
}

// algorithms holds all algorithms; the first is in force until OPTS HASH chooses another. MD5,
// SHA-1 and CRC32 detect damage, not malice.
var algorithms = []algorithm{
	{"SHA-256", sha256.New},
	{"SHA-1", sha1.New},
	{"MD5", md5.New},
	{"CRC32", func() hash.Hash { return crc32.NewIEEE() }},
}

// findAlgorithm returns the algorithm with a name, in any case of letters, or nil if there is
// none.
func findAlgorithm(name string) *algorithm {
	for i := range algorithms {
		if strings.EqualFold(algorithms[i].name, name) {
			return &algorithms[i]
		}
	}
	return nil
}

// feature returns HASH's line in FEAT, with a star at the algorithm in force.
func (a *algorithm) feature() string {
	names := make([]string, len(algorithms))
	for i := range algorithms {
		names[i] = algorithms[i].name
		if a == &algorithms[i] {
			names[i] += "*"
		}
	}
	return strings.Join(names, ";")
}

// A filePart is a file, or a part of it, that is being hashed.
type filePart struct {
	file   *vfs.File
	start  int64
	length int64        // negative: to the end
	read   atomic.Int64 // bytes so far
}

// end returns the offset of the first byte behind those that were read.
func (h *filePart) end() int64 { return h.start + h.read.Load() }

// hashes bounds how many files the whole server reads and hashes at the same time, because one
// short command line causes much work for a processor.
type hashes struct {
	places chan struct{}
	blocks *transport.Blocks
}

func newHashes(b *transport.Blocks) *hashes {
	return &hashes{places: make(chan struct{}, runtime.GOMAXPROCS(0)), blocks: b}
}

// hashWait bounds the time that a hash waits until another has ended.
const hashWait = 30 * time.Second

var errNoPlace = errors.New("no other hash has ended in time")

// hashTurn is the number of bytes that one hash reads before others that wait get the place,
// so that short hashes do not wait for the end of long ones.
const hashTurn = 64 << 20

// sum returns h's digest. It waits for a place first, reads outside of sections, and ends with
// ctx. If h is not in the file, the error is vfs.ErrOffset, or io.EOF if a read finds that out
// later.
func (hs *hashes) sum(ctx context.Context, h *filePart, a *algorithm) ([]byte, error) {
	if err := h.file.StartAt(h.start); err != nil {
		return nil, err
	}
	b := hs.blocks.Get()
	defer hs.blocks.Put(b)
	digest := a.make()
	timer := time.NewTimer(hashWait)
	defer timer.Stop()
	late := timer.C
	for {
		whole, err := hs.turn(ctx, h, digest, b[:], late)
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
func (hs *hashes) turn(
	ctx context.Context, h *filePart, digest hash.Hash, b []byte, late <-chan time.Time,
) (whole bool, err error) {
	select {
	case hs.places <- struct{}{}:
		defer func() { <-hs.places }()
	case <-late:
		return false, errNoPlace
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	for until := h.read.Load() + hashTurn; h.length < 0 || h.read.Load() < h.length; {
		switch {
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		case h.read.Load() >= until:
			return false, nil
		}
		room := b
		if h.length >= 0 {
			room = b[:min(int64(len(b)), h.length-h.read.Load())]
		}
		n, err := h.file.Read(room)
		digest.Write(room[:n])
		h.read.Add(int64(n))
		switch {
		case err == io.EOF && h.length < 0:
			return true, nil
		case err != nil:
			return false, err
		}
	}
	return true, nil
}
