package enrich

import "strings"

// NormalizePostcode writes a postcode of US, CA, GB, DE or AU as its country does, and says whether it has that form:
// "12345" or "12345-6789", "K1A 0B1", "SW1A 1AA", "01067", "0800". A zero that a spreadsheet has eaten is put back. For a
// country without a known form it gives the text in capitals with single spaces, and false.
func NormalizePostcode(country, text string) (string, bool) {
	text = strings.ToUpper(strings.Join(strings.Fields(text), " "))
	if len(text) > 20 {
		return text, false
	}
	c, _ := FindCountry(country)
	compact := strings.NewReplacer(" ", "", "-", "").Replace(text)
	switch c.Code {
	case "US":
		return zip(text, compact)
	case "DE":
		return digits(text, strings.TrimPrefix(strings.TrimPrefix(compact, "DE"), "D"), 5)
	case "AU":
		return digits(text, compact, 4)
	case "CA":
		if shaped(compact, "A0A0A0") {
			return compact[:3] + " " + compact[3:], true
		}
		if shaped(compact, "A0A") {
			return compact, true // the forward sortation area alone
		}
	case "GB":
		return british(text, compact)
	}
	return text, false
}

func zip(text, compact string) (string, bool) {
	if strings.TrimFunc(compact, digit) != "" {
		return text, false
	}
	plus := ""
	if len(compact) == 8 || len(compact) == 9 { // ZIP+4
		compact, plus = compact[:len(compact)-4], "-"+compact[len(compact)-4:]
	}
	code, ok := digits(text, compact, 5)
	if !ok {
		return text, false
	}
	return code + plus, true
}

// digits gives a number of the given size, with one lost zero put back.
func digits(text, compact string, size int) (string, bool) {
	if len(compact) == size-1 {
		compact = "0" + compact
	}
	if len(compact) != size || strings.TrimFunc(compact, digit) != "" {
		return text, false
	}
	return compact, true
}

// british forms are those of Royal Mail: A9, A99, AA9, AA99, A9A, AA9A and then 9AA.
func british(text, compact string) (string, bool) {
	if len(compact) < 5 {
		return text, false
	}
	outward, inward := compact[:len(compact)-3], compact[len(compact)-3:]
	if !shaped(inward, "0AA") {
		return text, false
	}
	for _, shape := range []string{"A0", "A00", "AA0", "AA00", "A0A", "AA0A"} {
		if shaped(outward, shape) {
			return outward + " " + inward, true
		}
	}
	return text, false
}

// shaped compares with a pattern of A for a letter and 0 for a digit.
func shaped(text, shape string) bool {
	if len(text) != len(shape) {
		return false
	}
	for i := range len(text) {
		if shape[i] == 'A' && (text[i] < 'A' || text[i] > 'Z') || shape[i] == '0' && !digit(rune(text[i])) {
			return false
		}
	}
	return true
}

func digit(r rune) bool { return '0' <= r && r <= '9' }
