package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"example.com/meshtui/demo/proxy"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/probe"
)

// tryDeadline bounds one request of the route tester: longer than Envoy's
// default route timeout of 15 s, so that its 504 is seen.
const tryDeadline = 20 * time.Second

// tester sends the route tester's requests to a node's listener.
type tester struct {
	s *session
	// backend names the demo's backend that an answer came from and where it
	// listens; nil without a demo.
	backend func(header func(string) string) (name, address string)
}

// Try sends r to the listener that the live mesh gives it on the node, "" for
// the first one here, and says what was observed.
func (t tester) Try(ctx context.Context, node string, r match.Request) tui.Tried {
	out := tui.Tried{Sent: r}
	ctx, cancel := context.WithTimeout(ctx, tryDeadline)
	defer cancel()
	to, err := t.target(node, &r)
	if err != nil {
		out.Err = err.Error()
		return out
	}
	out.Node, out.Address, out.Sent = to.node, to.address, r
	seen, err := probe.Observe(ctx, to.address, to.admin, r)
	if err != nil {
		out.Err = err.Error()
	}
	if a := seen.Answer; a != nil {
		out.Status, out.Proto, out.Location, out.Headers = a.Status, a.Proto, a.Location, a.Headers
		out.Body, out.Took = a.Body, a.Took
	}
	out.Busy = seen.Busy()
	if seen.Counted {
		out.Moved = []tui.Moved{} // none is news; nil is not knowing
	}
	for _, m := range seen.Moved {
		out.Moved = append(out.Moved, tui.Moved(m))
	}
	out.Answered = t.answered(seen, to.agent)
	return out
}

// reach is where a request is sent to.
type reach struct{ node, address, admin, agent string }

// target finds the listener that takes r on the node, by the live mesh, and
// the address that it has there: an overlay may have moved its port.
func (t tester) target(node string, r *match.Request) (reach, error) {
	n := t.node(node)
	if n == nil {
		return reach{}, errors.New("no proxy is connected, so nothing can be sent")
	}
	head := t.s.workspace.State().Head()
	if head == nil {
		return reach{}, errors.New("nothing was pushed yet, so no listener is there")
	}
	_, live := head.MeshFor(n.ID, n.Cluster)
	way := match.New(live).Match(r)
	if way.Listener == "" {
		return reach{}, fmt.Errorf("nothing can be sent: %s", way.Reason)
	}
	served, ok := t.s.server.Served(n.ID)[mesh.Key{Type: mesh.Listener, Name: way.Listener}].(*listenerv3.Listener)
	if !ok {
		return reach{}, fmt.Errorf("nothing can be sent: listener %s was not served to %s", way.Listener, n.ID)
	}
	address, err := dialable(served)
	if err != nil {
		return reach{}, err
	}
	return reach{node: n.ID, address: address, admin: n.Admin, agent: n.Agent}, nil
}

// node is the connected node with that id; the first one for "".
func (t tester) node(id string) *xds.Node {
	for _, n := range t.s.server.State().Nodes {
		if n.Connected && (id == "" || n.ID == id) {
			return n
		}
	}
	return nil
}

// dialable is the address of a listener for a client on this machine. It fails
// for one that no client can connect to, and for one that is not here.
func dialable(l *listenerv3.Listener) (string, error) {
	if b := l.GetBindToPort(); b != nil && !b.GetValue() {
		return "", fmt.Errorf("nothing can be sent: listener %s binds no port, connections are handed to it by another one", l.GetName())
	}
	a := l.GetAddress()
	if path := a.GetPipe().GetPath(); path != "" {
		return path, nil
	}
	socket := a.GetSocketAddress()
	ip := net.ParseIP(socket.GetAddress())
	switch {
	case socket == nil:
		return "", fmt.Errorf("nothing can be sent: listener %s has no address that a client could reach", l.GetName())
	case ip != nil && ip.IsUnspecified() && ip.To4() == nil:
		ip = net.IPv6loopback
	case ip != nil && ip.IsUnspecified():
		ip = net.IPv4(127, 0, 0, 1)
	case ip == nil || !ip.IsLoopback():
		return "", fmt.Errorf("nothing is sent: listener %s is at %s, and requests go to loopback only", l.GetName(), socket.GetAddress())
	}
	return net.JoinHostPort(ip.String(), strconv.FormatUint(uint64(socket.GetPortValue()), 10)), nil
}

// answered says who answered: the demo's backend by its own word, else the one
// endpoint that was asked, else the proxy where nobody was asked.
func (t tester) answered(o *probe.Observed, agent string) string {
	if o.Answer == nil {
		return ""
	}
	if t.backend != nil {
		if name, address := t.backend(o.Answer.Header); name != "" {
			return fmt.Sprintf("%s (%s)", address, name)
		}
	}
	switch {
	case ownFailure(o.Answer), o.Counted && len(o.Moved) == 0:
		return calls(agent)
	case len(o.Moved) == 1:
		return o.Moved[0].Endpoint
	}
	return ""
}

// ownFailure reports whether the proxy made the answer itself because no
// endpoint did: such an answer lacks the time that an endpoint took, though the
// endpoint that could not be reached was counted.
func ownFailure(a *probe.Answer) bool {
	return a.Status >= http.StatusInternalServerError && a.Header("x-envoy-upstream-service-time") == ""
}

// builtinAgent is how the built-in proxy introduces itself in its node identity.
const builtinAgent = "meshtui-builtin"

// calls is what a proxy is called, by what it says of itself.
func calls(agent string) string {
	if strings.HasPrefix(agent, builtinAgent) {
		return proxy.Name
	}
	return "Envoy"
}
