package core

import (
	"net/netip"
	"sync"
	"time"

	"ftpd/pkg/auth"
)

// speeds count the commands of each client (auth.Network), over all of its sessions, for ban.commands_per_second.
type speeds struct {
	mu      sync.Mutex
	clients map[netip.Prefix]*speed // guarded by mu; those that have sent something in this second or the one before
	swept   time.Time               // guarded by mu
}

// A speed is what a client has sent since a second began.
type speed struct {
	second   time.Time
	commands int
}

// add counts commands as they arrive, and gives how many they are in this second.
func (s *speeds) add(client netip.Addr, commands int) int {
	now, of := time.Now(), auth.Network(client)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.swept) >= time.Second {
		s.sweepLocked(now)
	}
	c := s.clients[of]
	if c == nil || now.Sub(c.second) >= time.Second {
		c = &speed{second: now}
		s.clients[of] = c
	}
	c.commands += commands
	return c.commands
}

// sweepLocked forgets who has sent nothing for a second.
func (s *speeds) sweepLocked(now time.Time) {
	s.swept = now
	for of, c := range s.clients {
		if now.Sub(c.second) >= time.Second {
			delete(s.clients, of)
		}
	}
}
