package events

import (
	"bytes"
	"net/netip"
	"testing"
	"time"
)

func TestTransferLog(t *testing.T) {
	at := time.Date(2027, 2, 3, 4, 5, 6, 0, time.UTC)
	remote := netip.MustParseAddrPort("[::ffff:192.0.2.1]:4000")
	for _, test := range []struct {
		record Record
		want   string
	}{
		{
			Record{
				Event: Event{
					Kind: Upload, Path: "/a b\n", Host: "/home/alice/a b\n", Bytes: 12,
					Took: 1600 * time.Millisecond,
				},
				Name: "alice", Remote: remote,
			},
			"Wed Feb  3 04:05:06 2027 2 192.0.2.1 12 /home/alice/a_b_ b _ i r alice ftp 0 * c\n",
		},
		{
			Record{
				Event: Event{Kind: DownloadIncomplete, Path: `/ü\`, ASCII: true},
				Name:  "anonymous", Remote: remote,
			},
			"Wed Feb  3 04:05:06 2027 0 192.0.2.1 0 /ü\\ a _ o a anonymous ftp 0 * i\n",
		},
		{Record{Event: Event{Kind: Login}}, ""},
	} {
		var out bytes.Buffer
		l := NewTransferLog(&out, time.UTC)
		l.now = func() time.Time { return at }
		l.Write(test.record)
		if out.String() != test.want {
			t.Errorf("got  %q\nwant %q", out.String(), test.want)
		}
	}
}
