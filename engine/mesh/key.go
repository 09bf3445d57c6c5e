package mesh

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"google.golang.org/protobuf/proto"
)

// Type is a kind of resource, one for each discovery service that serves it.
// The zero Type is none of them.
type Type uint8

// The types, in the order in which a request meets them.
const (
	Listener    Type = iota + 1 // LDS: envoy.config.listener.v3.Listener
	Route                       // RDS: envoy.config.route.v3.RouteConfiguration
	Cluster                     // CDS: envoy.config.cluster.v3.Cluster
	Endpoints                   // EDS: envoy.config.endpoint.v3.ClusterLoadAssignment
	Secret                      // SDS: envoy.extensions.transport_sockets.tls.v3.Secret
	VirtualHost                 // VHDS: envoy.config.route.v3.VirtualHost, named "ROUTE/…" after the route configuration that it joins
	ScopedRoute                 // SRDS: envoy.config.route.v3.ScopedRouteConfiguration
	Extension                   // ECDS: envoy.config.core.v3.TypedExtensionConfig, the configuration of one filter
	Runtime                     // RTDS: envoy.service.runtime.v3.Runtime, one layer of runtime values
)

// RuntimeLayer is the name of the Runtime that an Envoy asks for which meshtui
// starts: a bootstrap says which, and nothing else names runtimes.
const RuntimeLayer = "meshtui"

// typeInfo is what differs from type to type; index 0 is the unknown type.
var typeInfo = [...]struct{ name, service, message, file string }{
	{"unknown", "?", "", ""},
	{"listener", "LDS", "envoy.config.listener.v3.Listener", "lds.yaml"},
	{"route", "RDS", "envoy.config.route.v3.RouteConfiguration", "rds.yaml"},
	{"cluster", "CDS", "envoy.config.cluster.v3.Cluster", "cds.yaml"},
	{"endpoints", "EDS", "envoy.config.endpoint.v3.ClusterLoadAssignment", "eds.yaml"},
	{"secret", "SDS", "envoy.extensions.transport_sockets.tls.v3.Secret", "sds.yaml"},
	{"virtual host", "VHDS", "envoy.config.route.v3.VirtualHost", "vhds.yaml"},
	{"scoped route", "SRDS", "envoy.config.route.v3.ScopedRouteConfiguration", "srds.yaml"},
	{"extension", "ECDS", "envoy.config.core.v3.TypedExtensionConfig", "ecds.yaml"},
	{"runtime", "RTDS", "envoy.service.runtime.v3.Runtime", "rtds.yaml"},
}

func (t Type) info() int {
	if int(t) < len(typeInfo) {
		return int(t)
	}
	return 0
}

// Types lists all types in the order in which a request meets them, those that
// few meshes have last.
func Types() []Type {
	return []Type{Listener, Route, Cluster, Endpoints, Secret, VirtualHost, ScopedRoute, Extension, Runtime}
}

// String is the type's name in prose: "listener", "route", "cluster",
// "endpoints", "secret", "virtual host" and so on; "unknown" for anything else.
func (t Type) String() string { return typeInfo[t.info()].name }

// Service is the discovery service that serves the type: "LDS", "RDS", "CDS",
// "EDS", "SDS", "VHDS", "SRDS", "ECDS", "RTDS"; "?" for anything else.
func (t Type) Service() string { return typeInfo[t.info()].service }

// URL is the type URL that xDS uses, or "" for an unknown type.
func (t Type) URL() string {
	return typeURLs[t.info()]
}

// typeURLs are put together once: every request and response is told by its own.
var typeURLs = func() (urls [len(typeInfo)]string) {
	for i, info := range typeInfo[1:] {
		urls[i+1] = "type.googleapis.com/" + info.message
	}
	return urls
}()

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
	case VirtualHost:
		return &routev3.VirtualHost{}
	case ScopedRoute:
		return &routev3.ScopedRouteConfiguration{}
	case Extension:
		return &corev3.TypedExtensionConfig{}
	case Runtime:
		return &runtimev3.Runtime{}
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
	if _, ok := TypeOf(m); !ok {
		return ""
	}
	switch m := m.(type) {
	case *endpointv3.ClusterLoadAssignment:
		return m.GetClusterName()
	case interface{ GetName() string }:
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
