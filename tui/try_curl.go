package tui

import (
	"net"
	"net/netip"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// copyCurl copies what is in the form as a command for a shell.
func (a *App) copyCurl() tea.Cmd {
	s := a.try
	req, wrong := s.form.request()
	if len(wrong) > 0 {
		a.shout("not copied: " + wrong[0])
		return nil
	}
	to := a.reachable(req)
	if to == "" {
		a.shout("not copied: it is not known where the request would be sent to")
		return nil
	}
	return a.copyText("the curl command", curl(req, to))
}

// reachable is the address that a request goes to: where it was sent to last,
// else that of the listener which takes it; "" when there is none.
func (a *App) reachable(req match.Request) string {
	s := a.try
	if t := s.shot; t != nil && t.tried.Address != "" && t.live.Listener == s.listener() {
		return t.tried.Address
	}
	l, ok := a.message(mesh.Key{Type: mesh.Listener, Name: s.listener()}).(*listenerv3.Listener)
	if !ok {
		return ""
	}
	at, err := netip.ParseAddrPort(mesh.Address(l.GetAddress()))
	if err != nil {
		return ""
	}
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.Port())
	}
	if req.Address.IsValid() {
		at = netip.AddrPortFrom(req.Address, at.Port())
	}
	return at.String()
}

// listener is the one that takes the request, as far as is known.
func (s *tryScreen) listener() string {
	if s.seen == nil {
		return ""
	}
	return s.seen.Listener
}

// curl is the command that sends a request to an address.
func curl(r match.Request, to string) string {
	words := []string{"curl", "-i", "--path-as-is"}
	if m := orGet(r.Method); m == "HEAD" {
		words = append(words, "-I")
	} else if m != "GET" {
		words = append(words, "-X", quote(m))
	}
	scheme, host := "http", to
	if r.TLS {
		scheme = "https"
		words = append(words, "-k")
		if r.SNI != "" { // the name in the URL is the one that TLS asks for
			_, port, _ := net.SplitHostPort(to)
			host = net.JoinHostPort(r.SNI, port)
			words = append(words, "--connect-to", quote(host+":"+to))
		}
	}
	switch {
	case r.HTTP2 && r.TLS:
		words = append(words, "--http2")
	case r.HTTP2:
		words = append(words, "--http2-prior-knowledge")
	case r.HTTP10:
		words = append(words, "--http1.0")
	}
	words = append(words, "-H", quote("Host: "+r.Host))
	for _, h := range r.Headers {
		if !strings.HasPrefix(h.Name, ":") {
			words = append(words, "-H", quote(h.Name+": "+h.Value))
		}
	}
	return strings.Join(append(words, quote(scheme+"://"+host+orRoot(r))), " ")
}

// quote is a word that a POSIX shell takes as it is.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
