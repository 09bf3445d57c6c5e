package predict_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/predict"
)

// FuzzAnswer holds that no configuration and no request makes it panic or hang.
func FuzzAnswer(f *testing.F) {
	for seed := range uint64(3) {
		m := &maker{Rand: rand.New(rand.NewPCG(seed, 9)), port: 8080, up: [2]string{"127.0.0.1:1", "127.0.0.1:2"}}
		r := m.request()
		f.Add(m.conf(), r.Method, r.Host, r.Target, "X-Y", "1", true)
	}
	for _, text := range []string{
		"", "http{", "http{server{}}", "http{server{location{}}}", "http{server{listen [;location / {}}}", "http{server{listen 1-65535; location /{location{if{}}}}}",
		"http{map $a $a{default $a;} server{return 200 $a;}}", "http{map $a $b{default $b$a;} map $b $a{default $a$b;} server{return 200 $a;}}",
		"http{split_clients $s $s{50% $s; * a;} server{location /{proxy_pass http://$s;}}}", "http{server{error_page 404 400 /; recursive_error_pages on; return 404;}}",
		"http{server{rewrite ^ /; location /{rewrite ^ / last; error_page 500 @a;} location @a{rewrite ^ /x last;}}}", "http{server{server_name . .. *. .* * ~ ~( \"\" *.*;}}",
		"http{server{location ~ (a*)*(b|)+$ {rewrite (.*)* $1$9?$1? ;} location ~ [[:alpha:]\\ {} set $a; set a; if ($) {} if () {} return; rewrite ; rewrite a;}}",
		"http{split_clients a $b{NaN% a; 1e309% b; -5% c; 0.001% d;} server{return 200 $b;}}", "http{server{location /{proxy_pass http://;} location /a{proxy_pass ;} location /b{proxy_pass http://$args;}}}",
		"http{map $x $a{volatile; default $b$b$b$b;} map $x $b{volatile; default $a$a$a$a;} server{return 200 $a;}}",                        // asks without end
		"http{server{set $v aaaa;" + strings.Repeat("set $v $v$v;", 40) + strings.Repeat("rewrite ^(.*)$ $1$1;", 40) + "return 200 $v$v;}}", // grows without end
	} {
		f.Add(text, "GET", "a", "/", "Host", "b", false)
	}
	f.Fuzz(func(t *testing.T, text, method, host, target, name, value string, old bool) {
		c, err := conf.Parse("nginx.conf", conf.Text(text))
		if err != nil {
			return
		}
		began := time.Now()
		s := predict.New(c)
		for _, port := range []uint32{0, 80, 8080} {
			for _, tls := range []bool{false, true} {
				a := s.Answer(predict.Request{Port: port, TLS: tls, SNI: host, Method: method, Host: host, Target: target, Headers: [][2]string{{name, value}}, HTTP10: old})
				if a.Action == "" || len(a.Steps) == 0 && a.Action != predict.Unknown {
					t.Errorf("no answer: %+v", a)
				}
			}
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
