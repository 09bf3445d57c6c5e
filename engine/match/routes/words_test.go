package routes

import (
	"testing"

	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

func TestPortStart(t *testing.T) {
	for host, want := range map[string]int{
		"": -1, "a.com": -1, "a.com:80": 5, "a.com:": 5, "a:b:80": 3, "[::1]": -1, "[::1]:80": 5, "[::1": 2, "::1]": -1, ":80": 0,
	} {
		if got := PortStart(host); got != want {
			t.Errorf("PortStart(%q) is %d, want %d", host, got, want)
		}
		bare := host
		if want >= 0 {
			bare = host[:want]
		}
		if got := WithoutPort(host); got != bare {
			t.Errorf("WithoutPort(%q) is %q, want %q", host, got, bare)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, test := range []struct {
		n    uint32
		d    typev3.FractionalPercent_DenominatorType
		want string
	}{
		{0, typev3.FractionalPercent_HUNDRED, "0%"},
		{25, typev3.FractionalPercent_HUNDRED, "25%"},
		{50, typev3.FractionalPercent_TEN_THOUSAND, "0.5%"},
		{1, typev3.FractionalPercent_MILLION, "0.0001%"},
		{200, typev3.FractionalPercent_HUNDRED, "100%"},
	} {
		if got := Percent(&typev3.FractionalPercent{Numerator: test.n, Denominator: test.d}); got != test.want {
			t.Errorf("%d of %s is %s, want %s", test.n, test.d, got, test.want)
		}
	}
	if got := Percent(nil); got != "0%" {
		t.Errorf("nothing is %s", got)
	}
}
