package match

import (
	"strings"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// pathAnswer is what becomes of a path.
type pathAnswer uint8

const (
	pathKept     pathAnswer = iota
	pathRedirect            // 307 to the path
	pathRejected            // 400
)

// Runtime keys that stand for what the configuration leaves open. All of them
// have a default that Envoy is built with.
const (
	runtimeNormalize     = "http_connection_manager.normalize_path"
	runtimeEscaped       = "http_connection_manager.path_with_escaped_slashes_action"
	runtimeFragment      = "envoy.reloadable_features.http_reject_path_with_fragment"
	runtimeStripFragment = "envoy.reloadable_features.http_strip_fragment_from_path_unsafe_if_disabled"
)

// normalPath is the request target as the connection manager hands it on. The
// query is never touched.
func normalPath(target string, m *hcmv3.HttpConnectionManager, runtime map[string]float64) (string, pathAnswer) {
	if target == "" {
		return "", pathKept // a CONNECT has no path to normalise
	}
	if at := strings.IndexByte(target, '#'); at >= 0 {
		if on(runtime, runtimeFragment, true) {
			return target, pathRejected
		}
		if on(runtime, runtimeStripFragment, true) {
			target = target[:at]
		}
	}
	sent, query := splitQuery(target)
	path, answer := sent, pathKept
	if action := escapedSlashes(m, runtime); action != hcmv3.HttpConnectionManager_KEEP_UNCHANGED {
		unescaped := unescapeSlashes.Replace(path)
		switch {
		case unescaped == path:
		case action == hcmv3.HttpConnectionManager_REJECT_REQUEST:
			return target, pathRejected
		case action == hcmv3.HttpConnectionManager_UNESCAPE_AND_REDIRECT:
			answer = pathRedirect
		}
		path = unescaped
	}
	if normalizes(m, runtime) {
		canonical, ok := canonicalPath(path)
		if !ok {
			return target, pathRejected
		}
		path = canonical
	}
	if m.GetMergeSlashes() {
		path = mergeSlashes(path)
	}
	if path == sent {
		return target, answer
	}
	return path + query, answer
}

func normalizes(m *hcmv3.HttpConnectionManager, runtime map[string]float64) bool {
	if m.GetNormalizePath() != nil {
		return m.GetNormalizePath().GetValue()
	}
	return on(runtime, runtimeNormalize, false)
}

func escapedSlashes(m *hcmv3.HttpConnectionManager, runtime map[string]float64) hcmv3.HttpConnectionManager_PathWithEscapedSlashesAction {
	action := m.GetPathWithEscapedSlashesAction()
	if action != hcmv3.HttpConnectionManager_IMPLEMENTATION_SPECIFIC_DEFAULT {
		return action
	}
	set := hcmv3.HttpConnectionManager_PathWithEscapedSlashesAction(runtime[runtimeEscaped])
	if set > hcmv3.HttpConnectionManager_KEEP_UNCHANGED && set <= hcmv3.HttpConnectionManager_UNESCAPE_AND_FORWARD {
		return set
	}
	return hcmv3.HttpConnectionManager_KEEP_UNCHANGED
}

func on(runtime map[string]float64, key string, otherwise bool) bool {
	if v, set := runtime[key]; set {
		return v != 0
	}
	return otherwise
}

func splitQuery(target string) (path, query string) {
	if at := strings.IndexByte(target, '?'); at >= 0 {
		return target[:at], target[at:]
	}
	return target, ""
}

var unescapeSlashes = strings.NewReplacer("%2F", "/", "%2f", "/", "%5C", `\`, "%5c", `\`)

func mergeSlashes(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	var b strings.Builder
	if strings.HasPrefix(path, "/") {
		b.WriteByte('/')
	}
	first := true
	for _, part := range strings.Split(path, "/") {
		if part == "" {
			continue
		}
		if !first {
			b.WriteByte('/')
		}
		b.WriteString(part)
		first = false
	}
	if strings.HasSuffix(path, "/") {
		b.WriteByte('/')
	}
	return b.String()
}
