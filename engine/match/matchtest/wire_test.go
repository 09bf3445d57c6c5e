package matchtest

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"example.com/meshtui/engine/match"
)

// What a backend says that it saw is what was sent, one request after the other
// on one connection.
func TestServeSaysWhatItSaw(t *testing.T) {
	client, server := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- Serve(server, "c3") }()
	r := bufio.NewReader(client)
	for _, ask := range []match.Request{
		{Method: "GET", Path: "/a b?x", Host: "h:1"}, {Method: "HEAD", Path: "/\xff", Host: "é"}, {Method: "CONNECT", Path: "h:443", Host: "h:443"},
	} {
		o, reuse := Exchange(client, r, Request{Raw: Raw(&ask), Ask: ask})
		if o.Err != "" || !o.Reached || o.Cluster != "c3" || o.Method != ask.Method || o.Path != ask.Path || o.Host != ask.Host {
			t.Errorf("%q was seen as %+v", Raw(&ask), o)
		}
		if reuse == (ask.Method == "CONNECT") {
			t.Errorf("%s: reuse is %v", ask.Method, reuse)
		}
	}
	client.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Answers are read however they are framed.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name, raw, method string
		status            int
		body              string
		reuse, wrong      bool
	}{
		{"length", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokrest", "GET", 200, "ok", true, false},
		{"chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n1;x\r\n!\r\n0\r\n\r\n", "GET", 200, "ok!", true, false},
		{"until the end", "HTTP/1.1 404 Not Found\r\n\r\nall of it", "GET", 404, "all of it", false, false},
		{"close", "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "GET", 400, "", false, false},
		{"no body to HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", "HEAD", 200, "", true, false},
		{"no body by status", "HTTP/1.1 204 No Content\r\n\r\n", "GET", 204, "", true, false},
		{"continue first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "POST", 200, "", true, false},
		{"switched", "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n", "GET", 101, "", false, false},
		{"cut short", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab", "GET", 200, "ab", false, true},
		{"no length", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", "GET", 200, "", false, true},
		{"nothing", "", "GET", 0, "", false, true},
		{"nonsense", "what\r\n\r\n", "GET", 0, "", false, true},
	} {
		var sent strings.Builder
		o, reuse := Exchange(&sent, bufio.NewReader(strings.NewReader(c.raw)), Request{Raw: []byte("raw"), Ask: match.Request{Method: c.method}})
		if o.Status != c.status || o.Body != c.body || reuse != c.reuse || (o.Err != "") != c.wrong || sent.String() != "raw" {
			t.Errorf("%s: %+v, reuse %v", c.name, o, reuse)
		}
	}
}
