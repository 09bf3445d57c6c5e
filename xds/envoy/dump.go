package envoy

import (
	"encoding/json"
	"fmt"
	"time"

	typedstructv3 "github.com/cncf/xds/go/xds/type/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
	_ "example.com/meshtui/engine/text" // links in the extensions that are compared field by field
)

// dumped is one resource in /config_dump.
type dumped struct {
	Message proto.Message // nil when it cannot be read
	Since   time.Time     // last_updated
}

// dump is what /config_dump says of one type's resources, by name.
type dump struct {
	active  map[string]dumped
	warming map[string]dumped
	errors  map[string]string // error_state of listeners
}

func newDump() *dump {
	return &dump{active: map[string]dumped{}, warming: map[string]dumped{}, errors: map[string]string{}}
}

// of is the active resource of that name; the zero dumped when there is none.
func (d *dump) of(name string) dumped {
	found, _ := d.find(name)
	return found
}

func (d *dump) find(name string) (found dumped, ok bool) {
	if d == nil {
		return dumped{}, false
	}
	found, ok = d.active[name]
	return found, ok
}

// eds reports whether an active cluster asks for endpoints of that name.
func (d *dump) eds(name string) bool {
	if d == nil {
		return false
	}
	for _, c := range d.active {
		if asks, ok := mesh.EndpointsOf(c.Message); ok && asks == name {
			return true
		}
	}
	return false
}

// dumpPaths are the values of /config_dump?resource= that show a type; the type
// Endpoints is not in it, because /clusters says more of it for less.
func dumpPaths(t mesh.Type) []string {
	switch t {
	case mesh.Listener:
		return []string{"dynamic_listeners"}
	case mesh.Route:
		return []string{"dynamic_route_configs"}
	case mesh.Cluster:
		return []string{"dynamic_active_clusters", "dynamic_warming_clusters"}
	case mesh.Secret:
		return []string{"dynamic_active_secrets", "dynamic_warming_secrets"}
	case mesh.VirtualHost: // those that came by VHDS stand in the routes that they joined
		return []string{"dynamic_route_configs"}
	case mesh.ScopedRoute:
		return []string{"dynamic_scoped_route_configs"}
	case mesh.Extension:
		return []string{"ecds_filters"}
	}
	return nil
}

// element is one entry of the answer; which fields it has depends on the type.
type element struct {
	Name    string            `json:"name"`
	Updated time.Time         `json:"last_updated"`
	Cluster json.RawMessage   `json:"cluster"`
	Route   json.RawMessage   `json:"route_config"`
	Secret  json.RawMessage   `json:"secret"`
	Filter  json.RawMessage   `json:"ecds_filter"`
	Scoped  []json.RawMessage `json:"scoped_route_configs"`
	Static  json.RawMessage   `json:"listener"` // of a static listener
	Active  *listenerState    `json:"active_state"`
	Warming *listenerState    `json:"warming_state"`
	Error   *struct {
		Details string `json:"details"`
	} `json:"error_state"`
}

type listenerState struct {
	Listener json.RawMessage `json:"listener"`
	Updated  time.Time       `json:"last_updated"`
}

// read takes in the answer to one of dumpPaths.
func (d *dump) read(path string, body []byte) error {
	var answer struct {
		Configs []element `json:"configs"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("/config_dump?resource=%s is not what Envoy writes: %w", path, err)
	}
	into := d.active
	if path == "dynamic_warming_clusters" || path == "dynamic_warming_secrets" {
		into = d.warming
	}
	for _, e := range answer.Configs {
		switch {
		case e.Cluster != nil:
			put(into, "", e.Cluster, e.Updated)
		case e.Route != nil:
			put(into, "", e.Route, e.Updated)
		case e.Secret != nil:
			put(into, e.Name, e.Secret, e.Updated)
		case e.Filter != nil:
			put(into, "", e.Filter, e.Updated)
		case e.Static != nil:
			put(into, "", e.Static, e.Updated)
		case e.Scoped != nil:
			for _, scoped := range e.Scoped {
				put(into, "", scoped, e.Updated)
			}
		case e.Name != "": // Envoy lists each failed listener a second time, without its name
			d.listener(e)
		}
	}
	return nil
}

func (d *dump) listener(e element) {
	if e.Active != nil {
		put(d.active, e.Name, e.Active.Listener, e.Active.Updated)
	}
	if e.Warming != nil {
		put(d.warming, e.Name, e.Warming.Listener, e.Warming.Updated)
	}
	if e.Error != nil {
		d.errors[e.Name] = cleanText(e.Error.Details)
	}
}

// put decodes a resource; without a name it goes under its own.
func put(into map[string]dumped, name string, raw json.RawMessage, since time.Time) {
	m := decodeAny(raw)
	if name == "" && m != nil {
		name = mesh.NameOf(m)
	}
	if name == "" { // it cannot be read, so only the name says which it is
		var named struct {
			Name string `json:"name"`
		}
		if json.Unmarshal(raw, &named) != nil {
			return
		}
		name = named.Name
	}
	into[name] = dumped{Message: m, Since: since}
}

// decodeAny decodes {"@type": …, fields…}. Extensions whose type is not linked
// in become TypedStructs, fields that are not known are left out. It returns nil
// when that does not help.
func decodeAny(raw json.RawMessage) proto.Message {
	lenient := protojson.UnmarshalOptions{DiscardUnknown: true}
	var packed anypb.Any
	if err := lenient.Unmarshal(raw, &packed); err != nil {
		var tree any
		if json.Unmarshal(raw, &tree) != nil {
			return nil
		}
		known, err := json.Marshal(wrapUnknown(tree))
		if err != nil || lenient.Unmarshal(known, &packed) != nil {
			return nil
		}
	}
	m, err := packed.UnmarshalNew()
	if err != nil {
		return nil
	}
	return m
}

// wrapUnknown replaces every Any whose type is not linked in by a TypedStruct
// that holds the same.
func wrapUnknown(tree any) any {
	switch v := tree.(type) {
	case []any:
		for i := range v {
			v[i] = wrapUnknown(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = wrapUnknown(v[k])
		}
		url, ok := v["@type"].(string)
		if !ok {
			break
		}
		if _, err := protoregistry.GlobalTypes.FindMessageByURL(url); err == nil {
			break
		}
		delete(v, "@type")
		return map[string]any{"@type": typedStructURL, "type_url": url, "value": v}
	}
	return tree
}

var typedStructURL = "type.googleapis.com/" + string((&typedstructv3.TypedStruct{}).ProtoReflect().Descriptor().FullName())

// cleanText takes Envoy's random debug prefixes and runs of blanks out of a
// message.
func cleanText(s string) string { return squeeze(debugPrefix.ReplaceAllString(s, "")) }
