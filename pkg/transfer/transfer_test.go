package transfer

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/dtp"
	"ftpd/pkg/events"
	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/transport"
	"ftpd/pkg/vfs"
)

// A fakeControl is a control connection that has ended or has not.
type fakeControl struct {
	sync.Mutex     // the session's turn
	ended, quit    bool
	unacknowledged int
	emitted        []events.Event
}

func (c *fakeControl) Ended(time.Duration) bool { return c.ended }
func (c *fakeControl) Unacknowledged() int      { return c.unacknowledged }
func (c *fakeControl) QuitAnswered() bool       { return c.quit }
func (c *fakeControl) Emit(e events.Event)      { c.emitted = append(c.emitted, e) }

// An opened is an Opener whose connection stands.
type opened struct{ conn transport.Conn }

func (opened) Claim() error                                   { return nil }
func (o opened) Open(context.Context) (transport.Conn, error) { return o.conn, nil }
func (opened) Refuse(bool)                                    {}
func (opened) Close()                                         {}

// The end of the control connection decides whether an upload counts; QUIT makes it count, with a
// doubt if it may have come before the end of the data. The bytes are kept in any case.
func TestUploads(t *testing.T) {
	for name, test := range map[string]struct {
		control  *fakeControl
		read     error // of the control connection, up to its end; nil: is not read
		ending   Ending
		evidence string
	}{
		"the client waits":  {&fakeControl{}, nil, Complete, ""},
		"QUIT":              {&fakeControl{quit: true}, nil, Complete, ""},
		"gone":              {&fakeControl{ended: true}, io.EOF, Left, ""},
		"gone, found late":  {&fakeControl{ended: true}, nil, Left, ""},
		"reset":             {&fakeControl{ended: true}, errors.New("reset"), Left, ""},
		"gone after a QUIT": {&fakeControl{ended: true, quit: true}, io.EOF, Complete, "QUIT may"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				home := t.TempDir()
				files, err := vfs.Open(vfs.Options{
					Mounts: []config.Mount{{Path: "/", Directory: home}},
					Rights: config.Rights{Base: config.Full},
				})
				if err != nil {
					t.Fatal(err)
				}
				defer files.Close()
				server, client := memnet.Pipe(
					netip.MustParseAddrPort("192.0.2.1:20"), netip.MustParseAddrPort("192.0.2.9:9"))
				u := &Upload{Files: files, Name: "/f"}
				control := test.control
				var up Transfer
				up.Init(Options{
					Control: control, Opener: opened{server}, Incoming: true,
					Data: dtp.Options{Blocks: &transport.Blocks{}}, Move: u.Move,
					Waits: Waits{}.OrDefault(),
				})
				if test.read != nil {
					up.ControlEnded(test.read)
				}
				client.Write([]byte("content"))
				client.Close()
				err = up.Run(t.Context())
				up.Leave(false, nil)
				if got := EndingOf(t.Context(), err); got != test.ending {
					t.Errorf("the ending is %v, from %v", got, err)
				}
				if got := up.evidence(); !strings.HasPrefix(got, test.evidence) ||
					test.evidence == "" && got != "" {
					t.Errorf("the evidence is %q", got)
				}
				if b, err := os.ReadFile(filepath.Join(home, "f")); string(b) != "content" {
					t.Errorf("the file has %q, %v", b, err)
				}
				code := map[Ending]int{Complete: 226, Left: 426}[test.ending]
				up.Report(events.Upload, events.UploadIncomplete, events.Event{}, code, "")
				if up.IsRecorded() != (code != 226) {
					t.Errorf("after %d the record was emitted: %v", code, up.IsRecorded())
				}
				control.Lock()
				defer control.Unlock()
				if up.Revoke(426) != (code == 226 && up.Lost() != nil) {
					t.Error("the record was revoked, or was not")
				}
				up.Settle(false, nil, false).Emit(nil)
				want := map[Ending]events.Kind{
					Complete: events.Upload, Left: events.UploadIncomplete,
				}[test.ending]
				if len(control.emitted) != 1 || control.emitted[0].Kind != want ||
					control.emitted[0].Bytes != int64(len("content")) {
					t.Errorf("recorded is %v", control.emitted)
				}
			})
		})
	}
}

// The record of an upload that was answered 226 is emitted once, as that of an unread reply if the
// client's host has not acknowledged the reply and the connection has ended.
func TestRecord(t *testing.T) {
	for name, test := range map[string]struct {
		control *fakeControl
		act     func(*Record)
		want    events.Kind // "": the record waits
	}{
		"no time has passed":      {&fakeControl{}, func(*Record) {}, ""},
		"a line":                  {&fakeControl{}, confirm, events.Upload},
		"a line before the reply": {&fakeControl{unacknowledged: 1}, confirm, ""},
		"a line, then the end":    {&fakeControl{ended: true}, confirm, ""},
		"the end":                 {&fakeControl{ended: true}, emit(io.EOF), events.Upload},
		"the end, unread": {&fakeControl{ended: true, unacknowledged: 1}, emit(io.EOF),
			events.UploadIncomplete},
		"a reset":                    {&fakeControl{}, emit(errors.New("reset")), events.UploadIncomplete},
		"a reset after QUIT":         {&fakeControl{quit: true}, emit(errors.New("reset")), events.Upload},
		"time over":                  {&fakeControl{}, sleep, events.Upload},
		"time over, the host is off": {&fakeControl{unacknowledged: 1}, sleep, events.Upload},
		"time over, unread": {&fakeControl{ended: true, unacknowledged: 1}, sleep,
			events.UploadIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				control := test.control
				control.Lock()
				r := keepRecord(control, events.Event{Kind: events.Upload, Reply: 226}, time.Second)
				control.Unlock()
				test.act(r)
				control.Lock()
				defer control.Unlock()
				var got events.Kind
				if len(control.emitted) > 0 {
					got = control.emitted[0].Kind
				}
				if got != test.want {
					t.Errorf("emitted is %v", control.emitted)
				}
				r.Emit(nil)
				r.Emit(nil)
				if len(control.emitted) != 1 {
					t.Errorf("%d records are emitted", len(control.emitted))
				}
			})
		})
	}
	(*Record)(nil).Confirm()
	(*Record)(nil).Emit(io.EOF)
}

func emit(err error) func(*Record) {
	return func(r *Record) {
		r.control.Lock()
		defer r.control.Unlock()
		r.Emit(err)
	}
}

func confirm(r *Record) {
	r.control.Lock()
	defer r.control.Unlock()
	r.Confirm()
}

func sleep(*Record) {
	time.Sleep(2 * time.Second)
	synctest.Wait()
}

func TestOpening(t *testing.T) {
	const long = 300
	for _, test := range []struct {
		ascii bool
		name  string
		bytes int64
		want  string
	}{
		{false, "f", 7, "Opening BINARY mode data connection for f (7 bytes)."},
		{true, "f", 0, "Opening ASCII mode data connection for f."},
		{false, "7 Bytes", 7, "Opening BINARY mode data connection (7 bytes)."},
		{false, "a\x07b", 0, "Opening BINARY mode data connection for a?b."},
		{false, strings.Repeat("ü", long), 0,
			"Opening BINARY mode data connection for " + strings.Repeat("ü", maxOpeningName/2) + "."},
	} {
		if got := Opening(test.ascii, test.name, test.bytes); got != test.want {
			t.Errorf("%q: %q", test.name, got)
		}
	}
}

func TestParseType(t *testing.T) {
	for arg, want := range map[string]Type{
		"A": TypeASCII, "a n": TypeASCII, "L 7": TypeASCII, "AN": TypeASCII,
		"I": TypeImage, " i ": TypeImage, "L8": TypeImage, "l  8": TypeImage,
		"": TypeUnset, "E": TypeUnset, "A C": TypeUnset, "L 9": TypeUnset, "IA": TypeUnset,
	} {
		got, ok := ParseType(arg)
		if got != want || ok != (want != TypeUnset) || got.IsASCII() != (want != TypeImage) {
			t.Errorf("%q is %v, %v", arg, got, ok)
		}
	}
}
