package importer

import (
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// piece is a part of an nginx text: a variable, or what stands between two.
type piece struct {
	text     string
	variable string // without its dollar sign, "" for text
}

// pieces takes a text with variables apart: $name and ${name}.
func pieces(s string) []piece {
	var out []piece
	for s != "" {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			return append(out, piece{text: s})
		}
		name, rest := variableAt(s[i+1:])
		if name == "" {
			i++ // a dollar sign of its own
			out = append(out, piece{text: s[:i]})
			s = s[i:]
			continue
		}
		if i > 0 {
			out = append(out, piece{text: s[:i]})
		}
		out, s = append(out, piece{variable: name}), rest
	}
	return out
}

func variableAt(s string) (name, rest string) {
	if inner, ok := strings.CutPrefix(s, "{"); ok {
		rest = strings.TrimLeft(inner, letters)
		after, closed := strings.CutPrefix(rest, "}")
		if !closed {
			return "", s
		}
		return inner[:len(inner)-len(rest)], after
	}
	rest = strings.TrimLeft(s, letters)
	return s[:len(s)-len(rest)], rest
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// single is the variable that a text consists of, "" where it is more or none.
func single(s string) string {
	if ps := pieces(s); len(ps) == 1 {
		return ps[0].variable
	}
	return ""
}

// operator is what Envoy writes for a variable, and where the two part.
type operator struct {
	text string
	note string
}

// absentText is what a log has for a value that is not there.
const absentText = "-"

// operators are nginx's variables and the command operators of Envoy's that say
// the same, in a header or in an access log.
var operators = map[string]operator{
	"remote_addr":            {text: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"},
	"remote_port":            {text: "%DOWNSTREAM_REMOTE_PORT%"},
	"realip_remote_addr":     {text: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"},
	"realip_remote_port":     {text: "%DOWNSTREAM_DIRECT_REMOTE_PORT%"},
	"proxy_protocol_addr":    {text: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"},
	"proxy_protocol_port":    {text: "%DOWNSTREAM_REMOTE_PORT%"},
	"server_addr":            {text: "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%"},
	"server_port":            {text: "%DOWNSTREAM_LOCAL_PORT%"},
	"host":                   {text: "%REQ(:AUTHORITY)%", note: "$host is lower case and has no port; Envoy gives the Host as it was sent, and in answers and logs as it goes upstream"},
	"http_host":              {text: "%REQ(:AUTHORITY)%", note: "in answers and logs Envoy gives the Host as it goes upstream"},
	"scheme":                 {text: "%REQ(:SCHEME)%"},
	"request_method":         {text: "%REQ(:METHOD)%"},
	"request_uri":            {text: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", note: "Envoy gives the path as it has normalised it, and in answers and logs as it goes upstream"},
	"uri":                    {text: "%PATH(NQ:PATH)%", note: "$uri is decoded; Envoy gives the path as it has normalised it, and in answers and logs as it goes upstream"},
	"document_uri":           {text: "%PATH(NQ:PATH)%", note: "$document_uri is decoded; Envoy gives the path as it has normalised it, and in answers and logs as it goes upstream"},
	"request":                {text: "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%"},
	"remote_user":            {text: absentText}, // nobody has a name without auth_basic
	"request_id":             {text: "%REQ(X-REQUEST-ID)%", note: "Envoy's request id is a UUID, and goes upstream as x-request-id too"},
	"server_protocol":        {text: "%PROTOCOL%"},
	"content_type":           {text: "%REQ(CONTENT-TYPE)%"},
	"content_length":         {text: "%REQ(CONTENT-LENGTH)%"},
	"hostname":               {text: "%HOSTNAME%"},
	"status":                 {text: "%RESPONSE_CODE%"},
	"body_bytes_sent":        {text: "%BYTES_SENT%"},
	"bytes_sent":             {text: "%DOWNSTREAM_WIRE_BYTES_SENT%"},
	"request_length":         {text: "%DOWNSTREAM_WIRE_BYTES_RECEIVED%"},
	"bytes_received":         {text: "%BYTES_RECEIVED%"},
	"protocol":               {text: "%PROTOCOL%"},
	"session_time":           {text: "%DURATION%", note: "Envoy writes milliseconds, nginx seconds"},
	"connection":             {text: "%CONNECTION_ID%"},
	"pipe":                   {text: "."},
	"msec":                   {text: "%EMIT_TIME(%s.%3f)%"},
	"time_local":             {text: "%EMIT_TIME_LOCAL(%d/%b/%Y:%H:%M:%S %z)%"},
	"time_iso8601":           {text: "%EMIT_TIME_LOCAL(%Y-%m-%dT%H:%M:%S%Ez)%"},
	"request_time":           {text: "%DURATION%", note: "Envoy writes milliseconds, nginx seconds"},
	"upstream_response_time": {text: "%COMMON_DURATION(US_TX_BEG:US_RX_END:ms)%", note: "Envoy writes milliseconds, nginx seconds"},
	"upstream_header_time":   {text: "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:ms)%", note: "Envoy writes milliseconds, nginx seconds"},
	"upstream_connect_time":  {text: "%COMMON_DURATION(US_CX_BEG:US_CX_END:ms)%", note: "Envoy writes milliseconds, nginx seconds"},
	"upstream_addr":          {text: "%UPSTREAM_HOST%", note: "Envoy names the last server alone, nginx all that were tried"},
	"upstream_status":        {text: "%RESPONSE_CODE%", note: "Envoy knows the status of its own answer, %RESPONSE_FLAGS% says what went wrong before"},
	"upstream_bytes_sent":    {text: "%UPSTREAM_WIRE_BYTES_SENT%"},
	"upstream_bytes_received": {
		text: "%UPSTREAM_WIRE_BYTES_RECEIVED%"},
	"upstream_response_length": {
		text: "%UPSTREAM_WIRE_BYTES_RECEIVED%", note: "Envoy counts the head of the answer too"},
	"ssl_protocol":            {text: "%DOWNSTREAM_TLS_VERSION%"},
	"ssl_cipher":              {text: "%DOWNSTREAM_TLS_CIPHER%"},
	"ssl_session_id":          {text: "%DOWNSTREAM_TLS_SESSION_ID%"},
	"ssl_server_name":         {text: "%REQUESTED_SERVER_NAME%"},
	"ssl_preread_server_name": {text: "%REQUESTED_SERVER_NAME%"},
	"ssl_client_s_dn":         {text: "%DOWNSTREAM_PEER_SUBJECT%"},
	"ssl_client_i_dn":         {text: "%DOWNSTREAM_PEER_ISSUER%"},
	"ssl_client_serial":       {text: "%DOWNSTREAM_PEER_SERIAL%"},
	"ssl_client_fingerprint":  {text: "%DOWNSTREAM_PEER_FINGERPRINT_1%"},
	"ssl_client_escaped_cert": {text: "%DOWNSTREAM_PEER_CERT%"},
	"ssl_client_v_start":      {text: "%DOWNSTREAM_PEER_CERT_V_START%", note: "Envoy writes the time in another form"},
	"ssl_client_v_end":        {text: "%DOWNSTREAM_PEER_CERT_V_END%", note: "Envoy writes the time in another form"},
}

// formatted is a text of nginx's in Envoy's format.
type formatted struct {
	text    string
	notes   []string // where the two part
	missing []string // variables that Envoy has nothing for
	empty   bool     // there are requests for which it is empty
}

// present are variables that are never empty.
var present = map[string]bool{"remote_addr": true, "remote_port": true, "realip_remote_addr": true, "realip_remote_port": true,
	"server_addr": true, "server_port": true, "host": true, "http_host": true, "scheme": true, "request_method": true,
	"request_uri": true, "uri": true, "document_uri": true, "request": true, "server_protocol": true, "hostname": true,
	"connection": true, "msec": true, "time_local": true, "time_iso8601": true}

// format turns a text with variables into one with command operators. For a
// missing variable it writes absent, "-" in a log.
func (im *importer) format(block *conf.Directive, s, absent string) formatted {
	f := formatted{empty: true}
	var b strings.Builder
	for _, p := range pieces(s) {
		if p.variable == "" {
			b.WriteString(strings.ReplaceAll(p.text, "%", "%%"))
			f.empty = false
			continue
		}
		o, ok := im.operator(block, p.variable)
		if present[p.variable] || ok && o.text != "" && !strings.Contains(o.text, "%") {
			f.empty = false
		}
		if !ok || o.text == absentText && absent != absentText {
			f.missing = append(f.missing, "$"+p.variable)
			b.WriteString(absent)
			continue
		}
		if o.note != "" {
			f.notes = append(f.notes, o.note)
		}
		b.WriteString(o.text)
	}
	f.text = b.String()
	return f
}

// operator is what stands for a variable where block is.
func (im *importer) operator(block *conf.Directive, variable string) (operator, bool) {
	if o, ok := operators[variable]; ok {
		return o, true
	}
	for _, family := range []struct{ prefix, before string }{
		{"http_", "%REQ("}, {"sent_http_", "%RESP("}, {"upstream_http_", "%RESP("}, {"sent_trailer_", "%TRAILER("},
	} {
		if name, ok := strings.CutPrefix(variable, family.prefix); ok && name != "" {
			return operator{text: family.before + strings.ToUpper(strings.ReplaceAll(name, "_", "-")) + ")%"}, true
		}
	}
	if name, ok := strings.CutPrefix(variable, "arg_"); ok && name != "" {
		return operator{text: "%QUERY_PARAM(" + name + ")%"}, true
	}
	if variable == "server_name" {
		if s := enclosing(block, "server"); s != nil {
			for _, names := range im.children(s)["server_name"] {
				return operator{text: strings.ReplaceAll(strings.TrimPrefix(names.Arg(0), "."), "%", "%%")}, true
			}
			return operator{}, true
		}
	}
	for _, d := range im.inherited(block, "auth_request_set") {
		if name, ok := strings.CutPrefix(single(d.Arg(1)), "upstream_http_"); ok && strings.TrimPrefix(d.Arg(0), "$") == variable {
			o := operator{text: "%REQ(" + strings.ToUpper(strings.ReplaceAll(name, "_", "-")) + ")%"}
			if asksWith(strings.ReplaceAll(name, "_", "-")) {
				o.note = "the header comes from the service that auth_request asks; where it sends none, Envoy takes the client's own of that name"
			}
			return o, true
		}
	}
	if value, d, ok := im.constant(block, variable); ok {
		im.claimed[d] = true
		return operator{text: strings.ReplaceAll(value, "%", "%%")}, true
	}
	return operator{}, false
}

// constant is the value that a `set` gives a variable where block is, when it is
// a plain text; ok is false where there is none, or several.
func (im *importer) constant(block *conf.Directive, variable string) (value string, d *conf.Directive, ok bool) {
	located := false
	for b := block; b != nil; b = b.Parent {
		if b.Name == "location" && located {
			continue // nginx runs what the innermost location says, and its server
		}
		located = located || b.Name == "location"
		if im.changes(b, variable) {
			return "", nil, false
		}
		for _, s := range im.children(b)["set"] {
			switch {
			case strings.TrimPrefix(s.Arg(0), "$") != variable:
				continue
			case d != nil && d.Parent != b:
				continue // set anew further in
			case d != nil || len(s.Args) < 2 || strings.Contains(s.Arg(1), "$") || passedBy(b, s):
				return "", nil, false
			}
			value, d = s.Arg(1), s
		}
	}
	return value, d, d != nil
}

// passedBy reports whether a directive of the rewrite module may end before this one
// comes.
func passedBy(block, at *conf.Directive) bool {
	for _, d := range block.Block {
		switch {
		case d == at:
			return false
		case d.Name == "rewrite" && len(d.Args) > 2, d.Name == "break", d.Name == "return", d.Name == "if" && decides(d.Block):
			return true
		}
	}
	return false
}

// changes reports whether an if in a block sets the variable.
func (im *importer) changes(block *conf.Directive, variable string) bool {
	for _, test := range im.children(block)["if"] {
		for _, s := range im.children(test)["set"] {
			if strings.TrimPrefix(s.Arg(0), "$") == variable {
				return true
			}
		}
	}
	return false
}
