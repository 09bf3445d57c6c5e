package routes

import (
	"fmt"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// route is one compiled route.
type route struct {
	source *routev3.Route
	path   pathMatch

	headers    []valueMatch
	parameters []valueMatch
	cookies    []valueMatch
	grpc       bool
	tls        *routev3.RouteMatch_TlsContextMatchOptions
	fraction   *fraction
	metadata   []metadataMatch
	state      []stateMatch

	// host and path rewriting, compiled; see rewrite.go.
	rewrite rewriting
}

// matches reports whether the route takes the request. What rests on an
// assumption stands last, so that no assumption is made where it decides
// nothing.
func (r *route) matches(v *view) bool {
	return r.path.holds(v) && r.rest(v)
}

// rest is matches without the path.
func (r *route) rest(v *view) bool {
	return r.certain(v) && r.assumed(v)
}

// certain is what the request itself decides.
func (r *route) certain(v *view) bool {
	for i := range r.headers {
		if !r.headers[i].headerMet(v) {
			return false
		}
	}
	if r.grpc && !v.grpc() {
		return false
	}
	for i := range r.parameters {
		if value, there := v.parameter(r.parameters[i].name); !r.parameters[i].met(value, there) {
			return false
		}
	}
	for i := range r.cookies {
		if value, there := v.cookie(r.cookies[i].name); !r.cookies[i].cookieMet(value, there) {
			return false
		}
	}
	return r.tlsMet(v)
}

// assumed is what is decided by values that the request may not tell.
func (r *route) assumed(v *view) bool {
	if r.fraction != nil && !r.fraction.met(v) {
		return false
	}
	for i := range r.metadata {
		if !r.metadata[i].met(v) {
			return false
		}
	}
	for i := range r.state {
		if !r.state[i].met(v) {
			return false
		}
	}
	return true
}

// assumes reports whether the route may rest on an assumption.
func (r *route) assumes() bool {
	return r.fraction != nil || len(r.metadata)+len(r.state) > 0
}

// tlsMet compares with the client's certificate.
func (r *route) tlsMet(v *view) bool {
	if want := r.tls.GetPresented(); want != nil && want.GetValue() != (v.r.TLS && v.r.Presented) {
		return false
	}
	want := r.tls.GetValidated()
	return want == nil || want.GetValue() == (v.r.TLS && v.r.Validated)
}

// fraction is a share of the requests that a route takes.
type fraction struct {
	key  string
	n, d uint64
}

func compileFraction(f *corev3.RuntimeFractionalPercent) *fraction {
	if f == nil {
		return nil
	}
	share := f.GetDefaultValue()
	return &fraction{key: f.GetRuntimeKey(), n: uint64(share.GetNumerator()), d: denominator(share.GetDenominator())}
}

func denominator(d typev3.FractionalPercent_DenominatorType) uint64 {
	switch d {
	case typev3.FractionalPercent_TEN_THOUSAND:
		return 10_000
	case typev3.FractionalPercent_MILLION:
		return 1_000_000
	}
	return 100
}

// share is the fraction that holds: a runtime value is a percentage.
func (f *fraction) share(v *view) (n, d uint64) {
	if p, ok := v.r.Runtime[f.key]; ok && f.key != "" && p >= 0 {
		return uint64(p), 100
	}
	return f.n, f.d
}

// known reports whether the fraction decides the same for every random value.
func (f *fraction) known(v *view) bool {
	n, d := f.share(v)
	return n == 0 || n >= d || v.r.Random != nil
}

func (f *fraction) met(v *view) bool {
	n, d := f.share(v)
	switch {
	case n == 0:
		return false
	case n >= d:
		return true
	case v.r.Random != nil:
		return *v.r.Random%d < n
	}
	return 2*n >= d
}

// verdict says why the fraction is met or not.
func (f *fraction) verdict(v *view) string {
	n, d := f.share(v)
	s := "it takes " + percent(n, d) + " of the requests"
	if v.r.Random != nil && n > 0 && n < d {
		left := *v.r.Random % d
		if left < n {
			return fmt.Sprintf("%s, and the random value gives %d, below %d", s, left, n)
		}
		return fmt.Sprintf("%s, and the random value gives %d, not below %d", s, left, n)
	}
	return s
}

// assumption is the sentence that says what was taken for granted, "" when
// nothing was.
func (f *fraction) assumption(v *view, i int) string {
	n, d := f.share(v)
	switch {
	case f.known(v) && (f.key == "" || hasKey(v, f.key)):
		return ""
	case f.known(v):
		return fmt.Sprintf("runtime key %s is assumed to be unset, so that route %d takes %s of the requests", f.key, i, percent(n, d))
	case f.met(v):
		return fmt.Sprintf("route %d takes %s of the requests; this one is assumed to be among them", i, percent(n, d))
	}
	return fmt.Sprintf("route %d takes %s of the requests; this one is assumed not to be among them", i, percent(n, d))
}

func hasKey(v *view, key string) bool {
	_, ok := v.r.Runtime[key]
	return ok
}

// Percent is a share for people: "25%", "0.5%", and never more than "100%". None
// at all is "0%".
func Percent(f *typev3.FractionalPercent) string {
	return percent(uint64(f.GetNumerator()), denominator(f.GetDenominator()))
}

// percent is n of d, which is not 0, for people.
func percent(n, d uint64) string {
	return strconv.FormatFloat(min(100, float64(n)*100/float64(d)), 'f', -1, 64) + "%"
}
