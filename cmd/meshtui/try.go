package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"example.com/meshtui/demo/proxy"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/probe"
)

// tester sends the route tester's requests to a node's listener.
type tester struct {
	s *session
	// backend names the demo's backend that an answer came from and where it
	// listens; nil without a demo.
	backend func(header func(string) string) (name, address string)
}

// Try sends r, as far as it can be sent, to the listener that the live mesh gives
// it on the node, "" for the first one here, and says what was observed. ctx
// bounds it.
func (t tester) Try(ctx context.Context, node string, r match.Request) tui.Tried {
	r = probe.Sendable(r)
	out := tui.Tried{Sent: r}
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
	out.Answered = t.answered(seen, to.way, to.agent)
	return out
}

// reach is where a request is sent to, and the way that it is to take there.
type reach struct {
	node, address, admin, agent string
	way                         match.Way
}

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
	liveListener, _ := live.Get(mesh.Key{Type: mesh.Listener, Name: way.Listener}).Message.(*listenerv3.Listener)
	address, err := dialable(served, bindingFor(liveListener, r.Port))
	if err != nil {
		return reach{}, err
	}
	return reach{node: n.ID, address: address, admin: n.Admin, agent: n.Agent, way: way}, nil
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

// bindingFor is the index of the address of a listener that has that port, -1
// when none has or no port is asked for: its own address is 0, the additional
// ones follow.
func bindingFor(l *listenerv3.Listener, port uint32) int {
	if port == 0 {
		return -1
	}
	return slices.IndexFunc(bindings(l), func(a *corev3.Address) bool { return a.GetSocketAddress().GetPortValue() == port })
}

// bindings are all the addresses of a listener.
func bindings(l *listenerv3.Listener) []*corev3.Address {
	out := []*corev3.Address{l.GetAddress()}
	for _, more := range l.GetAdditionalAddresses() {
		out = append(out, more.GetAddress())
	}
	return out
}

// dialable is an address of a listener for a client on this machine: the one
// with that index, or the first one that there is for an index below 0. It fails
// for a listener that no client can connect to, and for one that is not here.
func dialable(l *listenerv3.Listener, index int) (string, error) {
	if b := l.GetBindToPort(); b != nil && !b.GetValue() {
		return "", fmt.Errorf("nothing can be sent: listener %s binds no port, connections are handed to it by another one", l.GetName())
	}
	all := bindings(l)
	if index >= 0 && index < len(all) {
		all = all[index : index+1]
	}
	for _, a := range all {
		if address := local(a); address != "" {
			return address, nil
		}
	}
	return "", fmt.Errorf("nothing is sent: listener %s is at %q, and requests go to loopback only", l.GetName(), mesh.Address(all[0]))
}

// local is an address as a client on this machine dials it, "" for one that is
// not loopback.
func local(a *corev3.Address) string {
	if path := a.GetPipe().GetPath(); path != "" {
		return path
	}
	socket := a.GetSocketAddress()
	ip := net.ParseIP(socket.GetAddress())
	switch {
	case ip == nil:
		return ""
	case ip.IsUnspecified() && ip.To4() == nil:
		ip = net.IPv6loopback
	case ip.IsUnspecified():
		ip = net.IPv4(127, 0, 0, 1)
	case !ip.IsLoopback():
		return ""
	}
	return net.JoinHostPort(ip.String(), strconv.FormatUint(uint64(socket.GetPortValue()), 10))
}

// answered says who answered: the demo's backend by its own word, else the
// proxy where the answer or the way says so, else the one endpoint that was
// asked. "" is that it cannot be told: counters that other traffic may have
// moved prove nothing where a backend would have said its name.
func (t tester) answered(o *probe.Observed, way match.Way, agent string) string {
	if o.Answer == nil {
		return ""
	}
	if t.backend != nil {
		if name, address := t.backend(o.Answer.Header); name != "" {
			return fmt.Sprintf("%s (%s)", address, name)
		}
	}
	whose := o.Answer.Whose()
	itself := whose != probe.Endpoints && way.Status != 0 && way.Status == o.Answer.Status
	switch {
	case whose == probe.Proxys, itself, o.Counted && len(o.Moved) == 0:
		return calls(agent)
	case len(o.Moved) == 1 && (whose == probe.Endpoints || t.backend == nil):
		return o.Moved[0].Endpoint
	}
	return ""
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
