package predict_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"example.com/meshtui/engine/nginx/predict"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

// TestSNIAsNginx holds that the Host chooses the server, not the name of the
// handshake, and the default server where there is no Host.
func TestSNIAsNginx(t *testing.T) {
	nginxtest.Need(t)
	port := nginxtest.FreePort(t)
	server := func(name, more string) string {
		return fmt.Sprintf("server { listen 127.0.0.1:%d ssl; server_name %s; ssl_certificate /a.crt; ssl_certificate_key /a.key; %s return 200 \"%s $scheme $ssl_server_name $host\"; }\n", port, name, more, name)
	}
	text := "events {}\nhttp {\n" + server("one.test", "") + server("two.test", "merge_slashes off;") + server("*.three.test", "error_page 497 /a; location = /a { return 200 plain; }") + "}\n"
	s := newServer(t, text)
	address := nginxtest.Start(t, text).Address
	for _, c := range []struct{ sni, host, target string }{
		{"one.test", "one.test", "/"}, {"one.test", "two.test", "//a"}, {"two.test", "one.test", "//a"}, {"two.test", "", "/"}, {"", "", "/"},
		{"unknown.test", "", "/"}, {"two.test", "unknown.test", "/"}, {"x.three.test", "", "/"}, {"x.three.test", "y.three.test:99", "/"}, {"TWO.test", "one.test", "/.."},
	} {
		r := predict.Request{TLS: true, SNI: c.sni, Host: c.host, Target: c.target, HTTP10: true}
		answer, status, body := s.Answer(r), 0, ""
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: nginxtest.Patience}, "tcp", address, &tls.Config{InsecureSkipVerify: true, ServerName: c.sni})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, raw(r)); err != nil {
			t.Fatal(err)
		}
		if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
			data, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			status, body = resp.StatusCode, string(data)
		}
		_ = conn.Close()
		if answer.Status != status || answer.Body != "" && answer.Body != body {
			t.Errorf("SNI %q, Host %q: nginx answers %d %q, predicted is %s", c.sni, c.host, status, body, told(answer))
		}
	}
	a := nginxtest.NewAsker(t, address)
	for _, host := range []string{"one.test", "x.three.test"} {
		r := predict.Request{Host: host}
		if answer, reply := s.Answer(r), a.Ask(raw(r)); answer.Status != reply.Status || answer.Body != "" && answer.Body != reply.Body {
			t.Errorf("plain HTTP for %s: nginx answers %d %q, predicted is %s", host, reply.Status, reply.Body, told(answer))
		}
	}
}
