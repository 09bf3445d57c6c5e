package client

import "time"

// The rate of NACKs, as Envoy's rate_limit_settings have it for all requests: a
// control plane that sends a rejected version again at once costs ten requests a
// second, not thousands. Everything else goes at once.
const (
	burst     = 100
	perSecond = 10
)

// limiter is a token bucket. Its zero value is empty.
type limiter struct {
	tokens float64
	at     time.Time
}

// take takes a token, or says for how long there is none.
func (l *limiter) take(now time.Time) (wait time.Duration) {
	if !l.at.IsZero() {
		l.tokens = min(burst, l.tokens+perSecond*now.Sub(l.at).Seconds())
	}
	l.at = now
	if l.tokens >= 1 {
		l.tokens--
		return 0
	}
	return time.Duration((1 - l.tokens) / perSecond * float64(time.Second))
}
