package importer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

const tlsParams = "common_tls_context.tls_params"

// params are the versions and ciphers of the context.
func (h *handshake) params() *tlsv3.TlsParameters {
	common := h.context.CommonTlsContext
	if common.TlsParams == nil {
		common.TlsParams = &tlsv3.TlsParameters{}
	}
	return common.TlsParams
}

var versions = []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}

// protocols reads the versions. nginx has settled them before it knows which
// server is asked for: those of the default server hold.
func (h *handshake) protocols(first *conf.Directive) {
	d, own := (&handshake{block: first, im: h.im}).of("ssl_protocols"), h.of("ssl_protocols")
	if own != nil && own != d {
		h.approx(own, tlsParams, "nginx has settled the version before it knows the name, so that the default server's ssl_protocols hold, and here too",
			"set tls_params of this filter chain if it shall have its own")
	}
	if d == nil {
		return
	}
	least, most := len(versions), -1
	for i, v := range versions {
		if d.Flag(v) {
			least, most = min(least, i), i
		}
	}
	if most < 0 {
		h.none(d, "Envoy has none of these versions", "take TLSv1.2 TLSv1.3")
		return
	}
	p := h.params()
	p.TlsMinimumProtocolVersion = tlsv3.TlsParameters_TlsProtocol(least + 1)
	p.TlsMaximumProtocolVersion = tlsv3.TlsParameters_TlsProtocol(most + 1)
	path := tlsParams + ".tls_minimum_protocol_version"
	switch {
	case slices.ContainsFunc(versions[least:most], func(v string) bool { return !d.Flag(v) }):
		h.approx(d, path, "Envoy takes every version between the least and the most", "")
	case d.Flag("SSLv2") || d.Flag("SSLv3"):
		h.approx(d, path, "Envoy has no SSL, only TLS", "")
	default:
		h.exact(d, path)
	}
}

// ciphers reads the suites, whose order wins, and the curves.
func (h *handshake) ciphers() {
	h.context.PreferClientCiphers = true
	if d := h.of("ssl_prefer_server_ciphers"); d != nil {
		h.context.PreferClientCiphers = d.Arg(0) != "on"
		h.exact(d, "prefer_client_ciphers")
	}
	least := h.context.CommonTlsContext.GetTlsParams().GetTlsMinimumProtocolVersion()
	old := least == tlsv3.TlsParameters_TLSv1_0 || least == tlsv3.TlsParameters_TLSv1_1
	if d := h.of("ssl_ciphers"); d != nil {
		h.cipherList(d)
	} else if old { // Envoy's own list has none that they know
		h.params().CipherSuites, _, _ = ciphers("HIGH")
	}
	d := h.of("ssl_ecdh_curve")
	if d == nil {
		return
	}
	known := map[string]string{"X25519": "X25519", "x25519": "X25519", "prime256v1": "P-256", "P-256": "P-256", "secp384r1": "P-384", "P-384": "P-384",
		"secp521r1": "P-521", "P-521": "P-521", "X25519MLKEM768": "X25519MLKEM768"}
	var curves, gone []string
	for name := range strings.SplitSeq(d.Arg(0), ":") {
		if c := known[name]; c == "" {
			gone = append(gone, name)
		} else if !slices.Contains(curves, c) {
			curves = append(curves, c)
		}
	}
	switch {
	case d.Arg(0) == "auto": // Envoy's own choice too
		h.exact(d, "")
	case len(curves) == 0:
		h.none(d, "Envoy has none of these curves, and takes its own", "")
	default:
		h.params().EcdhCurves = curves
		if len(gone) > 0 {
			h.approx(d, tlsParams+".ecdh_curves", "Envoy has no curve "+strings.Join(gone, ", "), "")
		} else {
			h.exact(d, tlsParams+".ecdh_curves")
		}
	}
}

func (h *handshake) cipherList(d *conf.Directive) {
	names, missing, groups := ciphers(d.Arg(0))
	path := tlsParams + ".cipher_suites"
	if len(names) == 0 {
		h.none(d, "Envoy's TLS library has none of these ciphers, and takes its own", "")
		return
	}
	h.params().CipherSuites = names
	lacks := fmt.Sprintf("Envoy's TLS library has no %s", strings.Join(missing, ", "))
	if len(missing) > 3 {
		lacks = fmt.Sprintf("Envoy's TLS library does not have %d of these, such as %s", len(missing), missing[0])
	}
	switch {
	case groups:
		h.approx(d, path, fmt.Sprintf("Envoy wants ciphers by name: those %d that it has of what this means are listed", len(names)), "")
	case len(missing) > 0:
		h.approx(d, path, lacks+"; the others keep their order", "")
	default:
		h.exact(d, path)
	}
}

const validation = "common_tls_context.validation_context"

// clients reads what clients must show.
func (h *handshake) clients() {
	verify := h.of("ssl_verify_client")
	if verify == nil || verify.Arg(0) == "off" {
		return
	}
	v := &tlsv3.CertificateValidationContext{}
	h.context.CommonTlsContext.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: v}
	h.authority(v)
	switch {
	case verify.Arg(0) == "optional_no_ca":
		v.TrustChainVerification = tlsv3.CertificateValidationContext_ACCEPT_UNTRUSTED
		h.approx(verify, validation+".trust_chain_verification", "Envoy takes any certificate too, but has no $ssl_client_verify to tell upstreams whether it was trusted", "set forward_client_cert_details and let the upstream judge")
	case v.TrustedCa == nil:
		h.context.RequireClientCertificate = wrapperspb.Bool(verify.Arg(0) == "on")
		h.none(verify, "it has no ssl_client_certificate that can be read: any certificate is taken", "name the authority")
	case verify.Arg(0) == "on":
		h.context.RequireClientCertificate = wrapperspb.Bool(true)
		h.exact(verify, "require_client_certificate")
	default:
		h.approx(verify, validation, "a client may come without a certificate in both; with a wrong one Envoy hangs up, nginx answers 400", "")
	}
	depth := 1 // nginx's own
	d := h.of("ssl_verify_depth")
	if d != nil {
		if n, err := strconv.Atoi(d.Arg(0)); err == nil && n >= 0 && n < 100 {
			depth = n
		}
		h.exact(d, validation+".max_verify_depth")
	}
	v.MaxVerifyDepth = wrapperspb.UInt32(uint32(depth + 1)) // Envoy counts the authority too
	if d := h.of("ssl_crl"); d != nil {
		if v.Crl, _ = h.im.data(d.Arg(0)); v.Crl == nil {
			h.none(d, "it names no file that Envoy could read", "")
			return
		}
		h.exact(d, validation+".crl")
	}
}

// authority reads whom clients' certificates must come from.
func (h *handshake) authority(v *tlsv3.CertificateValidationContext) {
	d, more := h.of("ssl_client_certificate"), h.of("ssl_trusted_certificate")
	if d == nil {
		d, more = more, nil
	}
	if d == nil {
		return
	}
	v.TrustedCa, _ = h.im.data(d.Arg(0))
	h.exact(d, validation+".trusted_ca")
	if more != nil {
		h.approx(more, validation+".trusted_ca", "Envoy takes one file of authorities, and ssl_client_certificate names it", "append this file to that one, where clients' certificates need it")
	}
}

// sessions reads how connections come back.
func (h *handshake) sessions() {
	if d := h.of("ssl_session_cache"); d != nil && (d.Arg(0) == "off" || d.Arg(0) == "none") {
		h.context.DisableStatefulSessionResumption = true
		h.exact(d, "disable_stateful_session_resumption")
	}
	if d := h.of("ssl_session_timeout"); d != nil {
		if h.context.SessionTimeout = seconds(d.Arg(0)); h.context.SessionTimeout.GetSeconds() >= 1<<32 {
			h.context.SessionTimeout = nil
		}
		h.exact(d, "session_timeout")
	}
	keys := h.all("ssl_session_ticket_key")
	if d := h.of("ssl_session_tickets"); d != nil && d.Arg(0) == "off" {
		h.context.SessionTicketKeysType = &tlsv3.DownstreamTlsContext_DisableStatelessSessionResumption{DisableStatelessSessionResumption: true}
		h.exact(d, "disable_stateless_session_resumption")
		return
	}
	var k tlsv3.TlsSessionTicketKeys
	for _, d := range keys {
		if file, _ := h.im.data(d.Arg(0)); file != nil {
			h.approx(d, index("session_ticket_keys.keys", len(k.Keys)), "Envoy wants 80 bytes in the file; nginx takes 48 too", "make a new one if it is shorter: openssl rand 80")
			k.Keys = append(k.Keys, file)
		}
	}
	if len(k.Keys) > 0 {
		h.context.SessionTicketKeysType = &tlsv3.DownstreamTlsContext_SessionTicketKeys{SessionTicketKeys: &k}
	}
}

// staples reads OCSP stapling.
func (h *handshake) staples() {
	d, file := h.of("ssl_stapling"), h.of("ssl_stapling_file")
	if d == nil || d.Arg(0) != "on" {
		return
	}
	certs := h.context.CommonTlsContext.TlsCertificates
	if file == nil || len(certs) == 0 {
		h.none(d, "Envoy fetches no OCSP answers by itself", "fetch them by a job and name the file in ocsp_staple, or do without: browsers and authorities are giving OCSP up")
		return
	}
	certs[0].OcspStaple, _ = h.im.data(file.Arg(0))
	h.exact(d, "common_tls_context.tls_certificates[0].ocsp_staple")
	h.exact(file, "common_tls_context.tls_certificates[0].ocsp_staple")
}

// lost reports what TLS of Envoy's does not have.
func (h *handshake) lost() {
	for _, l := range [...][3]string{
		{"ssl_dhparam", "Envoy's TLS library has no finite-field Diffie-Hellman; clients that can do no more than that cannot connect", "leave it out: every client of the last ten years has ECDHE"},
		{"ssl_conf_command", "Envoy has no OpenSSL commands", ""},
		{"ssl_early_data", "Envoy takes no early data over TCP; clients send it again after the handshake", ""},
		{"ssl_ocsp", "Envoy asks no OCSP responder about clients' certificates", "use ssl_crl, that is validation_context.crl"},
		{"ssl_buffer_size", "Envoy sizes its TLS records itself", ""},
		{"ssl_key_log", "it is not carried over: it is for debugging", "set key_log in common_tls_context while you need it"},
	} {
		for _, d := range h.all(l[0]) {
			if off := d.Arg(0) == "off"; off {
				h.exact(d, "")
				continue
			}
			h.none(d, l[1], l[2])
		}
	}
}

// idle accounts for what a block says of TLS where nothing comes of it, in nginx
// neither: at an address in plain text, or because a server says it anew. What
// is not known here is left to be reported.
func (im *importer) idle(block *conf.Directive) {
	for _, d := range block.Block {
		switch d.Name {
		case "ssl", "http2", "ssl_certificate", "ssl_certificate_key", "ssl_password_file", "ssl_protocols", "ssl_ciphers", "ssl_prefer_server_ciphers",
			"ssl_ecdh_curve", "ssl_verify_client", "ssl_client_certificate", "ssl_trusted_certificate", "ssl_verify_depth", "ssl_crl", "ssl_session_cache",
			"ssl_session_timeout", "ssl_session_tickets", "ssl_session_ticket_key", "ssl_stapling", "ssl_stapling_file", "ssl_stapling_responder",
			"ssl_stapling_verify", "ssl_dhparam", "ssl_conf_command", "ssl_early_data", "ssl_ocsp", "ssl_ocsp_cache", "ssl_ocsp_responder", "ssl_buffer_size",
			"ssl_key_log", "ssl_reject_handshake", "ssl_handshake_timeout", "ssl_certificate_cache", "ssl_object_cache_inheritable":
			im.moot(d)
		}
	}
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
