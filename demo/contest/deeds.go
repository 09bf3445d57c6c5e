package contest

import (
	"fmt"
	"slices"
	"strings"

	"example.com/meshtui/xds"
)

// lookAtNginx notes what nginx was given for the change.
func (c *Contest) lookAtNginx() {
	if c.o.Twin == nil {
		return
	}
	load := c.o.Twin.State().Load
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.worlds[0]
	if c.change == nil || load.Mesh != c.change.mesh || load.Asked.Before(c.change.at) || load.Written.IsZero() {
		return
	}
	w.bytes, w.refused = load.Bytes, load.Refused
	did := []string{"wrote nginx.conf"}
	if !load.Tested.IsZero() {
		did = append(did, fmt.Sprintf("nginx -t (%d ms)", load.Tested.Sub(load.Written).Milliseconds()))
	}
	if !load.Given.IsZero() {
		did = append(did, "reload")
	}
	w.did = strings.Join(did, ", ")
}

// lookAtWire notes what the Envoy was sent for the change, and what it said.
func (c *Contest) lookAtWire() {
	for {
		msgs, _ := c.o.Wire.Since(c.seen, 1000)
		if len(msgs) == 0 {
			return
		}
		c.mu.Lock()
		w := c.worlds[len(c.worlds)-1]
		for i := range msgs {
			c.seen = msgs[i].Seq
			if c.change != nil && msgs[i].Node == c.o.Node && msgs[i].Revision == c.change.revision && !msgs[i].At.Before(c.change.at) {
				w.heard(&msgs[i])
			}
		}
		c.mu.Unlock()
	}
}

// heard notes one message that belongs to the change.
func (w *world) heard(m *xds.Message) {
	switch m.Kind {
	case xds.Response:
		w.bytes += m.Bytes
		if did := deed(m); !slices.Contains(strings.Split(w.did, ", "), did) {
			w.did = strings.TrimPrefix(w.did+", "+did, ", ")
		}
	case xds.NACK:
		w.refused = m.Detail
	case xds.ACK:
		// Where no answer can say so, the last ACK is when it took the change.
		if !w.c.change.target.visible() {
			w.effective = m.At
		}
	}
}

// deed is a response in a few words: "RDS local_route".
func deed(m *xds.Message) string {
	names := slices.Concat(m.Names, m.Removed)
	if len(names) == 1 {
		return m.Type.Service() + " " + names[0]
	}
	return fmt.Sprintf("%s (%d)", m.Type.Service(), len(names))
}
