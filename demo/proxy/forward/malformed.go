package forward

import (
	"net/http"
	"strings"

	"example.com/meshtui/demo/proxy/upstream"
)

// maxHeaders is how many headers an answer may have: Envoy's default.
const maxHeaders = 100

// malformed reports whether an Envoy would not take the answer, although
// net/http does: a status that is none, a body announced where there is none, a
// header that is no header, or too many of them.
func malformed(res *http.Response) bool {
	switch status := res.StatusCode; {
	case status < 200 && status != http.StatusSwitchingProtocols, status > 999:
		return true
	case status == http.StatusNoContent:
		if n := res.Header.Get("Content-Length"); n != "" && n != "0" {
			return true
		}
	}
	n := 0
	for name, values := range res.Header {
		n += len(values)
		if !isToken(name) {
			return true
		}
	}
	return n > maxHeaders
}

// isToken reports whether s may be the name of a header.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}

// protocolError is the failure of an upstream that did not speak HTTP.
func protocolError() *upstream.Failure {
	return &upstream.Failure{
		Status: http.StatusBadGateway, Flags: "UPE", Details: "upstream_reset_before_response_started{protocol_error}",
		Body: "upstream connect error or disconnect/reset before headers. reset reason: protocol error",
	}
}
