package match

import (
	"net/netip"
	"strconv"
	"strings"
)

// takeApart splits a URL, or the host and port of a CONNECT, as the URL parser
// of Envoy's HTTP/1 codec does, which takes less than others: no underscore in
// a host, no empty port. What follows the host is the path, with its query.
func takeApart(target string, connect bool) (scheme, host, path string, ok bool) {
	rest := target
	if !connect {
		if scheme, rest, ok = strings.Cut(target, "://"); !ok {
			return "", "", "", false
		}
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, path = rest[:end], rest[end:]
	if user, after, found := strings.Cut(host, "@"); found {
		if connect || !all(user, userByte) {
			return "", "", "", false
		}
		host = after
	}
	if strings.HasPrefix(path, "#") || !validAuthority(host, connect) || connect && path != "" {
		return "", "", "", false
	}
	if path == "" && !connect {
		path = "/"
	}
	return scheme, host, path, true
}

// validAuthority is a host and, after a colon, a port, which a CONNECT must have.
func validAuthority(authority string, connect bool) bool {
	port, hasPort := "", false
	if strings.HasPrefix(authority, "[") {
		end := strings.IndexByte(authority, ']')
		if end < 0 {
			return false
		}
		ip, err := netip.ParseAddr(authority[1:end])
		if err != nil || !ip.Is6() {
			return false
		}
		after := authority[end+1:]
		if port, hasPort = strings.CutPrefix(after, ":"); !hasPort && after != "" {
			return false
		}
	} else {
		var host string
		host, port, hasPort = strings.Cut(authority, ":")
		if host == "" || !all(host, domainByte) {
			return false
		}
	}
	if !hasPort {
		return !connect
	}
	if port == "" || !all(port, digit) {
		return false
	}
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func domainByte(c byte) bool { return alphanumeric(c) || c == '.' || c == '-' }

func userByte(c byte) bool {
	return alphanumeric(c) || strings.IndexByte("-_.!~*'()%;:&=+$,", c) >= 0
}
