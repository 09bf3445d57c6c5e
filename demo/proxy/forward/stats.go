package forward

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// counters count by name. The frequent ones of a connection manager are found
// without making their names.
type counters struct {
	managers sync.Map // stat_prefix → *managerCounters
	others   sync.Map // name → *atomic.Uint64

	address                        atomic.Pointer[string] // of the listener, for the names of its counters
	connections, activeConnections atomic.Uint64
	destroyed                      atomic.Uint64
	seen                           sync.Map // net.Conn that are open
}

// managerCounters are those below "http.PREFIX.".
type managerCounters struct {
	total, active, completed atomic.Uint64
	classes                  [6]atomic.Uint64 // by the first digit of the status
}

func (c *counters) manager(prefix string) *managerCounters {
	if m, ok := c.managers.Load(prefix); ok {
		return m.(*managerCounters)
	}
	m, _ := c.managers.LoadOrStore(prefix, &managerCounters{})
	return m.(*managerCounters)
}

func (c *counters) begin(prefix string) {
	m := c.manager(prefix)
	m.total.Add(1)
	m.active.Add(1)
}

func (c *counters) end(prefix string, status int) {
	m := c.manager(prefix)
	m.active.Add(^uint64(0))
	m.completed.Add(1)
	if class := status / 100; class >= 1 && class <= 5 {
		m.classes[class].Add(1)
	}
}

func (c *counters) add(name string, n uint64) {
	v, ok := c.others.Load(name)
	if !ok {
		v, _ = c.others.LoadOrStore(name, &atomic.Uint64{})
	}
	v.(*atomic.Uint64).Add(n)
}

// Stats are the counters of the listener and of its connection managers, under
// the names that an Envoy has for them.
func (h *Handler) Stats() map[string]uint64 {
	c := &h.counters
	out := map[string]uint64{}
	listener := ""
	if a := c.address.Load(); a != nil {
		listener = "listener." + *a + "."
		out[listener+"downstream_cx_total"] = c.connections.Load()
		out[listener+"downstream_cx_active"] = c.activeConnections.Load()
		out[listener+"downstream_cx_destroy"] = c.destroyed.Load()
	}
	c.managers.Range(func(prefix, value any) bool {
		m := value.(*managerCounters)
		name := "http." + prefix.(string) + "."
		out[name+"downstream_rq_total"] = m.total.Load()
		out[name+"downstream_rq_active"] = m.active.Load()
		out[name+"downstream_rq_completed"] = m.completed.Load()
		for class := 1; class <= 5; class++ {
			n := m.classes[class].Load()
			end := "downstream_rq_" + strconv.Itoa(class) + "xx"
			out[name+end] = n
			if listener != "" {
				out[listener+name+end] = n
			}
		}
		return true
	})
	c.others.Range(func(name, value any) bool {
		out[name.(string)] = value.(*atomic.Uint64).Load()
		return true
	})
	return out
}

// ConnState counts connections: give it to the http.Server.
func (h *Handler) ConnState(conn net.Conn, state http.ConnState) {
	c := &h.counters
	switch state {
	case http.StateNew:
		address := strings.ReplaceAll(conn.LocalAddr().String(), ":", "_")
		c.address.CompareAndSwap(nil, &address)
		c.connections.Add(1)
		c.activeConnections.Add(1)
		c.seen.Store(conn, true)
	case http.StateClosed, http.StateHijacked:
		if _, open := c.seen.LoadAndDelete(conn); open {
			c.activeConnections.Add(^uint64(0))
			c.destroyed.Add(1)
		}
	}
}
