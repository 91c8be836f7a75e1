// `node signed.mjs CCXT`: makes `requests.jsonl` with the package in that directory. For each preset a line with what is signed with, then 200
// requests as ccxt's own `sign` makes them, from a fixed seed and at a fixed time: the same wherever it runs.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const ccxt = pathToFileURL(`${resolve(process.argv[2])}/`);

const NOW = 1764453600123;
const EACH = 200;

// What exchanges hand out: none of these keys is anybody's.
const TEXT = 'NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j';
const BASE64 = 'kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==';
const ED25519 = '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n';
const ED25519_BASE64 = 'nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==';

// Calls as ccxt's own methods make them: the part of the API, the method, the path.
const exchanges = {
  binance: {
    presets: { binance: TEXT, 'binance-ed25519': ED25519 },
    calls: [
      ['private', 'GET', 'account'],
      ['private', 'GET', 'myTrades'],
      ['private', 'POST', 'order'],
      ['private', 'DELETE', 'openOrders'],
      ['sapi', 'GET', 'capital/config/getall'],
      ['sapi', 'POST', 'asset/dust'],
      ['fapiPrivate', 'PUT', 'order'],
    ],
  },
  bybit: {
    presets: { bybit: TEXT },
    // Bybit's query is not encoded at all.
    raw: true,
    calls: [
      ['private', 'GET', 'v5/order/realtime'],
      ['private', 'GET', 'v5/position/list'],
      ['private', 'POST', 'v5/order/create'],
      ['private', 'POST', 'v5/asset/withdraw/create'],
    ],
  },
  okx: {
    presets: { okx: TEXT },
    calls: [
      ['private', 'GET', 'account/balance'],
      ['private', 'GET', 'trade/orders-pending'],
      ['private', 'POST', 'asset/transfer'],
      ['private', 'POST', 'trade/cancel-order'],
    ],
  },
  kraken: {
    presets: { kraken: BASE64 },
    calls: [
      ['private', 'POST', 'Balance'],
      ['private', 'POST', 'AddOrder'],
      ['private', 'POST', 'CancelOrderBatch'],
      ['private', 'POST', 'AddOrderBatch'],
    ],
  },
  coinbaseexchange: {
    presets: { 'coinbase-exchange': BASE64 },
    calls: [
      ['private', 'GET', 'accounts'],
      ['private', 'GET', 'fills'],
      ['private', 'POST', 'orders'],
      ['private', 'DELETE', 'orders'],
    ],
  },
  coinbase: {
    presets: { 'coinbase-cdp': ED25519_BASE64 },
    calls: [
      [['v3', 'private'], 'GET', 'brokerage/accounts'],
      [['v3', 'private'], 'POST', 'brokerage/orders'],
      [['v2', 'private'], 'GET', 'accounts'],
    ],
  },
};

// Mulberry32.
function random(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const KEYS = ['symbol', 'side', 'zulu', 'alpha', 'instId', 'limit', 'ccy', 'B', 'a.b', 'mémo', '数', 'x y', 'a&b', 'c=d', 'f[0]'];
const VALUES = ['', 'BTC-USDT', 'buy', '0.001', 7, 1e21, true, 'grüße', '日本語', '😀', 'a b+c', '50%', 'x&y=z', '"quoted"', "it's", 'a/b?c#d', '{}', '\\n\n'];
const RAW_KEYS = KEYS.slice(0, 9);
const RAW_VALUES = ['', 'BTCUSDT', 'linear', '0.001', 7, true, 'a/b', 'c:d', 'e%20f', 'g+h', 'i,j'];

function parameters(pick, raw) {
  const [keys, values] = raw ? [RAW_KEYS, RAW_VALUES] : [KEYS, VALUES];
  const made = {};
  for (let left = pick(6); left > 0; left--) {
    const value = () => values[pick(values.length)];
    made[keys[pick(keys.length)]] = pick(6) === 0 ? [value(), value()] : value();
  }
  return made;
}

function signed(exchange, { raw, calls }, pick) {
  const [api, method, path] = calls[pick(calls.length)];
  const params = parameters(pick, raw && method === 'GET');
  if (path === 'order') {
    params.newClientOrderId = `x-${pick(1e6)}`;
  } else if (path === 'asset/dust') {
    params.asset = ['BTC', 'USDT', 'BTC'].slice(0, 1 + pick(3));
  }
  const { url, headers, body } = exchange.sign(path, api, method, params);
  const sent = new URL(url);
  const target = url.slice(sent.origin.length);
  if (sent.pathname + sent.search !== target && `${sent.pathname}?` !== target) {
    throw new Error(`${url} is sent in another spelling`);
  }
  const [, query] = /\?(.*)/s.exec(target) ?? [];
  return { method, host: sent.host, path: sent.pathname, query: query ?? null, headers: headers ?? {}, body: body ?? null };
}

const { version } = JSON.parse(readFileSync(new URL('package.json', ccxt)));
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
let seed = 19;
for (const [name, plan] of Object.entries(exchanges)) {
  const { default: Exchange } = await import(new URL(`js/src/${name}.js`, ccxt));
  for (const [preset, secret] of Object.entries(plan.presets)) {
    const exchange = new Exchange({ apiKey: 'an-api-key', secret, password: 'a passphrase' });
    exchange.milliseconds = () => NOW;
    exchange.seconds = () => Math.floor(NOW / 1000);
    exchange.randomBytes = () => '000102030405060708090a0b0c0d0e0f';
    const pick = random(seed++);
    say({ preset, secret, now: NOW, ccxt: version });
    for (let left = EACH; left > 0; left--) {
      say(signed(exchange, plan, pick));
    }
  }
}
