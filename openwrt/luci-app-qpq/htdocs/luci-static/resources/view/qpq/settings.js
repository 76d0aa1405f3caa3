'use strict';
'require form';
'require tools.widgets as widgets';
'require view';

// The options of the section `node` in /etc/config/qpq, with the types that the service checks them against.

var HARMLESS = /^[A-Za-z0-9_.,:@\/=%+\[\]-]{1,512}$/;

function harmless(section, value) {
	return value == '' || HARMLESS.test(value) || _('Letters, digits and the characters _ . , : @ / = % + [ ] - only');
}

function choices(option, words) {
	words.forEach(function(word) {
		option.value(word[0], word[1]);
	});
}

return view.extend({
	render: function() {
		var m, s, o;

		m = new form.Map('qpq', _('Settings of the node'),
			_('What the node is to others is switched on the page "Status": a carrier, or none. Messages are neither written nor read here.'));

		s = m.section(form.NamedSection, 'node', 'qpq');
		s.tab('general', _('General'));
		s.tab('network', _('Network'));
		s.tab('storage', _('Storage'));
		s.tab('log', _('Log'));

		o = s.taboption('general', form.Flag, 'enabled', _('Enabled'));
		o.default = '0';
		o.rmempty = false;

		o = s.taboption('general', form.ListValue, 'profile', _('Limits'),
			_('How much memory, storage and traffic the node may use.'));
		choices(o, [ [ 'router', _('Router with 64 MB of memory') ], [ 'server', _('Server') ] ]);
		o.default = 'router';

		o = s.taboption('general', form.ListValue, 'neighbours', _('Carry for'));
		choices(o, [ [ 'open', _('Also a few strangers on the local network') ], [ 'contacts', _('Contacts and paired nodes only') ] ]);
		o.default = 'open';

		o = s.taboption('general', form.ListValue, 'discovery', _('Discovery'),
			_('Whether the node announces itself on the local network and looks for others there.'));
		choices(o, [ [ 'open', _('On') ], [ 'off', _('Off') ] ]);
		o.default = 'open';

		o = s.taboption('network', form.ListValue, 'peers', _('Connections with other nodes'));
		choices(o, [ [ 'on', _('On') ], [ 'off', _('Off') ] ]);
		o.default = 'on';

		o = s.taboption('network', widgets.NetworkSelect, 'interface', _('Interface'),
			_('The node listens at the addresses of this interface.'));
		o.default = 'lan';
		o.nocreate = true;
		o.rmempty = false;

		o = s.taboption('network', form.Value, 'port', _('Port'), _('UDP port for other nodes.'));
		o.datatype = 'and(uinteger,range(1024,65535))';
		o.default = '4433';

		o = s.taboption('network', form.DynamicList, 'listen', _('Addresses'),
			_('Addresses with ports to listen at in place of the interface, at most one of each family. Other nodes on the internet also need the firewall rule "Allow-qpq".'));
		o.datatype = 'ipaddrport(1)';
		o.placeholder = '0.0.0.0:4433';

		o = s.taboption('network', form.DynamicList, 'static_peers', _('Peers'),
			_('Nodes that are always kept connected: node key, @, address, port.'));
		o.validate = harmless;

		o = s.taboption('network', form.DynamicList, 'packet_relays', _('Packet relays'),
			_('Relays that pass packets on where two nodes cannot reach each other: pin, @, host, port.'));
		o.validate = harmless;

		o = s.taboption('network', form.Value, 'connections_per_address', _('Connections per address'),
			_('Empty: as the limits say.'));
		o.datatype = 'and(uinteger,range(1,65535))';
		o.optional = true;

		o = s.taboption('storage', form.ListValue, 'custody', _('What is carried for others'));
		choices(o, [ [ 'ram', _('In memory, lost at a restart') ], [ 'disk', _('On the storage of the data') ] ]);
		o.default = 'ram';

		o = s.taboption('storage', form.Value, 'data_dir', _('Data directory'),
			_('A directory for the node alone.'));
		o.default = '/etc/qpq/data';
		o.validate = harmless;

		o = s.taboption('storage', form.Value, 'mount_point', _('Mount point'),
			_('Where the storage of the data directory is mounted, if it is not the flash of the router. The node runs only while it is mounted.'));
		o.optional = true;
		o.validate = harmless;

		o = s.taboption('storage', form.Value, 'key_file', _('Key file'),
			_('Outside the data directory. Empty: a file in /etc/qpq/keys. Without it the data is lost, and whoever has both can read everything.'));
		o.optional = true;
		o.validate = harmless;

		o = s.taboption('log', form.Value, 'log', _('What is logged'),
			_('A level, or targets with levels. Empty: a level for each part.'));
		o.optional = true;
		o.placeholder = 'warn';
		o.validate = harmless;

		o = s.taboption('log', form.ListValue, 'log_format', _('Format'));
		choices(o, [ [ 'text', _('Text') ], [ 'json', _('JSON') ] ]);
		o.default = 'text';

		return m.render();
	}
});
