package nack

import (
	"fmt"
	"strconv"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// meant is the socket of a listener that an address in a text means. A local
// Envoy may listen some hundreds of ports above what the mesh says, so that only
// the last two digits tell several apart; the first one when none fits.
func meant(r *mesh.Resource, address string) (sock socket, ok bool) {
	all := sockets(r)
	if len(all) == 0 {
		return socket{}, false
	}
	for _, s := range all {
		if mesh.Address(s.a) == address {
			return s, true
		}
	}
	_, port := cutPort(address)
	for _, s := range all {
		if own := int(s.a.GetSocketAddress().GetPortValue()); own > 0 && port >= own && (port-own)%portStep == 0 {
			return s, true
		}
	}
	return all[0], len(all) == 1
}

func cutPort(address string) (host string, port int) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return address, 0
	}
	return address[:i], atoi(address[i+1:])
}

func duplicateAddress(s suspect, m []string) []place {
	if s.Key.Name != m[1] {
		return nil
	}
	sock, ok := meant(s.Resource, m[2])
	if !ok {
		return nil
	}
	other := "another listener"
	for _, l := range s.in.List(mesh.Listener) {
		for _, theirs := range sockets(l) {
			if l.Key != s.Key && mesh.Address(theirs.a) == mesh.Address(sock.a) {
				other = l.Key.String()
			}
		}
	}
	p := s.port(sock)
	p.plain = fmt.Sprintf("It listens on %s, as %s does.", mesh.Address(sock.a), other)
	p.why = "one address belongs to one listener; what is told apart by its host name goes into one listener's routes, by its TLS name into its filter chains"
	p.hint = "choose another port, or make them one listener"
	return []place{p}
}

// port is where a socket's port stands, and the edit that takes another one.
func (s suspect) port(sock socket) place {
	p := place{path: sock.path}
	if a := sock.a.GetSocketAddress(); a != nil {
		p.path = sock.path + ".socket_address.port_value"
		p.mend = s.otherPort(p.path, int(a.GetPortValue()))
	}
	return p
}

func cannotBind(s suspect, m []string) []place {
	sock, ok := meant(s.Resource, m[1])
	if !ok {
		return nil
	}
	p := s.port(sock)
	address := mesh.Address(sock.a)
	if address != m[1] {
		address += " (" + m[1] + " on this node)"
	}
	switch {
	case strings.Contains(m[2], "already in use"):
		p.plain = fmt.Sprintf("It cannot listen on %s: another process has that address.", address)
		p.why = "the system gives an address to one process at a time"
		p.hint = "end the other process (ss -ltnp shows it) or choose another port"
	case strings.Contains(m[2], "assign requested address"):
		p.path = sock.path + ".socket_address.address"
		p.plain = fmt.Sprintf("It cannot listen on %s: the node's machine has no such address.", address)
		p.why = "a listener can only have an address of the machine that it is on"
		p.hint = "use 127.0.0.1 for this machine alone, 0.0.0.0 for every address that it has"
		p.mend = set("listen on 127.0.0.1 instead", p.path, "127.0.0.1")
	case strings.Contains(m[2], "ermission denied") && sock.a.GetSocketAddress() != nil:
		p.plain = fmt.Sprintf("It may not listen on %s.", address)
		p.why = "ports below 1024 are for privileged processes, and the node is none"
		p.hint = "choose a port from 1024 on"
		p.mend = s.otherPort(p.path, 8000+int(sock.a.GetSocketAddress().GetPortValue())-1)
	default:
		p.plain = fmt.Sprintf("It cannot listen on %s: %s.", address, strings.TrimSuffix(m[2], "."))
		p.mend = nil
	}
	return []place{p}
}

func noFilterChains(s suspect, _ []string) []place {
	l, ok := s.Message.(*listenerv3.Listener)
	if !ok || len(l.GetFilterChains()) > 0 && s.reason.named != s.Key {
		return nil
	}
	return []place{{path: "filter_chains", plain: "The listener has no filter chain.",
		why:  "without one Envoy would accept connections and not know what to do with them",
		hint: "add filter_chains with an http_connection_manager or a tcp_proxy"}}
}

func noAddress(s suspect, _ []string) []place {
	if l, ok := s.Message.(*listenerv3.Listener); !ok || l.GetAddress().GetAddress() != nil {
		return nil
	}
	return []place{{path: "address", plain: "The listener has no address.",
		why:  "an address is what makes it a listener (nginx: listen)",
		hint: "add address: {socket_address: {address: 127.0.0.1, port_value: …}}"}}
}

func duplicateChain(s suspect, m []string) []place {
	l, ok := s.Message.(*listenerv3.Listener)
	if !ok {
		return nil
	}
	chains := l.GetFilterChains()
	for j := range chains {
		for i := range j {
			if !sameMatch(chains[i], chains[j]) || m[1] != "" && (chains[j].GetName() != m[1] || chains[i].GetName() != m[2]) {
				continue
			}
			later, earlier := chainName(chains[j], j), chainName(chains[i], i)
			return []place{{path: text.Item("filter_chains", j),
				plain: fmt.Sprintf("%s takes the same connections as %s.", capital(later), earlier),
				why:   "filter chains are no list that is tried in order: the most specific match wins, and two equal ones leave nothing to choose by",
				hint:  "give one a filter_chain_match of its own, or delete it",
				mend:  remove("delete "+later, text.Item("filter_chains", j))}}
		}
	}
	return nil
}

func sameMatch(a, b *listenerv3.FilterChain) bool {
	x, y := a.GetFilterChainMatch(), b.GetFilterChainMatch()
	if x == nil {
		x = &listenerv3.FilterChainMatch{}
	}
	if y == nil {
		y = &listenerv3.FilterChainMatch{}
	}
	return proto.Equal(x, y)
}

func chainName(c *listenerv3.FilterChain, i int) string {
	if c.GetName() == "" {
		return "filter chain number " + strconv.Itoa(i+1)
	}
	return "filter chain " + c.GetName()
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

const routerName = "envoy.filters.http.router"

var router = map[string]any{"name": routerName, "typed_config": map[string]any{"@type": anyPrefix + emptyConfigs[routerName]}}

// filterLists visits the lists of filters that a resource has.
func filterLists(s suspect, kind string, visit func(list string, names []string, configs []*anypb.Any)) {
	if kind != "network" {
		each(s.Resource, func(path string, m *hcmv3.HttpConnectionManager) {
			var names []string
			var configs []*anypb.Any
			for _, f := range m.GetHttpFilters() {
				names, configs = append(names, f.GetName()), append(configs, f.GetTypedConfig())
			}
			visit(text.Field(path, "http_filters"), names, configs)
		})
		return
	}
	each(s.Resource, func(path string, c *listenerv3.FilterChain) {
		var names []string
		var configs []*anypb.Any
		for _, f := range c.GetFilters() {
			names, configs = append(names, f.GetName()), append(configs, f.GetTypedConfig())
		}
		visit(text.Field(path, "filters"), names, configs)
	})
}

// kindOf is which filters a text speaks of; gRPC's texts mean HTTP ones.
func kindOf(m []string) string {
	if len(m) > 2 && m[2] == "network" {
		return "network"
	}
	return "http"
}

func terminalNotLast(s suspect, m []string) []place {
	var out []place
	filterLists(s, kindOf(m), func(list string, names []string, configs []*anypb.Any) {
		last := len(names) - 1
		for i, name := range names[:max(last, 0)] {
			if name != m[1] {
				continue
			}
			p := place{path: text.Item(list, i),
				plain: fmt.Sprintf("%s stands before %s, and it must be the last filter.", name, names[i+1]),
				why:   "it answers or passes on itself, so that no filter behind it would ever see a request",
				hint:  "move it to the end",
				mend:  move("move "+name+" to the end", list, i, last)}
			if configs[i].GetTypeUrl() == configs[last].GetTypeUrl() {
				p.plain = fmt.Sprintf("%s is there twice, and only the last filter can be one of its kind.", name)
				p.hint = "delete the first one"
				p.mend = remove("delete the first "+name, text.Item(list, i))
			}
			out = append(out, p)
		}
	})
	return out
}

func noTerminalFilter(s suspect, m []string) []place {
	kind := kindOf(m)
	var out []place
	filterLists(s, kind, func(list string, names []string, _ []*anypb.Any) {
		last := len(names) - 1
		if last >= 0 && len(m) > 1 && names[last] != m[1] || last < 0 && m[1] != "" {
			return
		}
		p := place{path: list, why: "the last filter must answer or pass on; without it a request hangs",
			plain: "There is no filter that passes requests on."}
		if last >= 0 {
			p.path = text.Item(list, last)
			p.plain = fmt.Sprintf("The last filter is %s, which passes nothing on.", names[last])
		}
		if kind == "network" {
			p.hint = "end with an http_connection_manager or a tcp_proxy"
			out = append(out, p)
			return
		}
		p.hint, p.mend = "add the router as the last filter", put("add the router as the last filter", list, router)
		for i, name := range names[:max(last, 0)] {
			if name == routerName {
				p.hint, p.mend = "move the router to the end", move("move the router to the end", list, i, last)
			}
		}
		out = append(out, p)
	})
	return out
}
