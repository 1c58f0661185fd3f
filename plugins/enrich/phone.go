package enrich

import (
	"errors"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Phone is a telephone number taken apart.
type Phone struct {
	E164      string // "+14155552671", without the extension; empty when the text is no number
	Country   string // ISO alpha-2 code of the country that the number belongs to; empty for world-wide services
	Type      string // one of the Phone... words
	Extension string // digits
	National  string // as written within the country
	Valid     bool   // the number lies in an assigned range; nobody was called
	Problem   string // why not, for a person
}

// The types of a number. Where mobile and fixed numbers look alike, as in North America, it is PhoneFixedOrMobile.
const (
	PhoneFixed         = "fixed"
	PhoneMobile        = "mobile"
	PhoneFixedOrMobile = "fixed_or_mobile"
	PhoneTollFree      = "toll_free"
	PhonePremium       = "premium"
	PhoneShared        = "shared_cost"
	PhoneVoIP          = "voip"
	PhonePersonal      = "personal"
	PhonePager         = "pager"
	PhoneUAN           = "company"
	PhoneVoicemail     = "voicemail"
	PhoneUnknown       = "unknown"
)

var phoneTypes = map[phonenumbers.PhoneNumberType]string{
	phonenumbers.FIXED_LINE:           PhoneFixed,
	phonenumbers.MOBILE:               PhoneMobile,
	phonenumbers.FIXED_LINE_OR_MOBILE: PhoneFixedOrMobile,
	phonenumbers.TOLL_FREE:            PhoneTollFree,
	phonenumbers.PREMIUM_RATE:         PhonePremium,
	phonenumbers.SHARED_COST:          PhoneShared,
	phonenumbers.VOIP:                 PhoneVoIP,
	phonenumbers.PERSONAL_NUMBER:      PhonePersonal,
	phonenumbers.PAGER:                PhonePager,
	phonenumbers.UAN:                  PhoneUAN,
	phonenumbers.VOICEMAIL:            PhoneVoicemail,
}

// The longest text that is looked at, in bytes; a number has at most 15 digits.
const maxPhone = 100

type phoneKey struct{ text, country string }

var phones = memo[phoneKey, Phone]{size: 4096}

// ParsePhone reads a telephone number. defaultCountry, any name that [FindCountry] knows, is where a number without
// a country code belongs; without it only numbers that begin with + are understood. The rules are those of
// libphonenumber. Answers are remembered, since parsing takes some microseconds and columns repeat.
func ParsePhone(text, defaultCountry string) Phone {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return Phone{Type: PhoneUnknown, Problem: "empty"}
	case len(text) > maxPhone:
		return Phone{Type: PhoneUnknown, Problem: "too long for a telephone number"}
	}
	country := ""
	if c, ok := FindCountry(defaultCountry); ok {
		country = c.Code
	}
	return phones.get(phoneKey{text, country}, func() Phone { return parsePhone(strings.Clone(text), country) })
}

func parsePhone(text, country string) Phone {
	number, err := phonenumbers.Parse(text, country)
	if err != nil {
		problem := "not a telephone number"
		if errors.Is(err, phonenumbers.ErrInvalidCountryCode) {
			problem = "no country: write the number with + and country code, or name a default country"
		}
		return Phone{Type: PhoneUnknown, Problem: problem}
	}
	p := Phone{
		Extension: number.GetExtension(),
		Type:      PhoneUnknown,
		Valid:     phonenumbers.IsValidNumber(number),
	}
	number.Extension = nil
	p.E164 = phonenumbers.Format(number, phonenumbers.E164)
	p.National = phonenumbers.Format(number, phonenumbers.NATIONAL)
	region := phonenumbers.GetRegionCodeForNumber(number)
	if c, ok := FindCountry(region); ok {
		p.Country = c.Code
	}
	if t, ok := phoneTypes[phonenumbers.GetNumberType(number)]; ok {
		p.Type = t
	}
	if !p.Valid {
		p.Problem = problemOf(phonenumbers.IsPossibleNumberWithReason(number))
	}
	return p
}

func problemOf(reason phonenumbers.ValidationResult) string {
	switch reason {
	case phonenumbers.TOO_SHORT:
		return "too short"
	case phonenumbers.TOO_LONG:
		return "too long"
	case phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return "area code is missing"
	case phonenumbers.INVALID_COUNTRY_CODE:
		return "unknown country code"
	}
	return "not an assigned number"
}
