package core

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/transfer"
)

// The end of the control connection decides whether an upload counts, however late the server finds
// it: the waits are so long, or so short, that the scheduler does not decide.
func TestVerdictOfAnUpload(t *testing.T) {
	const short = time.Nanosecond
	for name, test := range map[string]struct {
		waits transfer.Waits
		end   func(c *tcpClient, data *net.TCPConn) error
		want  string // the record
	}{
		"killed, data connection first": {
			transfer.Waits{Control: patience, Record: short},
			func(c *tcpClient, data *net.TCPConn) error {
				err := data.Close()
				for range 20 { // while the server waits, it answers; without a wait it sends 226
					c.cmd("200 ", "NOOP")
				}
				return errors.Join(err, c.conn.Close())
			},
			"upload_incomplete STOR /f bytes=7 426 (the control connection ended first)",
		},
		"killed with the 226 unread": {
			transfer.Waits{Control: short, Record: patience},
			func(c *tcpClient, data *net.TCPConn) error {
				_, err := io.ReadFull(c.conn, make([]byte, 1)) // after the end of the data
				return errors.Join(err, c.conn.Close())
			},
			"upload_incomplete STOR /f bytes=7 (client closed the control connection)",
		},
		"gone after the 226 was read": {
			transfer.Waits{Control: short, Record: patience},
			func(c *tcpClient, data *net.TCPConn) error {
				c.expect("226 ")
				return c.conn.Close()
			},
			"upload STOR /f bytes=7 226",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newWorld(t).serveTCP(t, "127.0.0.1:0", test.waits)
			c := l.client(net.IPv4(127, 0, 0, 1))
			c.login()
			data := c.begin("STOR f")
			_, err := data.Write([]byte("content"))
			if !strings.Contains(name, "first") {
				err = errors.Join(err, data.Close())
			}
			if err := errors.Join(err, test.end(c, data)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			l.srv.Finish(ctx)
			kind, _, _ := strings.Cut(test.want, " ")
			if got := l.reported(t, kind); got != test.want {
				t.Errorf("the record is %q", got)
			}
		})
	}
}
