package mesh

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
)

// Type is a kind of resource, one for each discovery service that serves it.
// The zero Type is none of them.
type Type uint8

// The types, in the order in which a request meets them.
const (
	Listener  Type = iota + 1 // LDS: envoy.config.listener.v3.Listener
	Route                     // RDS: envoy.config.route.v3.RouteConfiguration
	Cluster                   // CDS: envoy.config.cluster.v3.Cluster
	Endpoints                 // EDS: envoy.config.endpoint.v3.ClusterLoadAssignment
	Secret                    // SDS: envoy.extensions.transport_sockets.tls.v3.Secret
)

// typeInfo is what differs from type to type; index 0 is the unknown type.
var typeInfo = [...]struct{ name, service, message, file string }{
	{"unknown", "?", "", ""},
	{"listener", "LDS", "envoy.config.listener.v3.Listener", "lds.yaml"},
	{"route", "RDS", "envoy.config.route.v3.RouteConfiguration", "rds.yaml"},
	{"cluster", "CDS", "envoy.config.cluster.v3.Cluster", "cds.yaml"},
	{"endpoints", "EDS", "envoy.config.endpoint.v3.ClusterLoadAssignment", "eds.yaml"},
	{"secret", "SDS", "envoy.extensions.transport_sockets.tls.v3.Secret", "sds.yaml"},
}

func (t Type) info() int {
	if int(t) < len(typeInfo) {
		return int(t)
	}
	return 0
}

// Types lists all types in the order in which a request meets them.
func Types() []Type { return []Type{Listener, Route, Cluster, Endpoints, Secret} }

// String is the type's name in prose: "listener", "route", "cluster",
// "endpoints", "secret"; "unknown" for anything else.
func (t Type) String() string { return typeInfo[t.info()].name }

// Service is the discovery service that serves the type: "LDS", "RDS", "CDS",
// "EDS", "SDS"; "?" for anything else.
func (t Type) Service() string { return typeInfo[t.info()].service }

// URL is the type URL that xDS uses, or "" for an unknown type.
func (t Type) URL() string {
	if t.info() == 0 {
		return ""
	}
	return "type.googleapis.com/" + typeInfo[t.info()].message
}

// File is the name of the file that holds this type in a workspace folder
// ("lds.yaml" and so on), or "" for an unknown type.
func (t Type) File() string { return typeInfo[t.info()].file }

// New returns an empty message of the type, or nil for an unknown type.
func (t Type) New() proto.Message {
	switch t {
	case Listener:
		return &listenerv3.Listener{}
	case Route:
		return &routev3.RouteConfiguration{}
	case Cluster:
		return &clusterv3.Cluster{}
	case Endpoints:
		return &endpointv3.ClusterLoadAssignment{}
	case Secret:
		return &tlsv3.Secret{}
	}
	return nil
}

// TypeOfURL is the Type with that type URL; ok is false when meshtui does not
// serve it.
func TypeOfURL(url string) (t Type, ok bool) {
	for _, t := range Types() {
		if t.URL() == url {
			return t, true
		}
	}
	return 0, false
}

// TypeOf is the Type of a message; ok is false when it is no resource.
func TypeOf(m proto.Message) (t Type, ok bool) {
	if m == nil {
		return 0, false
	}
	name := string(m.ProtoReflect().Descriptor().FullName())
	for _, t := range Types() {
		if typeInfo[t].message == name {
			return t, true
		}
	}
	return 0, false
}

// NameOf is the name under which xDS serves the message: cluster_name for a
// ClusterLoadAssignment, name for the others, "" for what is no resource.
func NameOf(m proto.Message) string {
	switch m := m.(type) {
	case *listenerv3.Listener:
		return m.GetName()
	case *routev3.RouteConfiguration:
		return m.GetName()
	case *clusterv3.Cluster:
		return m.GetName()
	case *endpointv3.ClusterLoadAssignment:
		return m.GetClusterName()
	case *tlsv3.Secret:
		return m.GetName()
	}
	return ""
}

// Key names one resource within a mesh.
type Key struct {
	Type Type
	Name string
}

// String is the key as people read it: "cluster app", "cluster without a name".
func (k Key) String() string {
	if k.Name == "" {
		return k.Type.String() + " without a name"
	}
	return fmt.Sprintf("%s %s", k.Type, k.Name)
}

// IsZero reports whether the key names nothing.
func (k Key) IsZero() bool { return k == Key{} }
