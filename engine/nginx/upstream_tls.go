package nginx

import (
	"fmt"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// upstreamTLS is what a cluster says about TLS.
type upstreamTLS struct {
	origin Origin
	config *tlsv3.UpstreamTlsContext
	files  []certificate
	others []Origin
	trust  trust
}

// upstreamTLS reads the cluster's transport socket; nil for plain text.
func (p *projection) upstreamTLS(o Origin, c *clusterv3.Cluster) *upstreamTLS {
	m, ok := unpack(c.GetTransportSocket().GetTypedConfig()).(*tlsv3.UpstreamTlsContext)
	if !ok {
		return nil
	}
	t := &upstreamTLS{origin: o.at("transport_socket.typed_config"), config: m}
	common := t.origin.at("common_tls_context")
	t.files, t.others = p.certificates(common, m.GetCommonTlsContext())
	t.trust = p.trustOf(common, m.GetCommonTlsContext())
	return t
}

// upstreamTLSLines write how the handshake with the target goes.
func (p *projection) upstreamTLSLines(t *target) {
	if t.tls == nil {
		return
	}
	by, u := t.by(), t.tls
	if sni := u.config.GetSni(); sni != "" && literal(sni) {
		m := mark{kind: Exact, from: u.origin.at("sni"), lesson: lessonSNIUpstream}
		p.add(m, "%s_ssl_server_name on;", by)
		p.add(m, "%s_ssl_name %s;", by, token(sni))
	}
	if u.trust.file != "" {
		m := mark{kind: Exact, from: u.trust.origin, also: u.trust.also, lesson: lessonVerifyUpstream}
		p.add(m, "%s_ssl_trusted_certificate %s;", by, token(u.trust.file))
		if u.trust.rules.GetMatchTypedSubjectAltNames() == nil {
			m = m.approx(lessonVerifyName)
		}
		p.add(m, "%s_ssl_verify on;", by)
	}
	for i, c := range u.files {
		if i == 0 {
			m := mark{kind: Exact, from: c.origin, also: c.also, lesson: lessonTLS}
			p.add(m, "%s_ssl_certificate %s;", by, token(c.chain))
			p.add(m, "%s_ssl_certificate_key %s;", by, token(c.key))
		}
	}
	params, at := u.config.GetCommonTlsContext().GetTlsParams(), u.origin.at("common_tls_context.tls_params")
	if versions := versionsOf(params, tlsv3.TlsParameters_TLSv1_2); params != nil && versions != "" {
		p.add(exact(at).with(lessonVersionsUpstream), "%s_ssl_protocols %s;", by, versions)
	}
	if ciphers := p.ciphers(at, params); ciphers != "" {
		p.add(exact(at.at("cipher_suites")).with(lessonCiphers), "%s_ssl_ciphers %s;", by, ciphers)
	}
}

// upstreamTLSRest names what of the cluster's TLS no location says.
func (p *projection) upstreamTLSRest(o Origin, c *clusterv3.Cluster) {
	u := p.upstreamTLS(o, c)
	if u == nil {
		kind := c.GetTransportSocket().GetTypedConfig().GetTypeUrl()
		if c.GetTransportSocket() != nil && !strings.HasSuffix(kind, ".RawBuffer") {
			p.note(mark{from: o.at("transport_socket")}.none(lessonRest), "transport socket %s", c.GetTransportSocket().GetName())
		}
		return
	}
	p.note(mark{from: o.at("transport_socket")}.none(lessonUpstreamTLS), "TLS: https:// or grpcs:// where it is used")
	if u.trust.asked && u.trust.file == "" {
		p.note(mark{from: u.trust.origin, also: u.trust.also}.none(lessonNoAuthority), "not verified: authority in no file")
	}
	for _, other := range u.others {
		p.note(mark{from: other}.none(lessonNoCert), "no client certificate: in no file")
	}
	if len(u.files) > 1 {
		p.note(mark{from: u.files[1].origin}.none(lessonRest), "client certificates (%d), nginx has one", len(u.files))
	}
	common := u.config.GetCommonTlsContext()
	at := u.origin.at("common_tls_context")
	p.rest(u.origin, u.config, "common_tls_context", "sni")
	p.rest(at, common, "tls_params", "tls_certificates", "tls_certificate_sds_secret_configs", "validation_context",
		"combined_validation_context", "validation_context_sds_secret_config")
	p.rest(at.at("tls_params"), common.GetTlsParams(), "tls_minimum_protocol_version", "tls_maximum_protocol_version", "cipher_suites")
	p.rest(u.trust.rest, u.trust.rules, "trusted_ca", "system_root_certs")
}

// breaker is the cluster's limits as a comment.
func breaker(t *clusterv3.CircuitBreakers_Thresholds) string {
	var out []string
	for _, l := range []struct {
		name  string
		value interface{ GetValue() uint32 }
		set   bool
	}{
		{"max_connections", t.GetMaxConnections(), t.GetMaxConnections() != nil},
		{"max_pending_requests", t.GetMaxPendingRequests(), t.GetMaxPendingRequests() != nil},
		{"max_requests", t.GetMaxRequests(), t.GetMaxRequests() != nil},
		{"max_retries", t.GetMaxRetries(), t.GetMaxRetries() != nil},
		{"max_connection_pools", t.GetMaxConnectionPools(), t.GetMaxConnectionPools() != nil},
	} {
		if l.set {
			out = append(out, fmt.Sprintf("%s %d", l.name, l.value.GetValue()))
		}
	}
	if t.GetRetryBudget() != nil {
		out = append(out, "retry_budget")
	}
	if t.GetTrackRemaining() {
		out = append(out, "track_remaining")
	}
	if len(out) == 0 {
		out = []string{"defaults"}
	}
	return strings.Join(out, ", ")
}
