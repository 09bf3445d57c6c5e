package predict

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"example.com/meshtui/engine/nginx/pcre"
)

// pattern is a regular expression of nginx.conf. nginx has PCRE, over bytes; Go's
// expressions match the same where bad is empty. Where it is not, nobody knows
// here what nginx finds.
type pattern struct {
	text  string
	re    *regexp.Regexp // over the bytes as runes of Latin-1; nil where bad says why
	names []string       // of the groups, "" for one without; [0] is the whole
	bad   string         // what is not followed
}

// compile reads an expression. fold says that case does not matter.
func compile(text string, fold bool) *pattern {
	p := &pattern{text: text}
	said, ok := pcre.Plain(text, fold)
	if !ok {
		said = text // and translate says what it has
	}
	translated, bad := translate(said)
	if p.bad = bad; bad != "" {
		return p
	}
	if fold {
		translated = "(?i:" + translated + ")"
	}
	tree, err := syntax.Parse(latin1(translated), syntax.Perl)
	if err != nil {
		p.bad = "it is written for PCRE, and only the part of it that RE2 shares is followed"
		return p
	}
	if foldsBeyondASCII(tree) {
		p.bad = "it ignores the case of letters beyond ASCII"
		return p
	}
	if loopsOverNothing(tree) {
		p.bad = "it repeats a group that may match nothing"
		return p
	}
	if p.re, err = regexp.Compile(latin1(translated)); err != nil {
		p.bad = "it is too large"
		return p
	}
	p.names = p.re.SubexpNames()
	return p
}

// translate writes the expression so that Go means what PCRE does, or says what
// cannot be written so.
func translate(text string) (out, bad string) {
	var b strings.Builder
	class := -1 // where a bracket expression began
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			i++
			switch n := text[i]; {
			case strings.IndexByte("dDwWbBAzQEtrnfax0", n) >= 0 && (class < 0 || n != 'b'):
				if n == 'Q' {
					return "", `it has \Q`
				}
				b.WriteString(text[i-1 : i+1])
			case n == 's' && class >= 0:
				b.WriteString(`\s\v`)
			case n == 's':
				b.WriteString(`[\s\v]`)
			case n == 'S' && class < 0:
				b.WriteString(`[^\s\v]`)
			case n == 'Z':
				b.WriteString(`(?:\n?\z)`)
			case isLetter(n) || isDigit(n) || n >= 0x80:
				return "", `it has \` + string(rune(n))
			default:
				b.WriteString(text[i-1 : i+1])
			}
		case class >= 0:
			if c == '[' && i+1 < len(text) && strings.IndexByte(":.=", text[i+1]) >= 0 {
				end := strings.Index(text[i+2:], string(text[i+1])+"]")
				if end >= 0 {
					if text[i+1] != ':' {
						return "", "it has a collating element"
					}
					b.WriteString(text[i : i+2+end+2])
					i += 2 + end + 1
					continue
				}
			}
			if c == '[' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
			if c == ']' && i > class+1 && (text[class+1] != '^' || i != class+2) {
				class = -1
			}
		case c == '[':
			class = i
			b.WriteByte(c)
		case c == '$':
			b.WriteString(`(?:\n?\z)`)
		case c >= 0x80: // without Unicode it is no letter, and has no case
			b.WriteString("(?-i:" + text[i:i+1] + ")")
		case c == '(' && strings.HasPrefix(text[i:], "(?"):
			switch rest := text[i+2:]; {
			case strings.HasPrefix(rest, ":"), strings.HasPrefix(rest, "P<"), strings.HasPrefix(rest, "i:"), strings.HasPrefix(rest, "i)"), strings.HasPrefix(rest, "s:"), strings.HasPrefix(rest, "s)"):
				b.WriteByte(c)
			case strings.HasPrefix(rest, "<") && len(rest) > 1 && rest[1] != '=' && rest[1] != '!':
				b.WriteByte(c)
			case strings.HasPrefix(rest, "'") && strings.Contains(rest[1:], "'"):
				name, _, _ := strings.Cut(rest[1:], "'")
				b.WriteString("(?P<" + name + ">")
				i += 2 + len(name) + 1
			default:
				return "", "it has a group of PCRE's own"
			}
		case c == '(' && strings.HasPrefix(text[i:], "(*"):
			return "", "it has a verb of PCRE's own"
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// foldsBeyondASCII reports whether the case of a letter is ignored that Go folds
// and PCRE, without Unicode, does not.
func foldsBeyondASCII(re *syntax.Regexp) bool {
	if re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase != 0 {
		for _, r := range re.Rune {
			if r >= 0x80 && r <= 0xff {
				return true
			}
		}
	}
	if re.Op == syntax.OpCharClass && re.Flags&syntax.FoldCase != 0 {
		// A class and its complement are alike here: whole ranges beyond ASCII fold
		// onto themselves, borders within the letters do not.
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if lo, hi := re.Rune[i], re.Rune[i+1]; lo > 0x80 && lo <= 0xff || hi >= 0x80 && hi < 0xff {
				return true
			}
		}
	}
	for _, sub := range re.Sub {
		if foldsBeyondASCII(sub) {
			return true
		}
	}
	return false
}

// loopsOverNothing reports whether a group is repeated that may be empty: what it
// captures then differs from engine to engine.
func loopsOverNothing(re *syntax.Regexp) bool {
	if re.Op == syntax.OpStar || re.Op == syntax.OpPlus || re.Op == syntax.OpRepeat {
		if re.MaxCap() > 0 && empties(re.Sub[0]) {
			return true
		}
	}
	for _, sub := range re.Sub {
		if loopsOverNothing(sub) {
			return true
		}
	}
	return false
}

// empties reports whether an expression may match the empty text.
func empties(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpNoMatch:
		return len(re.Rune) == 0 && re.Op == syntax.OpLiteral
	case syntax.OpCapture, syntax.OpPlus:
		return empties(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min == 0 || empties(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !empties(sub) {
				return false
			}
		}
		return true
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if empties(sub) {
				return true
			}
		}
		return false
	}
	return true
}

// match is what the groups hold, the whole match first; nil where the text does
// not match. It is not asked where bad says why.
func (p *pattern) match(s string) []string {
	wide := latin1(s)
	if p.re.NumSubexp() == 0 {
		if p.re.MatchString(wide) {
			return []string{""} // the whole match is asked for by nobody
		}
		return nil
	}
	groups := p.re.FindStringSubmatch(wide)
	if groups == nil || len(wide) == len(s) {
		return groups
	}
	for i := range groups {
		groups[i] = narrow(groups[i])
	}
	return groups
}

// latin1 is the text with each byte as a rune of its own.
func latin1(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			out := make([]rune, len(s))
			for j := range len(s) {
				out[j] = rune(s[j])
			}
			return string(out)
		}
	}
	return s
}

// narrow undoes latin1.
func narrow(s string) string {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		out = append(out, byte(r))
	}
	return string(out)
}
