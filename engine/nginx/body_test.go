package nginx

import (
	"strings"
	"testing"
)

// TestAnswersWithVariables holds that an answer's text keeps its variables, and is
// never said to be the same where it does not.
func TestAnswersWithVariables(t *testing.T) {
	for _, c := range []struct {
		format, line string
		kind         Kind
	}{
		{`{text_format_source: {inline_string: "you are %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\n"}, omit_empty_values: true}`, `return 200 "you are $remote_addr\n";`, Exact},
		{`{text_format_source: {inline_string: "%REQ(x-a)%"}}`, `return 200 $http_x_a;`, Approximate},
		{`{text_format_source: {inline_string: "%UPSTREAM_HOST%"}, omit_empty_values: true}`, `return 200;`, Approximate},
		{`{json_format: {a: b}}`, `return 200;`, Approximate},
	} {
		m := parseMesh(t, [2]string{"listener", "name: web\naddress: {socket_address: {address: 127.0.0.1, port_value: 10000}}\nfilter_chains:\n- filters:\n  - name: http\n    typed_config:" + strings.ReplaceAll(managerYAML, "\n    ", "\n      ")},
			[2]string{"route", "name: r\nvirtual_hosts: [{name: a, domains: ['*'], routes: [{match: {prefix: /}, direct_response: {status: 200, body_format: " + c.format + "}}]}]\n"})
		found := false
		for _, l := range Project(m).Lines {
			if text := strings.TrimSpace(l.Text); strings.HasPrefix(text, "return ") {
				found = true
				if text != c.line || l.Kind != c.kind {
					t.Errorf("%s: %q of kind %d, want %q of kind %d", c.format, text, l.Kind, c.line, c.kind)
				}
			}
		}
		if !found {
			t.Errorf("%s: no return", c.format)
		}
	}
}
