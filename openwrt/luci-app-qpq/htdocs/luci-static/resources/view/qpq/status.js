'use strict';
'require poll';
'require rpc';
'require ui';
'require view';

// How the node is, what it carries, and invitations. No method that is called here has arguments or shows a message,
// and what comes back is put into the page as text, never as HTML.

function ask(method) {
	return rpc.declare({ object: 'qpq', method: method, expect: { '': {} } });
}

var askStatus = ask('status'),
    askNeighbours = ask('neighbours'),
    askStore = ask('store'),
    askMemory = ask('memory'),
    switchCarrierOn = ask('carrier_on'),
    switchCarrierOff = ask('carrier_off'),
    makeInvitation = ask('invite');

var LOOK_AGAIN_S = 10;

function text(tag, name, content) {
	return E(tag, { 'class': name }, [ String(content) ]);
}

function table(titles, rows, none) {
	var head = E('tr', { 'class': 'tr table-titles' }, titles.map(function(title) {
		return text('th', 'th', title);
	}));
	var body = rows.map(function(row) {
		return E('tr', { 'class': 'tr' }, row.map(function(cell) {
			return text('td', 'td', cell);
		}));
	});
	if (!rows.length)
		body = [ E('tr', { 'class': 'tr placeholder' }, [ text('td', 'td', none) ]) ];
	return E('table', { 'class': 'table' }, [ head ].concat(body));
}

function section(title, content) {
	return E('div', { 'class': 'cbi-section' }, [ text('h3', '', title) ].concat(content));
}

function bytes(count) {
	return '%1024.1mB'.format(count || 0);
}

function healthRows(health) {
	return health.map(function(item) {
		return [ item.severity, item.title, item.text, item.fix ];
	});
}

// The round trip of a peer's connection is what there is to say of its quality.
function quality(peer) {
	if (!peer || peer.path == 'offline')
		return _('not connected');
	return peer.rtt_us ? '%s, %.1f ms'.format(peer.path, peer.rtt_us / 1000) : peer.path;
}

function neighbourRows(status, neighbours) {
	var peers = {};
	(status.peers || []).forEach(function(peer) {
		peers[peer.node] = peer;
	});
	return neighbours.map(function(neighbour) {
		return [
			neighbour.contact || neighbour.node.substring(0, 10) + '…',
			neighbour.standing,
			neighbour.kind,
			quality(peers[neighbour.node]),
			neighbour.to_offer + neighbour.to_send,
			bytes(neighbour.brought_bytes)
		];
	});
}

function storeRows(store) {
	return (store.shares || []).map(function(share) {
		return [ share.standing, share.bundles, bytes(share.bytes), bytes(share.bytes_max) ];
	});
}

// Draws the half blocks that the node gives as a picture: where a block is, the code is light.
function draw(code) {
	var lines = code.split('\n').filter(function(line) { return line.length; }),
	    path = '';
	lines.forEach(function(line, y) {
		Array.from(line).forEach(function(block, x) {
			if (block == ' ' || block == '▄')
				path += 'M%d %dh1v1h-1z'.format(x, 2 * y);
			if (block == ' ' || block == '▀')
				path += 'M%d %dh1v1h-1z'.format(x, 2 * y + 1);
		});
	});
	var width = Math.max.apply(null, lines.map(function(line) { return line.length; })),
	    svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'),
	    dark = document.createElementNS('http://www.w3.org/2000/svg', 'path');
	// A code is square; half of the last block is none of it.
	svg.setAttribute('viewBox', '0 0 %d %d'.format(width, width));
	svg.setAttribute('style', 'background:#fff;display:block;margin:auto;max-width:24em;width:100%');
	svg.setAttribute('shape-rendering', 'crispEdges');
	dark.setAttribute('d', path);
	dark.setAttribute('fill', '#000');
	svg.appendChild(dark);
	return svg;
}

function complaint(answer) {
	return answer.message || _('The node does not answer.');
}

function close() {
	return E('div', { 'class': 'right' }, [
		E('button', { 'class': 'btn', 'click': ui.hideModal }, [ _('Close') ])
	]);
}

function invite() {
	return makeInvitation().then(function(answer) {
		if (!answer.link || !answer.qr)
			return ui.showModal(_('Invitation'), [ text('p', '', complaint(answer)), close() ]);
		return ui.showModal(_('Invitation'), [
			text('p', '', _('For one person, who becomes a contact with it: show it to nobody else.')),
			draw(answer.qr),
			E('p', {}, [ text('code', '', answer.link) ]),
			close()
		]);
	});
}

function shown(answers) {
	var status = answers[0], neighbours = answers[1], store = answers[2], memory = answers[3];
	if (!status.node)
		return [ section(_('Health'), [ text('p', '', complaint(status)) ]) ];
	var isCarrier = (status.roles || []).indexOf('carrier') >= 0;
	return [
		section(_('Health'), [
			table([ _('Severity'), _('What'), _('Why'), _('What helps') ], healthRows(status.health || []), _('Everything is in order.'))
		]),
		section(_('Node'), [
			table([ _('Property'), _('Value') ], [
				[ _('Version'), status.version ],
				[ _('Running for'), '%t'.format(status.uptime_ms / 1000) ],
				[ _('Node key'), status.node ],
				[ _('Reached at'), (status.addresses || []).join(', ') ],
				[ _('Role'), isCarrier ? _('carrier') : _('none for others') ],
				[ _('Memory'), memory.resident_bytes ? bytes(memory.resident_bytes) : _('unknown') ],
				[ _('Storage'), bytes(status.storage_bytes) ]
			], '')
		]),
		section(_('Neighbours'), [
			table([ _('Name'), _('Standing'), _('Kind'), _('Link'), _('Waiting'), _('Brought') ],
				neighbourRows(status, neighbours.neighbours || []), _('Nobody is connected.'))
		]),
		section(_('Carried'), [
			table([ _('For'), _('Bundles'), _('Size'), _('At most') ], storeRows(store), _('Nothing is carried.')),
			text('p', '', store.volatile ? _('In memory: lost when the node stops.') : _('On the storage of the data.'))
		])
	];
}

return view.extend({
	handleSaveApply: null,
	handleSave: null,
	handleReset: null,

	load: function() {
		return Promise.all([ askStatus, askNeighbours, askStore, askMemory ].map(function(call) {
			return L.resolveDefault(call(), {});
		}));
	},

	refresh: function(place) {
		return this.load().then(function(answers) {
			place.replaceChildren.apply(place, shown(answers));
		});
	},

	change: function(call, place) {
		return call().then(L.bind(function(answer) {
			if (!answer.roles)
				ui.addNotification(null, text('p', '', complaint(answer)), 'error');
			return this.refresh(place);
		}, this));
	},

	render: function(answers) {
		var place = E('div', {}, shown(answers));
		poll.add(L.bind(this.refresh, this, place), LOOK_AGAIN_S);
		return E('div', {}, [
			text('h2', '', _('Messaging node')),
			place,
			E('div', { 'class': 'cbi-page-actions' }, [
				E('button', { 'class': 'btn cbi-button-action', 'click': ui.createHandlerFn(this, invite) }, [ _('Invitation') ]),
				E('button', { 'class': 'btn', 'click': ui.createHandlerFn(this, 'change', switchCarrierOn, place) }, [ _('Be a carrier') ]),
				E('button', { 'class': 'btn', 'click': ui.createHandlerFn(this, 'change', switchCarrierOff, place) }, [ _('Be none') ])
			])
		]);
	}
});
