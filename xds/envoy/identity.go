package envoy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"example.com/meshtui/engine/mesh"
)

// identity is what does not change in the life of an Envoy's process: who it is,
// and what its bootstrap brought. It is asked once.
type identity struct {
	version string
	// static are the clusters and listeners of the bootstrap. Envoy accepts
	// others of their names and keeps its own.
	static map[mesh.Key]bool
	// layers are the names of the runtime's layers by the name of the RTDS
	// resource that fills them; nil when they cannot be read.
	layers map[string]string
}

// askIdentity reads /server_info, which is 124 KB, and makes sure that it is the
// node's: two Envoys may have been given one address.
func (p *poller) askIdentity(ctx context.Context) (*identity, error) {
	body, err := p.client.must(ctx, "/server_info")
	if err != nil {
		return nil, err
	}
	var info struct {
		Version string `json:"version"`
		Node    struct {
			ID string `json:"id"`
		} `json:"node"`
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return nil, fmt.Errorf("/server_info is not what Envoy writes: %w", err)
	}
	if info.Node.ID != p.node {
		return nil, fmt.Errorf("the admin interface at %s is that of node %q", p.addr, info.Node.ID)
	}
	out := &identity{version: info.Version, static: map[mesh.Key]bool{}}
	if parts := strings.Split(info.Version, "/"); len(parts) > 1 {
		out.version = parts[1]
	}
	for path, t := range map[string]mesh.Type{"static_clusters": mesh.Cluster, "static_listeners": mesh.Listener} {
		status, body, err := p.client.get(ctx, "/config_dump?resource="+path+"&mask="+t.String()+".name")
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			continue // a version, or another kind of proxy, that does not know this resource
		}
		for _, name := range staticNames(body) {
			out.static[mesh.Key{Type: t, Name: name}] = true
		}
	}
	status, body, err := p.client.get(ctx, "/config_dump?mask=bootstrap.layered_runtime")
	if err != nil {
		return nil, err
	}
	if status == http.StatusOK {
		out.layers = runtimeLayers(body)
	}
	return out, nil
}

// staticNames reads the names of static resources, without that of meshtui
// itself.
func staticNames(body []byte) []string {
	type named struct {
		Name string `json:"name"`
	}
	var answer struct {
		Configs []struct {
			Cluster  named `json:"cluster"`
			Listener named `json:"listener"`
		} `json:"configs"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil
	}
	var out []string
	for _, c := range answer.Configs {
		if name := c.Cluster.Name + c.Listener.Name; name != "" && name != ServerCluster {
			out = append(out, name)
		}
	}
	return out
}

// runtimeLayers reads the bootstrap's runtime; it is nil for what cannot be read
// and empty when there is none.
func runtimeLayers(body []byte) map[string]string {
	var answer struct {
		Configs []struct {
			Bootstrap struct {
				Runtime struct {
					Layers []struct {
						Name string `json:"name"`
						RTDS struct {
							Name string `json:"name"`
						} `json:"rtds_layer"`
					} `json:"layers"`
				} `json:"layered_runtime"`
			} `json:"bootstrap"`
		} `json:"configs"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil
	}
	out := map[string]string{}
	for _, c := range answer.Configs {
		for _, l := range c.Bootstrap.Runtime.Layers {
			if l.RTDS.Name != "" {
				out[l.RTDS.Name] = l.Name
			}
		}
	}
	return out
}
