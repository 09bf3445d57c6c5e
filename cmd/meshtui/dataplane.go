package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/demo/proxy"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/envoy"
)

// The data planes that --data-plane names.
const (
	planeAny     = ""        // an Envoy, else the built-in proxy
	planeEnvoy   = "envoy"   // an Envoy or nothing
	planeBuiltin = "builtin" // the built-in proxy
)

// localCluster is the node.cluster of the local proxies.
const localCluster = "meshtui"

// proxies are the local proxies that a session started: *envoy.Fleet and
// *proxy.Fleet.
type proxies interface {
	Processes() []envoy.Process
	Targets() []envoy.Target
	Events() <-chan envoy.Event
	Changed() (<-chan struct{}, func())
	Stop(ctx context.Context) error
}

// plane is the data plane that a session will start: how many proxies, which,
// and what is added to what they are served.
type plane struct {
	name    string // "Envoy 1.40.0 (tools)", "built-in proxy"; "" for none
	product string // what its processes call themselves: "Envoy", "built-in proxy"
	title   string // one of them: "Envoy 1.40.0"
	nodes   int
	first   string // node id of the first process; "" without any
	overlay func(node string) func(mesh.Type, proto.Message) proto.Message
	start   func(ctx context.Context, xds, dir string) (proxies, error)
}

// describe names the data plane and how many proxies there are.
func (p *plane) describe() string {
	plural := "s"
	if p.nodes == 1 {
		plural = ""
	}
	return fmt.Sprintf("%s, %d node%s", p.name, p.nodes, plural)
}

// choose decides which data plane serves: an Envoy where one can be had, else
// the built-in proxy, unless the operator named one. It downloads an Envoy when
// none is here. Why an Envoy could not be had is noted.
func (f envoyFlags) choose(ctx context.Context, say, note func(string)) (*plane, error) {
	if f.nodes == 0 {
		return f.none(), nil
	}
	if f.plane == planeBuiltin {
		return f.builtin(), nil
	}
	b, err := f.find(ctx, say)
	switch {
	case err == nil:
		if w := b.Warning(); w != "" {
			note(w)
		}
		return f.envoy(b), nil
	case f.plane == planeEnvoy, f.path != "", os.Getenv("MESHTUI_ENVOY") != "", ctx.Err() != nil:
		return nil, err // an Envoy that was named is not silently something else
	}
	say("no Envoy can be had, so the built-in proxy serves: " + err.Error())
	note("the built-in proxy serves, because no Envoy can be had; `make envoy` gets one, --envoy PATH names one")
	return f.builtin(), nil
}

// none starts nothing, and adds nothing to what other nodes are served.
func (f envoyFlags) none() *plane {
	return &plane{overlay: envoy.FleetOptions{}.Overlay}
}

func (f envoyFlags) envoy(b envoy.Binary) *plane {
	o := envoy.FleetOptions{Binary: b, Nodes: f.nodes, Delta: f.delta}
	return &plane{
		name: fmt.Sprintf("Envoy %s (%s)", b.Version, b.Origin), product: "Envoy", title: "Envoy " + b.Version, nodes: f.nodes, first: o.NodeID(0), overlay: o.Overlay,
		start: func(ctx context.Context, xds, dir string) (proxies, error) {
			o.XDS, o.Dir = xds, dir
			fleet, err := envoy.StartFleet(ctx, o)
			if err != nil {
				return nil, err // not a nil *Fleet in an interface
			}
			return fleet, nil
		},
	}
}

func (f envoyFlags) builtin() *plane {
	o := proxy.Options{Nodes: f.nodes, Delta: f.delta}
	return &plane{
		name: proxy.Name, product: proxy.Name, title: proxy.Name, nodes: f.nodes, first: o.NodeID(0), overlay: o.Overlay,
		start: func(ctx context.Context, xds, dir string) (proxies, error) {
			o.XDS, o.Dir = xds, dir
			fleet, err := proxy.Start(ctx, o)
			if err != nil {
				return nil, err
			}
			return fleet, nil
		},
	}
}

// checkPlane refuses a data plane that is not known, and contradictions.
func (f envoyFlags) checkPlane() error {
	switch {
	case f.plane != planeAny && f.plane != planeEnvoy && f.plane != planeBuiltin:
		return usageError(fmt.Errorf("--data-plane %s: it is envoy or builtin", f.plane))
	case f.plane == planeBuiltin && f.path != "":
		return usageError(errors.New("--data-plane builtin and --envoy contradict each other"))
	}
	return nil
}
