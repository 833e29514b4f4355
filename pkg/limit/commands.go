package limit

import (
	"net/netip"
	"sync"
	"time"

	"ftpd/pkg/auth"
)

// Commands counts the commands of each client network (auth.Network) over all of its sessions.
// The zero Commands is ready for use.
type Commands struct {
	mu sync.Mutex
	// clients has the networks that have sent a command in this second or the one before.
	// Guarded by mu.
	clients map[netip.Prefix]*commandCount
	swept   time.Time // guarded by mu
}

// A commandCount is the number of commands since the beginning of a second.
type commandCount struct {
	second   time.Time
	commands int
}

// Add counts commands as they arrive. It returns how many the client's network has sent in the
// current second, which begins with the first of them.
func (c *Commands) Add(client netip.Addr, commands int) int {
	now, network := time.Now(), auth.Network(client)
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.swept) >= time.Second {
		c.sweepLocked(now)
	}
	count := c.clients[network]
	if count == nil || now.Sub(count.second) >= time.Second {
		count = &commandCount{second: now}
		c.clients[network] = count
	}
	count.commands += commands
	return count.commands
}

// sweepLocked removes the networks that have sent nothing for a second.
func (c *Commands) sweepLocked(now time.Time) {
	c.swept = now
	if c.clients == nil {
		c.clients = make(map[netip.Prefix]*commandCount)
	}
	for network, count := range c.clients {
		if now.Sub(count.second) >= time.Second {
			delete(c.clients, network)
		}
	}
}
