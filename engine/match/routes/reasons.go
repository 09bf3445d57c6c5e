package routes

import (
	"fmt"
	"strings"
)

// failedBy is the first reason why the route does not take the request, "" when
// it does.
func (r *route) failedBy(v *view) string {
	if !r.path.holds(v) {
		return r.path.reason(v, false)
	}
	for i := range r.headers {
		if m := &r.headers[i]; !m.headerMet(v) {
			_, times := v.first(m.name)
			return m.headerVerdict(v) + m.inverted(times > 0)
		}
	}
	if r.grpc && !v.grpc() {
		return "the request is not gRPC: its content-type is not application/grpc"
	}
	for i := range r.parameters {
		m := &r.parameters[i]
		if value, there := v.parameter(m.name); !m.met(value, there) {
			return m.verdict("query parameter", value, there) + m.inverted(there)
		}
	}
	for i := range r.cookies {
		m := &r.cookies[i]
		if value, there := v.cookie(m.name); !m.cookieMet(value, there) {
			return m.verdict("cookie", value, there) + m.inverted(there)
		}
	}
	if !r.tlsMet(v) {
		return r.tlsReason(v)
	}
	return r.assumedReason(v)
}

// inverted explains a condition that fails because it holds.
func (m *valueMatch) inverted(there bool) string {
	switch {
	case m.invert && m.kind >= valueText && !there && !m.empty:
		return ", and even an inverted match wants one"
	case m.invert:
		return ", and the match is inverted"
	case m.kind == valueAbsent:
		return ", and the route asks that it is not"
	}
	return ""
}

func (r *route) tlsReason(v *view) string {
	if !v.r.TLS {
		return "the connection is not encrypted, so that the client showed no certificate"
	}
	if want := r.tls.GetPresented(); want != nil && want.GetValue() != v.r.Presented {
		return told(v.r.Presented, "the client showed a certificate", "the client showed no certificate")
	}
	return told(v.r.Validated, "the client's certificate was found valid", "the client's certificate was not found valid")
}

func told(yes bool, is, isNot string) string {
	if yes {
		return is
	}
	return isNot
}

// assumedReason is failedBy for what may rest on an assumption.
func (r *route) assumedReason(v *view) string {
	if r.fraction != nil && !r.fraction.met(v) {
		s := r.fraction.verdict(v)
		if !r.fraction.known(v) {
			s += ", and this one is assumed not to be among them"
		}
		return s
	}
	for i := range r.metadata {
		if m := &r.metadata[i]; !m.met(v) {
			return m.verdict(v) + told(m.invert, ", and the match is inverted", "")
		}
	}
	for i := range r.state {
		if s := &r.state[i]; !s.met(v) {
			return s.verdict(v)
		}
	}
	return ""
}

// metBy says why the route takes the request, all conditions together.
func (r *route) metBy(v *view) string {
	why := []string{r.path.reason(v, true)}
	for i := range r.headers {
		why = append(why, r.headers[i].headerVerdict(v))
	}
	if r.grpc {
		why = append(why, "the request is gRPC")
	}
	for i := range r.parameters {
		m := &r.parameters[i]
		value, there := v.parameter(m.name)
		why = append(why, m.verdict("query parameter", value, there))
	}
	for i := range r.cookies {
		m := &r.cookies[i]
		value, there := v.cookie(m.name)
		why = append(why, m.verdict("cookie", value, there))
	}
	if r.tls.GetPresented() != nil || r.tls.GetValidated() != nil {
		why = append(why, "the client's certificate is as asked for")
	}
	if r.fraction != nil {
		why = append(why, r.fraction.verdict(v))
	}
	for i := range r.metadata {
		why = append(why, r.metadata[i].verdict(v))
	}
	for i := range r.state {
		why = append(why, r.state[i].verdict(v))
	}
	if len(why) == 1 {
		return why[0]
	}
	last := len(why) - 1
	return fmt.Sprintf("%s and %s", strings.Join(why[:last], ", "), why[last])
}

// unconditional reports whether nothing but the path decides.
func (r *route) unconditional() bool {
	return len(r.headers)+len(r.parameters)+len(r.cookies) == 0 && !r.grpc &&
		r.tls.GetPresented() == nil && r.tls.GetValidated() == nil && !r.assumes()
}
