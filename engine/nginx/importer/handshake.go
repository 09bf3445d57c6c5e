package importer

import (
	"path/filepath"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// handshake is how servers of one address speak TLS.
type handshake struct {
	context *tlsv3.DownstreamTlsContext // nil where the handshake is refused
	names   []string                    // of the handshake, that its chain takes
	notes   []note
	block   *conf.Directive // the server that it was read from
	servers []*server
	im      *importer
}

// note is what is to be said of a directive once it is settled where it leads.
type note struct {
	d               *conf.Directive
	kind            nginx.Kind
	path            string // within the context
	reason, instead string
}

func (h *handshake) exact(d *conf.Directive, path string) {
	h.notes = append(h.notes, note{d: d, kind: nginx.Exact, path: path})
}

func (h *handshake) approx(d *conf.Directive, path, reason, instead string) {
	h.notes = append(h.notes, note{d, nginx.Approximate, path, reason, instead})
}

func (h *handshake) none(d *conf.Directive, reason, instead string) {
	h.notes = append(h.notes, note{d, nginx.None, "", reason, instead})
}

// all are the directives of that name that hold.
func (h *handshake) all(name string) []*conf.Directive {
	return h.im.inherited(h.block, name)
}

// of is the directive of that name that holds, nil where there is none.
func (h *handshake) of(name string) *conf.Directive {
	if ds := h.all(name); len(ds) > 0 {
		return ds[0]
	}
	return nil
}

// asks is a name in the handshake and who answers to it.
type asks struct {
	name string
	by   *handshake
}

// handshakes are the ways in which the servers of a site shake hands, that of the
// default server first, and the names that they answer to in the order of the
// file.
func (im *importer) handshakes(s *site) (groups []*handshake, asked []asks) {
	of := map[*server]*handshake{}
	same := map[string]*handshake{}
	http2 := s.flagged("http2")
	put := func(v *server) {
		h := im.handshake(s, v, http2)
		v.own = h.context
		key := "refused"
		if h.context != nil {
			raw, _ := proto.MarshalOptions{Deterministic: true}.Marshal(h.context)
			key = "TLS " + string(raw)
		}
		if bare := h.context != nil && len(h.context.GetCommonTlsContext().GetTlsCertificates()) == 0; bare {
			if v != s.first { // nginx shows the default server's certificate then
				groups[0].servers, of[v] = append(groups[0].servers, v), groups[0]
				return
			}
			h.context, key = nil, "refused"
			if v.listen != nil {
				h.none(v.listen, "its server has no ssl_certificate that can be read, so that every handshake is refused", "name a certificate and its key")
			}
		}
		if was := same[key]; was != nil {
			was.notes = append(was.notes, h.notes...)
			h = was
		} else {
			same[key] = h
			groups = append(groups, h)
		}
		h.servers, of[v] = append(h.servers, v), h
	}
	put(s.first)
	for _, v := range s.servers {
		if v != s.first {
			put(v)
		}
	}
	for _, v := range s.servers {
		for _, name := range v.names {
			im.askedBy(v, name, of[v], groups[0], func(sni string) { asked = append(asked, asks{sni, of[v]}) })
		}
	}
	return groups, asked
}

// askedBy says by which names in the handshake a server's name is asked for.
func (im *importer) askedBy(v *server, name string, h, first *handshake, yield func(string)) {
	plain := strings.TrimPrefix(strings.TrimPrefix(name, "*"), ".")
	switch {
	case strings.HasPrefix(name, "~") || strings.HasSuffix(name, ".*"):
		if h == first {
			return
		}
		for _, d := range v.d.Children("server_name") {
			if slices.ContainsFunc(d.Args, func(a string) bool { return strings.EqualFold(a, name) }) {
				h.approx(d, "", "Envoy chooses the certificate by names and *.names alone, so that clients which ask for a name of "+name+" get the default server's", "list the names that it stands for")
			}
		}
	case !hostName(plain):
	case name[0] == '.':
		yield(plain)
		yield("*." + plain)
	default:
		yield(name)
	}
}

// hostName reports whether clients may ask for a name in the handshake: no IP
// address, and none of nginx's names that no host has.
func hostName(name string) bool {
	if name == "" || name == "_" || len(name) > 253 || strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	}) {
		return false
	}
	return strings.ContainsFunc(name, func(r rune) bool { return r >= 'a' && r <= 'z' }) && !slices.Contains(strings.Split(name, "."), "")
}

// handshake reads how one server speaks TLS. A context without a certificate is
// one whose server has none.
func (im *importer) handshake(s *site, v *server, http2 *conf.Directive) *handshake {
	h := &handshake{block: v.d, im: im, context: &tlsv3.DownstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{}}}
	if v.listen != nil && v.listen.Flag("ssl") {
		h.exact(v.listen, "")
	} else if d := h.of("ssl"); d != nil {
		h.exact(d, "")
	}
	if d := h.of("ssl_reject_handshake"); d != nil && d.Arg(0) == "on" {
		h.exact(d, "")
		h.context = nil
		return h
	}
	h.certificates()
	h.protocols(s.first.d)
	h.ciphers()
	h.clients()
	h.sessions()
	h.staples()
	h.alpn(http2)
	h.lost()
	return h
}

// certificates reads the pairs of certificate and key.
func (h *handshake) certificates() {
	certs, keys := h.all("ssl_certificate"), h.all("ssl_certificate_key")
	common := h.context.CommonTlsContext
	for i, d := range certs {
		if i >= len(keys) {
			h.none(d, "it has no ssl_certificate_key", "name its key")
			continue
		}
		key := keys[i]
		chain, why := h.im.data(d.Arg(0))
		private, whyKey := h.im.data(key.Arg(0))
		if chain == nil || private == nil {
			h.none(d, why+whyKey, "name files, or let the certificate come by SDS")
			h.exact(key, "")
			continue
		}
		path := index("common_tls_context.tls_certificates", len(common.TlsCertificates))
		common.TlsCertificates = append(common.TlsCertificates, &tlsv3.TlsCertificate{CertificateChain: chain, PrivateKey: private})
		h.exact(d, path+".certificate_chain")
		h.exact(key, path+".private_key")
	}
	if d := h.of("ssl_password_file"); d != nil && len(common.TlsCertificates) > 0 {
		for _, c := range common.TlsCertificates {
			c.Password, _ = h.im.data(d.Arg(0))
		}
		h.approx(d, "common_tls_context.tls_certificates[0].password", "nginx tries each line of the file, Envoy takes all of it as one password",
			"give the file one password and no newline")
	}
}

// data is a file as nginx finds it: from the folder of the nginx.conf on. It is
// nil, with the reason, for what is in no file that could be named.
func (im *importer) data(name string) (data *corev3.DataSource, why string) {
	switch {
	case name == "":
		return nil, "it names no file"
	case strings.Contains(name, "$"):
		return nil, "Envoy chooses no file by a variable"
	case strings.HasPrefix(name, "engine:") || strings.HasPrefix(name, "store:"):
		return nil, "Envoy has no OpenSSL engines"
	case strings.HasPrefix(name, "data:"):
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: strings.TrimPrefix(name, "data:")}}, ""
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(im.conf.Path), name)
	}
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: name}}, ""
}

// alpn offers the protocols as nginx does.
func (h *handshake) alpn(listen *conf.Directive) {
	common, path := h.context.CommonTlsContext, "common_tls_context.alpn_protocols"
	common.AlpnProtocols = []string{"http/1.1"}
	on := h.of("http2")
	if on != nil {
		h.exact(on, path)
	}
	if listen != nil {
		h.exact(listen, path)
	}
	if listen != nil || on != nil && on.Arg(0) == "on" {
		common.AlpnProtocols = []string{"h2", "http/1.1"}
	}
}
