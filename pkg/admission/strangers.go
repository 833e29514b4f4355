package admission

import (
	"container/heap"
	"container/list"
	"net/netip"
	"slices"
	"time"
)

// strangers are the sessions in which no user has logged in. They are grouped by network in a
// tree, so that the one to displace is found by one step for each level: an attacker with one
// network has as little weight as a client with one address, also if the network has more
// addresses than the server has sessions. All methods are called with Registry.mu held.
type strangers struct {
	root  group
	added uint64           // groups so far
	at    map[string]place // by id
}

// levels are the lengths of the prefixes in the tree, from the root downwards.
var levels = map[bool][]int{
	true:  {16, 24, 32},     // IPv4
	false: {32, 48, 56, 64}, // IPv6: of a provider, of a site, of a customer, of a link
}

// A group is a node of the tree: a network with strangers.
type group struct {
	prefix   netip.Prefix
	parent   *group
	sessions int // in all of its subnets
	subnets  map[netip.Prefix]*group
	largest  groupHeap  // the subnets
	index    int        // in parent.largest
	number   uint64     // of two groups, that which was added first has the lower one
	silent   *list.List // ids, the longest silent first; only in nodes without subnets
}

// A place is where the tree has a session.
type place struct {
	group   *group
	element *list.Element
	since   time.Time // since then no password was checked
}

func newStrangers() *strangers {
	return &strangers{root: group{subnets: map[netip.Prefix]*group{}}, at: map[string]place{}}
}

func (s *strangers) count() int { return len(s.at) }

func (s *strangers) has(id string) bool {
	_, ok := s.at[id]
	return ok
}

// add adds a session, which is silent from now on.
func (s *strangers) add(id string, client netip.Addr) {
	client = client.Unmap().WithZone("")
	n := &s.root
	for _, bits := range levels[client.Is4()] {
		p, _ := client.Prefix(bits) // cannot fail
		n = s.subnet(n, p)
	}
	s.at[id] = place{group: n, element: n.silent.PushBack(id), since: time.Now()}
	n.count(1)
}

// remove removes a session, if it is a stranger.
func (s *strangers) remove(id string) {
	at, ok := s.at[id]
	if !ok {
		return
	}
	delete(s.at, id)
	at.group.silent.Remove(at.element)
	at.group.count(-1)
}

// subnet returns the subnet of n with the prefix p, which it adds if there is none.
func (s *strangers) subnet(n *group, p netip.Prefix) *group {
	if sub, ok := n.subnets[p]; ok {
		return sub
	}
	s.added++
	sub := &group{
		prefix: p, parent: n, number: s.added,
		subnets: map[netip.Prefix]*group{}, silent: list.New(),
	}
	n.subnets[p] = sub
	heap.Push(&n.largest, sub)
	return sub
}

// count adds to the number of sessions of the group and of those that contain it. It removes
// groups without sessions.
func (n *group) count(change int) {
	for ; n.parent != nil; n = n.parent {
		n.sessions += change
		if n.sessions > 0 {
			heap.Fix(&n.parent.largest, n.index)
			continue
		}
		heap.Remove(&n.parent.largest, n.index)
		delete(n.parent.subnets, n.prefix)
	}
}

// A crowd is the network that has most strangers.
type crowd struct {
	network  netip.Prefix
	sessions int
	silent   string        // the id of the session there that has been silent longest
	silence  time.Duration // of that session
}

// largest returns the largest network, of its subnets again the largest, and so on down to one
// client. There must be a stranger.
func (s *strangers) largest() crowd {
	n := s.root.largest[0]
	c := crowd{network: n.prefix, sessions: n.sessions}
	for len(n.largest) > 0 {
		n = n.largest[0]
	}
	c.silent = n.silent.Front().Value.(string)
	c.silence = time.Since(s.at[c.silent].since)
	return c
}

// A groupHeap has the group with most sessions first; of several, the one that was added
// first.
type groupHeap []*group

func (h groupHeap) Len() int { return len(h) }

func (h groupHeap) Less(i, j int) bool {
	if h[i].sessions != h[j].sessions {
		return h[i].sessions > h[j].sessions
	}
	return h[i].number < h[j].number
}

func (h groupHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *groupHeap) Push(x any) {
	n := x.(*group)
	n.index = len(*h)
	*h = append(*h, n)
}

func (h *groupHeap) Pop() any {
	last := len(*h) - 1
	n := (*h)[last]
	*h = slices.Delete(*h, last, last+1)
	return n
}
