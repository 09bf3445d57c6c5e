package match

import (
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

const (
	managerType  = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
	tcpProxyType = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
)

// security is what a filter chain's transport socket does with a connection.
type security uint8

const (
	plain security = iota
	encrypted
	opaque // a transport socket that is not known here
)

// connection is what happens on the connections of a filter chain: how they are
// secured and which network filter ends them.
type connection struct {
	security security
	tls      *tlsv3.DownstreamTlsContext // nil unless encrypted
	socket   string                      // type of an opaque socket

	manager *manager        // nil unless an HTTP connection manager ends the chain
	tcp     *tcpv3.TcpProxy // nil unless a TCP proxy does
	ends    string          // the filter that ends it when it is another one; "" for none
	path    string          // of the filter that ends the chain
	caveats []string        // of the filters before it
	wrong   string          // a filter that cannot be read
}

func newConnection(key mesh.Key, path string, c *listenerv3.FilterChain) connection {
	n := connection{}
	n.secure(c.GetTransportSocket())
	for i, f := range c.GetFilters() {
		at := text.Item(path+".filters", i)
		switch kind := typeIn(f.GetTypedConfig()); kind {
		case managerType:
			n.manage(key, at+".typed_config", f.GetTypedConfig())
			return n
		case tcpProxyType:
			n.tcp, n.path = &tcpv3.TcpProxy{}, at
			if err := f.GetTypedConfig().UnmarshalTo(n.tcp); err != nil {
				n.wrong = fmt.Sprintf("the TCP proxy cannot be read: %v", err)
			}
			return n
		default:
			if endsChain(kind, i == len(c.GetFilters())-1) {
				n.ends, n.path = filterCalled(f.GetName(), kind), at
				return n
			}
			if said := networkCaveat(f, kind); said != "" {
				n.caveats = append(n.caveats, said)
			}
		}
	}
	return n
}

// apiConnection is the connection of an API listener, whose clients are gRPC
// libraries rather than proxies: it has a manager and nothing before it.
func apiConnection(key mesh.Key, path string, api *anypb.Any) connection {
	n := connection{}
	if typeIn(api) != managerType {
		n.ends, n.path = filterCalled("", typeIn(api)), path
		return n
	}
	n.manage(key, path, api)
	return n
}

func (n *connection) manage(key mesh.Key, path string, packed *anypb.Any) {
	n.path = path
	m := &hcmv3.HttpConnectionManager{}
	if err := packed.UnmarshalTo(m); err != nil {
		n.wrong = fmt.Sprintf("the HTTP connection manager cannot be read: %v", err)
	}
	n.manager = newManager(key, path, m)
}

func (n *connection) secure(s *corev3.TransportSocket) {
	switch kind := typeIn(s.GetTypedConfig()); {
	case s == nil, strings.HasSuffix(kind, ".RawBuffer"):
	case strings.HasSuffix(kind, ".DownstreamTlsContext"):
		n.security, n.tls = encrypted, &tlsv3.DownstreamTlsContext{}
		if s.GetTypedConfig().UnmarshalTo(n.tls) != nil {
			n.security, n.socket = opaque, kind
		}
	default:
		n.security, n.socket = opaque, kind
	}
}

// refusal says why the connection fails before any filter sees a byte; "" when
// it does not. The status is what Envoy writes into it, 0 where it just closes.
func (n *connection) refusal(r *Request) (why string, status int) {
	switch {
	case n.security == encrypted && !r.TLS:
		return "the filter chain expects TLS, and the request comes in plain text: Envoy closes the connection", 0
	case n.security == plain && r.TLS && n.manager != nil:
		return "the client speaks TLS, and the filter chain does not: Envoy takes the handshake for a malformed request, and the client sees its handshake fail", 400
	case n.security != encrypted:
		return "", 0
	case n.tls.GetRequireClientCertificate().GetValue() && n.validation() != nil && !r.Presented:
		return "the filter chain wants a client certificate (require_client_certificate), and the request brings none: the handshake fails", 0
	case r.Presented && !r.Validated && n.validation() != nil &&
		n.validation().GetTrustChainVerification() != tlsv3.CertificateValidationContext_ACCEPT_UNTRUSTED:
		return "the client's certificate is not one that the validation context accepts: the handshake fails", 0
	}
	return "", 0
}

// validation is what client certificates are held against, nil for nothing:
// then Envoy does not even ask for one, whatever require_client_certificate says.
// One that a secret holds is not known here, and stands for any.
func (n *connection) validation() *tlsv3.CertificateValidationContext {
	c := n.tls.GetCommonTlsContext()
	switch {
	case c.GetValidationContextType() == nil:
		return nil
	case c.GetCombinedValidationContext() != nil:
		if own := c.GetCombinedValidationContext().GetDefaultValidationContext(); own != nil {
			return own
		}
	case c.GetValidationContext() != nil:
		return c.GetValidationContext()
	}
	return &tlsv3.CertificateValidationContext{}
}
