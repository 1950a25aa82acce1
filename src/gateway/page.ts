/*
 * The status page: three static texts, no build. It reads /v1/status and /v1/log as any client would, and writes what
 * it gets as text only, never as markup.
 */

export const PAGE_HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Quorate</title>
<link rel="stylesheet" href="status.css">
<script src="status.js" defer></script>
</head>
<body>
<h1>Quorate</h1>
<p id="summary" role="status">Reading the status…</p>
<table>
<caption>Replicas, by their own word</caption>
<thead><tr><th scope="col">replica</th><th scope="col">connected</th><th scope="col">voting</th><th scope="col">view</th>
<th scope="col">last executed</th><th scope="col">stable checkpoint</th><th scope="col">state digest</th>
<th scope="col">refused frames</th></tr></thead>
<tbody id="replicas"></tbody>
</table>
<table>
<caption>Batches agreed last</caption>
<thead><tr><th scope="col">sequence</th><th scope="col">view</th><th scope="col">agreed time</th>
<th scope="col">requests</th><th scope="col">certificate of</th><th scope="col">digest</th></tr></thead>
<tbody id="batches"></tbody>
</table>
<p><a href="docs">API</a> · <a href="openapi.json">OpenAPI</a> · <a href="v1/membership">membership</a> ·
<a href="metrics">metrics</a></p>
</body>
</html>
`;

export const PAGE_CSS = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1.5rem 0; }
caption { text-align: left; font-weight: 600; padding-bottom: .5rem; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; }
td { font-variant-numeric: tabular-nums; }
tr.away { opacity: .5; }
`;

export const PAGE_JS = `'use strict';
const BATCHES = 10;
const PERIOD_MS = 1000;
const batches = new Map();

const short = (digest) => (digest === null ? '–' : digest.slice(0, 12) + '…');
const shown = (value) => (value === null ? '–' : String(value));

function row(texts, className) {
  const tr = document.createElement('tr');
  if (className) tr.className = className;
  for (const text of texts) tr.appendChild(document.createElement('td')).textContent = text;
  return tr;
}

async function read(path) {
  const response = await fetch(path, { headers: { Accept: 'application/json' } });
  const body = await response.json();
  if (!response.ok) throw new Error(body.code + ': ' + body.detail);
  return body;
}

function showReplicas(status) {
  document.getElementById('summary').textContent = 'Cluster ' + status.cluster + ' · view ' + status.view + ' · primary ' +
    status.primary + ' · n = ' + status.n + ', f = ' + status.f + ', quorum ' + status.quorum;
  document.getElementById('replicas').replaceChildren(...status.replicas.map((r) => {
    const refused = Object.values(r.refused).reduce((sum, count) => sum + count, 0);
    const voting = r.voting === null ? '–' : r.voting ? 'yes' : 'no: ' + r.notVoting;
    return row([r.replica, r.connected ? 'yes' : 'no', voting, shown(r.view), shown(r.lastExecuted),
      shown(r.stableCheckpoint), short(r.stateDigest), String(refused)], r.connected ? '' : 'away');
  }));
}

async function showBatches(status) {
  // What f replicas more claim may be a lie; one of f+1 is honest.
  const last = status.replicas.map((r) => r.lastExecuted || 0).sort((a, b) => b - a)[status.f] || 0;
  const from = Math.max(1, last - BATCHES + 1);
  for (const sequence of batches.keys()) if (sequence < from || sequence > last) batches.delete(sequence);
  for (let sequence = last; sequence >= from; sequence -= 1) {
    if (batches.has(sequence)) continue;
    try {
      batches.set(sequence, await read('v1/log/' + sequence));
    } catch {
      break;
    }
  }
  document.getElementById('batches').replaceChildren(...[...batches.values()]
    .sort((a, b) => b.sequence - a.sequence)
    .map((b) => row([String(b.sequence), String(b.view), new Date(b.time).toISOString(), String(b.requests.length),
      b.certificate.map((c) => c.replica).join(', '), short(b.digest)])));
}

async function refresh() {
  try {
    const status = await read('v1/status');
    showReplicas(status);
    await showBatches(status);
  } catch (error) {
    document.getElementById('summary').textContent = error.message;
  }
  setTimeout(refresh, PERIOD_MS);
}

refresh();
`;
