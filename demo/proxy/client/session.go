package client

import (
	"context"
	"slices"
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// order is that of requests that are due together: what others refer to comes
// first.
var order = []mesh.Type{mesh.Cluster, mesh.Endpoints, mesh.Secret, mesh.Listener, mesh.Route}

// session is one stream. Its fields belong to the goroutine that talks.
type session struct {
	c        *Client
	wire     wire
	group    *task.Group
	arrived  chan *arrival
	answered bool // a response came
	about    map[mesh.Type]*topic
}

// topic is the conversation about one type on one stream.
type topic struct {
	asked   bool
	names   []string // asked for last
	nonce   string   // of the newest response
	pending []*pending
}

// pending is a response that is not answered yet.
type pending struct {
	nonce, version string
	before         string // the version accepted before it
	answer         Answer
}

// arrival is what the stream gave: a response, or why it could not be read.
type arrival struct {
	response *Response
	err      error
}

func newSession(c *Client, w wire, g *task.Group) *session {
	return &session{c: c, wire: w, group: g, arrived: make(chan *arrival), about: map[mesh.Type]*topic{}}
}

// listen hands on what arrives until the stream ends.
func (s *session) listen(ctx context.Context) error {
	for {
		r, unreadable, err := s.wire.receive()
		if err != nil {
			return err
		}
		if r == nil {
			continue // of a type that was not asked for
		}
		select {
		case s.arrived <- &arrival{r, unreadable}:
		case <-ctx.Done():
			return nil
		}
	}
}

// talk says what is due and takes what arrives until the stream ends.
func (s *session) talk(ctx context.Context) error {
	for {
		wait, err := s.say(time.Now())
		if err != nil {
			return err
		}
		var again <-chan time.Time
		if wait > 0 {
			again = time.After(wait)
		}
		select {
		case a := <-s.arrived:
			s.take(ctx, a)
		case <-s.c.wake:
		case <-again:
		case <-ctx.Done():
			return s.wire.end()
		}
	}
}

func (s *session) topic(t mesh.Type) *topic {
	if s.about[t] == nil {
		s.about[t] = &topic{}
	}
	return s.about[t]
}

// take has a response applied and queues its answer.
func (s *session) take(ctx context.Context, a *arrival) {
	s.answered = true
	r, at := a.response, s.topic(a.response.Type)
	p := &pending{nonce: r.Nonce, version: r.Version, before: s.c.accepted[r.Type]}
	at.nonce = r.Nonce
	at.pending = append(at.pending, p)
	if a.err != nil {
		p.answer.Err = a.err
		s.c.taker.Refused(r.Type, a.err)
		return
	}
	p.answer = s.c.taker.Take(r)
	s.c.remember(r, p.answer)
	if held := p.answer.Held; held != nil {
		s.group.Go("held ACK", func() error {
			select {
			case <-held:
				task.Poke(s.c.wake)
			case <-ctx.Done():
			}
			return nil
		})
	}
}

// remember notes what is held now, for the next stream to tell.
func (c *Client) remember(r *Response, a Answer) {
	if a.Err == nil {
		c.accepted[r.Type] = r.Version
	}
	if !c.o.Delta {
		return // nobody asks for the versions of single resources
	}
	versions := c.versions[r.Type]
	if versions == nil {
		versions = map[string]string{}
		c.versions[r.Type] = versions
	}
	for _, res := range r.Resources {
		if a.Err == nil || slices.Contains(a.Took, res.Name) {
			versions[res.Name] = res.Version
		}
	}
	for _, name := range r.Removed {
		delete(versions, name)
	}
}

// say sends what is due: first what is newly asked for, then answers. wait is
// for how long an answer has to wait because too much was rejected.
func (s *session) say(now time.Time) (wait time.Duration, err error) {
	wants := s.c.wanted()
	for _, t := range order {
		if names, ok := wants[t]; ok {
			if err := s.ask(t, names); err != nil {
				return 0, err
			}
		}
	}
	for _, t := range order {
		at := s.about[t]
		for at != nil && len(at.pending) > 0 && at.pending[0].ready() {
			p := at.pending[0]
			if p.answer.Err != nil {
				if wait = s.c.limit.take(now); wait > 0 {
					return wait, nil
				}
			}
			at.pending = at.pending[1:]
			if err := s.answer(t, at, p, wants[t]); err != nil {
				return 0, err
			}
		}
	}
	return 0, nil
}

// ready reports whether the answer may be sent.
func (p *pending) ready() bool {
	if p.answer.Err != nil || p.answer.Held == nil {
		return true
	}
	select {
	case <-p.answer.Held:
		return true
	default:
		return false
	}
}

// ask sends a first request, or a change of what is asked for. In the state of
// the world an answer that is about to go says the names too.
func (s *session) ask(t mesh.Type, names []string) error {
	at := s.topic(t)
	if !at.asked && len(names) == 0 && !wildcard(t) {
		return nil
	}
	if at.asked && (slices.Equal(at.names, names) || (s.wire.namesInAnswers() && len(at.pending) > 0)) {
		return nil
	}
	q := question{typ: t, first: !at.asked, names: names, before: at.names, nonce: at.nonce, version: s.c.accepted[t]}
	if !at.asked {
		q.held = s.c.heldOf(t, names)
	}
	s.c.forget(t, names)
	at.asked, at.names = true, names
	return s.wire.ask(q)
}

// answer sends an ACK or a NACK.
func (s *session) answer(t mesh.Type, at *topic, p *pending, names []string) error {
	version := p.version
	if p.answer.Err != nil {
		version = p.before
	}
	if s.wire.namesInAnswers() {
		at.names = names
	}
	return s.wire.answer(question{typ: t, names: at.names, nonce: p.nonce, version: version, failure: p.answer.Err})
}

// heldOf are the versions of what is held and still wanted.
func (c *Client) heldOf(t mesh.Type, names []string) map[string]string {
	out := map[string]string{}
	for name, version := range c.versions[t] {
		if _, wanted := slices.BinarySearch(names, name); wanted || (wildcard(t) && len(names) == 0) {
			out[name] = version
		}
	}
	return out
}

// forget drops the versions of what is no longer wanted.
func (c *Client) forget(t mesh.Type, names []string) {
	if wildcard(t) && len(names) == 0 {
		return
	}
	for name := range c.versions[t] {
		if _, wanted := slices.BinarySearch(names, name); !wanted {
			delete(c.versions[t], name)
		}
	}
}
