package core

import (
	"context"
	"math"
	"sync"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/transport"
)

// Rates hold for what data connections carry, listings too, in each direction apart: for a session, for all sessions of a user, and for
// the whole server; a transfer keeps to each of them. What TLS adds does not count, nor what the kernel holds on its way.
//
// The limiters are this process's. Sessions that a former core goes on with have theirs.

// A direction is that of a transfer.
type direction int

const (
	downloads direction = iota
	uploads
)

func (t task) direction() direction {
	if t.incoming {
		return uploads
	}
	return downloads
}

// rates are the limiters that sessions share.
type rates struct {
	server [2]*limiter // by direction; nil: no limit

	mu    sync.Mutex
	users map[userRate]*limiter // guarded by mu
}

// A userRate is what the transfers of one user share. The rate is a part of it: where his groups have changed between two logins, each
// session has the one of its login.
type userRate struct {
	user string
	to   direction
	rate config.Rate
}

func newRates(l config.Limits) *rates {
	return &rates{
		server: [2]*limiter{newLimiter(int64(l.DownloadRate)), newLimiter(int64(l.UploadRate))},
		users:  map[userRate]*limiter{},
	}
}

// sessionRates are the limiters of one session, by direction; nil: no limit.
func sessionRates(s config.Settings) [2]*limiter {
	return [2]*limiter{newLimiter(int64(s.SessionDownloadRate)), newLimiter(int64(s.SessionUploadRate))}
}

// join are the limiters that a transfer waits on, until it leaves them.
func (r *rates) join(l *login, to direction) []*limiter {
	user := userRate{user: l.account.Name, to: to, rate: [2]config.Rate{l.settings.UserDownloadRate, l.settings.UserUploadRate}[to]}
	var all []*limiter
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, limit := range []*limiter{l.rates[to], r.ofUserLocked(user), r.server[to]} {
		if limit != nil {
			limit.join()
			all = append(all, limit)
		}
	}
	return all
}

func (r *rates) leave(limits []*limiter) {
	for _, limit := range limits {
		limit.leave()
	}
}

// ofUserLocked finds or makes a user's limiter, and forgets those that nobody needs any more: not before all is earned, or a client
// could begin anew by logging in again.
func (r *rates) ofUserLocked(u userRate) *limiter {
	if u.rate <= 0 {
		return nil
	}
	if limit := r.users[u]; limit != nil {
		return limit
	}
	now := time.Now()
	for other, limit := range r.users {
		if limit.idle(now) {
			delete(r.users, other)
		}
	}
	limit := newLimiter(int64(u.rate))
	r.users[u] = limit
	return limit
}

// wait waits until n bytes that have moved are earned.
func (t *transfer) wait(ctx context.Context, n int) error {
	if len(t.limits) == 0 {
		return nil
	}
	return throttle(ctx, t.limits, n)
}

// piece is how many bytes may move before the next wait: under limits few, because more would come in bursts.
func (t *transfer) piece() int {
	most := math.MaxInt
	for _, l := range t.limits {
		most = min(most, l.piece())
	}
	return most
}

// pace has the kernel spread what it sends of a piece over the time until the next one: it would otherwise leave at the speed of the
// line, and meet some router's full queue. The limiters decide about the rate, so the kernel's is somewhat higher: it may count headers.
func (t *transfer) pace() {
	c, ok := t.data.conn.(*transport.TCPConn)
	if !ok || len(t.limits) == 0 {
		return
	}
	lowest := math.Inf(1)
	for _, l := range t.limits {
		lowest = min(lowest, l.rate)
	}
	c.Pace(int64(lowest * 5 / 4))
}
