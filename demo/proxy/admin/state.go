package admin

import (
	"time"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/demo/proxy/upstream"
)

// State is what the interface tells, at one moment.
type State struct {
	Node      string
	Version   string // of meshtui's proxy; never an Envoy's
	Ready     bool
	Started   time.Time
	Listeners []Dynamic
	Routes    []Dynamic
	Clusters  []Dynamic
	Endpoints []Dynamic
	Secrets   []Dynamic
	Versions  map[string]string // last accepted version by type URL
	Upstreams []upstream.Snapshot
	Stats     map[string]uint64 // besides those of Upstreams: "listener_manager.total_listeners_draining", …
}

// Dynamic is one resource that came by xDS.
type Dynamic struct {
	Name    string
	Version string
	Updated time.Time
	Message proto.Message
	Warming bool // accepted, not yet in use
	Drains  bool // a listener on its way out
	Failure *Failure
}

// Failure is the newest version of a resource that was refused.
type Failure struct {
	At      time.Time
	Version string
	Details string
	Message proto.Message
}
