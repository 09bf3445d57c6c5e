package proxy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/demo/proxy/accept"
	"example.com/meshtui/demo/proxy/client"
	"example.com/meshtui/demo/proxy/upstream"
	"example.com/meshtui/engine/mesh"
)

// cluster is one cluster by name: the version that requests use, and the one
// that is to follow it.
type cluster struct {
	name            string
	active, warming *backing
}

// backing is one version of a cluster.
type backing struct {
	received
	service string // under which EDS has its endpoints; "" for another kind
	up      *upstream.Cluster
	gone    chan struct{} // closed when it is out of the race before it was warm
	holds   []*hold
}

// received is a resource as it came.
type received struct {
	message  proto.Message
	resource *mesh.Resource
	version  string
	updated  time.Time
}

// hold is an ACK that waits for clusters to warm.
type hold struct {
	left int
	done chan struct{}
}

func (h *hold) add(b *backing) {
	h.left++
	b.holds = append(b.holds, h)
}

// release ends what waits for b.
func (b *backing) release() {
	for _, h := range b.holds {
		if h.left--; h.left == 0 {
			close(h.done)
		}
	}
	b.holds = nil
}

// received wraps a message that was accepted.
func (n *node) received(m proto.Message, version string) (received, error) {
	r, err := mesh.NewResource(m, mesh.Source{})
	return received{message: m, resource: r, version: version, updated: n.now()}, err
}

// takeClusters applies a response with clusters. The good ones are used, what is
// missing from a whole response goes, and the error names the others.
func (n *node) takeClusters(r *client.Response) client.Answer {
	var wrong []string
	a := client.Answer{}
	h := &hold{left: 1, done: make(chan struct{})} // one is its own, until all were added
	named := map[string]bool{}
	for _, res := range r.Resources {
		c := res.Message.(*clusterv3.Cluster)
		err := fmt.Errorf("duplicate cluster %s found", c.GetName())
		if !named[c.GetName()] {
			named[c.GetName()] = true
			err = n.setCluster(c, res.Version, h)
		}
		if err != nil {
			wrong = append(wrong, c.GetName()+": "+strings.TrimPrefix(err.Error(), "cluster "+c.GetName()+": "))
			continue
		}
		a.Took = append(a.Took, res.Name)
	}
	for name := range n.clusters {
		if slices.Contains(r.Removed, name) || (r.Whole && !named[name]) {
			n.removeCluster(name)
		}
	}
	n.askEndpoints()
	if len(wrong) > 0 {
		a.Err = fmt.Errorf("Error adding/updating cluster(s) %s", strings.Join(wrong, ", ")) //nolint:staticcheck // Envoy's own words
	}
	if !n.asked {
		n.asked = true
		n.firstWarm = h.done
		n.client.Subscribe(mesh.Listener)
	}
	if h.left--; h.left == 0 {
		close(h.done)
		return a
	}
	a.Held = h.done
	return a
}

// setCluster takes a new or changed cluster into use, or has it warm first; then
// the hold waits for it.
func (n *node) setCluster(c *clusterv3.Cluster, version string, h *hold) error {
	if err := accept.Accept(mesh.Cluster, c); err != nil {
		return err
	}
	if c.GetType() == clusterv3.Cluster_EDS && c.GetEdsClusterConfig().GetEdsConfig() == nil {
		return errNoSource
	}
	k := n.clusters[c.GetName()]
	switch {
	case k == nil:
	case k.warming != nil && proto.Equal(k.warming.message, c):
		h.add(k.warming)
		return nil
	case k.active != nil && proto.Equal(k.active.message, c):
		n.discard(k)
		return nil
	}
	got, err := n.received(c, version)
	if err != nil {
		return err
	}
	service, _ := mesh.EndpointsOf(c)
	if k != nil && k.active != nil && k.warming == nil && k.active.service == service && k.active.up.Update(c) {
		k.active.received = got
		n.stale = true
		return nil
	}
	up, err := upstream.New(c, upstream.Options{Node: n.id, Emit: n.o.emit, Failed: n.fail, Now: n.now})
	if err != nil {
		return err
	}
	if k == nil {
		k = &cluster{name: c.GetName()}
		n.clusters[c.GetName()] = k
	}
	n.discard(k)
	n.warm(k, &backing{received: got, service: service, up: up, gone: make(chan struct{})}, h)
	return nil
}

// warm begins to warm a version of a cluster with the endpoints that are known.
func (n *node) warm(k *cluster, b *backing, h *hold) {
	k.warming = b
	if e, known := n.endpoints[b.service]; known && b.service != "" {
		b.up.Assign(e.message.(*endpointv3.ClusterLoadAssignment))
	}
	if n.isWarm(b) {
		n.useCluster(k)
		return
	}
	h.add(b)
	n.tasks.Go("warming", func() error {
		select {
		case <-b.up.Warm():
			n.locked(func() {
				if k.warming == b {
					n.useCluster(k)
				}
			})
		case <-b.gone:
		case <-n.ctx.Done():
		}
		return nil
	})
}

func (n *node) isWarm(b *backing) bool {
	select {
	case <-b.up.Warm():
		return true
	default:
		return false
	}
}

// useCluster has the warm version take the place of the one in use.
func (n *node) useCluster(k *cluster) {
	old := k.active
	k.active, k.warming = k.warming, nil
	k.active.release()
	n.stale = true
	if old != nil {
		n.leave(old)
	}
}

// discard gives up the version of a cluster that is warming.
func (n *node) discard(k *cluster) {
	b := k.warming
	if b == nil {
		return
	}
	k.warming = nil
	close(b.gone)
	b.release()
	n.leave(b)
}

// leave closes a version that no new request finds, once the world without it
// is out.
func (n *node) leave(b *backing) { n.leaving = append(n.leaving, b.up) }

func (n *node) removeCluster(name string) {
	k := n.clusters[name]
	delete(n.clusters, name)
	n.discard(k)
	if k.active != nil {
		n.linger(name, k.active)
		n.stale = true
	}
}

// lingering is for how long a cluster that went is found by requests that chose
// it the moment before. An Envoy has no such moment: it chooses and looks up in
// one go.
const lingering = 250 * time.Millisecond

// linger closes a cluster that was removed when its time is over.
func (n *node) linger(name string, b *backing) {
	n.gone[name] = b.up
	n.tasks.Go("lingering", func() error {
		over := time.NewTimer(lingering)
		defer over.Stop()
		select {
		case <-over.C:
		case <-n.ctx.Done():
		}
		n.locked(func() {
			if n.gone[name] == b.up {
				delete(n.gone, name)
				n.stale = true
			}
		})
		b.up.Close()
		return nil
	})
}

// askEndpoints asks for the endpoints of the clusters that there are, and
// forgets those of others.
func (n *node) askEndpoints() {
	wanted := n.byService()
	n.client.Subscribe(mesh.Endpoints, slices.Collect(maps.Keys(wanted))...)
	maps.DeleteFunc(n.endpoints, func(name string, _ received) bool { return wanted[name] == nil })
}

// versions are those in use and warming.
func (k *cluster) versions() []*backing {
	var out []*backing
	for _, b := range []*backing{k.active, k.warming} {
		if b != nil {
			out = append(out, b)
		}
	}
	return out
}

// takeEndpoints applies endpoints in their order up to the first that are wrong.
func (n *node) takeEndpoints(r *client.Response) client.Answer {
	a := client.Answer{}
	users := n.byService()
	for _, res := range r.Resources {
		cla := res.Message.(*endpointv3.ClusterLoadAssignment)
		using := users[cla.GetClusterName()]
		if len(using) == 0 {
			continue // of a cluster that is gone meanwhile
		}
		err := accept.Accept(mesh.Endpoints, cla)
		var got received
		if err == nil {
			got, err = n.received(cla, res.Version)
		}
		if err != nil {
			a.Err = err
			n.endpointsRefused(cla.GetClusterName(), using)
			return a
		}
		if old, had := n.endpoints[cla.GetClusterName()]; had && proto.Equal(old.message, cla) {
			got.version, got.updated = old.version, old.updated
		}
		n.endpoints[cla.GetClusterName()] = got
		n.assign(using, cla)
		a.Took = append(a.Took, res.Name)
	}
	for _, name := range r.Removed {
		n.withoutEndpoints(name, users[name])
	}
	return a
}

// assign gives clusters their endpoints, and takes into use what is warm with
// them.
func (n *node) assign(using []*cluster, cla *endpointv3.ClusterLoadAssignment) {
	for _, k := range using {
		for _, b := range k.versions() {
			if b.service == cla.GetClusterName() {
				b.up.Assign(cla)
			}
		}
		if k.warming != nil && n.isWarm(k.warming) {
			n.useCluster(k)
		}
	}
}

// withoutEndpoints ends the wait of warming clusters for endpoints that do not
// exist or were refused: they go on with none.
func (n *node) withoutEndpoints(service string, using []*cluster) {
	if _, known := n.endpoints[service]; !known {
		n.assign(using, &endpointv3.ClusterLoadAssignment{ClusterName: service})
	}
}

// endpointsRefused counts it, and ends the wait of those that have none.
func (n *node) endpointsRefused(service string, using []*cluster) {
	for _, k := range using {
		n.stats["cluster."+k.name+".update_rejected"]++
	}
	n.withoutEndpoints(service, using)
}

// byService are the clusters that take their endpoints from EDS, by the name
// that they ask for.
func (n *node) byService() map[string][]*cluster {
	out := map[string][]*cluster{}
	for _, k := range n.clusters {
		for _, b := range k.versions() {
			if b.service != "" && !slices.Contains(out[b.service], k) {
				out[b.service] = append(out[b.service], k)
			}
		}
	}
	return out
}

var (
	errNoName   = errors.New("it has no name")
	errNoSource = errors.New("cannot create an EDS cluster without an EDS config") // Envoy's own words
)
