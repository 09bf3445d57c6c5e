package matchtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Observed is what became of a request.
type Observed struct {
	Status   int // 0 when the connection was closed without an answer
	Location string
	Body     string
	// What the headers say that the virtual host and the route add. Of a local
	// reply without them it is what localReplies adds; "" when nothing says it.
	VirtualHost, Route string
	Details            string // response_code_details of a local reply, where it is said
	GRPCStatus         string

	FilterChain string // its name, where it says it

	// What the backend saw, when it was asked.
	Reached            bool
	Cluster            string
	Method, Path, Host string

	Err string // why there was no whole answer
}

// The headers by which a backend says what it saw, as quoted ASCII strings.
const (
	sawCluster = "x-saw-cluster"
	sawMethod  = "x-saw-method"
	sawPath    = "x-saw-path"
	sawHost    = "x-saw-host"
)

// Exchange sends a request over a connection and reads the answer. reuse says
// that the connection can take another request. Deadlines are the caller's.
func Exchange(w io.Writer, r *bufio.Reader, q Request) (o Observed, reuse bool) {
	if _, err := w.Write(q.Raw); err != nil {
		return Observed{Err: err.Error()}, false
	}
	for {
		o, reuse = answer(r, q.Ask.Method)
		if o.Status < 100 || o.Status > 199 || o.Status == 101 || o.Err != "" {
			return o, reuse
		}
	}
}

// answer reads one response to a request with that method.
func answer(r *bufio.Reader, method string) (o Observed, reuse bool) {
	line, headers, err := head(r)
	if err != nil {
		return Observed{Err: err.Error()}, false
	}
	_, rest, _ := strings.Cut(line, " ")
	status, _, _ := strings.Cut(rest, " ")
	if o.Status, err = strconv.Atoi(status); err != nil {
		return Observed{Err: fmt.Sprintf("status line %q", line)}, false
	}
	o.read(headers)
	reuse = strings.HasPrefix(line, "HTTP/1.1") && !equalFold(headers["connection"], "close")
	switch {
	case o.Status < 200 && o.Status != 101 || o.Status == 204 || o.Status == 304 || method == "HEAD":
		return o, reuse
	case o.Status == 101 || method == "CONNECT" && o.Status < 300:
		return o, false
	}
	body, framed, err := body(r, headers)
	o.Body = body
	if err != nil {
		o.Err = err.Error()
	}
	return o, reuse && framed && err == nil
}

func (o *Observed) read(h map[string]string) {
	o.Location, o.GRPCStatus = h["location"], h["grpc-status"]
	o.VirtualHost, o.Route = h[vhostHeader], h[routeHeader]
	if o.VirtualHost == "" {
		o.VirtualHost = said(h[localVhostHeader])
	}
	if o.Route == "" {
		o.Route = said(h[localRouteHeader])
	}
	o.Details, o.FilterChain = said(h[detailsHeader]), h[chainHeader]
	if cluster, ok := h[sawCluster]; ok {
		o.Reached, o.Cluster = true, cluster
		o.Method, o.Path, o.Host = unquoted(h[sawMethod]), unquoted(h[sawPath]), unquoted(h[sawHost])
	}
}

// said is what a format string gave; "-" is Envoy's word for nothing.
func said(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

func unquoted(s string) string {
	if u, err := strconv.Unquote(s); err == nil {
		return u
	}
	return s
}

// head reads a first line and headers, whose names it makes lower case. Of a
// repeated header the last value stays.
func head(r *bufio.Reader) (line string, headers map[string]string, err error) {
	if line, err = readLine(r); err != nil {
		return "", nil, err
	}
	headers = map[string]string{}
	for {
		h, err := readLine(r)
		if err != nil {
			return line, headers, err
		}
		if h == "" {
			return line, headers, nil
		}
		name, value, _ := strings.Cut(h, ":")
		headers[strings.ToLower(name)] = strings.TrimSpace(value)
	}
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// body reads a body; framed is false when it ended with the connection.
func body(r *bufio.Reader, headers map[string]string) (text string, framed bool, err error) {
	if strings.Contains(headers["transfer-encoding"], "chunked") {
		text, err = chunks(r)
		return text, true, err
	}
	if length, ok := headers["content-length"]; ok {
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 {
			return "", false, fmt.Errorf("content-length %q", length)
		}
		b := make([]byte, n)
		got, err := io.ReadFull(r, b)
		return string(b[:got]), true, err
	}
	b, err := io.ReadAll(r)
	return string(b), false, err
}

func chunks(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := readLine(r)
		if err != nil {
			return b.String(), err
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
		if err != nil {
			return b.String(), fmt.Errorf("chunk size %q", line)
		}
		if _, err := io.CopyN(&b, r, n); err != nil {
			return b.String(), err
		}
		if _, err := readLine(r); err != nil || n == 0 {
			return b.String(), err
		}
	}
}

// Serve answers the requests of one upstream connection until it ends: what it
// saw of each, in headers, and that it stands behind the cluster. A CONNECT and
// an upgrade are accepted, and then the connection has served.
func Serve(conn io.ReadWriter, cluster string) error {
	r := bufio.NewReader(conn)
	for {
		line, headers, err := head(r)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		method, rest, _ := strings.Cut(line, " ")
		target := rest[:max(0, strings.LastIndexByte(rest, ' '))]
		if headers["content-length"] != "" || headers["transfer-encoding"] != "" {
			if _, _, err := body(r, headers); err != nil {
				return err
			}
		}
		saw := fmt.Sprintf("%s: %s\r\n%s: %s\r\n%s: %s\r\n%s: %s\r\n", sawCluster, cluster, sawMethod, strconv.QuoteToASCII(method),
			sawPath, strconv.QuoteToASCII(target), sawHost, strconv.QuoteToASCII(headers["host"]))
		switch {
		case headers["upgrade"] != "":
			_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: %s\r\n%s\r\n", headers["upgrade"], saw)
			return err
		case method == "CONNECT":
			_, err = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s\r\n", saw)
			return err
		}
		if _, err = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n%s\r\n", saw); err != nil {
			return err
		}
	}
}
