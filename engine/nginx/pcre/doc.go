// Package pcre says what nginx's expressions say without what RE2 has not.
//
// nginx has PCRE, Envoy and Go have RE2, which looks neither ahead nor behind,
// because it never goes back. Most of the look-ahead in an nginx.conf asks for a
// few words in a fixed place: `/\.(?!well-known)`, `^/(?!api|static)(.*)$`. What
// follows such a place can be spelled out letter by letter, and Plain does so:
// the outcome finds what PCRE finds, with the same groups. Wider is for what
// cannot be spelled out and must not be passed over: an expression that finds all
// that PCRE finds, and more.
package pcre
