package tui

import (
	"strings"

	"example.com/meshtui/xds"
)

// product is what a kind of xDS client is called in sentences. What the
// built-in proxy did is never told of Envoy.
type product struct {
	one   string // "1 built-in proxy", "no built-in proxy connected"
	the   string // "the built-in proxy has …"
	short string // where there is no room: "no proxy"
}

var (
	envoyProduct   = product{"Envoy", "Envoy", "Envoy"}
	builtinProduct = product{"built-in proxy", "the built-in proxy", "proxy"}
	otherProduct   = product{"xDS client", "the xDS client", "client"}
	grpcProduct    = product{"gRPC client", "the gRPC client", "client"}
	anyProduct     = product{"proxy", "the proxy", "proxy"} // several kinds together
	mixedProduct   = product{"node", "the node", "node"}    // several kinds together, of which one is no proxy
)

// The names by which the built-in proxy goes: its user agent, and what it
// calls itself on screen.
const (
	builtinAgent = "meshtui-builtin"
	builtinName  = "built-in proxy"
	grpcAgent    = "grpc" // "grpc-go 1.85.0", "gRPC C-core …", "grpc-java …"
)

// productOf is what a node is, by what it says of itself. One that says
// nothing is taken for an Envoy.
func productOf(n *xds.Node) product {
	if n == nil {
		return envoyProduct
	}
	agent := strings.ToLower(n.Agent)
	switch {
	case strings.HasPrefix(agent, builtinAgent), strings.HasPrefix(agent, builtinName):
		return builtinProduct
	case strings.HasPrefix(agent, grpcAgent):
		return grpcProduct
	case agent == "" || strings.HasPrefix(agent, "envoy"):
		return envoyProduct
	}
	return otherProduct
}

// product is what the connected nodes of the group are; with none connected,
// what meshtui itself starts.
func (a *App) product() product {
	var found *product
	several, proxies := false, true
	for _, n := range a.data.members {
		p := productOf(n)
		switch {
		case !n.Connected:
		case found == nil:
			found = &p
		case *found != p:
			several = true
		}
		proxies = proxies && (!n.Connected || p == envoyProduct || p == builtinProduct)
	}
	switch {
	case several && proxies:
		return anyProduct
	case several:
		return mixedProduct
	case found != nil:
		return *found
	case a.deps.Product == builtinName:
		return builtinProduct
	}
	return envoyProduct
}

// nodes is a number of what the group's nodes are: "2 Envoys".
func (a *App) nodes(n int) string { return count(n, a.product().one) }

// The is the product at the beginning of a sentence.
func (p product) The() string { return strings.ToUpper(p.the[:1]) + p.the[1:] }
