package format

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Values is what the operators ask about one request.
type Values struct {
	// Request and Response give a header's values, joined as Envoy joins them;
	// ":method", ":path", ":authority" and ":scheme" are headers too. Either may
	// be nil: nothing is known then.
	Request, Response func(name string) (value string, ok bool)

	Start    time.Time
	Now      func() time.Time // nil is time.Now
	Protocol string           // "HTTP/1.1"
	Hostname string           // of this machine
	// Remote is the client as trusted headers tell it, Direct the peer of the
	// connection, Local this end of it.
	Remote, Direct, Local netip.AddrPort
	SNI                   string
	RouteName             string
	Cluster               string
	UpstreamHost          string // "127.0.0.1:9001"; "" before one was chosen
	Attempts              int
	Status                int // 0 before there is an answer
	Flags, Details        string
}

// plain are the operators without an argument.
var plain = map[string]func(*Values) string{
	"PROTOCOL":              func(v *Values) string { return v.Protocol },
	"HOSTNAME":              func(v *Values) string { return v.Hostname },
	"ROUTE_NAME":            func(v *Values) string { return v.RouteName },
	"UPSTREAM_CLUSTER":      func(v *Values) string { return v.Cluster },
	"UPSTREAM_CLUSTER_RAW":  func(v *Values) string { return v.Cluster },
	"REQUESTED_SERVER_NAME": func(v *Values) string { return v.SNI },
	"RESPONSE_CODE":         func(v *Values) string { return strconv.Itoa(v.Status) },
	"RESPONSE_CODE_DETAILS": func(v *Values) string { return v.Details },
	"RESPONSE_FLAGS":        flags,
	"DURATION":              duration,

	"UPSTREAM_REQUEST_ATTEMPT_COUNT": func(v *Values) string { return strconv.Itoa(v.Attempts) },

	"UPSTREAM_HOST":                        func(v *Values) string { return v.UpstreamHost },
	"UPSTREAM_REMOTE_ADDRESS":              func(v *Values) string { return v.UpstreamHost },
	"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": func(v *Values) string { return parsed(v.UpstreamHost, host) },
	"UPSTREAM_REMOTE_PORT":                 func(v *Values) string { return parsed(v.UpstreamHost, port) },

	"DOWNSTREAM_REMOTE_ADDRESS":                     func(v *Values) string { return whole(v.Remote) },
	"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT":        func(v *Values) string { return host(v.Remote) },
	"DOWNSTREAM_REMOTE_PORT":                        func(v *Values) string { return port(v.Remote) },
	"DOWNSTREAM_DIRECT_REMOTE_ADDRESS":              func(v *Values) string { return whole(v.Direct) },
	"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": func(v *Values) string { return host(v.Direct) },
	"DOWNSTREAM_DIRECT_REMOTE_PORT":                 func(v *Values) string { return port(v.Direct) },
	"DOWNSTREAM_LOCAL_ADDRESS":                      func(v *Values) string { return whole(v.Local) },
	"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT":         func(v *Values) string { return host(v.Local) },
	"DOWNSTREAM_LOCAL_PORT":                         func(v *Values) string { return port(v.Local) },
}

// UnknownError is why a format cannot be read that an Envoy may well read.
type UnknownError struct {
	Operator string // "%CEL%", or the part of a time that is not known
}

// Error names the operator.
func (e *UnknownError) Error() string { return "the operator " + e.Operator + " is not known here" }

// valueOf is what an operator gives.
func valueOf(name, argument string) (func(*Values) string, error) {
	switch name {
	case "REQ", "REQUEST_HEADER":
		return header(name, argument, func(v *Values) func(string) (string, bool) { return v.Request })
	case "RESP", "RESPONSE_HEADER":
		return header(name, argument, func(v *Values) func(string) (string, bool) { return v.Response })
	case "START_TIME":
		layout, err := clock(argument)
		if err != nil {
			return nil, err
		}
		return func(v *Values) string { return layout(v.Start) }, nil
	}
	value, ok := plain[name]
	switch {
	case !ok:
		return nil, &UnknownError{Operator: "%" + name + "%"}
	case argument != "":
		return nil, fmt.Errorf("the operator %%%s%% takes no argument", name)
	}
	return value, nil
}

// header is %REQ(first?second)%: the first header, or the second where the first
// is missing.
func header(name, argument string, of func(*Values) func(string) (string, bool)) (func(*Values) string, error) {
	first, second, alternative := strings.Cut(argument, "?")
	if first == "" || (alternative && second == "") || strings.Contains(second, "?") {
		return nil, fmt.Errorf("%%%s(%s)%% needs the name of a header, and may have one more after a ?", name, argument)
	}
	return func(v *Values) string {
		get := of(v)
		if get == nil {
			return ""
		}
		if s, ok := get(strings.ToLower(first)); ok {
			return s
		}
		if !alternative {
			return ""
		}
		s, _ := get(strings.ToLower(second))
		return s
	}, nil
}

// flags is "-" without any, as in a log line: a header never lacks it.
func flags(v *Values) string {
	if v.Flags == "" {
		return "-"
	}
	return v.Flags
}

// duration is in whole milliseconds.
func duration(v *Values) string {
	now := time.Now
	if v.Now != nil {
		now = v.Now
	}
	return strconv.FormatInt(now().Sub(v.Start).Milliseconds(), 10)
}

func whole(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func host(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.Addr().String()
}

func port(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return strconv.Itoa(int(a.Port()))
}

func parsed(address string, part func(netip.AddrPort) string) string {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return ""
	}
	return part(a)
}
