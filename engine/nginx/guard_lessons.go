package nginx

// closedLessons say why a place is closed to everybody.
var closedLessons = map[string]string{
	"jwt_authn":    "Envoy wants a token here, and nginx cannot check one (auth_jwt is in nginx Plus): it lets nobody in rather than everybody.",
	"rbac":         "allow and deny know addresses, limit_except methods, and Envoy's rules ask for more: nginx lets nobody in rather than everybody.",
	"ext_authz":    "Envoy asks a service whom to let in; until auth_request asks one here, nginx lets nobody in rather than everybody.",
	"oauth2":       "Envoy sends the user to log in, which nginx has not: it lets nobody in rather than everybody.",
	"basic_auth":   "auth_basic wants the users in a file, and Envoy has them elsewhere: until they are in one, nginx lets nobody in.",
	"api_key_auth": "Envoy wants a key here that nginx does not know: it lets nobody in rather than everybody.",
	"csrf":         "Envoy checks where such a request comes from, which nginx cannot: it lets nobody in rather than everybody.",
}

// What the lines about access say.
const (
	lessonAccess        = "Both let in by address; nginx takes the first line that fits, Envoy whom any policy lets in."
	lessonAccessUnknown = "nginx knows addresses and methods; whom Envoy lets in for another reason, or by an address that nginx does not see, is refused here."
	lessonAccessAnswer  = "Envoy lets in some; nginx's return comes before allow, deny and auth_basic, so that everybody is refused here."
	lessonAccessEarly   = "Envoy closes a connection that comes from elsewhere; nginx answers its requests with 403."
	lessonBasic         = "Both read the users from the file; Envoy takes {SHA} alone, as htpasswd -s writes it."
	lessonSources       = "Envoy has this chain for connections of some sources alone, which nginx does not tell apart: it lets nobody in."
	lessonNetworkGuard  = "Envoy may refuse the connection here for reasons that nginx does not know: nginx lets nobody in."
	lessonStreamClosed  = "Envoy ends TLS here, or checks the client, by what lies in no file or nginx does not check: until it can, nginx lets nobody in."
	lessonNarrow        = "Envoy checks more of the client's certificate than who signed it; nginx does not, and refuses the handshake rather than take any."
	lessonRefusedName   = "Envoy hangs up on these names in the handshake; ssl_reject_handshake does so here."
	lessonRealIP        = "Both go back through X-Forwarded-For as far as these networks are trusted."
	lessonFault         = "Envoy's fault filter aborts every request here; nginx injects no faults, and lets nobody in rather than everybody."
	lessonGuardUnset    = "The filter stands there for the routes that say what it checks; allow, deny or 403 stand with them."
)
