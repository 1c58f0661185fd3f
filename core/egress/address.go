package egress

import "net/netip"

// ipv6Global is the space from which global unicast addresses of IPv6 are allocated (RFC 4291, 2.4). Everything beyond it
// is local, mapped, translated, multicast or reserved.
var ipv6Global = netip.MustParsePrefix("2000::/3")

// special are the networks whose addresses are no servers of the public Internet, after the registries of special-purpose
// addresses (RFC 6890, https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry). The
// methods of the standard library, such as IsPrivate, know less than half of them.
var special = prefixes(
	"0.0.0.0/8",        // this network; 0.0.0.0 reaches the machine itself
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // shared by the customers of a carrier; the metadata of Alibaba Cloud
	"127.0.0.0/8",      // the machine itself
	"168.63.129.16/32", // the platform of Azure, as each of its machines sees it
	"169.254.0.0/16",   // link-local; the metadata of most clouds
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments; the metadata of Oracle Cloud
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // relays of 6to4
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, and broadcast
	"2001::/23",        // protocol assignments; Teredo, which carries an address of IPv4
	"2001:db8::/32",    // documentation
	"2002::/16",        // 6to4, which carries an address of IPv4
	"3fff::/20",        // documentation
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// public reports whether ip can be a server of the public Internet. An address of IPv4 that is written as one of IPv6
// counts as what it is.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsValid() && ip.Zone() == "" && (ip.Is4() || ipv6Global.Contains(ip)) && !within(ip, special)
}

func within(ip netip.Addr, networks []netip.Prefix) bool {
	for _, p := range networks {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
