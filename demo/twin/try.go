package twin

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/probe"
)

// Tried is a request that was sent to nginx.
type Tried struct {
	Address string        // where nginx was asked; "" when nothing was sent
	Sent    match.Request // as it was sent
	Way     match.Way     // the way that it takes in an Envoy
	Answer  *probe.Answer // nil when there was none
}

// Try starts nginx where it does not run yet, and sends r to the listener that
// would take it in an Envoy. The error is why there is no answer, in nginx's
// words where it does not run.
func (t *Twin) Try(ctx context.Context, r match.Request) (Tried, error) {
	r = probe.Sendable(r)
	out := Tried{Sent: r}
	m, err := t.ready(ctx)
	if err != nil {
		return out, err
	}
	out.Way = match.New(m).Match(&r)
	out.Sent = r
	if out.Way.Listener == "" {
		return out, fmt.Errorf("nothing can be sent: %s", out.Way.Reason)
	}
	if out.Address, err = t.address(m, out.Way.Listener, r.Port); err != nil {
		return out, err
	}
	out.Answer, err = probe.Send(ctx, out.Address, r)
	return out, err
}

// ready waits until nginx runs what was followed last, and returns that; what it
// refused is an error only where it does not run at all.
func (t *Twin) ready(ctx context.Context) (*mesh.Mesh, error) {
	t.Start()
	w := t.wish()
	if w == nil {
		return nil, errors.New("nothing was pushed yet, so there is nothing for nginx to run")
	}
	err := t.await(ctx, func(s State) bool {
		seen := s.Load.Number > 0 && !s.Load.Asked.Before(w.at)
		return seen && (s.Running || s.Err != "")
	})
	if err != nil {
		return nil, err
	}
	s := t.State()
	if !s.Running {
		return nil, errors.New(s.Err)
	}
	return s.Runs, nil
}

// address is where nginx listens for a listener of the mesh: at the place of the
// address that has the port, else of its first one.
func (t *Twin) address(m *mesh.Mesh, listener string, port uint32) (string, error) {
	l, _ := m.Get(mesh.Key{Type: mesh.Listener, Name: listener}).Message.(*listenerv3.Listener)
	places, first := t.State().Places, ""
	for _, a := range bindings(l) {
		here := places[bound(a)]
		if here != "" && port != 0 && a.GetSocketAddress().GetPortValue() == port {
			return here, nil
		}
		first = cmp.Or(first, here)
	}
	if first == "" {
		return "", fmt.Errorf("nothing can be sent: nginx does not listen for listener %s", listener)
	}
	return first, nil
}
