package forward

import (
	"net/http"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"example.com/meshtui/demo/proxy/forward/format"
)

// level is what one level of the configuration changes in headers.
type level struct {
	add    []*corev3.HeaderValueOption
	remove []string
}

// inOrder are the levels in the order in which they are applied: the weighted
// cluster first, then from the route outward, or inward where the most specific
// is to have the last word.
func (x *exchange) inOrder(cluster, route, host, config level) []level {
	if x.way.Config.GetMostSpecificHeaderMutationsWins() {
		return []level{cluster, config, host, route}
	}
	return []level{cluster, route, host, config}
}

func (x *exchange) requestLevels() []level {
	w, r, v, c := x.way.Weight, x.way.Entry, x.way.VHost, x.way.Config
	return x.inOrder(
		level{w.GetRequestHeadersToAdd(), w.GetRequestHeadersToRemove()}, level{r.GetRequestHeadersToAdd(), r.GetRequestHeadersToRemove()},
		level{v.GetRequestHeadersToAdd(), v.GetRequestHeadersToRemove()}, level{c.GetRequestHeadersToAdd(), c.GetRequestHeadersToRemove()},
	)
}

func (x *exchange) responseLevels() []level {
	w, r, v, c := x.way.Weight, x.way.Entry, x.way.VHost, x.way.Config
	return x.inOrder(
		level{w.GetResponseHeadersToAdd(), w.GetResponseHeadersToRemove()}, level{r.GetResponseHeadersToAdd(), r.GetResponseHeadersToRemove()},
		level{v.GetResponseHeadersToAdd(), v.GetResponseHeadersToRemove()}, level{c.GetResponseHeadersToAdd(), c.GetResponseHeadersToRemove()},
	)
}

// apply changes the headers as one level says. All values are made before the
// first is set, so that none sees another of its level.
func (l level) apply(h http.Header, v *format.Values) {
	for _, name := range l.remove {
		h.Del(name)
	}
	var overwrite, add []*corev3.HeaderValue
	for _, o := range l.add {
		name := o.GetHeader().GetKey()
		value := text(o.GetHeader().GetValue(), v)
		if len(o.GetHeader().GetRawValue()) > 0 {
			value = text(string(o.GetHeader().GetRawValue()), v)
		}
		if value == "" && !o.GetKeepEmptyValue() {
			continue
		}
		is := &corev3.HeaderValue{Key: name, Value: value}
		_, there := h[http.CanonicalHeaderKey(name)]
		switch action := actionOf(o); {
		case action == corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD,
			action == corev3.HeaderValueOption_ADD_IF_ABSENT && !there:
			add = append(add, is)
		case action == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			action == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS && there:
			overwrite = append(overwrite, is)
		}
	}
	for _, is := range overwrite {
		h.Set(is.GetKey(), is.GetValue())
	}
	for _, is := range add {
		h.Add(is.GetKey(), is.GetValue())
	}
}

// actionOf is what is to be done where the header is there already. The older
// field append still counts where it is set.
func actionOf(o *corev3.HeaderValueOption) corev3.HeaderValueOption_HeaderAppendAction {
	//nolint:staticcheck // deprecated, and done by every Envoy
	if a := o.GetAppend(); a != nil && !a.GetValue() {
		return corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
	}
	return o.GetAppendAction()
}

// text fills a format in. Package accept refuses what cannot be read, so that
// what cannot is taken as it stands.
func text(s string, v *format.Values) string {
	f, err := format.Parse(s)
	if err != nil {
		return s
	}
	return f.Text(v)
}
