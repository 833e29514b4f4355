//go:build linux && cgo

package pamhelper

import (
	"fmt"
	"strconv"
	"syscall"

	"ftpd/pkg/unixauth/internal/wire"
)

// namesAs changes to uid and gid before a module of the name service is loaded, and then serves
// names.
func namesAs(c *wire.Conn, uid, gid string) error {
	u, err := strconv.ParseUint(uid, 10, 31)
	if err != nil {
		return err
	}
	g, err := strconv.ParseUint(gid, 10, 31)
	if err != nil {
		return err
	}
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("setgroups: %w", err)
	}
	if err := syscall.Setgid(int(g)); err != nil {
		return fmt.Errorf("setgid: %w", err)
	}
	if err := syscall.Setuid(int(u)); err != nil {
		return fmt.Errorf("setuid: %w", err)
	}
	return names(c)
}

// names answers queries until the socket is closed.
func names(c *wire.Conn) error {
	if err := c.Send(wire.Hello{Version: wire.Version}); err != nil {
		return err
	}
	for {
		var q wire.Query
		if err := c.Receive(&q); err != nil {
			return err
		}
		a, err := answer(q)
		if err != nil {
			a = wire.Answer{Failed: err.Error()}
		}
		if err := c.Send(a); err != nil {
			return err
		}
	}
}

func answer(q wire.Query) (a wire.Answer, err error) {
	switch {
	case q.User != "":
		if a.Passwd, err = lookup(q.User); err == nil && a.Passwd != nil {
			a.Groups, err = groupsOf(a.Passwd)
		}
	case q.Group != "":
		a.GID, err = groupID(q.Group)
	case q.UIDs != nil:
		a.UserNames, err = nameAll(q.UIDs, userName)
	case q.GIDs != nil:
		a.GroupNames, err = nameAll(q.GIDs, groupName)
	}
	return a, err
}

func nameAll(ids []uint32, name func(uint32) (string, error)) (map[uint32]string, error) {
	names := map[uint32]string{}
	for _, id := range ids {
		n, err := name(id)
		if err != nil {
			return nil, err
		}
		if n != "" {
			names[id] = n
		}
	}
	return names, nil
}
