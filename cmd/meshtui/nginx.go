package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"example.com/meshtui/demo/twin"
	"example.com/meshtui/engine"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/tui"
)

// findTwin makes the nginx beside the Envoys, which does not run before somebody
// asks for it; where there is none it notes why.
func (s *session) findTwin() error {
	program, missing := twin.Find()
	if missing != nil {
		s.noNginx = missing.Error()
		return nil //nolint:nilerr // a session goes without an nginx, and the screen says why
	}
	dir, err := s.runDir()
	if err != nil {
		return err
	}
	s.twin = twin.New(s.ctx, twin.Options{Program: program, Dir: filepath.Join(dir, "nginx")})
	return nil
}

// meshOf is the mesh of a revision that the first local proxy gets, which is what
// the nginx beside it runs; nil where it gets none yet.
func (s *session) meshOf(r *engine.Revision) *mesh.Mesh {
	own := r.For(s.plane.first)
	if own == nil {
		return nil
	}
	_, m := own.MeshFor(s.plane.first, localCluster)
	return m
}

// follow has nginx take a revision in the moment in which it goes to the Envoys.
func (s *session) follow(r *engine.Revision) {
	m := s.meshOf(r)
	if c := s.contest.Load(); c != nil {
		c.Pushed(r, m)
	}
	if s.twin != nil && m != nil {
		s.twin.Follow(m)
	}
}

// nginxBeside is the twin as the screen sees it.
type nginxBeside struct {
	*twin.Twin
	// backend names the demo's backend that an answer came from and where it
	// listens; nil without a demo.
	backend func(header func(string) string) (name, address string)
}

func (n nginxBeside) State() tui.NginxState {
	s := n.Twin.State()
	out := tui.NginxState{Program: n.Program().String(), Running: s.Running, Err: s.Err, Ports: map[uint32]uint32{}}
	for there, here := range s.Places {
		was, is := portOf(there), portOf(here)
		if was != 0 && is != 0 {
			out.Ports[was] = is
		}
	}
	return out
}

// portOf is the port of "host:port", 0 for a unix socket.
func portOf(address string) uint32 {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// Try sends r to nginx, which it starts where it does not run yet.
func (n nginxBeside) Try(ctx context.Context, r match.Request) tui.Tried {
	seen, err := n.Twin.Try(ctx, r)
	out := tui.Tried{Node: "nginx", Address: seen.Address, Sent: seen.Sent}
	if err != nil {
		out.Err = err.Error()
	}
	if a := seen.Answer; a != nil {
		out.Status, out.Proto, out.Location, out.Headers = a.Status, a.Proto, a.Location, a.Headers
		out.Body, out.Took = a.Body, a.Took
		out.Answered = n.answered(seen)
	}
	return out
}

// answered says who answered: the demo's backend by its own word, nginx where the
// answer is one of its pages or the mesh has the proxy answer itself. "" is that
// it cannot be told.
func (n nginxBeside) answered(seen twin.Tried) string {
	if n.backend != nil {
		if name, address := n.backend(seen.Answer.Header); name != "" {
			return fmt.Sprintf("%s (%s)", address, name)
		}
	}
	page := strings.Contains(seen.Answer.Body, "<center>nginx")
	if page || seen.Way.Status != 0 && seen.Way.Status == seen.Answer.Status {
		return "nginx"
	}
	return ""
}
