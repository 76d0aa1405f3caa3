# Stand-in for OpenWrt's network.sh: the addresses of interface NAME are in /tmp/network/NAME.4 and /tmp/network/NAME.6.

network_flush_cache() { :; }

network_get_ipaddr() {
	eval "$1=''"
	[ -f "/tmp/network/$2.4" ] && read -r "$1" <"/tmp/network/$2.4"
}

network_get_ipaddrs6() {
	eval "$1=''"
	[ -f "/tmp/network/$2.6" ] && read -r "$1" <"/tmp/network/$2.6"
}
