package limit

import (
	"sync"
	"time"

	"ftpd/pkg/config"
)

// A Direction is the direction of a transfer, as the client sees it.
type Direction int

// Each direction has limits of its own.
const (
	Download Direction = iota
	Upload
)

// Rates has the buckets that sessions share: those of the whole server and those of each user.
// They limit the bytes that data connections carry, listings included, without what TLS adds;
// bytes that the kernel still holds count as moved.
//
// The buckets belong to this process. The sessions of an earlier core process have that
// process's buckets.
type Rates struct {
	server [2]*Bucket // by Direction; nil: no limit

	mu    sync.Mutex
	users map[userRate]*Bucket // guarded by mu
}

// A userRate is the key of the bucket that one user's transfers share. The rate is a part of
// it: when the user's groups have changed between two logins, each session has the rate of its
// own login.
type userRate struct {
	user      string
	direction Direction
	rate      config.Rate
}

// NewRates returns the buckets for a server's limits.
func NewRates(l config.Limits) *Rates {
	return &Rates{
		server: [2]*Bucket{NewBucket(int64(l.DownloadRate)), NewBucket(int64(l.UploadRate))},
		users:  map[userRate]*Bucket{},
	}
}

// A Login has the limits of one login: the rates of its user, and the buckets of its session.
type Login struct {
	user      string
	userRates [2]config.Rate // by Direction
	session   [2]*Bucket     // by Direction; nil: no limit
}

// NewLogin returns the limits of a user's login.
func NewLogin(user string, s config.Settings) Login {
	return Login{
		user:      user,
		userRates: [2]config.Rate{s.UserDownloadRate, s.UserUploadRate},
		session: [2]*Bucket{
			NewBucket(int64(s.SessionDownloadRate)), NewBucket(int64(s.SessionUploadRate)),
		},
	}
}

// Join returns the buckets of a transfer that begins: the session's, the user's and the
// server's, as far as there are limits. The caller calls Leave on them when the transfer has
// ended.
func (r *Rates) Join(l *Login, d Direction) Buckets {
	var all Buckets
	r.mu.Lock()
	defer r.mu.Unlock()
	user := r.ofUserLocked(userRate{user: l.user, direction: d, rate: l.userRates[d]})
	for _, b := range []*Bucket{l.session[d], user, r.server[d]} {
		if b != nil {
			b.join()
			all = append(all, b)
		}
	}
	return all
}

// ofUserLocked returns a user's bucket, which it makes if there is none. It then also removes
// idle buckets. A bucket that is not idle stays, since a client could otherwise drop its debt
// by a new login.
func (r *Rates) ofUserLocked(u userRate) *Bucket {
	if u.rate <= 0 {
		return nil
	}
	if b := r.users[u]; b != nil {
		return b
	}
	now := time.Now()
	for other, b := range r.users {
		if b.idle(now) {
			delete(r.users, other)
		}
	}
	b := NewBucket(int64(u.rate))
	r.users[u] = b
	return b
}
