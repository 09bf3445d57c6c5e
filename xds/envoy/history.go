package envoy

import "time"

// history is what the event pipe told of one endpoint.
type history struct {
	complete bool // the pipe was read since the Envoy started
	check    told
	outlier  told
	healthy  time.Time // of the newest event that took a reason away
}

// told is the newest bad news of one kind, zero when the newest was good.
type told struct {
	seen    bool // there is bad news
	timeout bool
	why     string
	since   time.Time // when the endpoint became ill; zero when the news does not say
}

// endpointID names an endpoint within one Envoy.
type endpointID struct{ cluster, address string }

// chronicle is what one Envoy told of all its endpoints.
type chronicle struct {
	complete bool
	of       map[endpointID]history
}

// note takes an event in.
func (c *chronicle) note(e Event) {
	if e.Kind == EventStarted {
		*c = chronicle{complete: true, of: map[endpointID]history{}}
		return
	}
	if c.of == nil {
		c.of = map[endpointID]history{}
	}
	id := endpointID{e.Cluster, e.Address}
	h := c.of[id]
	switch e.Kind {
	case CheckHealthy:
		h.check, h.healthy = told{}, e.Time
	case CheckUnhealthy:
		h.check = told{seen: true, timeout: e.Timeout, why: e.Why, since: e.Time}
	case CheckFailure:
		h.check = failure(h.check, e)
	case OutlierEject:
		h.outlier = told{seen: true, why: e.Why, since: e.Time}
	case OutlierUneject:
		h.outlier, h.healthy = told{}, e.Time
	}
	c.of[id] = h
}

// failure is one failed check. Only the first check of an endpoint makes it ill
// at once; later ones renew the reason, not the beginning.
func failure(was told, e Event) told {
	now := told{seen: true, timeout: e.Timeout, why: e.Why, since: was.since}
	if e.First {
		now.since = e.Time
	}
	return now
}

// forget drops what was told of an endpoint that is gone: one that comes back
// under its address is another.
func (c *chronicle) forget(id endpointID) { delete(c.of, id) }

func (c *chronicle) at(cluster, address string) history {
	h := c.of[endpointID{cluster, address}]
	h.complete = c.complete
	return h
}
