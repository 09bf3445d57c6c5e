package tui

import (
	"sync"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// matchers makes the matcher of each mesh from the one before, so that an edit
// costs no more than what it changes.
type matchers struct {
	project  func(*mesh.Mesh) *nginx.Config
	foretell func(*conf.Config) Foreteller

	mu   sync.Mutex
	last *match.Matcher
}

func (m *matchers) of(to *mesh.Mesh) *match.Matcher {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = m.last.Renew(to)
	return m.last
}

// routing is the routing of one mesh. Its matcher is made when it is first
// asked, which is never in the event loop.
type routing struct {
	mesh *mesh.Mesh
	from *matchers

	once    sync.Once
	matcher *match.Matcher

	read  sync.Once
	nginx *likeNginx

	reading sync.Mutex
	own     *OwnNginx
	byOwn   *likeNginx // by own
}

func (r *routing) get() *match.Matcher {
	r.once.Do(func() { r.matcher = r.from.of(r.mesh) })
	return r.matcher
}

// likeNginx is what nginx would do by the projection of the mesh. It is made when it is
// first asked for, which is never in the event loop.
func (r *routing) likeNginx() *likeNginx {
	r.read.Do(func() { r.nginx = newLikeNginx(r.from.project(r.mesh), r.from.foretell) })
	return r.nginx
}

// likeOwn is what nginx would do by the operator's own nginx.conf. It is made anew
// when that has changed, and never in the event loop.
func (r *routing) likeOwn(own *OwnNginx) *likeNginx {
	r.reading.Lock()
	defer r.reading.Unlock()
	if r.own != own {
		r.own, r.byOwn = own, newOwnLikeNginx(own, r.mesh, r.from.foretell)
	}
	return r.byOwn
}

// routings gives a picture the routing of its draft and of what is live, and
// takes them over from the one before where the mesh is the same.
func (m *maker) routings(d *data) {
	var known []*routing
	if m.last != nil {
		known = []*routing{m.last.draftWays, m.last.liveWays}
	}
	find := func(of *mesh.Mesh) *routing {
		for _, r := range known {
			if r.mesh == of {
				return r
			}
		}
		r := &routing{mesh: of, from: &m.matchers}
		known = append(known, r)
		return r
	}
	d.liveWays = find(d.live)
	d.draftWays = d.liveWays
	if len(d.gs.Changes) > 0 || d.gs.Draft.Len() != d.live.Len() { // else they may be two meshes that say the same
		d.draftWays = find(d.gs.Draft)
	}
}
