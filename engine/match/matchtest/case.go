package matchtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// Options say where a case is to be served and what it may hold.
type Options struct {
	// Address is an IP address that the listener binds, Port its port.
	Address string
	Port    uint32
	// Backends are the ports of 127.0.0.1 behind the clusters c0, c1, …. Routes
	// also name a cluster that there is not. At least one is needed.
	Backends []uint32
	// Requests is how many to draw; 0 means 100.
	Requests int
	// Without names classes of requests and features of the configuration to
	// leave out. Classes and Features list them.
	Without []string
	// LocalReplies has the connection manager add headers to its own answers
	// that say the route, the virtual host and the reason. It needs a data plane
	// that implements local_reply_config.
	LocalReplies bool
	// HTTP2 has a tenth of the requests ask for HTTP/2: their Raw is then only
	// how HTTP/1 would say it, and it is the caller who sends them by Ask.
	HTTP2 bool
	// Certificate and PrivateKey are PEM texts for the encrypted filter chains of
	// NewChains.
	Certificate, PrivateKey string
}

// Case is a mesh with one listener, and what is asked of it.
type Case struct {
	Seed     uint64
	Options  Options
	Mesh     *mesh.Mesh
	Requests []Request
}

// Request is one request, as bytes and as the matcher is asked.
type Request struct {
	Raw     []byte
	Ask     match.Request
	Classes []string // how it departs from a plain request, see Classes
}

// Asker is what is under test: a match.Matcher.
type Asker interface {
	Match(r *match.Request) match.Way
}

// maker makes random things, the same for the same seed.
type maker struct {
	*rand.Rand
	o      Options
	taken  map[string]bool // domains, lower case
	serial int
}

func newMaker(seed uint64, o Options) *maker {
	return &maker{Rand: rand.New(rand.NewPCG(seed, 0x6d657368)), o: o, taken: map[string]bool{}}
}

func (m *maker) chance(percent int) bool { return m.IntN(100) < percent }

// may is chance for something that the options can leave out.
func (m *maker) may(feature string, percent int) bool {
	return m.chance(percent) && !slices.Contains(m.o.Without, feature)
}

func pick[T any](m *maker, from ...T) T { return from[m.IntN(len(from))] }

// New makes the case of a seed. The same seed and options give the same case.
// It panics where Options name no backend: there is nothing to route to.
func New(seed uint64, o Options) Case {
	if len(o.Backends) == 0 {
		panic("matchtest: no backends")
	}
	if o.Requests == 0 {
		o.Requests = 100
	}
	m := newMaker(seed, o)
	table := m.table()
	resources := m.listener(table)
	for i, port := range o.Backends {
		resources = append(resources, Cluster(clusterName(i), port))
	}
	c := Case{Seed: seed, Options: o, Mesh: meshOf(resources...)}
	for range o.Requests {
		c.Requests = append(c.Requests, m.request(table))
	}
	return c
}

func clusterName(i int) string { return "c" + strconv.Itoa(i) }

// cluster is the name of a cluster that there is, or sometimes of none.
func (m *maker) cluster() string {
	if m.may("missing cluster", 6) {
		return "gone"
	}
	return clusterName(m.IntN(len(m.o.Backends)))
}

// Cluster is a cluster with one endpoint on 127.0.0.1.
func Cluster(name string, port uint32) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name: name, ConnectTimeout: durationpb.New(5e9),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
				Endpoint: &endpointv3.Endpoint{Address: address("127.0.0.1", port)},
			}}},
		}}},
	}
}

func address(ip string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: ip, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

// meshOf panics on what the generator never makes: a message that is no
// resource, and two of one name.
func meshOf(messages ...proto.Message) *mesh.Mesh {
	var all []*mesh.Resource
	for _, msg := range messages {
		r, err := mesh.NewResource(msg, mesh.Source{})
		if err != nil {
			panic(fmt.Sprintf("matchtest: %v", err))
		}
		all = append(all, r)
	}
	made, err := mesh.New(all...)
	if err != nil {
		panic(fmt.Sprintf("matchtest: %v", err))
	}
	return made
}
