package importer

import (
	"strings"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	streamlogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"

	"example.com/meshtui/engine/nginx/conf"
)

// combined is the format that nginx has by itself.
const combined = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`

// accessLogs are those of the site's servers. They go to Envoy's standard output:
// Envoy refuses a listener whose log file it cannot open, and the files of an
// nginx.conf are root's.
func (im *importer) accessLogs(s *site) {
	seen := map[string]bool{}
	for _, v := range s.servers {
		for _, d := range im.inherited(v.d, "access_log") {
			log, text := im.accessLog(v.d, d)
			if log == nil {
				continue
			}
			if !seen[text] {
				seen[text] = true
				s.manager.AccessLog = append(s.manager.AccessLog, log)
			}
			reason := "it goes to Envoy's standard output, for all servers of the address"
			im.approx(d, at(s.manager, "access_log"), reason, "use envoy.access_loggers.file with path "+d.Arg(0)+" where Envoy may write there: it refuses a listener whose log it cannot open")
		}
	}
}

// accessLog is one; nil for none. text is its format.
func (im *importer) accessLog(block, d *conf.Directive) (log *accesslogv3.AccessLog, text string) {
	switch {
	case d.Arg(0) == "off" || d.Arg(0) == "/dev/null":
		im.moot(d)
		return nil, ""
	case strings.HasPrefix(d.Arg(0), "syslog:"):
		im.none(d, "Envoy speaks no syslog", "log to standard output and let the system take it, or use the grpc or open_telemetry logger")
		return nil, ""
	}
	if condition, ok := d.Parameter("if"); ok {
		im.none(d, "it logs some requests only, by "+condition, "give the access log a filter: header_filter, status_code_filter, …")
		return nil, ""
	}
	text = im.logFormat(block, d.Arg(1)) + "\n"
	config := &streamlogv3.StdoutAccessLog{AccessLogFormat: &streamlogv3.StdoutAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
		Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: text}}}}}}
	return &accesslogv3.AccessLog{Name: "envoy.access_loggers.stdout", ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: packed(config)}}, text
}

// logFormat is a format by its name, in Envoy's operators; "" is combined.
func (im *importer) logFormat(block *conf.Directive, name string) string {
	if name == "" || name == "combined" {
		return im.format(block, combined, "-").text
	}
	for outer := block; outer != nil; outer = outer.Parent {
		for _, d := range im.children(outer)["log_format"] {
			if d.Arg(0) != name {
				continue
			}
			text, escape := "", ""
			for _, a := range d.Args[1:] {
				if v, ok := strings.CutPrefix(a, "escape="); ok {
					escape = v
					continue
				}
				text += a
			}
			f := im.format(block, text, "-")
			im.logNote(d, f, escape)
			return f.text
		}
	}
	return im.format(block, combined, "-").text
}

// logNote reports what of a format Envoy says otherwise.
func (im *importer) logNote(d *conf.Directive, f formatted, escape string) {
	im.claimed[d] = true
	switch {
	case len(f.missing) > 0:
		im.approx(d, place{}, "Envoy has nothing for "+strings.Join(distinct(f.missing), ", ")+", and writes -", "")
	case len(f.notes) > 0:
		im.approx(d, place{}, strings.Join(distinct(f.notes), "; "), "")
	}
	if escape == "json" {
		im.approx(d, place{}, "Envoy escapes nothing in a text", "use json_format")
	}
}

// distinct are the texts without repetition, in their order.
func distinct(in []string) (out []string) {
	seen := map[string]bool{}
	for _, s := range in {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
